"""What a person's applications may still do when a browser is signed out."""

from datetime import timedelta

import pytest

from flatbed.tenants.kit.ids import encode
from tests.oauth.grants.browser import SAME_ORIGIN, Browser, answered, fields
from tests.oauth.grants.conftest import Case
from tests.oauth.grants.folk import REDIRECT, Person
from tests.oauth.house import House
from tests.oauth.test_token import refused


@pytest.fixture
def browser(house: House, web: Case) -> Browser:
    return Browser(house, web.application, web.person)


async def second_browser(web: Case) -> Person:
    """The case's person once more, signed in with another browser."""
    other = await web.folk.person()
    await web.folk.rows.execute(
        "UPDATE user_session SET user_id = $1 WHERE id = $2", web.person.user_id, other.session_id
    )
    return other


async def sign_out(house: House, browser: Browser) -> None:
    page = await house.http.get("/account", headers=browser.headers)
    form = page.text.split('action="/sign-out"')[1]
    token = form.split('name="csrf" value="')[1].split('"')[0]
    headers = {**browser.headers, **SAME_ORIGIN}
    reply = await house.http.post("/sign-out", data={"csrf": token}, headers=headers)
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in")


class TestSignOut:
    async def test_what_was_lent_for_his_presence_ends_at_once(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        code = await browser.code(scope="openid usage:read")
        token = (await web.folk.redeem(web.application, code)).json()["access_token"]
        unused = answered(await browser.get(scope="openid usage:read"), REDIRECT)["code"]
        assert (await web.folk.whoami(token)).status_code == 200
        await sign_out(house, browser)
        assert (await web.folk.whoami(token)).status_code == 401
        refused(await web.folk.redeem(web.application, unused), "invalid_grant")

    async def test_what_had_ended_before_is_not_said_to_have_ended_by_it(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        folk = web.folk
        over, on = [
            await folk.grant(
                web.application, web.person, web.standing, scopes=("openid",), ends_in=ends_in
            )
            for ends_in in (-timedelta(minutes=1), timedelta(minutes=1))
        ]
        await sign_out(house, browser)
        assert [await folk.revoked(one) for one in (over, on)] == [None, "session"]

    async def test_what_he_let_it_do_in_his_absence_goes_on(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        code = await browser.code(scope="openid offline_access")
        tokens = (await web.folk.redeem(web.application, code)).json()
        await sign_out(house, browser)
        assert (await web.folk.whoami(tokens["access_token"])).status_code == 200
        more = await web.folk.refresh(web.application, tokens["refresh_token"])
        assert more.status_code == 200
        assert (await web.folk.whoami(more.json()["access_token"])).status_code == 200

    async def test_another_browser_of_his_is_not_concerned(
        self, browser: Browser, house: House, web: Case
    ) -> None:
        other = await second_browser(web)
        code = await browser.of(other).code(scope="openid usage:read")
        token = (await web.folk.redeem(web.application, code)).json()["access_token"]
        await sign_out(house, browser)
        assert (await web.folk.whoami(token)).status_code == 200


class TestFromAnother:
    @pytest.mark.parametrize("which", ["one", "others"])
    async def test_a_browser_that_he_ends_from_another_takes_its_applications_along(
        self, browser: Browser, house: House, web: Case, which: str
    ) -> None:
        lost = await second_browser(web)
        code = await browser.of(lost).code(scope="openid offline_access usage:read")
        tokens = (await web.folk.redeem(web.application, code)).json()
        mine = answered(await browser.get(scope="openid offline_access"), REDIRECT)["code"]
        page = await house.http.get("/account/sessions", headers=browser.headers)
        named = encode("ses", lost.session_id)
        assert f'value="{named}"' in page.text
        sent = {"csrf": fields(page.text)["csrf"], "session": named if which == "one" else "others"}
        headers = {**browser.headers, **SAME_ORIGIN}
        reply = await house.http.post("/account/sessions", data=sent, headers=headers)
        assert reply.status_code == 303
        assert (await web.folk.whoami(tokens["access_token"])).status_code == 401
        refused(await web.folk.refresh(web.application, tokens["refresh_token"]), "invalid_grant")
        assert (await web.folk.redeem(web.application, mine)).status_code == 200
