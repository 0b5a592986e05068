"""A session: how long it lives, what ends it, and that its cookie is never the old one."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people.accounts.repository import find_account, lock_account
from flatbed.tenants.people.sessions.service import COOKIE
from tests.api.support import World
from tests.people.pages.conftest import Resident
from tests.people.pages.visitor import Visitor, app_of, driven

CALLER = Caller("system:test", "req_test")
_SEEN = "SELECT seen_at FROM user_session WHERE user_id = $1"
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


class TestLife:
    """Half an hour idle, twelve hours at all."""

    async def test_half_an_hour_idle_ends_it(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        watch = driven(world)
        await visitor.enter(resident)
        watch.go(minutes=29, seconds=59)
        assert await visitor.is_signed_in()
        watch.go(minutes=29, seconds=59)
        assert await visitor.is_signed_in()
        watch.go(minutes=30)
        assert not await visitor.is_signed_in()

    async def test_twelve_hours_end_it_whatever_he_does(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        watch = driven(world)
        await visitor.enter(resident)
        for _ in range(35):
            watch.go(minutes=20)
            assert await visitor.is_signed_in()
        watch.go(minutes=19, seconds=59)
        assert await visitor.is_signed_in()
        watch.go(seconds=1)
        assert not await visitor.is_signed_in()

    async def test_its_use_is_noted_once_a_minute(
        self, world: World, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        async def seen() -> datetime:
            found: datetime = await admin_connection.fetchval(_SEEN, resident.user_id)
            return found

        watch = driven(world)
        await visitor.enter(resident)
        began = await seen()
        watch.go(seconds=59)
        assert await visitor.is_signed_in()
        assert await seen() == began
        watch.go(seconds=1)
        assert await visitor.is_signed_in()
        assert await seen() == watch()


class TestEnd:
    """What ends it."""

    async def test_signing_out_ends_it_and_takes_the_cookies(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        cookie = visitor.cookies[COOKIE]
        page = await visitor.get("/account")
        _, _, rest = page.text.partition('action="/sign-out"')
        field = rest.partition('name="csrf" value="')[2].partition('"')[0]
        assert (await visitor.post("/sign-out", {"csrf": field})).status_code == 303
        assert visitor.cookies == {}
        assert not await visitor.with_cookie(COOKIE, cookie).is_signed_in()

    async def test_each_signing_in_makes_another_cookie_and_kills_the_old_one(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        seen: list[str] = []
        for _ in range(3):
            await visitor.enter(resident)
            seen.append(visitor.cookies[COOKIE])
        assert len(set(seen)) == 3
        for old in seen[:2]:
            assert not await Visitor(world.http, {COOKIE: old}).is_signed_in()
        assert await visitor.is_signed_in()

    async def test_a_second_factor_makes_another_one_too(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        old = visitor.cookies[COOKIE]
        await resident.second_factor()
        await visitor.enter(resident)
        assert visitor.cookies[COOKIE] != old
        assert not await Visitor(world.http, {COOKIE: old}).is_signed_in()

    async def test_it_is_of_no_use_to_who_is_switched_off(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        async with world.program.database.login(caller=CALLER) as session:
            account = await find_account(session, resident.user_id)
            assert account is not None
            account.active = False
        assert not await visitor.is_signed_in()

    @pytest.mark.parametrize(
        "bend",
        [
            lambda cookie: cookie[:-1],
            lambda cookie: cookie + "A",
            lambda cookie: cookie.swapcase(),
            lambda cookie: cookie[::-1],
            lambda cookie: f'"{cookie}"',
            lambda cookie: cookie.replace(cookie[0], f"%{ord(cookie[0]):02x}", 1),
            lambda _: "",
            lambda _: "A" * 43,
            lambda _: "' OR '1'='1",
        ],
        ids=[
            "shorter",
            "longer",
            "case",
            "reverse",
            "quoted",
            "percent",
            "empty",
            "made-up",
            "sql",
        ],
    )
    async def test_only_the_very_same_cookie_opens_it(
        self, visitor: Visitor, resident: Resident, bend: Any
    ) -> None:
        await visitor.enter(resident)
        bent = visitor.with_cookie(COOKIE, bend(visitor.cookies[COOKIE]))
        assert not await bent.is_signed_in()
        assert await visitor.is_signed_in()


class TestSwitchedOffMeanwhile:
    """Switched off between the right password and the session."""

    async def test_signing_in_waits_for_who_switches_him_off_and_finds_him_gone(
        self, world: World, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        database = await admin_connection.fetchval("SELECT current_database()")
        people = app_of(world).state.people
        async with world.program.database.login(caller=CALLER, repeatable=False) as session:
            account = await lock_account(session, resident.user_id)
            assert account is not None
            account.active = False
            await session.flush()
            # He still reads as active for all others; the session must not be made of that.
            entering = asyncio.create_task(visitor.sign_in(resident.email))
            async with asyncio.timeout(20):
                while not await admin_connection.fetchval(_WAITS, database):  # noqa: ASYNC110 - the database tells nobody
                    await asyncio.sleep(0.02)
            assert not entering.done()
        answer = await entering
        assert answer.status_code == 422
        assert COOKIE not in visitor.cookies
        async with world.program.database.login(caller=CALLER) as session:
            assert await people.sessions.live(session, resident.user_id) == []

    async def test_of_many_rounds_nobody_stays_in(self, world: World, resident: Resident) -> None:
        people = app_of(world).state.people
        for _ in range(8):
            async with world.program.database.login(caller=CALLER) as session:
                await people.accounts.enable(session, resident.email)
            visitors = [Visitor(world.http) for _ in range(3)]

            async def disable() -> None:
                await asyncio.sleep(0.02)
                async with world.program.database.login(caller=CALLER) as session:
                    await people.accounts.disable(session, resident.email)

            found = await asyncio.gather(
                *(visitor.sign_in(resident.email) for visitor in visitors), disable()
            )
            assert {one.status_code for one in found if one is not None} <= {303, 422}
            async with world.program.database.login(caller=CALLER) as session:
                assert await people.sessions.live(session, resident.user_id) == []
