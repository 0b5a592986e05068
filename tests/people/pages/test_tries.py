"""Guessing passwords: how often, what an answer gives away, and a crowd at the door."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pyotp import TOTP

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.people.accounts.repository import find_account
from flatbed.tenants.people.passwords import Passwords
from flatbed.tenants.people.sessions.service import COOKIE
from tests.api.support import World
from tests.people.door import fresh_address
from tests.people.pages.conftest import PASSWORD, Resident
from tests.people.pages.visitor import Visitor, app_of, driven, from_network

CALLER = Caller("system:test", "req_test")
WRONG = "a password that is wrong"


class Counting:
    """A hasher that counts how often Argon2 runs."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.runs: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.runs[name] += 1
        return getattr(self._inner, name)


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


@pytest.fixture
def hasher(world: World, monkeypatch: pytest.MonkeyPatch) -> Counting:
    passwords: Passwords = app_of(world).state.people.passwords
    counting = Counting(passwords._hasher)
    monkeypatch.setattr(passwords, "_hasher", counting)
    return counting


async def fail(visitor: Visitor, email: str, times: int) -> None:
    for _ in range(times):
        assert (await visitor.sign_in(email, WRONG)).status_code == 422


class TestFailures:
    """Ten a minute, for an account from a network."""

    async def test_the_eleventh_is_told_to_wait_also_with_the_right_password(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await fail(visitor, resident.email, 10)
        for password in (WRONG, PASSWORD):
            answer = await visitor.sign_in(resident.email, password)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "Too many failed attempts" in answer.text
            assert COOKIE not in visitor.cookies

    async def test_after_a_minute_he_gets_in(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        watch = driven(world)
        await fail(visitor, resident.email, 10)
        watch.go(seconds=59)
        assert (await visitor.sign_in(resident.email)).status_code == 429
        watch.go(seconds=1)
        assert (await visitor.sign_in(resident.email)).status_code == 303

    async def test_another_spelling_of_the_address_counts_with_it(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        local, _, domain = resident.email.partition("@")
        await fail(visitor, f" {local.upper()}@{domain} ", 5)
        await fail(visitor, f"{local}@{domain.upper()}", 5)
        assert (await visitor.sign_in(resident.email)).status_code == 429

    async def test_another_network_and_another_account_go_on(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        await fail(visitor, resident.email, 10)
        assert (await visitor.sign_in(fresh_address(), WRONG)).status_code == 422
        async with from_network(world, "127.0.0.200") as near:
            assert (await Visitor(near).sign_in(resident.email)).status_code == 429
        async with from_network(world, "198.51.100.7") as far:
            assert (await Visitor(far).sign_in(resident.email)).status_code == 303

    async def test_no_header_of_the_callers_makes_it_another_network(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await fail(visitor, resident.email, 10)
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"):
            visitor.sent = {name: "198.51.100.7", "User-Agent": name}
            assert (await visitor.sign_in(resident.email)).status_code == 429

    async def test_of_many_at_once_ten_are_looked_at(
        self, world: World, visitor: Visitor, resident: Resident, hasher: Counting
    ) -> None:
        await fail(visitor, resident.email, 6)
        before = hasher.runs.total()
        found = await asyncio.gather(
            *(Visitor(world.http).sign_in(resident.email, WRONG) for _ in range(8))
        )
        assert Counter(one.status_code for one in found) == {422: 4, 429: 4}
        assert hasher.runs.total() == before + 4

    async def test_guessed_codes_count_with_the_passwords(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await resident.second_factor()
        await fail(visitor, resident.email, 4)
        assert (await visitor.sign_in(resident.email)).status_code == 303
        for guess in range(6):
            wrong = await visitor.fill("/sign-in/code", {"code": f"{guess:06}"})
            assert wrong.status_code == 422
        answer = await visitor.fill("/sign-in/code", {"code": resident.code()})
        assert answer.status_code == 429
        assert "retry-after" in answer.headers
        assert COOKIE not in visitor.cookies

    async def test_what_succeeds_is_not_counted(self, world: World, resident: Resident) -> None:
        for _ in range(12):
            assert (await Visitor(world.http).sign_in(resident.email)).status_code == 303


class TestEnumeration:
    """Who has an account is not told."""

    async def test_unknown_wrong_disabled_and_malformed_get_one_answer_for_one_run_of_argon2(
        self, world: World, resident: Resident, hasher: Counting
    ) -> None:
        page = "/sign-in?continue=/account"
        known = await Visitor(world.http).sign_in(resident.email, WRONG, page)
        assert hasher.runs == {"verify_and_update": 1}
        hasher.runs.clear()
        unknown_address = fresh_address()
        unknown = await Visitor(world.http).sign_in(unknown_address, WRONG, page)
        assert hasher.runs == {"verify": 1}
        hasher.runs.clear()
        # What is no address is counted with all that is none, of this network.
        async with from_network(world, "100.65.1.1") as http:
            malformed = await Visitor(http).sign_in("not an address", WRONG, page)
        assert hasher.runs == {"verify": 1}
        async with world.program.database.login(caller=CALLER) as session:
            account = await find_account(session, resident.user_id)
            assert account is not None
            account.active = False
        hasher.runs.clear()
        disabled = await Visitor(world.http).sign_in(resident.email, PASSWORD, page)
        assert hasher.runs == {"verify_and_update": 1}
        bodies = set()
        for typed, answer in (
            (resident.email, known),
            (unknown_address, unknown),
            ("not an address", malformed),
            (resident.email, disabled),
        ):
            assert answer.status_code == 422
            _, _, field = answer.text.partition('name="csrf" value="')
            bodies.add(answer.text.replace(typed, "").replace(field.partition('"')[0], ""))
            names = {name for name, _ in answer.headers.multi_items()}
            assert "set-cookie" not in names
        assert len(bodies) == 1

    async def test_the_eleventh_for_nobody_is_refused_as_well(self, visitor: Visitor) -> None:
        nobody = fresh_address()
        await fail(visitor, nobody, 10)
        assert (await visitor.sign_in(nobody, WRONG)).status_code == 429

    async def test_a_password_of_another_is_never_his(
        self, world: World, resident: Resident
    ) -> None:
        for password in ("", " ", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "x" * 5_000):
            answer = await Visitor(world.http).sign_in(resident.email, password)
            assert answer.status_code == 422, password


class TestRehash:
    """A hash of other parameters is replaced when its person signs in."""

    async def test_only_the_right_password_replaces_it(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        old = PasswordHash([Argon2Hasher(memory_cost=1024, time_cost=1, parallelism=1)])
        stored = old.hash(PASSWORD)

        async def now_stored(value: str | None = None) -> str:
            async with world.program.database.login(caller=CALLER) as session:
                account = await find_account(session, resident.user_id)
                assert account is not None
                account.password_hash = value or account.password_hash
                return account.password_hash

        await now_stored(stored)
        await fail(visitor, resident.email, 1)
        assert await now_stored() == stored
        assert (await visitor.sign_in(resident.email)).status_code == 303
        replaced = await now_stored()
        assert "m=19456,t=2,p=1" in replaced
        assert (await Visitor(world.http).sign_in(resident.email)).status_code == 303
        assert await now_stored() == replaced


class Gate:
    """A hasher that is stuck until it is let go."""

    def __init__(self) -> None:
        self.free = Event()

    def verify(self, *_: Any) -> bool:
        """Wait."""
        self.free.wait(20)
        return False

    def verify_and_update(self, *_: Any) -> tuple[bool, None]:
        """As :meth:`verify`."""
        return self.verify(), None


@pytest.fixture
def gate(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    passwords: Passwords = app_of(world).state.people.passwords
    gate = Gate()
    monkeypatch.setattr(passwords, "_hasher", gate)
    monkeypatch.setattr(passwords, "_most", 3)
    yield gate
    gate.free.set()


class TestCrowd:
    """More sign in than Argon2 can look at."""

    async def test_who_comes_last_is_told_when_to_come_back_and_all_else_goes_on(
        self, world: World, gate: Gate
    ) -> None:
        visitors = [Visitor(world.http) for _ in range(4)]
        pages = [await visitor.get("/sign-in") for visitor in visitors]
        assert all(page.status_code == 200 for page in pages)
        passwords: Passwords = app_of(world).state.people.passwords
        inside = [
            asyncio.create_task(visitor.sign_in(fresh_address(), WRONG)) for visitor in visitors[:3]
        ]
        async with asyncio.timeout(10):
            while passwords.inside < 3:  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(0.01)
        refused = await visitors[3].sign_in(fresh_address(), WRONG)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"].startswith("text/html")
        assert "cannot be done at this moment" in refused.text
        assert (await world.http.get("/healthz")).status_code == 200
        assert (await visitors[3].get("/sign-in")).status_code == 200
        assert not any(task.done() for task in inside)
        gate.free.set()
        assert {answer.status_code for answer in await asyncio.gather(*inside)} == {422}
        assert passwords.inside == 0

    async def test_what_nobody_could_look_at_is_no_failed_try(
        self, world: World, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passwords: Passwords = app_of(world).state.people.passwords
        visitor, email = Visitor(world.http), fresh_address()
        with monkeypatch.context() as patch:
            patch.setattr(passwords, "_most", 0)
            for _ in range(12):
                assert (await visitor.sign_in(email, WRONG)).status_code == 503
        gate.free.set()
        assert (await visitor.sign_in(email, WRONG)).status_code == 422


class TestCodes:
    """The second factor, tried by several at once and at the edges of its time."""

    async def test_of_eight_at_once_with_one_code_one_gets_in(
        self, world: World, resident: Resident
    ) -> None:
        await resident.second_factor()
        first = Visitor(world.http)
        await first.sign_in(resident.email)
        page = await first.get("/sign-in/code")
        visitors = [Visitor(world.http, dict(first.cookies)) for _ in range(8)]
        field = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        sent = {"csrf": field, "code": resident.code()}
        found = await asyncio.gather(*(one.post("/sign-in/code", sent) for one in visitors))
        assert Counter(one.status_code for one in found) == {303: 1, 422: 7}
        assert sum(COOKIE in one.cookies for one in visitors) == 1

    async def test_codes_are_counted_wherever_they_come_from(
        self, world: World, resident: Resident
    ) -> None:
        """Who guesses codes knows the password: many networks must not give him many tries."""
        await resident.second_factor()
        half = Visitor(world.http)
        await half.sign_in(resident.email)
        for number in range(12):
            async with from_network(world, f"192.0.{number}.1") as http:
                elsewhere = Visitor(http, dict(half.cookies))
                answer = await elsewhere.fill("/sign-in/code", {"code": "000000"})
                assert answer.status_code == (422 if number < 10 else 429), number
        again = await half.fill("/sign-in/code", {"code": resident.code()})
        assert again.status_code == 429

    @pytest.mark.parametrize(
        ("steps", "status"), [(-2, 422), (-1, 303), (0, 303), (1, 303), (2, 422)]
    )
    async def test_a_code_is_good_one_step_early_and_late(
        self, world: World, visitor: Visitor, resident: Resident, steps: int, status: int
    ) -> None:
        watch = driven(world)
        # The first instant of a step: what is one step away is so in every direction.
        watch.at = watch.at.fromtimestamp(system_now().timestamp() // 30 * 30, watch.at.tzinfo)
        await resident.second_factor()
        await visitor.sign_in(resident.email)
        assert resident.secret is not None
        code = TOTP(resident.secret).at(watch.at + timedelta(seconds=30 * steps))
        assert (await visitor.fill("/sign-in/code", {"code": code})).status_code == status

    @pytest.mark.parametrize(
        "code",
        [
            "",
            "000",
            "0" * 7,
            "\u0661\u0662\u0663\u0664\u0665\u0666",
            "12\u0000456",
            "\u0660" * 6,
            "x" * 9_000,
        ],
        ids=ascii,
    )
    async def test_what_is_no_code_is_a_wrong_one(
        self, visitor: Visitor, resident: Resident, code: str
    ) -> None:
        await resident.second_factor()
        await visitor.sign_in(resident.email)
        assert (await visitor.fill("/sign-in/code", {"code": code})).status_code == 422
