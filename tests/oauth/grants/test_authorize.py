"""/oauth/authorize: who must sign in, in which place he is asked, and what follows."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import encode, uuid7
from tests.oauth.grants.browser import Browser, answered, fields, signs_in
from tests.oauth.grants.conftest import Case, new_case
from tests.oauth.grants.folk import LOOPBACK, REDIRECT, Folk
from tests.oauth.house import ISSUER, House
from tests.oauth.test_token import parts


@pytest.fixture
def browser(house: House, web: Case) -> Browser:
    return Browser(house, web.application, web.person)


@pytest.fixture
def local(house: House, native: Case) -> Browser:
    return Browser(house, native.application, native.person)


class TestAllow:
    async def test_who_allows_it_sends_the_application_a_code(
        self, browser: Browser, web: Case
    ) -> None:
        reply = await browser.decide()
        told = answered(reply, REDIRECT)
        assert set(told) == {"code", "state", "iss"}
        assert told["state"] == "s&t=1"
        assert reply.headers["cache-control"] == "no-store"
        tokens = await web.folk.redeem(web.application, told["code"])
        assert tokens.status_code == 200, tokens.text
        _, claims = parts(tokens.json()["access_token"])
        assert (claims["sub"], claims["tid"]) == (web.person.sub, web.organization)
        assert "refresh_token" not in tokens.json()

    async def test_the_grant_is_bound_to_all_that_it_was_asked_with(
        self, browser: Browser, web: Case
    ) -> None:
        await browser.code(nonce="n-1", resource=ISSUER)
        row = await web.folk.row(
            "SELECT g.*, c.redirect_uri, c.nonce, c.resource, c.challenge, c.session_id AS s,"
            " c.expires_at - g.created_at AS lives FROM oauth_grant g"
            " JOIN authorization_code c ON c.grant_id = g.id WHERE g.user_id = $1",
            web.person.user_id,
        )
        assert row["session_id"] == row["s"] == web.person.session_id
        assert row["membership_id"] == web.standing.membership_id
        assert row["scopes"] == ["openid", "usage:read"]
        assert (row["redirect_uri"], row["nonce"], row["resource"]) == (REDIRECT, "n-1", ISSUER)
        assert row["lives"] == timedelta(seconds=60)
        assert row["ends_at"] - row["created_at"] == timedelta(seconds=660)

    async def test_offline_access_lasts_180_days(self, browser: Browser, web: Case) -> None:
        code = await browser.code(scope="openid offline_access")
        assert "refresh_token" in (await web.folk.redeem(web.application, code)).json()
        lasts = await web.folk.value(
            "SELECT max(ends_at - created_at) FROM oauth_grant WHERE user_id = $1 AND id <> $2",
            web.person.user_id,
            web.grant_id,
        )
        assert lasts == timedelta(days=180)

    async def test_it_stands_in_the_isvs_audit(self, browser: Browser, web: Case) -> None:
        await browser.code()
        row = await web.folk.row(
            "SELECT actor, tenant_id, detail::text FROM audit_pending WHERE action = $1"
            " AND tenant_id = $2",
            "grant.created",
            web.standing.tenant_id,
        )
        assert web.standing.membership_id
        assert row["actor"] == f"member:{encode('mem', web.standing.membership_id)}"
        assert web.application.client_id in row["detail"]

    async def test_a_native_application_is_answered_on_whatever_port(
        self, local: Browser, native: Case
    ) -> None:
        uri = "http://127.0.0.1:53211/callback"
        told = answered(await local.decide(changed={"redirect_uri": uri}), uri)
        reply = await native.folk.redeem(native.application, told["code"])
        assert reply.status_code == 400
        reply = await native.folk.redeem(native.application, told["code"], redirect_uri=uri)
        assert reply.status_code == 200

    async def test_a_query_in_the_redirect_uri_stays_as_it_is(
        self, browser: Browser, web: Case
    ) -> None:
        uri = "https://app.example.org/cb?tenant=a%20b+c"
        app = await web.folk.application(organization=web.organization, redirect_uris=[uri])
        told = answered(await browser.at(app).decide(), uri)
        assert told["tenant"] == "a b c"

    async def test_who_denies_it_is_told_to_the_application(
        self, browser: Browser, web: Case
    ) -> None:
        told = answered(await browser.decide("deny"), REDIRECT)
        assert told == {"error": "access_denied", "state": "s&t=1", "iss": ISSUER}
        grants = await web.folk.value(
            "SELECT count(*) FROM oauth_grant WHERE user_id = $1", web.person.user_id
        )
        assert grants == 1

    async def test_a_person_who_is_switched_off_meanwhile_lets_nobody_in(
        self, browser: Browser, web: Case
    ) -> None:
        query = browser.query()
        form = fields((await browser.get(query)).text) | {"decision": "allow"}
        await web.folk.rows.execute(
            "UPDATE user_session SET revoked_at = now() WHERE id = $1", web.person.session_id
        )
        signs_in(await browser.post(query, form))

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE user_account SET active = false WHERE id = $1",
            "UPDATE user_session SET revoked_at = now() WHERE user_id = $1",
        ],
    )
    async def test_who_is_switched_off_at_that_moment_leaves_no_grant_behind(
        self, browser: Browser, web: Case, change: str
    ) -> None:
        await browser.code()
        rows = web.folk.rows
        async with rows.transaction():
            await rows.execute(change, web.person.user_id)
            asking = asyncio.create_task(browser.get())
            await asyncio.wait({asking}, timeout=0.5)
            await rows.execute(
                "UPDATE oauth_grant SET revoked_at = now(), revoke_reason = 'user'"
                " WHERE user_id = $1 AND revoked_at IS NULL",
                web.person.user_id,
            )
        signs_in(await asking)
        left = await web.folk.value(
            "SELECT count(*) FROM oauth_grant WHERE user_id = $1 AND revoked_at IS NULL",
            web.person.user_id,
        )
        assert left == 0


class TestSignIn:
    async def test_nobody_is_sent_to_sign_in_and_comes_back(self, browser: Browser) -> None:
        query = signs_in(await browser.of(None).get())
        assert (await browser.get(query)).status_code == 200

    async def test_a_cookie_that_is_none_is_nobodys(self, browser: Browser, web: Case) -> None:
        changes = (
            "revoked_at = now()",
            "expires_at = now()",
            "seen_at = now() - interval '31 minutes'",
        )
        for change in changes:
            other = await web.folk.person()
            await web.folk.rows.execute(
                f"UPDATE user_session SET {change} WHERE id = $1", other.session_id
            )
            signs_in(await browser.of(other).get())

    @pytest.mark.parametrize("prompt", ["login", "select_account"])
    async def test_a_prompt_for_it_asks_anew_once(self, browser: Browser, prompt: str) -> None:
        query = signs_in(await browser.get(prompt=f"{prompt} consent"), anew=True)
        assert parse_qs(query)["prompt"] == ["consent"]
        assert (await browser.get(query)).status_code == 200

    async def test_an_old_sign_in_asks_anew(self, browser: Browser, web: Case) -> None:
        old = await web.folk.person(auth_at=system_now() - timedelta(minutes=20))
        await web.folk.member(old, web.organization)
        signs_in(await browser.of(old).get(max_age="900"), anew=True)
        assert (await browser.of(old).get(max_age="3600")).status_code == 200
        assert (await browser.get(max_age="900")).status_code == 200

    async def test_a_max_age_of_nothing_asks_anew_once(self, browser: Browser) -> None:
        query = signs_in(await browser.get(max_age="0"), anew=True)
        assert "max_age" not in parse_qs(query)
        assert (await browser.get(query)).status_code == 200

    async def test_without_a_page_the_application_is_told(
        self, browser: Browser, web: Case
    ) -> None:
        old = await web.folk.person(auth_at=system_now() - timedelta(minutes=20))
        await web.folk.member(old, web.organization)
        for somebody, changed, error in (
            (browser.of(None), {}, "login_required"),
            (browser.of(old), {"max_age": "900"}, "login_required"),
            (browser, {}, "consent_required"),
        ):
            told = answered(await somebody.get(prompt="none", **changed), REDIRECT)
            assert told["error"] == error

    async def test_an_owner_of_whom_it_is_asked_sets_up_a_second_factor(
        self, browser: Browser, web: Case
    ) -> None:
        now = system_now()
        await web.folk.insert(
            "sign_in_policy",
            realm_id=web.folk.realm_id,
            tenant_id=web.standing.tenant_id,
            owners_need_totp=True,
            created_at=now,
            updated_at=now,
        )
        reply = await browser.get()
        assert reply.status_code == 303
        assert reply.headers["location"].startswith("/account/second-factor?continue=")
        told = answered(await browser.get(prompt="none"), REDIRECT)
        assert told["error"] == "interaction_required"
        strong = await web.folk.person(acr="mfa")
        await web.folk.member(strong, web.organization)
        assert (await browser.of(strong).get()).status_code == 200


class TestPlaces:
    async def test_who_is_no_member_is_denied(self, browser: Browser, web: Case) -> None:
        stranger = browser.of(await web.folk.person())
        told = answered(await stranger.get(), REDIRECT)
        assert told["error"] == "access_denied"
        elsewhere = await web.folk.person()
        await web.folk.member(elsewhere, await web.folk.isv())
        await web.folk.staff(elsewhere)
        told = answered(await browser.of(elsewhere).get(), REDIRECT)
        assert told["error"] == "access_denied"

    async def test_who_is_no_longer_active_is_denied(self, browser: Browser, web: Case) -> None:
        await web.folk.rows.execute(
            "UPDATE membership SET active = false WHERE id = $1", web.standing.membership_id
        )
        assert answered(await browser.get(), REDIRECT)["error"] == "access_denied"

    async def test_the_agencys_application_serves_staff_in_the_agencys_plane(
        self, browser: Browser, folk: Folk
    ) -> None:
        app = await folk.application(scopes=["openid", "usage:read"])
        person = await folk.person()
        standing = await folk.staff(person)
        code = await browser.at(app).of(person).code()
        _, claims = parts((await folk.redeem(app, code)).json()["access_token"])
        assert standing.staff_id
        assert "tid" not in claims
        assert (claims["staff"], claims["role"]) == (encode("staff", standing.staff_id), "lead")
        actor = await folk.value(
            "SELECT actor FROM agency_audit_pending WHERE action = 'grant.created'"
            " AND realm_id = $1",
            folk.realm_id,
        )
        assert actor == f"staff:{encode('staff', standing.staff_id)}"

    async def test_of_several_places_the_person_chooses(self, browser: Browser, folk: Folk) -> None:
        app = await folk.application(scopes=["openid", "usage:read"])
        person = await folk.person()
        first, second = await folk.isv(), await folk.isv()
        for organization in (first, second):
            await folk.member(person, organization)
        standing = await folk.staff(person)
        assert standing.staff_id
        mine = browser.at(app).of(person)
        page = await mine.get()
        assert page.text.count('type="radio"') == 3
        assert " checked" not in page.text
        assert "place" not in fields(page.text)
        told = answered(await mine.get(prompt="none"), REDIRECT)
        assert told["error"] == "interaction_required"
        told = answered(await mine.decide(place=second), REDIRECT)
        _, claims = parts((await folk.redeem(app, told["code"])).json()["access_token"])
        assert claims["tid"] == second
        # It is asked again: what was remembered are scopes, not the place.
        assert (await mine.get()).status_code == 200

    async def test_a_hint_chooses_beforehand(self, browser: Browser, folk: Folk) -> None:
        app = await folk.application(scopes=["openid", "usage:read"])
        person = await folk.person()
        first, second = await folk.isv(), await folk.isv()
        for organization in (first, second):
            await folk.member(person, organization)
        mine = browser.at(app).of(person)
        page = await mine.get(organization=second)
        assert page.text.count(" checked") == 1
        told = answered(await mine.decide(place=second, changed={"organization": second}), REDIRECT)
        assert "code" in told
        told = answered(await mine.get(organization=second, prompt="none"), REDIRECT)
        _, claims = parts((await folk.redeem(app, told["code"])).json()["access_token"])
        assert claims["tid"] == second
        assert (await mine.get(organization=encode("org", uuid7()))).status_code == 200

    async def test_a_place_that_is_not_his_is_no_choice(self, browser: Browser, folk: Folk) -> None:
        app = await folk.application(scopes=["openid", "usage:read"])
        person = await folk.person()
        mine = browser.at(app).of(person)
        for organization in (await folk.isv(), await folk.isv()):
            await folk.member(person, organization)
        query = mine.query()
        form = fields((await mine.get(query)).text) | {"decision": "allow"}
        for place in (await folk.isv(), "", "org_x", encode("staff", uuid7())):
            reply = await mine.post(query, form | {"place": place})
            assert reply.status_code == 200
            assert 'type="radio"' in reply.text
        grants = await folk.value(
            "SELECT count(*) FROM oauth_grant WHERE user_id = $1", person.user_id
        )
        assert grants == 0

    async def test_scopes_are_narrowed_to_what_the_role_can_use(self, folk: Folk) -> None:
        case = await new_case(folk, "web", role="viewer")
        app = await folk.application(
            organization=case.organization, scopes=["openid", "usage:read", "orders:write"]
        )
        mine = Browser(folk.house, app, case.person)
        page = await mine.get(scope="openid orders:write")
        assert "costs money" not in page.text
        code = await mine.code(scope="openid orders:write")
        assert (await folk.redeem(app, code)).json()["scope"] == "openid"

    async def test_where_nothing_is_of_use_it_is_denied(self, folk: Folk) -> None:
        case = await new_case(folk, "web", role="viewer")
        app = await folk.application(organization=case.organization, scopes=["orders:write"])
        mine = Browser(folk.house, app, case.person)
        told = answered(await mine.get(scope="orders:write"), REDIRECT)
        assert told["error"] == "access_denied"

    async def test_another_realms_place_is_none(self, browser: Browser, web: Case) -> None:
        other = await web.folk.person()
        standing = await web.folk.staff(other)
        app = await web.folk.application(scopes=["openid", "usage:read"])
        assert (await browser.at(app).of(other).get()).status_code == 200
        await web.folk.rows.execute(
            "UPDATE staff SET user_id = NULL WHERE id = $1", standing.staff_id
        )
        elsewhere = uuid7()
        await web.folk.rows.execute(
            "INSERT INTO realm SELECT $1, kind, $2, name, clock_offset_us, created_at"
            " FROM realm WHERE id = $3",
            elsewhere,
            f"r-{elsewhere.hex}",
            web.folk.realm_id,
        )
        await web.folk.insert(
            "staff",
            realm_id=elsewhere,
            id=uuid7(),
            name="Kim Doe",
            email=other.email,
            role="lead",
            active=True,
            user_id=other.user_id,
            created_at=system_now(),
            updated_at=system_now(),
        )
        told = answered(await browser.at(app).of(other).get(), REDIRECT)
        assert told["error"] == "access_denied"


class TestLoopback:
    async def test_the_application_on_the_device_is_answered_there(self, local: Browser) -> None:
        told = answered(await local.decide(), LOOPBACK)
        assert "code" in told

    async def test_another_place_than_he_has_is_not_answered_by_his_own(
        self, house: House, folk: Folk
    ) -> None:
        application, person = await folk.application(), await folk.person()
        own = await folk.isv()
        await folk.member(person, own)
        browser = Browser(house, application, person)
        await browser.code()
        assert "code" in answered(await browser.get(), REDIRECT)
        for foreign in (encode("org", uuid7()), await folk.isv()):
            told = answered(await browser.get(organization=foreign, prompt="none"), REDIRECT)
            assert told["error"] == "interaction_required", foreign
            page = await browser.get(organization=foreign)
            assert page.status_code == 200
            assert f'value="{own}"' in page.text

    async def test_a_place_that_ends_while_he_chooses_it_is_not_replaced_by_another(
        self, house: House, folk: Folk
    ) -> None:
        application, person = await folk.application(), await folk.person()
        first, second = await folk.isv(), await folk.isv()
        await folk.member(person, first)
        chosen = await folk.member(person, second)
        browser = Browser(house, application, person)
        query = browser.query()
        form = fields((await browser.get(query)).text) | {"decision": "allow", "place": second}
        await folk.rows.execute(
            "UPDATE membership SET active = false WHERE id = $1", chosen.membership_id
        )
        page = await browser.post(query, form)
        assert page.status_code == 200
        assert f'value="{first}"' in page.text
        assert not await folk.value(
            "SELECT count(*) FROM oauth_grant WHERE user_id = $1", person.user_id
        )
