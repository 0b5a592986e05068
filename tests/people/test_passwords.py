"""Hashing and verifying: right, bounded, and silent."""

import asyncio
import threading
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher
from pwdlib import PasswordHash

from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.people.passwords import Passwords, UnusablePasswordError, Verdict

CANARY = "Käsebrötchen canary"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(workers=2)
    yield made
    made.close()


class Gate:
    """Holds every comparison until it opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.begun = threading.Semaphore(0)
        self.calls = 0
        real = PasswordHash.verify_and_update

        def held(hasher: PasswordHash, *args: Any) -> Any:
            self.calls += 1
            self.begun.release()
            assert self.opened.wait(30)
            return real(hasher, *args)

        monkeypatch.setattr(PasswordHash, "verify_and_update", held)

    async def until(self, count: int) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, timeout=10)


async def settled(passwords: Passwords, inside: int) -> None:
    """Wait until so many are inside; whoever is cancelled leaves with the loop's next turns."""
    async with asyncio.timeout(10):
        while passwords.inside != inside:  # noqa: ASYNC110 - it changes in another thread
            await asyncio.sleep(0.005)


class TestHash:
    async def test_the_parameters_are_ours_and_the_salt_is_new(self, passwords: Passwords) -> None:
        one, two = [await passwords.hash(CANARY) for _ in range(2)]
        assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert one != two

    @pytest.mark.parametrize("password", ["", "\ud800" * 12, "x" * 600])
    async def test_what_no_rule_takes_is_not_hashed(
        self, passwords: Passwords, password: str
    ) -> None:
        with pytest.raises(UnusablePasswordError) as told:
            await passwords.hash(password)
        assert str(told.value) == ""


class TestVerify:
    async def test_the_right_one_and_no_other(self, passwords: Passwords) -> None:
        stored = await passwords.hash(CANARY)
        assert await passwords.verify(CANARY, stored) == Verdict(ok=True)
        for other in ("", CANARY + " ", CANARY.lower(), CANARY[:-1], "x" * 600, "\ud800"):
            assert await passwords.verify(other, stored) == Verdict(ok=False)

    async def test_however_it_is_typed(self, passwords: Passwords) -> None:
        stored = await passwords.hash(CANARY)
        assert (await passwords.verify(unicodedata.normalize("NFD", CANARY), stored)).ok

    async def test_an_old_hash_is_made_anew_when_the_password_is_right(
        self, passwords: Passwords
    ) -> None:
        old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(CANARY)
        verdict = await passwords.verify(CANARY, old)
        assert verdict.ok
        assert verdict.rehash is not None
        assert verdict.rehash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await passwords.verify(CANARY, verdict.rehash) == Verdict(ok=True)
        assert await passwords.verify("another", old) == Verdict(ok=False)

    @pytest.mark.parametrize("stored", [None, "", "nonsense"])
    async def test_nobody_costs_as_much_and_is_never_right(
        self, passwords: Passwords, monkeypatch: pytest.MonkeyPatch, stored: str | None
    ) -> None:
        work: list[str] = []
        real = PasswordHasher.verify

        def counted(hasher: PasswordHasher, stored: str, password: str) -> Any:
            assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
            work.append(stored)
            return real(hasher, stored, password)

        monkeypatch.setattr(PasswordHasher, "verify", counted)
        for password in (CANARY, "", "x" * 600):
            assert await passwords.verify(password, stored) == Verdict(ok=False)
        assert len(work) == 3

    async def test_nobodys_own_password_does_not_open(
        self, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(PasswordHash, "verify", lambda *_: True)
        assert not (await passwords.verify(CANARY, None)).ok


class TestCrowd:
    async def test_no_more_work_at_once_than_there_are_threads_and_the_loop_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords = Passwords(workers=2, waiting=6)
        stored = await passwords.hash(CANARY)
        gate = Gate(monkeypatch)
        tasks = [asyncio.create_task(passwords.verify(CANARY, stored)) for _ in range(8)]
        await gate.until(2)
        assert (gate.calls, passwords.inside) == (2, 8)
        gate.opened.set()
        assert all(verdict.ok for verdict in await asyncio.gather(*tasks))
        assert (gate.calls, passwords.inside) == (8, 0)
        passwords.close()

    async def test_who_finds_the_line_full_is_told_at_once_to_come_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords = Passwords(workers=1, waiting=2)
        stored = await passwords.hash(CANARY)
        gate = Gate(monkeypatch)
        tasks = [asyncio.create_task(passwords.verify(CANARY, stored)) for _ in range(3)]
        await gate.until(1)
        late = [
            asyncio.create_task(passwords.verify(CANARY, stored)),
            asyncio.create_task(passwords.verify(CANARY, None)),
            asyncio.create_task(passwords.hash(CANARY)),
        ]
        told, kept_waiting = await asyncio.wait(late, timeout=1)
        gate.opened.set()
        assert not kept_waiting
        for task in told:
            error = task.exception()
            assert isinstance(error, UnavailableError)
            assert (error.status, error.headers) == (503, {"Retry-After": "1"})
        await asyncio.gather(*tasks)
        assert (await passwords.verify(CANARY, stored)).ok
        passwords.close()

    async def test_who_leaves_the_line_frees_his_place_and_does_no_work(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords = Passwords(workers=1, waiting=2)
        stored = await passwords.hash(CANARY)
        gate = Gate(monkeypatch)
        first, *waiting = [asyncio.create_task(passwords.verify(CANARY, stored)) for _ in range(3)]
        await gate.until(1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await settled(passwords, 1)
        later = [asyncio.create_task(passwords.verify(CANARY, stored)) for _ in range(2)]
        gate.opened.set()
        assert all(verdict.ok for verdict in await asyncio.gather(first, *later))
        assert gate.calls == 3
        passwords.close()

    async def test_one_that_is_at_work_keeps_its_place_until_it_is_done(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords = Passwords(workers=1, waiting=0)
        stored = await passwords.hash(CANARY)
        gate = Gate(monkeypatch)
        task = asyncio.create_task(passwords.verify(CANARY, stored))
        await gate.until(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Else cancelled requests would pile up work beyond every limit.
        with pytest.raises(UnavailableError):
            await passwords.verify(CANARY, stored)
        gate.opened.set()
        await settled(passwords, 0)
        passwords.close()

    async def test_a_failure_inside_frees_the_place(
        self, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> Any:
            raise MemoryError

        monkeypatch.setattr(PasswordHash, "hash", broken)
        with pytest.raises(MemoryError):
            await passwords.hash(CANARY)
        await settled(passwords, 0)


class TestSilence:
    async def test_no_log_and_no_repr_holds_a_password_or_a_hash(
        self, passwords: Passwords
    ) -> None:
        with structlog.testing.capture_logs() as logs:
            stored = await passwords.hash(CANARY)
            verdicts = [
                await passwords.verify(CANARY, kept) for kept in (stored, None, "nonsense canary")
            ]
        assert logs == [{"event": "password_hash_unreadable", "log_level": "warning"}]
        assert "argon2" not in repr(Verdict(ok=True, rehash=stored))
        assert [verdict.ok for verdict in verdicts] == [True, False, False]
