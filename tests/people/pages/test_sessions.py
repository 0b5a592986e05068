"""The browsers that a person is signed in with, and what ends with them."""

from uuid import UUID

import pytest

from flatbed.tenants.kit.database.session import AgencySession, LoginSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people.accounts.repository import account_of, find_account
from flatbed.tenants.people.models import ONE_FACTOR
from flatbed.tenants.people.sessions.service import COOKIE, Sessions
from tests.api.support import World
from tests.people.pages.others import stranger
from tests.people.pages.visitor import Visitor, csrf_of, enter
from tests.support.residents import CALLER, Resident


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


class TestStepUp:
    async def test_it_changes_the_cookie_and_keeps_the_id_that_grants_hang_on(
        self, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        ids = "SELECT id FROM user_session WHERE user_id = $1"
        await enter(visitor, resident.email)
        old = Visitor(visitor.http, dict(visitor.cookies))
        before = await admin_connection.fetch(ids, resident.user_id)
        await enter(visitor, resident.email)
        assert await admin_connection.fetch(ids, resident.user_id) == before
        assert visitor.cookies[COOKIE] != old.cookies[COOKIE]
        assert await visitor.is_signed_in()
        assert not await old.is_signed_in()

    async def test_another_persons_planted_cookie_is_worth_nothing_afterwards(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        eve = Visitor(world.http)
        await enter(eve, (await stranger(world)).email)
        visitor.cookies[COOKIE] = eve.cookies[COOKIE]
        await enter(visitor, resident.email)
        assert visitor.cookies[COOKIE] != eve.cookies[COOKIE]
        assert not await eve.is_signed_in()


class TestList:
    async def test_each_browser_stands_there_and_this_one_is_marked(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        other = Visitor(world.http, sent={"User-Agent": "<b>Bold</b>/2"})
        await enter(other, resident.email)
        await enter(visitor, resident.email)
        page = (await visitor.get("/account/sessions")).text
        assert "&lt;b&gt;Bold&lt;/b&gt;/2" in page
        assert "<b>Bold" not in page
        assert page.count("This browser") == 1
        assert page.count('name="session"') == 2

    async def test_one_is_signed_out_and_loses_its_grants(
        self, world: World, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        other = Visitor(world.http)
        await enter(other, resident.email)
        await enter(visitor, resident.email)
        page = (await visitor.get("/account/sessions")).text
        which = page.split('name="session" value="')[1].split('"')[0]
        answer = await visitor.fill("/account/sessions", {"session": which})
        assert answer.status_code == 303
        assert await visitor.is_signed_in()
        assert not await other.is_signed_in()
        gone = await admin_connection.fetchval(
            "SELECT count(*) FROM user_session WHERE user_id = $1 AND revoked_at IS NOT NULL",
            resident.user_id,
        )
        assert gone == 1

    async def test_all_others_at_once(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        others = [Visitor(world.http), Visitor(world.http)]
        for other in others:
            await enter(other, resident.email)
        await enter(visitor, resident.email)
        await visitor.fill("/account/sessions", {"session": "others"})
        assert await visitor.is_signed_in()
        assert [await other.is_signed_in() for other in others] == [False, False]

    async def test_nobody_ends_another_persons(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        second, eve, hers = Visitor(world.http), Visitor(world.http), await stranger(world)
        await enter(visitor, resident.email)
        await enter(second, resident.email)
        await enter(Visitor(world.http), hers.email)
        await enter(eve, hers.email)
        page = (await second.get("/account/sessions")).text
        his = page.split('name="session" value="')[1].split('"')[0]
        token = csrf_of(await eve.get("/account/sessions"))
        for which in (his, "", "ses_x", "others ", "usr_" + his[4:]):
            answer = await eve.fill("/account/sessions", {"csrf": token, "session": which})
            assert answer.status_code == 404, which
        assert await visitor.is_signed_in()


class Ended:
    """Whose grants were ended, in place of the OAuth server."""

    def __init__(self) -> None:
        self.sessions: list[UUID] = []
        self.presences: list[UUID] = []

    async def of_presence(self, _: LoginSession, session_id: UUID) -> None:
        self.presences.append(session_id)

    async def of_session(self, _: LoginSession, session_id: UUID) -> None:
        self.sessions.append(session_id)

    async def of_user(self, *_: object, **__: object) -> None:
        raise AssertionError

    async def personal_clients(self, _: LoginSession, __: UUID) -> None:
        raise AssertionError

    async def of_membership(self, _: TenantSession, __: UUID) -> None:
        raise AssertionError

    async def of_staff(self, _: AgencySession, __: UUID) -> None:
        raise AssertionError


class TestGrants:
    async def test_what_was_lent_from_a_browser_ends_with_it(
        self, world: World, resident: Resident
    ) -> None:
        for _ in range(3):
            await enter(Visitor(world.http), resident.email)
        ended = Ended()
        sessions = Sessions(world.program.keyring, ended)
        async with world.program.database.login(caller=CALLER) as session:
            rows = [row.id for row in await sessions.live(session, resident.user_id)]
            assert await sessions.end_one(session, resident.user_id, rows[0])
            assert ended.sessions == rows[:1]
            assert not await sessions.end_one(session, resident.user_id, rows[0])
            assert await sessions.end_others(session, resident.user_id, rows[1]) == 1
        assert ended.sessions == [rows[0], rows[2]]
        assert ended.presences == []

    async def test_of_a_browser_that_is_left_to_another_what_was_for_his_presence_ends(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        hers, ended = await stranger(world), Ended()
        await enter(visitor, resident.email)
        sessions = Sessions(world.program.keyring, ended)
        async with world.program.database.login(caller=CALLER) as session:
            (mine,) = await sessions.live(session, resident.user_id)
            account = await account_of(session, hers.email)
            assert account is not None
            before = visitor.cookies[COOKIE]
            cookie = await sessions.begin(session, account, acr=ONE_FACTOR, agent="", before=before)
            assert ended.presences == [mine.id]
            await sessions.end(session, before)
            assert ended.presences == [mine.id]
            (theirs,) = await sessions.live(session, hers.user_id)
            await sessions.end(session, cookie)
        assert ended.presences == [mine.id, theirs.id]
        assert ended.sessions == []


class TestRace:
    async def test_whoever_was_looked_at_before_the_second_factor_is_not_let_in_without(
        self, world: World, resident: Resident
    ) -> None:
        program = world.program
        async with program.database.login(caller=CALLER) as session:
            account = await find_account(session, resident.user_id)
        assert account is not None
        await resident.second_factor()
        async with program.database.login(caller=CALLER) as session:
            cookie = await program.people.sessions.begin(
                session, account, acr=ONE_FACTOR, agent="", before=None
            )
        assert cookie is None
