"""authorization_code at the token endpoint."""

import json
import os
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from flatbed.tenants.kit.ids import encode
from tests.oauth.grants.conftest import Case, new_case
from tests.oauth.grants.folk import AT_ONCE, VERIFIER, Folk, challenge_of
from tests.oauth.house import ISSUER, House
from tests.oauth.signing import TYPE, Signer, new_key, public
from tests.oauth.test_token import parts, refused

ROUNDS = 200 if os.environ.get("RUN_LONG") == "1" else 25


@pytest.fixture(params=["web", "native"])
async def case(request: pytest.FixtureRequest, folk: Folk) -> Case:
    return await new_case(folk, request.param)


class TestRedeem:
    async def test_a_code_is_exchanged_for_tokens_of_the_person(self, case: Case) -> None:
        reply = await case.folk.redeem(case.application, await case.code())
        assert reply.status_code == 200, reply.text
        assert reply.headers["cache-control"] == "no-store"
        body = reply.json()
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
        assert body["scope"] == "offline_access openid usage:read"
        _, claims = parts(body["access_token"])
        assert claims["sub"] == case.person.sub
        assert claims["gid"] == encode("grant", case.grant_id)
        assert claims["client_id"] == case.application.client_id
        assert claims["tid"] == case.organization
        assert claims["role"] == "isv_owner"
        assert claims["acr"] == "pwd"
        assert len(body["refresh_token"]) == 43
        assert (await case.folk.whoami(body["access_token"])).status_code == 200

    async def test_the_id_token_is_for_the_client_and_holds_its_nonce(self, case: Case) -> None:
        code = await case.folk.code(case.application, case.person, case.grant_id, nonce="n-1")
        body = (await case.folk.redeem(case.application, code)).json()
        header, claims = parts(body["id_token"])
        assert (header["alg"], header["typ"]) == ("ES256", "JWT")
        assert claims["iss"] == ISSUER
        assert claims["aud"] == case.application.client_id
        assert claims["sub"] == case.person.sub
        assert claims["nonce"] == "n-1"
        assert claims["acr"] == "pwd"
        assert set(claims) == {
            "iss", "sub", "aud", "iat", "exp", "auth_time", "acr", "at_hash", "nonce",
        }  # fmt: skip

    async def test_without_openid_there_is_no_id_token(self, case: Case) -> None:
        folk = case.folk
        grant = await folk.grant(
            case.application, case.person, case.standing, scopes=["usage:read"]
        )
        code = await folk.code(case.application, case.person, grant)
        body = (await folk.redeem(case.application, code)).json()
        assert set(body) == {"access_token", "token_type", "expires_in", "scope"}

    async def test_scopes_that_the_role_cannot_use_are_not_in_the_token(self, folk: Folk) -> None:
        case = await new_case(folk, "web", role="viewer")
        application = await folk.application(
            organization=case.organization, scopes=["openid", "usage:read", "orders:write"]
        )
        grant = await folk.grant(
            application, case.person, case.standing, scopes=["openid", "usage:read", "orders:write"]
        )
        code = await folk.code(application, case.person, grant)
        body = (await folk.redeem(application, code)).json()
        assert "orders:write" not in body["scope"]
        assert "openid" in body["scope"]

    async def test_the_resource_may_be_named(self, case: Case) -> None:
        reply = await case.folk.redeem(case.application, await case.code(), resource=ISSUER)
        assert reply.status_code == 200

    async def test_another_resource_is_an_invalid_target(self, case: Case) -> None:
        reply = await case.folk.redeem(
            case.application, await case.code(), resource="https://other.example"
        )
        refused(reply, "invalid_target")


class TestReplay:
    async def test_a_second_use_ends_the_grant_and_the_first_ones_tokens(self, case: Case) -> None:
        code = await case.code()
        first = (await case.folk.redeem(case.application, code)).json()
        refused(await case.folk.redeem(case.application, code), "invalid_grant")
        assert await case.folk.revoked(case.grant_id) == "code_reused"
        assert (await case.folk.whoami(first["access_token"])).status_code == 401
        again = await case.folk.refresh(case.application, first["refresh_token"])
        refused(again, "invalid_grant")

    async def test_the_end_of_the_grant_stands_in_the_isvs_audit(self, case: Case) -> None:
        code = await case.code()
        for _ in range(2):
            await case.folk.redeem(case.application, code)
        found = await case.folk.row(
            "SELECT actor, action, detail FROM audit_pending WHERE object_id = $1",
            encode("grant", case.grant_id),
        )
        assert (found["actor"], found["action"]) == ("system:oauth", "grant.revoked")

    async def test_a_replay_with_a_wrong_verifier_ends_the_grant_too(self, case: Case) -> None:
        code = await case.code()
        await case.folk.redeem(case.application, code)
        refused(
            await case.folk.redeem(case.application, code, code_verifier="x" * 43), "invalid_grant"
        )
        assert await case.folk.revoked(case.grant_id) == "code_reused"

    async def test_of_eight_at_once_one_wins_and_the_grant_ends(self, native: Case) -> None:
        folk = native.folk
        for _ in range(ROUNDS):
            grant = await folk.grant(native.application, native.person, native.standing)
            code = await folk.code(native.application, native.person, grant)
            send = partial(folk.redeem, native.application, code)
            replies = await folk.at_once(send)
            statuses = sorted(reply.status_code for reply in replies)
            assert statuses == [200] + [400] * (AT_ONCE - 1)
            assert {r.json()["error"] for r in replies if r.status_code == 400} == {"invalid_grant"}
            assert await folk.revoked(grant) == "code_reused"
            won = next(r.json() for r in replies if r.status_code == 200)
            assert (await folk.whoami(won["access_token"])).status_code == 401
            await folk.rows.execute("DELETE FROM failure_count")


