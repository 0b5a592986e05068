"""/oauth/revoke and /oauth/introspect."""

from typing import Any

import httpx
import pytest

from flatbed.tenants.kit.ids import encode
from tests.oauth.grants.conftest import Case, new_case
from tests.oauth.grants.folk import Application, Folk
from tests.oauth.grants.test_code import deactivate, waits
from tests.oauth.house import ISSUER, Credentials, House, open_house
from tests.oauth.test_token import parts, refused
from tests.support.postgres import TestDatabase


@pytest.fixture(params=["web", "native"])
async def case(request: pytest.FixtureRequest, folk: Folk) -> Case:
    return await new_case(folk, request.param)


async def issued(case: Case) -> dict[str, Any]:
    reply = await case.folk.redeem(case.application, await case.code())
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def revoke(case: Case, application: Application, token: str, **more: str) -> httpx.Response:
    return await case.folk.post("/oauth/revoke", application, {"token": token, **more})


async def introspect(house: House, by: Credentials, token: str, **more: str) -> httpx.Response:
    return await house.http.post(
        "/oauth/introspect", data={"token": token, **more}, auth=(by.client_id, by.client_secret)
    )


def credentials(application: Application) -> Credentials:
    return Credentials(application.client_id, application.secret)


class TestRevoke:
    @pytest.mark.parametrize("which", ["access_token", "refresh_token"])
    @pytest.mark.parametrize("hint", ["", "access_token", "refresh_token", "nonsense"])
    async def test_either_token_ends_the_grant_and_all_of_it(
        self, case: Case, which: str, hint: str
    ) -> None:
        body = await issued(case)
        reply = await revoke(case, case.application, body[which], token_type_hint=hint)
        assert (reply.status_code, reply.json()) == (200, {})
        assert reply.headers["cache-control"] == "no-store"
        assert await case.folk.revoked(case.grant_id) == "client"
        assert (await case.folk.whoami(body["access_token"])).status_code == 401
        again = await case.folk.refresh(case.application, body["refresh_token"])
        refused(again, "invalid_grant")

    async def test_the_audit_names_the_client(self, case: Case) -> None:
        body = await issued(case)
        await revoke(case, case.application, body["refresh_token"])
        found = await case.folk.row(
            "SELECT actor, action, detail::text AS detail FROM audit_pending WHERE object_id = $1",
            encode("grant", case.grant_id),
        )
        assert found["actor"] == f"client:{case.application.client_id}"
        assert found["action"] == "grant.revoked"
        assert body["refresh_token"] not in found["detail"]

    async def test_of_another_clients_token_nothing_is_said_and_nothing_changes(
        self, case: Case
    ) -> None:
        body = await issued(case)
        other = await case.folk.application(kind="web")
        for token in (body["access_token"], body["refresh_token"], "x", "a.b.c", "é"):
            reply = await revoke(case, other, token)
            assert (reply.status_code, reply.json()) == (200, {})
        assert await case.folk.revoked(case.grant_id) is None
        assert (await case.folk.whoami(body["access_token"])).status_code == 200

    async def test_twice_is_as_good_as_once(self, case: Case) -> None:
        body = await issued(case)
        for _ in range(2):
            assert (await revoke(case, case.application, body["refresh_token"])).status_code == 200

    async def test_a_machines_own_token_cannot_be_revoked_and_that_is_said(
        self, house: House
    ) -> None:
        token = await house.token(house.agency)
        agency = house.agency
        reply = await house.http.post(
            "/oauth/revoke",
            data={"token": token},
            auth=(agency.client_id, agency.client_secret),
        )
        refused(reply, "unsupported_token_type")

    async def test_who_proves_nothing_is_refused(self, web: Case, house: House) -> None:
        body = await issued(web)
        form = {"token": body["refresh_token"]}
        refused(await house.http.post("/oauth/revoke", data=form), "invalid_client")
        form["client_id"] = web.application.client_id
        refused(await house.http.post("/oauth/revoke", data=form), "invalid_client")
        assert await web.folk.revoked(web.grant_id) is None

    async def test_the_form_is_read_strictly(self, native: Case, house: House) -> None:
        body = await issued(native)
        client = f"client_id={native.application.client_id}"
        token = body["refresh_token"]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for url, content in (
            ("/oauth/revoke", client),
            ("/oauth/revoke", f"{client}&token={token}&token={token}"),
            (f"/oauth/revoke?token={token}", client),
            ("/oauth/introspect", client),
        ):
            reply = await house.http.post(url, content=content, headers=headers)
            refused(reply, "invalid_request")
        assert await native.folk.revoked(native.grant_id) is None

    async def test_ten_failures_make_the_client_wait(self, web: Case, house: House) -> None:
        wrong = (web.application.client_id, "wrong")
        for _ in range(10):
            reply = await house.http.post("/oauth/revoke", data={"token": "x"}, auth=wrong)
            refused(reply, "invalid_client")
        waits(await revoke(web, web.application, "x"))


