"""Passwords, codes, cookies and links get into no log, no row and no refusal."""

import logging
import re
from html import unescape
from typing import Any

import pytest
import structlog
from pyotp import TOTP
from sqlalchemy.exc import IntegrityError

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.people import totp
from flatbed.tenants.people.accounts.repository import find_account
from flatbed.tenants.people.links import PASSWORD_RESET, link_token
from flatbed.tenants.people.passwords import Passwords
from flatbed.tenants.people.second_factor.service import SecondFactors
from flatbed.tenants.people.sessions import repository as sessions
from flatbed.tenants.people.sessions.service import COOKIE
from tests.api.support import World
from tests.people.door import Door, fresh_address
from tests.people.pages.conftest import CALLER, PASSWORD, Resident
from tests.people.pages.visitor import Visitor, app_of
from tests.support.canaries import Canaries

pytestmark = pytest.mark.own_database

NEW = "another horse of a later battery"
WRONG = "not his password, a canary all the same"
_OFFER = re.compile(r'name="offer" value="([^"]+)"')
_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}")
_RESET = "SELECT id FROM password_reset WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1"


@pytest.fixture
def canaries() -> Canaries:
    made = Canaries()
    made.plant("password", PASSWORD)
    made.plant("wrong password", WRONG)
    made.plant("new password", NEW)
    return made


class Flow:
    """One person through every door."""

    def __init__(self, world: World, resident: Resident, canaries: Canaries) -> None:
        self.world, self.resident, self.canaries = world, resident, canaries
        self.visitor = Visitor(world.http)
        self.codes: list[str] = []

    async def sign_in(self) -> None:
        """Wrong, then right."""
        assert (await self.visitor.sign_in(self.resident.email, WRONG)).status_code == 422
        await self.visitor.enter(self.resident)
        self.keep_cookies("first")

    def keep_cookies(self, when: str) -> None:
        """Every cookie is a secret."""
        for name, value in self.visitor.cookies.items():
            self.canaries.plant(f"{when} {name}", value)

    async def enrol(self) -> None:
        """Get a second factor and recovery codes."""
        visitor, place = self.visitor, "/account/second-factor"
        page = await visitor.get(place)
        offer = _OFFER.search(page.text)
        assert offer is not None
        second: SecondFactors = app_of(self.world).state.people.second_factors
        secret = second._unsealed(self.resident.user_id, unescape(offer[1]))
        assert secret is not None
        self.resident.secret = self.canaries.plant("totp secret", secret)
        self.canaries.plant("sealed offer", unescape(offer[1]))
        code = TOTP(secret).at(system_now())
        sent = {"act": "enrol", "offer": unescape(offer[1])}
        field = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        done = await visitor.post(place, {"csrf": field, "code": code, **sent})
        self.codes = sorted(set(_CODE.findall(done.text)))
        assert len(self.codes) == 10
        for number, one in enumerate(self.codes):
            self.canaries.plant(f"recovery code {number}", one)
            self.canaries.plant(f"bare recovery code {number}", one.replace("-", ""))
        self.keep_cookies("enrolled")

    async def by_recovery_code(self) -> None:
        """Sign in anew with a recovery code; a used one is refused."""
        visitor = Visitor(self.world.http)
        for status in (303, 422):
            await visitor.sign_in(self.resident.email, path="/sign-in?anew=1")
            self.canaries.plant(f"half {status}", visitor.half)
            answer = await visitor.fill("/sign-in/code", {"code": self.codes[0]})
            assert answer.status_code == status
        self.canaries.plant("recovered session", visitor.cookies[COOKIE])
        self.visitor = visitor

    async def change_password(self) -> None:
        """Wrong current one, then right."""
        for current, status in ((WRONG, 422), (PASSWORD, 303)):
            sent = {"current": current, "new": NEW}
            answer = await self.visitor.fill("/account/password", sent)
            assert answer.status_code == status
        self.keep_cookies("changed")

    async def reset(self, admin: Plain) -> None:
        """By a link in a mail."""
        await self.visitor.fill("/password-reset", {"email": self.resident.email})
        id_ = await admin.fetchval(_RESET, self.resident.user_id)
        token = link_token(self.world.program.keyring, PASSWORD_RESET, id_)
        self.canaries.plant("reset link", token)
        self.canaries.plant("reset seal", token.partition(".")[2])
        place = f"/password-reset/{token}"
        assert (await self.visitor.fill(place, {"new": "short"})).status_code == 422
        assert (await self.visitor.fill(place, {"new": PASSWORD})).status_code == 200
        assert (await self.visitor.get(place)).status_code == 404
        assert (await self.visitor.get(place + "x")).status_code == 404

    async def invitation(self, door: Door) -> None:
        """Accepted as somebody new."""
        email = fresh_address()
        await door.invited(await self.world.isv(), email=email)
        token = await door.token(email)
        self.canaries.plant("invitation link", token)
        self.canaries.plant("invitation seal", token.partition(".")[2])
        visitor, place = Visitor(self.world.http), f"/invitations/{token}"
        weak = await visitor.fill(place, {"name": "Ada New", "new": "short"})
        assert weak.status_code == 422
        assert (await visitor.fill(place, {"name": "Ada New", "new": NEW})).status_code == 303
        self.canaries.plant("joined session", visitor.cookies[COOKIE])
        assert (await visitor.get(place)).status_code == 404


