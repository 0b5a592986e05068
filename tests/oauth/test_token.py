"""POST /oauth/token with client_credentials."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from authlib.oauth2.client import OAuth2Client
from sqlalchemy import event

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.oauth.house import ISSUER, Credentials, House

FORM = {"grant_type": "client_credentials"}


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified."""
    header, claims, _ = token.split(".")
    read = [
        json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)
    ]
    return read[0], read[1]


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


async def post(house: House, body: Any, headers: Any = None, url: str = "/oauth/token") -> Any:
    if isinstance(body, str | bytes):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        sent = [*form.items(), *(headers if isinstance(headers, list) else (headers or {}).items())]
        return await house.http.post(url, content=body, headers=sent)
    return await house.http.post(url, data=body, headers=headers)


def refused(reply: httpx.Response, error: str) -> None:
    assert reply.status_code == (401 if error == "invalid_client" else 400)
    assert reply.json()["error"] == error
    assert reply.headers["cache-control"] == "no-store"
    assert set(reply.json()) == {"error", "error_description"}


class TestGrant:
    async def test_the_token_is_an_rfc_9068_token_of_ten_minutes(self, house: House) -> None:
        reply = await house.ask(house.agency)
        assert reply.status_code == 200, reply.text
        assert reply.headers["cache-control"] == "no-store"
        body = reply.json()
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
        header, claims = parts(body["access_token"])
        jwks = (await house.http.get("/oauth/jwks")).json()["keys"]
        assert header == {"alg": "ES256", "typ": "at+jwt", "kid": jwks[0]["kid"]}
        assert claims["iss"] == claims["aud"] == ISSUER
        assert claims["exp"] - claims["iat"] == 600
        assert claims["client_id"] == house.realm.client_id
        assert claims["sub"] == f"client:{house.realm.client_id}"
        assert claims["realm"] == house.realm.realm_id
        assert claims["role"] == "agency_client"
        assert "tid" not in claims
        assert "staff" not in claims

    async def test_an_isvs_token_names_its_tenant(self, house: House) -> None:
        isv = await house.isv("acme")
        owner = {"kind": "isv", "organization_id": isv["id"]}
        client = await house.client(owner, "campaigns:read")
        _, claims = parts(await house.token(client))
        assert (claims["tid"], claims["role"]) == (isv["id"], "isv_client")

    async def test_a_staff_members_token_keeps_the_client_as_subject(self, house: House) -> None:
        member = await house.member("lead")
        owner = {"kind": "staff", "staff_id": member["id"]}
        client = await house.client(owner, "pipeline:read")
        _, claims = parts(await house.token(client))
        assert claims["sub"] == f"client:{client.client_id}"
        assert (claims["staff"], claims["role"]) == (member["id"], "lead")

    async def test_two_tokens_differ(self, house: House) -> None:
        first, second = [parts(await house.token(house.agency))[1] for _ in range(2)]
        assert first["jti"] != second["jti"]

    async def test_without_a_scope_the_client_gets_all_of_its_scopes(self, house: House) -> None:
        client = await house.isv_client("acme", "usage:read", "campaigns:read")
        reply = await house.ask(client)
        assert reply.json()["scope"] == "campaigns:read usage:read"
        assert parts(reply.json()["access_token"])[1]["scope"] == "campaigns:read usage:read"

    async def test_it_may_ask_for_less(self, house: House) -> None:
        client = await house.isv_client("acme", "usage:read", "campaigns:read")
        assert (await house.ask(client, scope="usage:read")).json()["scope"] == "usage:read"

    async def test_the_secret_may_stand_in_the_body(self, house: House) -> None:
        agency = house.agency
        secret = {"client_id": agency.client_id, "client_secret": agency.client_secret}
        assert (await post(house, FORM | secret)).status_code == 200

    async def test_basic_credentials_may_be_form_encoded(self, house: House) -> None:
        agency = house.agency
        encoded = [
            quote(text).replace("_", "%5F") for text in (agency.client_id, agency.client_secret)
        ]
        assert (await post(house, FORM, basic(*encoded))).status_code == 200

    async def test_the_client_id_may_be_repeated_beside_basic(self, house: House) -> None:
        agency = house.agency
        form = FORM | {"client_id": agency.client_id}
        headers = basic(agency.client_id, agency.client_secret)
        assert (await post(house, form, headers)).status_code == 200

    async def test_an_empty_parameter_counts_as_left_out(self, house: House) -> None:
        headers = basic(house.agency.client_id, house.agency.client_secret)
        reply = await post(house, "grant_type=client_credentials&scope=", headers)
        assert reply.status_code == 200

    async def test_concurrent_requests_do_not_mix_up_their_clients(self, house: House) -> None:
        clients = [await house.isv_client(f"isv-{n}", "usage:read") for n in range(3)]
        tokens = await asyncio.gather(*(house.token(client) for client in clients * 4))
        found = [parts(token)[1]["client_id"] for token in tokens]
        assert found == [client.client_id for client in clients * 4]

    @pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
    async def test_authlibs_own_client_gets_a_token(self, house: House, method: str) -> None:
        loop = asyncio.get_running_loop()

        class Bridge:
            """A blocking session, as that client wants one."""

            headers: dict[str, str] = {}  # noqa: RUF012 - read by the client, never written

            def request(self, verb: str, url: str, **kwargs: Any) -> httpx.Response:
                auth = kwargs.pop("auth")
                body = "&".join(f"{k}={quote(v)}" for k, v in kwargs["data"].items())
                url, headers, body = auth.prepare(verb, url, dict(kwargs["headers"]), body)
                sent = house.http.request(verb, url, content=body, headers=headers)
                return asyncio.run_coroutine_threadsafe(sent, loop).result(30)

        client = OAuth2Client(Bridge(), house.realm.client_id, house.realm.client_secret, method)
        client.session.post = lambda url, **more: client.session.request("POST", url, **more)
        token = await asyncio.to_thread(
            client.fetch_token, f"{ISSUER}/oauth/token", grant_type="client_credentials"
        )
        assert token["token_type"] == "Bearer"