class TestRefusals:
    async def test_another_client_gets_nothing_and_changes_nothing(self, case: Case) -> None:
        other = await case.folk.application(kind="web")
        code = await case.code()
        reply = await case.folk.redeem(other, code, redirect_uri=case.application.redirect_uri)
        refused(reply, "invalid_grant")
        assert (await case.folk.redeem(case.application, code)).status_code == 200
        refused(await case.folk.redeem(other, code), "invalid_grant")
        assert await case.folk.revoked(case.grant_id) is None

    @pytest.mark.parametrize(
        "uri",
        ["", "https://evil.example/callback", "{}/", "{}?a=b", "{}#f", "{} ", "{}%20"],
    )
    async def test_another_redirect_uri_is_refused(self, case: Case, uri: str) -> None:
        sent = uri.format(case.application.redirect_uri)
        reply = await case.folk.redeem(case.application, await case.code(), redirect_uri=sent)
        refused(reply, "invalid_grant")

    @pytest.mark.parametrize(
        ("verifier", "error"),
        [
            ("", "invalid_request"),
            (VERIFIER + "\n", "invalid_request"),
            (VERIFIER + " ", "invalid_request"),
            ("v" * 42, "invalid_request"),
            ("v" * 129, "invalid_request"),
            ("v" * 42 + "ü", "invalid_request"),
            (challenge_of(VERIFIER), "invalid_grant"),
            ("v" * 44, "invalid_grant"),
            ("V" * 43, "invalid_grant"),
        ],
    )
    async def test_another_verifier_is_refused(self, case: Case, verifier: str, error: str) -> None:
        reply = await case.folk.redeem(case.application, await case.code(), code_verifier=verifier)
        refused(reply, error)

    async def test_a_verifier_of_128_characters_is_good(self, case: Case) -> None:
        verifier = "aZ09-._~" * 16
        code = await case.folk.code(
            case.application, case.person, case.grant_id, challenge=challenge_of(verifier)
        )
        reply = await case.folk.redeem(case.application, code, code_verifier=verifier)
        assert reply.status_code == 200

    async def test_an_expired_code_is_refused(self, case: Case) -> None:
        code = await case.folk.code(
            case.application, case.person, case.grant_id, lives=timedelta(seconds=-1)
        )
        refused(await case.folk.redeem(case.application, code), "invalid_grant")
        assert await case.folk.revoked(case.grant_id) is None

    @pytest.mark.parametrize("code", ["", "x", "é" * 40, "a" * 5000, "\x00"])
    async def test_what_is_no_code_is_refused(self, case: Case, code: str) -> None:
        reply = await case.folk.redeem(case.application, code)
        refused(reply, "invalid_grant" if code else "invalid_request")

    async def test_a_refresh_token_is_no_code(self, case: Case) -> None:
        token = await case.refresh_token()
        refused(await case.folk.redeem(case.application, token), "invalid_grant")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE user_session SET revoked_at = now() WHERE id = $1",
            "UPDATE user_session SET expires_at = now() - interval '1 second' WHERE id = $1",
        ],
    )
    async def test_a_code_ends_with_the_session_it_was_given_in(
        self, case: Case, change: str
    ) -> None:
        code = await case.code()
        await case.folk.rows.execute(change, case.person.session_id)
        refused(await case.folk.redeem(case.application, code), "invalid_grant")

    @pytest.mark.parametrize("what", ["user", "membership", "tenant", "client"])
    async def test_who_is_no_longer_active_gets_nothing(self, case: Case, what: str) -> None:
        code = await case.code()
        await deactivate(case, what)
        reply = await case.folk.redeem(case.application, code)
        refused(reply, "invalid_client" if what in {"tenant", "client"} else "invalid_grant")


