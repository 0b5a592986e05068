"""The cookie between password and second factor."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
import pytest_asyncio

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.accounts.repository import find_account
from flatbed.tenants.people.models import UserAccount
from flatbed.tenants.people.sessions.service import COOKIE
from flatbed.tenants.people.signing_in import half
from tests.api.support import World
from tests.people.pages.conftest import Resident, settle
from tests.people.pages.visitor import Visitor, driven

CALLER = Caller("system:test", "req_test")


@pytest_asyncio.fixture
async def between(world: World, resident: Resident) -> Visitor:
    """Somebody who has typed his password and not yet a code."""
    await resident.second_factor()
    visitor = Visitor(world.http)
    answer = await visitor.sign_in(resident.email)
    assert answer.headers["location"] == "/sign-in/code"
    assert COOKIE not in visitor.cookies
    return visitor


async def is_gone(visitor: Visitor) -> bool:
    """Whether the first step is to be done again."""
    page = await visitor.get("/sign-in/code")
    if page.status_code == 200:
        return False
    assert page.headers["location"].startswith("/sign-in")
    return True


class TestHalf:
    async def test_it_opens_the_second_step_and_no_more(self, between: Visitor) -> None:
        assert not await is_gone(between)
        assert not await between.is_signed_in()
        for path in ("/account/sessions", "/account/second-factor", "/account/applications"):
            assert (await between.get(path)).status_code == 303

    async def test_it_is_no_session(self, between: Visitor) -> None:
        assert not await between.with_cookie(COOKIE, between.half).is_signed_in()
        assert not await between.with_cookie(COOKIE, between.half[:43]).is_signed_in()

    async def test_a_session_is_no_half(self, world: World, resident: Resident) -> None:
        visitor = await Visitor(world.http).enter(resident)
        await resident.second_factor()
        for value in (visitor.cookies[COOKIE], ""):
            other = Visitor(world.http, {half.COOKIE: value})
            assert await is_gone(other)

    async def test_after_five_minutes_it_is_gone(
        self, world: World, between: Visitor, resident: Resident
    ) -> None:
        watch = driven(world)
        watch.go(minutes=4, seconds=50)
        assert not await is_gone(between)
        page = await between.get("/sign-in/code")
        watch.go(seconds=12)
        assert await is_gone(between)
        field = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        sent = {"csrf": field, "code": resident.code(watch())}
        answer = await between.post("/sign-in/code", sent)
        assert answer.headers["location"] == "/sign-in"
        assert COOKIE not in between.cookies

    @pytest.mark.parametrize("change", ["password_at", "active", "totp"])
    async def test_what_has_changed_meanwhile_undoes_it(
        self, world: World, between: Visitor, resident: Resident, change: str
    ) -> None:
        field = (await between.get("/sign-in/code")).text
        field = field.partition('name="csrf" value="')[2].partition('"')[0]
        async with world.program.database.login(caller=CALLER) as session:
            account = await find_account(session, resident.user_id)
            assert account is not None
            if change == "password_at":
                account.password_at = system_now()
            elif change == "active":
                account.active = False
            else:
                account.totp_box = account.totp_at = None
        sent = {"csrf": field, "code": resident.code()}
        answer = await between.post("/sign-in/code", sent)
        assert answer.headers["location"] == "/sign-in"
        assert COOKIE not in between.cookies
        assert await is_gone(between)

    async def test_one_altered_bit_makes_it_nobodys(self, world: World, between: Visitor) -> None:
        raw = urlsafe_b64decode(between.half)
        for place in (0, 1, 8, 9, 24, 25, 40, len(raw) - 33, len(raw) - 1):
            bent = bytearray(raw)
            bent[place] ^= 1
            value = urlsafe_b64encode(bent).decode()
            assert await is_gone(Visitor(world.http, {half.COOKIE: value})), place
        for value in (between.half[:-4], "AAAA" + between.half, between.half * 9, "\u00e9"):
            encoded = value.encode("latin-1")
            headers = [(b"Cookie", half.COOKIE.encode() + b"=" + encoded)]
            answer = await world.http.get("/sign-in/code", headers=headers)
            assert answer.status_code == 303, value

    async def test_it_is_gone_once_he_is_in_or_out(
        self, between: Visitor, resident: Resident
    ) -> None:
        done = await between.fill("/sign-in/code", {"code": resident.code()})
        assert done.status_code == 303
        assert half.COOKIE not in between.cookies

    async def test_another_who_signs_in_at_the_browser_takes_it_away(
        self, world: World, between: Visitor
    ) -> None:
        other = await settle(world)
        await between.enter(other)
        assert half.COOKIE not in between.cookies


class TestOpened:
    """`half.opened`."""

    def account(self) -> UserAccount:
        return UserAccount(id=uuid7(), password_at=system_now(), active=True)

    def test_it_opens_with_its_own_key_and_use_alone(self) -> None:
        keyring, now, account = Keyring(b"k" * 32), system_now(), self.account()
        cookie = half.sealed(keyring, account, now)
        found = half.opened(keyring, cookie, now)
        assert found is not None
        assert found.is_of(account)
        assert half.opened(Keyring(b"l" * 32), cookie, now) is None
        content = keyring.box(half.SEAL.use).decrypt(cookie.encode())
        for use in ("totp", "csrf", "totp-enrolment"):
            assert half.opened(keyring, keyring.box(use).encrypt(content).decode(), now) is None