class TestScope:
    @pytest.mark.parametrize(
        "scope",
        [
            "usage:read audit:read",
            "tenants:manage",
            "nonsense",
            "USAGE:READ",
            "Usage:read",
            "usage:read\u200b",
            "u\u017fage:read",
            "usage:read  campaigns:read",
            " usage:read",
            "usage:read\tcampaigns:read",
            "usage:read,campaigns:read",
            "*",
        ],
    )
    async def test_unknown_or_too_much_is_invalid_scope(self, house: House, scope: str) -> None:
        client = await house.isv_client("acme", "usage:read", "campaigns:read")
        refused(await house.ask(client, scope=scope), "invalid_scope")

    async def test_a_scope_that_the_owners_role_lost_is_not_granted(self, house: House) -> None:
        member = await house.member("lead")
        owner = {"kind": "staff", "staff_id": member["id"]}
        client = await house.client(owner, "pipeline:read", "disputes:decide")
        await house.change(f"/v1/staff/{member['id']}", {"role": "hunter"})
        assert (await house.ask(client)).json()["scope"] == "pipeline:read"
        refused(await house.ask(client, scope="disputes:decide"), "invalid_scope")


class TestClientAuthentication:
    async def test_every_refusal_looks_the_same(
        self, house: House, admin_connection: Plain
    ) -> None:
        """Unknown client and bad secret give nothing away."""
        wrong = Credentials(house.realm.client_id, house.realm.client_secret[:-1] + "x")
        other = await house.isv_client("acme", "usage:read")
        inactive = await house.isv_client("inactive", "usage:read")
        await house.change(f"/v1/oauth-clients/{inactive.client_id}", {"active": False})
        suspended = await house.isv("suspended")
        owner = {"kind": "isv", "organization_id": suspended["id"]}
        homeless = await house.client(owner, "usage:read")
        await house.change(f"/v1/organizations/{suspended['id']}", {"status": "suspended"})
        member = await house.member("lead")
        gone = await house.client({"kind": "staff", "staff_id": member["id"]}, "usage:read")
        await house.change(f"/v1/staff/{member['id']}", {"active": False})
        expired = await house.isv_client("expired", "usage:read")
        revoked = await house.isv_client("revoked", "usage:read")
        for client, column in ((expired, "expires_at"), (revoked, "revoked_at")):
            await admin_connection.execute(
                f"UPDATE client_secret SET {column} = now() - interval '1 second'"
                " WHERE oauth_client_id = $1",
                decode("client", client.client_id),
            )
        secret = house.realm.client_secret
        cases = [
            wrong,
            Credentials(encode("client", uuid7()), secret),
            Credentials("nobody", secret),
            Credentials("", secret),
            Credentials(house.realm.client_id, ""),
            Credentials(house.realm.client_id, other.client_secret),
            Credentials(other.client_id, secret),
            Credentials(house.realm.client_id.upper(), secret),
            Credentials(house.realm.client_id, "geheim\u00e4\U0001f511"),
            Credentials(house.realm.client_id, "s" * 4000),
            inactive,
            homeless,
            gone,
            expired,
            revoked,
        ]
        replies = [await house.ask(case) for case in cases]
        for reply in replies:
            refused(reply, "invalid_client")
            assert reply.headers["www-authenticate"] == 'Basic realm="flatbed"'
        assert len({reply.content for reply in replies}) == 1
        assert len({tuple(sorted(set(reply.headers) - {"x-request-id"})) for reply in replies}) == 1

    async def test_every_refusal_costs_the_same_statements(self, house: House) -> None:
        await house.token(house.agency)
        counts = []
        for client_id in (house.realm.client_id, encode("client", uuid7()), "nobody"):
            with statements(house) as seen:
                refused(await house.ask(Credentials(client_id, "wrong")), "invalid_client")
            counts.append(len(seen))
        assert counts[0] > 0
        assert len(set(counts)) == 1

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Bearer abc"},
            {"Authorization": "Basic"},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic " + b64encode(b"no-colon").decode()},
            {"Authorization": "Basic " + b64encode(b"\xff\xfe:x").decode()},
        ],
    )
    async def test_no_usable_authentication_is_invalid_client(
        self, house: House, headers: dict[str, str]
    ) -> None:
        refused(await post(house, FORM, headers), "invalid_client")

    async def test_two_authentications_at_once_are_refused(self, house: House) -> None:
        agency = house.agency
        secret = {"client_id": agency.client_id, "client_secret": agency.client_secret}
        headers = basic(agency.client_id, agency.client_secret)
        refused(await post(house, FORM | secret, headers), "invalid_request")
        assertion = FORM | {"client_assertion": "x"}
        refused(await post(house, assertion, headers), "invalid_request")
        refused(await post(house, FORM | secret | {"client_assertion": "x"}), "invalid_request")
        twice = [*headers.items(), *headers.items()]
        refused(await post(house, "grant_type=client_credentials", twice), "invalid_request")

    async def test_another_client_id_beside_basic_is_refused(self, house: House) -> None:
        headers = basic(house.agency.client_id, house.agency.client_secret)
        form = FORM | {"client_id": encode("client", uuid7())}
        refused(await post(house, form, headers), "invalid_request")

    async def test_a_secret_in_the_query_is_refused(self, house: House) -> None:
        agency = house.agency
        query = f"client_id={agency.client_id}&client_secret={agency.client_secret}"
        refused(await post(house, FORM, url=f"/oauth/token?{query}"), "invalid_request")
        headers = basic(agency.client_id, agency.client_secret)
        reply = await post(house, FORM, headers, url="/oauth/token?scope=usage:read")
        refused(reply, "invalid_request")

    async def test_the_use_of_a_secret_is_noted_at_most_once_a_minute(
        self, house: House, admin_connection: Plain
    ) -> None:
        async def last_used() -> Any:
            return await admin_connection.fetchval(
                "SELECT last_used_at FROM client_secret WHERE oauth_client_id = $1",
                decode("client", house.realm.client_id),
            )

        assert await last_used() is None
        await house.token(house.agency)
        first = await last_used()
        assert first is not None
        house.later()
        await house.token(house.agency)
        assert await last_used() == first
        await admin_connection.execute(
            "UPDATE client_secret SET last_used_at = now() - interval '61 seconds'"
            " WHERE oauth_client_id = $1",
            decode("client", house.realm.client_id),
        )
        house.later()
        await house.token(house.agency)
        assert await last_used() > first

    async def test_a_refused_secret_is_not_noted_as_used(
        self, house: House, admin_connection: Plain
    ) -> None:
        await house.ask(Credentials(house.realm.client_id, "wrong"))
        found = await admin_connection.fetchval(
            "SELECT count(*) FROM client_secret"
            " WHERE oauth_client_id = $1 AND last_used_at IS NOT NULL",
            decode("client", house.realm.client_id),
        )
        assert found == 0