class TestClients:
    async def test_a_service_client_may_not_use_codes(self, house: House) -> None:
        form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": "x"}
        agency = house.agency
        reply = await house.http.post(
            "/oauth/token", data=form, auth=(agency.client_id, agency.client_secret)
        )
        refused(reply, "unauthorized_client")
        form = {"grant_type": "refresh_token", "refresh_token": "x"}
        reply = await house.http.post(
            "/oauth/token", data=form, auth=(agency.client_id, agency.client_secret)
        )
        refused(reply, "unauthorized_client")

    async def test_applications_have_no_token_of_their_own(self, case: Case) -> None:
        form = {"grant_type": "client_credentials"}
        reply = await case.folk.post("/oauth/token", case.application, form)
        refused(reply, "unauthorized_client")

    async def test_a_web_application_must_prove_itself(self, web: Case, house: House) -> None:
        form = {
            "grant_type": "authorization_code",
            "code": await web.code(),
            "redirect_uri": web.application.redirect_uri,
            "code_verifier": VERIFIER,
            "client_id": web.application.client_id,
        }
        refused(await house.http.post("/oauth/token", data=form), "invalid_client")
        wrong = form | {"client_secret": f"flatbed_{0:049}"}
        refused(await house.http.post("/oauth/token", data=wrong), "invalid_client")
        right = form | {"client_secret": web.application.secret}
        assert (await house.http.post("/oauth/token", data=right)).status_code == 200

    async def test_a_native_application_may_not_send_a_secret(
        self, native: Case, house: House
    ) -> None:
        secret = await native.folk.secret_of(native.application.id)
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": await native.code(),
            "redirect_uri": native.application.redirect_uri,
            "code_verifier": VERIFIER,
            "client_id": native.application.client_id,
            "client_secret": secret,
        }
        refused(await house.http.post("/oauth/token", data=form), "invalid_client")

    async def test_a_web_application_signs_in_with_its_key(self, web: Case, house: House) -> None:
        key = new_key()
        await web.folk.rows.execute(
            "UPDATE oauth_client SET token_endpoint_auth_method = 'private_key_jwt', jwks = $2"
            " WHERE id = $1",
            web.application.id,
            json.dumps({"keys": [public(key)]}),
        )
        form = {
            "grant_type": "authorization_code",
            "code": await web.code(),
            "redirect_uri": web.application.redirect_uri,
            "code_verifier": VERIFIER,
            "client_assertion_type": TYPE,
        }
        refused(await web.folk.redeem(web.application, form["code"]), "invalid_client")
        signer = Signer(house, web.application.client_id, key)
        reply = await house.http.post(
            "/oauth/token", data=form | {"client_assertion": signer.assertion()}
        )
        assert reply.status_code == 200, reply.text

    async def test_ten_failed_codes_make_the_client_wait(self, native: Case, house: House) -> None:
        for _ in range(10):
            refused(await native.folk.redeem(native.application, "x"), "invalid_grant")
        reply = await native.folk.redeem(native.application, await native.code())
        waits(reply)
        other = await new_case(native.folk, "native")
        assert (await other.folk.redeem(other.application, await other.code())).status_code == 200
        async with house.at("203.0.113.9") as elsewhere:
            form = native.application.form(
                grant_type="authorization_code",
                code=await native.code(),
                redirect_uri=native.application.redirect_uri,
                code_verifier=VERIFIER,
            )
            assert (await elsewhere.post("/oauth/token", data=form)).status_code == 200

    async def test_wrong_codes_shut_no_client_that_has_proved_itself(self, web: Case) -> None:
        """Whoever uses a web application can send it codes: it must not be shut for the others."""
        good = await web.refresh_token()
        for _ in range(12):
            refused(await web.folk.redeem(web.application, "made up"), "invalid_grant")
        assert (await web.folk.refresh(web.application, good)).status_code == 200

    async def test_ten_wrong_secrets_make_the_client_wait(self, web: Case, house: House) -> None:
        wrong = (web.application.client_id, "wrong")
        form = {"grant_type": "client_credentials"}
        for _ in range(10):
            refused(await house.http.post("/oauth/token", data=form, auth=wrong), "invalid_client")
        waits(await web.folk.redeem(web.application, await web.code()))


def waits(reply: httpx.Response) -> None:
    assert reply.status_code == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert reply.json()["error"] == "temporarily_unavailable"


async def deactivate(case: Case, what: str) -> None:
    """Take away what the grant stands on."""
    statement, name = {
        "user": ("UPDATE user_account SET active = false WHERE id = $1", case.person.user_id),
        "membership": (
            "UPDATE membership SET active = false WHERE id = $1",
            case.standing.membership_id,
        ),
        "tenant": (
            "UPDATE organization SET status = 'suspended' WHERE id = $1",
            case.standing.tenant_id,
        ),
        "client": ("UPDATE oauth_client SET active = false WHERE id = $1", case.application.id),
    }[what]
    await case.folk.rows.execute(statement, name)
