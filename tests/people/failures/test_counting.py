"""Counting failures in the table, by many at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
import pytest_asyncio

from flatbed.app.worker import purge
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database import purging
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.failures import repository
from flatbed.tenants.people.failures.counting import Failures, Try
from flatbed.tenants.people.failures.errors import TooManyFailuresError
from flatbed.tenants.people.rules.failures import MOST, Subject
from tests.support.postgres import TestDatabase

pytestmark = pytest.mark.own_database

CALLER = Caller("system:test", "")
HERE = ip_address("192.0.2.7")


@dataclass
class Time:
    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Scene:
    """One account that somebody tries to enter, with a clock of its own."""

    failures: Failures
    time: Time
    email: str

    @property
    def key(self) -> bytes:
        return self.failures.key(Subject.ACCOUNT, self.email, HERE)

    async def fail(self, times: int = 1) -> None:
        for _ in range(times):
            async with self.failures.database.login(caller=CALLER) as session:
                await self.failures.failed(session, self.key)

    async def right(self, tried: Try) -> None:
        async with self.failures.database.login(caller=CALLER) as session:
            await self.failures.succeeded(session, tried)

    async def fail_at_once(self, times: int) -> None:
        await asyncio.gather(*(self.fail() for _ in range(times)))

    async def wait(self, key: bytes | None = None) -> int | None:
        async with self.failures.database.login(caller=CALLER) as session:
            return await self.failures.wait(session, key or self.key)

    async def count(self) -> int:
        async with self.failures.database.login(caller=CALLER) as session:
            found = await repository.find_count(session, self.key)
        return 0 if found is None else found.count


@pytest_asyncio.fixture
async def scene(database: TestDatabase) -> AsyncIterator[Scene]:
    opened = Database(create_engine(database.app_url, pool_size=8))
    time = Time(system_now())
    yield Scene(Failures(opened, Keyring(b"k" * 32), time), time, f"{uuid7().hex}.canary@x.example")
    await opened.close()


class TestFailed:
    async def test_the_tenth_in_a_minute_is_the_last(self, scene: Scene) -> None:
        await scene.fail(MOST - 1)
        assert await scene.wait() is None
        await scene.fail()
        assert await scene.wait() == 60
        scene.time.pass_(45.5)
        assert await scene.wait() == 15

    async def test_after_the_minute_it_begins_anew(self, scene: Scene) -> None:
        await scene.fail(MOST + 5)
        scene.time.pass_(60)
        assert await scene.wait() is None
        await scene.fail()
        assert (await scene.count(), await scene.wait()) == (1, None)

    async def test_the_window_does_not_slide(self, scene: Scene) -> None:
        await scene.fail(MOST)
        scene.time.pass_(50)
        await scene.fail()
        scene.time.pass_(10)
        assert await scene.wait() is None

    async def test_a_row_of_a_wrong_clock_locks_nobody_out(self, scene: Scene) -> None:
        scene.time.pass_(3600)
        await scene.fail(MOST)
        scene.time.pass_(-3600)
        assert await scene.wait() is None
        await scene.fail()
        assert await scene.count() == 1

    async def test_32_at_once_are_32(self, scene: Scene) -> None:
        await scene.fail_at_once(32)
        assert await scene.count() == 32

    async def test_32_at_once_after_the_window_are_32_too(self, scene: Scene) -> None:
        await scene.fail(3)
        scene.time.pass_(61)
        await scene.fail_at_once(32)
        assert await scene.count() == 32


class TestWhoIsCounted:
    async def test_another_network_account_or_client_is_not(self, scene: Scene) -> None:
        await scene.fail(MOST)
        failures = scene.failures
        assert await scene.wait()
        others = (
            failures.key(Subject.ACCOUNT, scene.email, ip_address("192.0.3.7")),
            failures.key(Subject.ACCOUNT, scene.email, ip_address("2001:db8::1")),
            failures.key(Subject.ACCOUNT, scene.email, None),
            failures.key(Subject.ACCOUNT, f"x{scene.email}", HERE),
            failures.key(Subject.CLIENT, scene.email, HERE),
            Failures(failures.database, Keyring(b"l" * 32)).key(Subject.ACCOUNT, scene.email, HERE),
        )
        assert [await scene.wait(key) for key in others] == [None] * len(others)

    async def test_a_neighbour_of_the_network_is_and_so_is_other_case(self, scene: Scene) -> None:
        await scene.fail(MOST)
        for name, address in (
            (scene.email.upper(), HERE),
            (scene.email, ip_address("192.0.2.200")),
            (scene.email, ip_address("::ffff:192.0.2.1")),
        ):
            assert await scene.wait(scene.failures.key(Subject.ACCOUNT, name, address))

    async def test_the_table_holds_no_name_and_no_address(
        self, scene: Scene, admin_connection: Plain
    ) -> None:
        await scene.fail()
        row = await admin_connection.fetchrow(
            "SELECT * FROM failure_count WHERE key = $1", scene.key
        )
        assert row is not None
        assert set(dict(row)) == {"key", "began_at", "count"}
        assert len(row["key"]) == 32
        assert b"canary" not in row["key"]


class TestTry:
    async def test_of_32_at_once_ten_are_looked_at(self, scene: Scene) -> None:
        tries = await asyncio.gather(
            *(scene.failures.begin(scene.key, CALLER) for _ in range(32)), return_exceptions=True
        )
        refused = [found for found in tries if isinstance(found, BaseException)]
        assert len(refused) == 32 - MOST
        for found in refused:
            assert isinstance(found, TooManyFailuresError)
            assert (found.status, found.seconds) == (429, 60)
            assert found.headers == {"Retry-After": "60"}
        assert await scene.wait() == 60

    async def test_one_that_was_right_counts_no_more(self, scene: Scene) -> None:
        for _ in range(3 * MOST):
            tried = await scene.failures.begin(scene.key, CALLER)
            await scene.right(tried)

    async def test_nor_does_it_forgive_the_wrong_ones(self, scene: Scene) -> None:
        for _ in range(MOST - 1):
            await scene.failures.begin(scene.key, CALLER)
        await scene.right(await scene.failures.begin(scene.key, CALLER))
        await scene.failures.begin(scene.key, CALLER)
        with pytest.raises(TooManyFailuresError):
            await scene.failures.begin(scene.key, CALLER)

    async def test_refused_ones_are_not_counted(self, scene: Scene) -> None:
        tries = [await scene.failures.begin(scene.key, CALLER) for _ in range(MOST)]
        for _ in range(5):
            with pytest.raises(TooManyFailuresError):
                await scene.failures.begin(scene.key, CALLER)
        await scene.right(tries[0])
        await scene.failures.begin(scene.key, CALLER)

    async def test_one_of_an_earlier_window_takes_nothing_from_the_next(self, scene: Scene) -> None:
        early = await scene.failures.begin(scene.key, CALLER)
        scene.time.pass_(60)
        for _ in range(MOST):
            await scene.failures.begin(scene.key, CALLER)
        await scene.right(early)
        with pytest.raises(TooManyFailuresError):
            await scene.failures.begin(scene.key, CALLER)


class TestPurge:
    async def test_windows_that_have_ended_are_forgotten_and_no_others(
        self, scene: Scene, admin_connection: Plain
    ) -> None:
        other = Scene(scene.failures, scene.time, f"b{scene.email}")
        scene.time.pass_(-60)
        await scene.fail()
        scene.time.pass_(60)
        await other.fail()
        await purge(scene.failures.database)
        for key, left in ((scene.key, 0), (other.key, 1)):
            found = await admin_connection.fetchval(
                "SELECT count(*) FROM failure_count WHERE key = $1", key
            )
            assert found == left

    async def test_as_many_as_fit_a_statement(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        later = scene.time.now + timedelta(minutes=2)

        async def purged() -> bool:
            async with scene.failures.database.login(caller=CALLER) as session:
                return await repository.purge_failures(session, later)

        # The tests of this file share the table.
        while await purged():
            pass
        monkeypatch.setattr(purging, "AT_ONCE", 2)
        for number in range(3):
            await Scene(scene.failures, scene.time, f"{number}{scene.email}").fail()
        assert [await purged(), await purged()] == [True, False]