class TestProcesses:
    """Two programs on one database, each with its own memory of tokens; nothing passes between."""

    async def test_what_one_revoked_the_other_refuses_in_its_next_request(
        self, native: Case, database: TestDatabase
    ) -> None:
        async with open_house(database.app_url) as other:
            body = await issued(native)
            headers = {"Authorization": f"Bearer {body['access_token']}"}
            assert (await other.http.get("/oauth/userinfo", headers=headers)).status_code == 200
            assert (await other.http.get("/v1/oauth-clients", headers=headers)).status_code == 403
            await revoke(native, native.application, body["refresh_token"])
            assert (await other.http.get("/oauth/userinfo", headers=headers)).status_code == 401
            assert (await other.http.get("/v1/oauth-clients", headers=headers)).status_code == 401


class TestIntrospect:
    async def test_a_client_learns_of_its_own_access_token(self, web: Case, house: House) -> None:
        body = await issued(web)
        reply = await introspect(house, credentials(web.application), body["access_token"])
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "no-store"
        told, (_, claims) = reply.json(), parts(body["access_token"])
        assert told == claims | {"active": True, "token_type": "Bearer", "scope": told["scope"]}
        assert set(told["scope"].split()) == {"offline_access", "openid", "usage:read"}

    async def test_and_of_its_own_refresh_token(self, web: Case, house: House) -> None:
        body = await issued(web)
        reply = await introspect(house, credentials(web.application), body["refresh_token"])
        told = reply.json()
        assert told["active"] is True
        assert told["sub"] == web.person.sub
        assert (told["iss"], told["client_id"]) == (ISSUER, web.application.client_id)
        assert told["exp"] > told["iat"]

    async def test_a_service_client_learns_of_its_owners_applications(
        self, case: Case, house: House
    ) -> None:
        owner = {"kind": "isv", "organization_id": case.organization}
        service = await house.client(owner, "usage:read")
        body = await issued(case)
        for which in ("access_token", "refresh_token"):
            assert (await introspect(house, service, body[which])).json()["active"] is True

    async def test_nobody_else_learns_anything(self, case: Case, house: House) -> None:
        body = await issued(case)
        other = await house.isv_client("other", "usage:read")
        staff = await house.staff_client("admin", "clients:manage")
        sister = credentials(await case.folk.application(organization=case.organization))
        for by in (house.agency, other, staff, sister):
            for which in ("access_token", "refresh_token", "id_token"):
                reply = await introspect(house, by, body[which])
                assert (reply.status_code, reply.json()) == (200, {"active": False})

    async def test_a_staff_members_client_learns_of_no_colleagues(self, house: House) -> None:
        ours = await house.member("lead")
        first, second = [
            await house.client({"kind": "staff", "staff_id": one["id"]}, "registry:read")
            for one in (ours, await house.member("lead"))
        ]
        token = await house.token(first)
        told = (await introspect(house, first, token)).json()
        assert (told["active"], told["client_id"]) == (True, first.client_id)
        assert (await introspect(house, second, token)).json() == {"active": False}

    async def test_a_refresh_token_that_its_client_may_no_longer_use_is_not_active(
        self, web: Case, house: House
    ) -> None:
        token, own = await web.refresh_token(), credentials(web.application)
        assert (await introspect(house, own, token)).json()["active"] is True
        await web.folk.rows.execute(
            "UPDATE oauth_client SET scopes = array_remove(scopes, 'offline_access') WHERE id = $1",
            web.application.id,
        )
        refused(await web.folk.refresh(web.application, token), "invalid_grant")
        assert (await introspect(house, own, token)).json() == {"active": False}

    async def test_an_id_token_is_no_token_of_this_kind(self, web: Case, house: House) -> None:
        body = await issued(web)
        reply = await introspect(house, credentials(web.application), body["id_token"])
        assert reply.json() == {"active": False}

    async def test_a_machine_learns_of_its_own(self, house: House) -> None:
        told = (await introspect(house, house.agency, await house.token(house.agency))).json()
        assert told["active"] is True
        assert told["sub"] == f"client:{house.realm.client_id}"

    async def test_a_public_client_may_not_ask(self, native: Case) -> None:
        body = await issued(native)
        reply = await native.folk.post(
            "/oauth/introspect", native.application, {"token": body["access_token"]}
        )
        refused(reply, "invalid_client")

    @pytest.mark.parametrize("what", ["user", "membership"])
    async def test_what_is_no_longer_good_is_not_active(
        self, web: Case, house: House, what: str
    ) -> None:
        body = await issued(web)
        await deactivate(web, what)
        for which in ("access_token", "refresh_token"):
            reply = await introspect(house, credentials(web.application), body[which])
            assert reply.json() == {"active": False}

    async def test_nor_is_what_was_revoked_or_used(self, native: Case, house: House) -> None:
        owner = {"kind": "isv", "organization_id": native.organization}
        service = await house.client(owner, "usage:read")
        body = await issued(native)
        await native.folk.rows.execute(
            "UPDATE refresh_token SET siblings = 3, first_used_at = now()"
        )
        told = await introspect(house, service, body["refresh_token"])
        assert told.json() == {"active": False}
        await revoke(native, native.application, body["access_token"])
        told = await introspect(house, service, body["access_token"])
        assert told.json() == {"active": False}

    async def test_scopes_are_those_of_use_now(self, web: Case, house: House) -> None:
        body = await issued(web)
        await web.folk.rows.execute(
            "UPDATE oauth_client SET scopes = '{openid}' WHERE id = $1", web.application.id
        )
        told = await introspect(house, credentials(web.application), body["access_token"])
        assert told.json()["scope"] == "openid"
