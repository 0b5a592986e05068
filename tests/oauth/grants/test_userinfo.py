"""/oauth/userinfo, and what an access token is not."""

import pytest

from tests.oauth.grants.conftest import Case
from tests.oauth.grants.test_code import deactivate
from tests.oauth.house import ISSUER, House

METADATA = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'


async def token(case: Case, *scopes: str) -> str:
    grant = await case.folk.grant(case.application, case.person, case.standing, scopes=scopes)
    code = await case.folk.code(case.application, case.person, grant)
    reply = await case.folk.redeem(case.application, code)
    return str(reply.json()["access_token"])


class TestUserinfo:
    async def test_it_tells_what_the_scopes_allow(self, web: Case) -> None:
        sub = web.person.sub
        for scopes, told in (
            (("openid",), {"sub": sub}),
            (("openid", "profile"), {"sub": sub, "name": "Kim Doe", "locale": "en"}),
            (
                ("openid", "email"),
                {"sub": sub, "email": web.person.email, "email_verified": True},
            ),
        ):
            reply = await web.folk.whoami(await token(web, *scopes))
            assert reply.status_code == 200
            assert reply.json() == told
            assert reply.headers["cache-control"] == "no-store"

    async def test_a_post_is_as_good(self, web: Case, house: House) -> None:
        headers = {"Authorization": f"Bearer {await token(web, 'openid')}"}
        assert (await house.http.post("/oauth/userinfo", headers=headers)).status_code == 200

    async def test_without_openid_it_is_forbidden(self, web: Case) -> None:
        reply = await web.folk.whoami(await token(web, "profile", "usage:read"))
        assert reply.status_code == 403
        assert reply.headers["www-authenticate"] == (
            f'Bearer error="insufficient_scope", scope="openid", {METADATA}'
        )

    async def test_a_machine_is_nobody(self, house: House, web: Case) -> None:
        reply = await web.folk.whoami(await house.token(house.agency))
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == f'Bearer error="invalid_token", {METADATA}'

    async def test_without_a_token_it_says_where_to_get_one(self, house: House) -> None:
        for path in ("/oauth/userinfo", "/oauth/userinfo?access_token=x"):
            reply = await house.http.get(path)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == f"Bearer {METADATA}"

    @pytest.mark.parametrize("what", ["user", "membership", "tenant", "client"])
    async def test_who_is_no_longer_active_is_nobody(self, web: Case, what: str) -> None:
        access = await token(web, "openid")
        await deactivate(web, what)
        assert (await web.folk.whoami(access)).status_code == 401

    async def test_a_client_held_to_a_network_asks_from_there(
        self, web: Case, house: House
    ) -> None:
        access = await token(web, "openid")
        await web.folk.rows.execute(
            "UPDATE oauth_client SET allowed_cidrs = '{203.0.113.0/24}' WHERE id = $1",
            web.application.id,
        )
        headers = {"Authorization": f"Bearer {access}"}
        for address, status in (("203.0.113.9", 200), ("198.51.100.7", 401)):
            async with house.at(address) as client:
                reply = await client.get("/oauth/userinfo", headers=headers)
                assert reply.status_code == status


class TestIdToken:
    async def test_it_opens_nothing(self, web: Case, house: House) -> None:
        reply = await web.folk.redeem(web.application, await web.code())
        identity = reply.json()["id_token"]
        assert (await web.folk.whoami(identity)).status_code == 401
        headers = {"Authorization": f"Bearer {identity}"}
        assert (await house.http.get("/v1/oauth-clients", headers=headers)).status_code == 401
