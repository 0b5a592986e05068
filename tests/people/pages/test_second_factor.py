"""Getting a second factor, new recovery codes, giving it up; and who must have one."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from pyotp import TOTP

from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.organizations.repository import find_staff
from flatbed.tenants.people.second_factor.service import needs_enrolment
from tests.api.support import World
from tests.people.door import Door
from tests.people.pages.others import stranger
from tests.people.pages.visitor import Visitor, csrf_of, enter
from tests.support.residents import CALLER, PASSWORD, Resident

PLACE = "/account/second-factor"
SECRET = re.compile(r"<code>([A-Z2-7]{32})</code>")
OFFER = re.compile(r'name="offer" value="([^"]+)"')
CODES = re.compile(r"<li><code>([0-9A-Z-]{19})</code></li>")


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


async def offered(visitor: Visitor, path: str = PLACE) -> tuple[str, dict[str, str]]:
    """The secret that the page shows, and the fields that it keeps."""
    page = (await visitor.get(path)).text
    secret, offer = SECRET.search(page), OFFER.search(page)
    assert secret is not None
    assert offer is not None
    token = unescape(page.split('name="csrf" value="')[1].split('"')[0])
    return secret[1], {"csrf": token, "offer": unescape(offer[1]), "act": "enrol"}


async def enrolled(visitor: Visitor, resident: Resident) -> list[str]:
    """Enrol; the recovery codes."""
    resident.secret, fields = await offered(visitor)
    answer = await visitor.fill(PLACE, {**fields, "code": resident.code()})
    assert answer.status_code == 200, answer.text
    return CODES.findall(answer.text)


class TestEnrol:
    async def test_a_code_of_the_shown_secret_turns_it_on(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        codes = await enrolled(visitor, resident)
        assert len(set(codes)) == 10
        again = (await visitor.get(PLACE)).text
        assert "is on" in again
        assert "Unused recovery codes: 10" in again
        assert not any(code in again for code in codes)
        answer = await enter(visitor, resident.email)
        assert answer.headers["location"].startswith("/sign-in/code")
        assert (await visitor.fill("/sign-in/code", {"code": codes[0]})).status_code == 303
        assert "Unused recovery codes: 9" in (await visitor.get(PLACE)).text

    async def test_the_page_shows_a_picture_of_it_without_script_or_link(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        page = (await visitor.get(PLACE)).text
        assert page.count("<svg") == 1
        assert "data:" not in page
        assert "otpauth" not in page

    async def test_a_wrong_code_turns_nothing_on_and_the_secret_stays(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        secret, fields = await offered(visitor)
        answer = await visitor.fill(PLACE, {**fields, "code": "000000"})
        assert answer.status_code == 422
        assert secret in answer.text
        assert (await enter(visitor, resident.email)).headers["location"] == "/account"

    async def test_the_code_that_turned_it_on_is_used_up(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        resident.secret, fields = await offered(visitor)
        code = resident.code()
        await visitor.fill(PLACE, {**fields, "code": code})
        await enter(visitor, resident.email)
        assert (await visitor.fill("/sign-in/code", {"code": code})).status_code == 422

    async def test_other_browsers_are_signed_out_and_this_ones_cookie_changes(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        other = Visitor(world.http)
        await enter(other, resident.email)
        await enter(visitor, resident.email)
        old = Visitor(world.http, dict(visitor.cookies))
        await enrolled(visitor, resident)
        assert await visitor.is_signed_in()
        assert not await other.is_signed_in()
        assert not await old.is_signed_in()

    async def test_another_persons_offer_is_not_taken(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        """Else Eve would know the secret of her victim's factor."""
        eve = Visitor(world.http)
        await enter(eve, (await stranger(world)).email)
        hers, offer = await offered(eve)
        await enter(visitor, resident.email)
        _, fields = await offered(visitor)
        for sealed in (offer["offer"], "", "x", "x" * 600, "é"):
            sent = {**fields, "offer": sealed, "code": TOTP(hers).at(system_now())}
            assert (await visitor.fill(PLACE, sent)).status_code == 422
        assert (await enter(visitor, resident.email)).headers["location"] == "/account"

    async def test_one_that_is_on_is_not_replaced(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        """By whoever holds an older page, or the session."""
        await enter(visitor, resident.email)
        second, fields = await offered(visitor)
        await enrolled(visitor, resident)
        fields["csrf"] = csrf_of(await visitor.get(PLACE))
        answer = await visitor.fill(PLACE, {**fields, "code": TOTP(second).at(system_now())})
        assert answer.status_code == 422
        await enter(visitor, resident.email)
        stolen = {"code": TOTP(second).at(system_now())}
        assert (await visitor.fill("/sign-in/code", stolen)).status_code == 422

    @pytest.mark.parametrize("place", [PLACE, "/account/password"])
    async def test_it_asks_who_proved_himself_longer_than_a_quarter_of_an_hour_ago(
        self, visitor: Visitor, resident: Resident, admin_connection: Plain, place: str
    ) -> None:
        await enter(visitor, resident.email)
        token = csrf_of(await visitor.get(place))
        await admin_connection.execute(
            "UPDATE user_session SET auth_at = auth_at - $2::interval WHERE user_id = $1",
            resident.user_id,
            timedelta(minutes=16),
        )
        asked = await visitor.get(place)
        assert asked.status_code == 303
        assert "anew=1" in asked.headers["location"]
        assert (await visitor.post(place, {"csrf": token, "act": "enrol"})).status_code == 303
        assert await visitor.is_signed_in()


class TestRenew:
    async def test_new_codes_take_the_place_of_the_old(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        old = await enrolled(visitor, resident)
        answer = await visitor.fill(PLACE, {"act": "renew", "code": old[0]})
        new = CODES.findall(answer.text)
        assert len(set(new) - set(old)) == 10
        await enter(visitor, resident.email)
        assert (await visitor.fill("/sign-in/code", {"code": old[1]})).status_code == 422
        assert (await visitor.fill("/sign-in/code", {"code": new[0]})).status_code == 303

    async def test_a_wrong_code_makes_none(self, visitor: Visitor, resident: Resident) -> None:
        await enter(visitor, resident.email)
        old = await enrolled(visitor, resident)
        answer = await visitor.fill(PLACE, {"act": "renew", "code": "000000"})
        assert answer.status_code == 422
        assert CODES.findall(answer.text) == []
        await enter(visitor, resident.email)
        assert (await visitor.fill("/sign-in/code", {"code": old[1]})).status_code == 303

    async def test_guessing_is_counted(self, visitor: Visitor, resident: Resident) -> None:
        await enter(visitor, resident.email)
        await enrolled(visitor, resident)
        token = csrf_of(await visitor.get(PLACE))
        guess = {"csrf": token, "act": "renew", "code": "000000"}
        for _ in range(10):
            assert (await visitor.fill(PLACE, guess)).status_code == 422
        assert (await visitor.fill(PLACE, guess)).status_code == 429


class TestRemove:
    async def test_password_and_code_turn_it_off(
        self, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        await enter(visitor, resident.email)
        codes = await enrolled(visitor, resident)
        fields = {"act": "remove", "password": PASSWORD, "code": codes[0]}
        assert (await visitor.fill(PLACE, fields)).headers["location"] == PLACE
        # What is left of the session is a password's worth, should he become an admin meanwhile.
        acr = "SELECT acr FROM user_session WHERE user_id = $1 AND revoked_at IS NULL"
        assert await admin_connection.fetchval(acr, resident.user_id) == "pwd"
        assert (await enter(visitor, resident.email)).headers["location"] == "/account"

    async def test_what_was_let_in_by_both_factors_ends_with_it(
        self, world: World, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        """Else it would speak for two factors when he becomes an admin, who must have them."""
        await enter(visitor, resident.email)
        codes = await enrolled(visitor, resident)
        isv = await world.isv()
        lender = await world.people.lend(
            await world.application(isv),
            resident.user_id,
            tenant_id=isv.tenant_id,
            membership_id=await world.people.membership(isv.tenant_id, "owner", resident.user_id),
        )
        await admin_connection.execute(
            "UPDATE oauth_grant SET session_id ="
            " (SELECT id FROM user_session WHERE user_id = $2 AND revoked_at IS NULL)"
            " WHERE id = $1",
            lender.grant_id,
            resident.user_id,
        )
        client = await world.signed_in(lender)
        fields = {"act": "remove", "password": "wrong", "code": codes[0]}
        await visitor.fill(PLACE, fields)
        assert (await client.get("/v1/members")).status_code == 200
        assert (await visitor.fill(PLACE, fields | {"password": PASSWORD})).status_code == 303
        assert (await client.get("/v1/members")).status_code == 401

    @pytest.mark.parametrize("wrong", ["password", "code"])
    async def test_one_alone_does_not(
        self, visitor: Visitor, resident: Resident, wrong: str
    ) -> None:
        await enter(visitor, resident.email)
        codes = await enrolled(visitor, resident)
        fields = {"act": "remove", "password": PASSWORD, "code": codes[0], wrong: "wrong"}
        assert (await visitor.fill(PLACE, fields)).status_code == 422
        answer = await enter(visitor, resident.email)
        assert answer.headers["location"].startswith("/sign-in/code")


class TestTold:
    async def test_the_person_hears_by_mail_what_was_done_and_not_what_failed(
        self, visitor: Visitor, resident: Resident, admin_connection: Plain
    ) -> None:
        async def told() -> list[str]:
            rows = await admin_connection.fetch(
                "SELECT entrypoint FROM pgqueuer"
                " WHERE convert_from(payload, 'UTF8') LIKE $1 ORDER BY id",
                f"%{resident.user_id}%",
            )
            return [row["entrypoint"] for row in rows]

        await enter(visitor, resident.email)
        codes = await enrolled(visitor, resident)
        await visitor.fill(PLACE, {"act": "renew", "code": "000000"})
        answer = await visitor.fill(PLACE, {"act": "renew", "code": codes[0]})
        codes = CODES.findall(answer.text)
        fields = {"act": "remove", "password": "wrong", "code": codes[0]}
        await visitor.fill(PLACE, fields)
        assert await told() == ["send_second_factor_on", "send_recovery_codes_made"]
        await visitor.fill(PLACE, fields | {"password": PASSWORD})
        assert (await told())[2:] == ["send_second_factor_off"]


class TestRequired:
    async def test_an_admin_of_the_agency_is_sent_to_get_one_and_cannot_give_it_up(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await make_staff(resident, "admin")
        answer = await enter(visitor, resident.email)
        assert answer.headers["location"] == f"{PLACE}?continue=%2Faccount"
        assert await needs(resident)
        codes = await enrolled(visitor, resident)
        assert not await needs(resident)
        page = (await visitor.get(PLACE)).text
        assert "cannot be turned off" in page
        token = csrf_of(await visitor.get(PLACE))
        fields = {"csrf": token, "act": "remove", "password": PASSWORD, "code": codes[0]}
        assert (await visitor.fill(PLACE, fields)).status_code == 422
        answer = await enter(visitor, resident.email)
        assert answer.headers["location"].startswith("/sign-in/code")
        assert (await visitor.fill("/sign-in/code", {"code": codes[0]})).status_code == 303

    async def test_after_that_he_goes_on_to_where_he_was_going(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await make_staff(resident, "admin")
        going = "/oauth/authorize?client_id=x&state=y"
        answer = await visitor.fill(
            f"/sign-in?continue={quote(going, safe='')}",
            {"email": resident.email, "password": PASSWORD},
        )
        path = answer.headers["location"]
        resident.secret, fields = await offered(visitor, path)
        done = await visitor.fill(path, {**fields, "code": resident.code()})
        assert f'href="{going.replace("&", "&amp;")}"' in done.text

    @pytest.mark.parametrize(
        ("role", "policy", "needed"),
        [("owner", True, True), ("owner", False, False), ("viewer", True, False)],
    )
    async def test_an_owner_needs_one_where_his_isv_says_so(
        self,
        world: World,
        door: Door,
        admin_connection: Plain,
        role: str,
        policy: bool,
        needed: bool,
    ) -> None:
        isv = await world.isv()
        _, joined = await door.joined(isv, role)
        await admin_connection.execute(
            "INSERT INTO sign_in_policy (realm_id, tenant_id, owners_need_totp, created_at,"
            " updated_at) VALUES ($1, $2, $3, now(), now())",
            world.realm_id,
            isv.tenant_id,
            policy,
        )
        found = Resident(world, joined.user_id, "")
        assert await needs(found) is needed

    async def test_a_hunter_needs_none(self, resident: Resident) -> None:
        await make_staff(resident, "hunter")
        assert not await needs(resident)


async def needs(who: Resident) -> bool:
    async with who.world.program.database.login(caller=CALLER) as session:
        return await needs_enrolment(session, who.user_id)


async def make_staff(who: Resident, role: str) -> None:
    """Give the person a place among the agency's staff."""
    body = {"name": "Ada", "email": who.email, "role": role}
    made = await who.world.admin.made("/v1/staff", body)
    database = who.world.program.database
    async with database.agency(
        realm_id=who.world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        row = await find_staff(session, decode("staff", made["id"]), lock=True)
        assert row is not None
        row.user_id = who.user_id
