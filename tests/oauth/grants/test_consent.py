"""The consent page, what is remembered of it, and how it is taken back."""

import asyncio
import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SCOPES
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.oauth.grants.authorizing import repository as authorizing
from flatbed.tenants.pages.texts import LANGUAGES, TEXTS
from flatbed.tenants.people.accounts.repository import lock_account
from flatbed.tenants.people.sessions.repository import end_all
from tests.oauth.grants.browser import SAME_ORIGIN, Browser, answered, fields, signs_in
from tests.oauth.grants.conftest import Case
from tests.oauth.grants.folk import REDIRECT, Folk
from tests.oauth.house import ISSUER, House
from tests.oauth.test_token import refused

APPLICATIONS = "/account/applications"


@pytest.fixture
def browser(house: House, web: Case) -> Browser:
    return Browser(house, web.application, web.person)


class TestWords:
    def test_every_scope_is_told_in_both_languages(self) -> None:
        told = {f"scope.{scope}" for scope in SCOPES | IDENTITY_SCOPES}
        for language in LANGUAGES:
            words = TEXTS[language]
            assert {key for key in words if key.startswith("scope.")} == told
            assert all(words[key] for key in told)
        assert not any(TEXTS["en"][key] == TEXTS["de"][key] for key in told)


class TestPage:
    async def test_it_says_who_asks_for_whom_and_what(self, browser: Browser, web: Case) -> None:
        page = await browser.get()
        assert page.status_code == 200
        for said in ("Partner Desk", "Kim Doe", web.person.email, "app.example.org"):
            assert said in page.text
        assert "see usage and what it costs" in page.text
        assert "see your e-mail address" not in page.text

    async def test_who_is_not_this_person_may_sign_in(self, browser: Browser) -> None:
        found = re.search(r'href="(/sign-in[^"]*)">Not you\?', (await browser.get()).text)
        assert found
        said = parse_qs(urlsplit(unescape(found[1])).query)
        assert said["anew"] == ["other"]
        assert said["continue"][0].startswith("/oauth/authorize?")

    async def test_it_speaks_german(self, browser: Browser, web: Case) -> None:
        page = await browser.get(ui_locales="de-AT de en")
        assert "Verbrauch und Kosten sehen" in page.text
        await web.folk.rows.execute(
            "UPDATE user_account SET locale = 'de' WHERE id = $1", web.person.user_id
        )
        assert "Verbrauch und Kosten sehen" in (await browser.get()).text

    async def test_a_name_is_text_and_no_markup(self, browser: Browser, web: Case) -> None:
        await web.folk.rows.execute(
            "UPDATE oauth_client SET name = '<script>alert(1)</script>' WHERE id = $1",
            web.application.id,
        )
        page = await browser.get(state='"><script>alert(2)</script>')
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text

    async def test_nobody_may_frame_it_and_it_may_send_on_to_the_application_alone(
        self, browser: Browser, web: Case
    ) -> None:
        policy = (await browser.get()).headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "form-action 'self' https://app.example.org;" in policy
        app = await web.folk.application(
            kind="native",
            organization=web.organization,
            redirect_uris=["http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"],
        )
        for uri, source in (
            ("http://127.0.0.1:5000/cb", "http://127.0.0.1:5000"),
            ("http://[::1]:5000/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ):
            page = await browser.at(app).get(redirect_uri=uri)
            policy = page.headers["content-security-policy"]
            assert f"form-action 'self' {source};" in policy

    async def test_what_is_shown_for_one_query_is_good_for_that_alone(
        self, browser: Browser, web: Case
    ) -> None:
        form = fields((await browser.get()).text) | {"decision": "allow"}
        for query in (
            browser.query(scope="openid profile"),
            browser.query(state="other"),
            browser.query() + "&x=y",
        ):
            reply = await browser.post(query, form)
            assert reply.status_code == 403
            assert "location" not in reply.headers
        assert await self.grants(web) == 1

    async def test_what_is_shown_in_one_session_is_good_for_that_alone(
        self, browser: Browser, web: Case
    ) -> None:
        query = browser.query()
        form = fields((await browser.get(query)).text) | {"decision": "allow"}
        victim = await web.folk.person()
        await web.folk.member(victim, web.organization)
        assert (await browser.of(victim).post(query, form)).status_code == 403
        signs_in(await browser.of(None).post(query, form))
        assert await self.grants(web) == 1

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"{ISSUER}.evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        ],
    )
    async def test_only_our_own_page_may_say_yes(
        self, browser: Browser, web: Case, headers: Mapping[str, str]
    ) -> None:
        query = browser.query()
        form = fields((await browser.get(query)).text) | {"decision": "allow"}
        assert (await browser.post(query, form, headers)).status_code == 403
        assert await self.grants(web) == 1
        fetched = {"Sec-Fetch-Site": "same-origin"}
        assert "code" in answered(await browser.post(query, form, fetched), REDIRECT)

    @pytest.mark.parametrize("csrf", ["", "x", "é"])
    async def test_without_the_pages_own_field_nothing_happens(
        self, browser: Browser, web: Case, csrf: str
    ) -> None:
        form = {"csrf": csrf, "decision": "allow", "place": web.organization}
        assert (await browser.post(browser.query(), form)).status_code == 403
        assert await self.grants(web) == 1

    async def test_a_form_that_is_none_is_refused(self, browser: Browser, house: House) -> None:
        url = f"/oauth/authorize?{browser.query()}"
        headers = {**browser.headers, **SAME_ORIGIN}
        assert (await house.http.post(url, json={}, headers=headers)).status_code == 400
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = "decision=deny&decision=allow"
        assert (await house.http.post(url, content=body, headers=headers)).status_code == 400

    async def test_anything_but_allow_denies(self, browser: Browser) -> None:
        for decision in ("deny", "", "ALLOW", "allow "):
            told = answered(await browser.decide(decision), REDIRECT)
            assert told["error"] == "access_denied"

    @staticmethod
    async def grants(case: Case) -> int:
        return int(
            await case.folk.value(
                "SELECT count(*) FROM oauth_grant WHERE oauth_client_id = $1", case.application.id
            )
        )


class TestRemembered:
    async def test_who_has_agreed_is_not_asked_again(self, browser: Browser) -> None:
        await browser.code()
        for scope in ("openid usage:read", "openid"):
            assert "code" in answered(await browser.get(scope=scope), REDIRECT)
            assert "code" in answered(await browser.get(scope=scope, prompt="none"), REDIRECT)

    async def test_for_more_he_is_asked_and_what_he_agreed_to_stays(self, browser: Browser) -> None:
        await browser.code(scope="openid")
        told = answered(await browser.get(scope="openid email", prompt="none"), REDIRECT)
        assert told["error"] == "consent_required"
        await browser.code(scope="openid email")
        await browser.code(scope="usage:read")
        assert "code" in answered(await browser.get(scope="openid email usage:read"), REDIRECT)

    async def test_a_prompt_for_it_asks_again(self, browser: Browser) -> None:
        await browser.code()
        assert (await browser.get(prompt="consent")).status_code == 200

    async def test_it_is_one_persons_at_one_application(self, browser: Browser, web: Case) -> None:
        await browser.code()
        other = await web.folk.person()
        await web.folk.member(other, web.organization)
        assert (await browser.of(other).get()).status_code == 200
        sister = await web.folk.application(organization=web.organization)
        assert (await browser.at(sister).get()).status_code == 200

    async def test_who_denied_is_asked_again(self, browser: Browser) -> None:
        await browser.decide("deny")
        assert (await browser.get()).status_code == 200

    async def test_a_scope_that_was_not_shown_is_not_remembered(
        self, browser: Browser, folk: Folk, web: Case
    ) -> None:
        app = await folk.application(
            organization=web.organization, scopes=["openid", "orders:write"]
        )
        viewer = await folk.person()
        standing = await folk.member(viewer, web.organization, "viewer")
        mine = browser.at(app).of(viewer)
        await mine.code(scope="openid orders:write")
        await folk.rows.execute(
            "UPDATE membership SET role = 'owner' WHERE id = $1", standing.membership_id
        )
        page = await mine.get(scope="openid orders:write")
        assert page.status_code == 200
        assert "costs money" in page.text

    async def test_two_at_once_both_get_a_code(self, browser: Browser) -> None:
        query = browser.query()
        form = fields((await browser.get(query)).text) | {"decision": "allow"}
        replies = await asyncio.gather(*(browser.post(query, form) for _ in range(4)))
        codes = {answered(reply, REDIRECT)["code"] for reply in replies}
        assert len(codes) == 4


class TestApplications:
    async def test_nobody_is_sent_to_sign_in(self, house: House) -> None:
        reply = await house.http.get(APPLICATIONS)
        assert reply.status_code == 303
        assert reply.headers["location"] == "/sign-in?continue=%2Faccount%2Fapplications"

    async def test_it_lists_what_the_person_agreed_to(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        assert "You have not given any application access." in page.text
        await browser.code()
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        assert page.status_code == 200
        assert "Partner Desk" in page.text
        assert "see usage and what it costs" in page.text
        other = await web.folk.person()
        page = await house.http.get(APPLICATIONS, headers=browser.of(other).headers)
        assert "Partner Desk" not in page.text

    async def test_taking_it_back_ends_every_grant_at_once(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        code = await browser.code(scope="openid offline_access")
        tokens = (await web.folk.redeem(web.application, code)).json()
        unused = answered(await browser.get(scope="openid"), REDIRECT)["code"]
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        headers = {**browser.headers, **SAME_ORIGIN}
        reply = await house.http.post(APPLICATIONS, data=fields(page.text), headers=headers)
        assert (reply.status_code, reply.headers["location"]) == (303, APPLICATIONS)
        assert (await web.folk.whoami(tokens["access_token"])).status_code == 401
        refused(await web.folk.refresh(web.application, tokens["refresh_token"]), "invalid_grant")
        refused(await web.folk.redeem(web.application, unused), "invalid_grant")
        assert (await browser.get()).status_code == 200
        assert await web.folk.revoked(web.grant_id) == "person"
        assert web.standing.membership_id
        actors = await web.folk.rows.fetch(
            "SELECT DISTINCT actor FROM audit_pending"
            " WHERE tenant_id = $1 AND action = 'grant.revoked'",
            web.standing.tenant_id,
        )
        name = f"member:{encode('mem', web.standing.membership_id)}"
        assert [row["actor"] for row in actors] == [name]

    async def test_another_persons_grants_go_on(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        await browser.code()
        other = await web.folk.person()
        await web.folk.member(other, web.organization)
        theirs = browser.of(other)
        code = await theirs.code()
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        headers = {**browser.headers, **SAME_ORIGIN}
        await house.http.post(APPLICATIONS, data=fields(page.text), headers=headers)
        assert (await web.folk.redeem(web.application, code)).status_code == 200
        assert "code" in answered(await theirs.get(), REDIRECT)

    async def test_only_our_own_page_may_do_it(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        await browser.code()
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        form = fields(page.text)
        evil = {**browser.headers, "Origin": "https://evil.example"}
        assert (await house.http.post(APPLICATIONS, data=form, headers=evil)).status_code == 403
        mine = {**browser.headers, **SAME_ORIGIN}
        for changed, status in (({"csrf": "x"}, 403), ({"client_id": "x"}, 404)):
            reply = await house.http.post(APPLICATIONS, data=form | changed, headers=mine)
            assert reply.status_code == status
        stranger = {"client_id": encode("client", uuid7())}
        reply = await house.http.post(APPLICATIONS, data=form | stranger, headers=mine)
        assert reply.status_code == 303
        assert await web.folk.revoked(web.grant_id) is None
        signs_in(await browser.of(None).get())

    async def test_what_is_allowed_at_this_moment_ends_as_well(
        self, browser: Browser, house: House, web: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Taken back while a remembered consent makes a grant: it must not come out alive."""
        await browser.code(scope="openid offline_access")
        written, go_on = asyncio.Event(), asyncio.Event()
        add = authorizing.add

        async def slow(session: LoginSession, made: authorizing.Made) -> None:
            await add(session, made)
            written.set()
            await go_on.wait()

        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        headers = {**browser.headers, **SAME_ORIGIN}
        with monkeypatch.context() as patch:
            patch.setattr(authorizing, "add", slow)
            granting = asyncio.create_task(browser.get(scope="openid offline_access"))
            await written.wait()
            taking = asyncio.create_task(
                house.http.post(APPLICATIONS, data=fields(page.text), headers=headers)
            )
            await asyncio.wait({taking}, timeout=1)
            assert not taking.done()
            go_on.set()
            code = answered(await granting, REDIRECT)["code"]
        assert (await taking).status_code == 303
        refused(await web.folk.redeem(web.application, code), "invalid_grant")
        assert (await browser.get(scope="openid")).status_code == 200

    async def test_one_that_is_deleted_is_not_listed(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        await browser.code()
        await web.folk.rows.execute(
            "UPDATE oauth_client SET active = false, deleted_at = now() WHERE id = $1",
            web.application.id,
        )
        page = await house.http.get(APPLICATIONS, headers=browser.headers)
        assert "Partner Desk" not in page.text


class TestLocks:
    """Whoever ends sessions locks the account first, and so must who is let in meanwhile."""

    @pytest.mark.parametrize("page", ["authorize", "applications"])
    async def test_a_page_waits_for_who_switches_him_off_and_finds_him_signed_out(
        self, browser: Browser, house: House, web: Case, page: str
    ) -> None:
        """With another order each holds what the other wants next; the database ends one."""
        caller, person = Caller("system:test", ""), web.person
        await browser.code()
        shown = await house.http.get(APPLICATIONS, headers=browser.headers)
        # So long ago that the request notes that the session is in use.
        await web.folk.rows.execute(
            "UPDATE user_session SET seen_at = now() - interval '5 minutes' WHERE id = $1",
            person.session_id,
        )
        headers = {**browser.headers, **SAME_ORIGIN}
        locked = asyncio.Event()

        async def switch_off() -> None:
            async with house.database.login(caller=caller, repeatable=False) as session:
                assert await lock_account(session, person.user_id) is not None
                locked.set()
                await asyncio.sleep(0.5)
                await end_all(session, person.user_id, system_now())

        async def visit() -> httpx.Response:
            await locked.wait()
            if page == "authorize":
                return await browser.get()
            return await house.http.post(APPLICATIONS, data=fields(shown.text), headers=headers)

        found = await asyncio.gather(switch_off(), visit(), return_exceptions=True)
        assert found[0] is None
        assert isinstance(found[1], httpx.Response)
        assert found[1].status_code == 303
        if page == "authorize":
            signs_in(found[1])
        kept = "SELECT count(*) FROM consent WHERE user_id = $1"
        assert await web.folk.value(kept, person.user_id) == 1