class TestRequest:
    @pytest.mark.parametrize(
        "body",
        [
            "grant_type=client_credentials&grant_type=client_credentials",
            "grant_type=client_credentials&scope=usage:read&scope=usage:read",
            "grant_type=client_credentials&scope=&scope=usage:read",
            "scope=usage:read",
            "",
            b"grant_type=client_credentials&scope=\xff",
            "grant_type=client_credentials&scope=%FF",
            "grant_type=client_credentials&scope=" + "x" * 20_000,
            "grant_type=client_credentials&" + "&".join(f"p{n}=1" for n in range(50)),
        ],
    )
    async def test_a_malformed_or_repeating_body_is_refused(
        self, house: House, body: str | bytes
    ) -> None:
        headers = basic(house.agency.client_id, house.agency.client_secret)
        refused(await post(house, body, headers), "invalid_request")

    async def test_another_media_type_is_refused(self, house: House) -> None:
        headers = basic(house.agency.client_id, house.agency.client_secret)
        reply = await house.http.post("/oauth/token", json=FORM, headers=headers)
        refused(reply, "invalid_request")

    @pytest.mark.parametrize(
        "grant", ["password", "implicit", "device_code", "CLIENT_CREDENTIALS", "<b>"]
    )
    async def test_another_grant_is_unsupported_and_not_repeated(
        self, house: House, grant: str
    ) -> None:
        headers = basic(house.agency.client_id, house.agency.client_secret)
        reply = await post(house, {"grant_type": grant}, headers)
        refused(reply, "unsupported_grant_type")
        assert grant not in reply.text

    async def test_only_post_is_answered(self, house: House) -> None:
        assert (await house.http.get("/oauth/token")).status_code == 405


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """The SQL that runs meanwhile."""
    seen: list[str] = []
    engine = house.database.engine.sync_engine

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