LINKS = {"reset link", "reset seal", "invitation link", "invitation seal"}
"""In the page that the link itself has opened, as the place that its form is sent to."""


class TestFlows:
    async def test_no_secret_of_a_person_is_logged_stored_or_repeated(
        self,
        world: World,
        resident: Resident,
        canaries: Canaries,
        admin_connection: Plain,
        door: Door,
    ) -> None:
        flow = Flow(world, resident, canaries)
        with canaries.listening(world.http):
            await flow.sign_in()
            await flow.enrol()
            await flow.by_recovery_code()
            await flow.change_password()
            await flow.reset(admin_connection)
            await flow.invitation(door)
        assert len(canaries.secrets) > 30
        assert len(canaries.logged) > 30
        assert any("/sign-in" in line for line in canaries.logged)
        assert len(canaries.answered) >= 6
        assert canaries.in_logs() == []
        assert canaries.in_answers(shown=LINKS) == []
        assert await canaries.in_rows(admin_connection) == {}

    async def test_nor_by_an_error_that_nobody_foresaw(
        self,
        world: World,
        resident: Resident,
        canaries: Canaries,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each error's text is made of what must not get out."""

        def compare(_: Passwords, spelt: str, stored: str) -> Any:
            raise RuntimeError(f"{spelt} is not {stored}")

        async def add(_: Any, row: Any) -> None:
            raise IntegrityError(
                "INSERT", {"digest": row.digest, "is": PASSWORD}, Exception(PASSWORD)
            )

        def accepted(secret: str, code: str, *_: Any) -> Any:
            raise ValueError(f"{code} is not of {secret}")

        await resident.second_factor()
        canaries.plant("totp secret", resident.secret or "")
        between = Visitor(world.http)
        await between.sign_in(resident.email)
        canaries.plant("half", between.half)
        with canaries.listening(world.http):
            monkeypatch.setattr(totp, "accepted_step", accepted)
            failed = await between.fill("/sign-in/code", {"code": resident.code()})
            assert failed.status_code == 500
            monkeypatch.setattr(sessions, "add_session", add)
            async with world.program.database.login(caller=CALLER) as session:
                account = await find_account(session, resident.user_id)
                assert account is not None
                account.totp_box = account.totp_at = None
            failed = await Visitor(world.http).sign_in(resident.email)
            assert failed.status_code == 500
            monkeypatch.setattr(Passwords, "_compare", compare)
            for password in (PASSWORD, WRONG):
                failed = await Visitor(world.http).sign_in(resident.email, password)
                assert failed.status_code == 500
        assert sum("unhandled" in line for line in canaries.logged) == 3
        assert canaries.in_logs() == []
        assert canaries.in_answers() == []
        assert await canaries.in_rows(admin_connection) == {}


class TestCanaries:
    """That they are heard."""

    async def test_they_are_heard_wherever_they_get_out(
        self, world: World, canaries: Canaries, admin_connection: Plain
    ) -> None:
        log = structlog.get_logger("test")
        with canaries.listening(world.http):
            log.debug("said", value=canaries.plant("told", "a bird of the coal mine"))
            canaries.plant("raised", "another bird")
            try:
                raise ValueError("another bird")
            except ValueError:
                log.exception("failed")
            canaries.plant("library's", "a third bird")
            logging.getLogger("some.library").debug("with %s", "a third bird")
            canaries.plant("echoed", "no-such-path")
            await world.http.get("/sign-in?ui_locales=de&ui_locales=no-such-path")
            await world.admin.post("/v1/staff", {"no-such-path": 1})
            canaries.plant("stored", world.realm)
        assert canaries.in_logs() == ["told", "raised", "library's"]
        assert canaries.in_answers() == ["echoed"]
        found = await canaries.in_rows(admin_connection)
        assert any(table.startswith("public.agency_audit_") for table in found["stored"])
