"""PyPI Authlib and requests-oauthlib, unchanged, act for a person who let them in on our pages.

Neither looks at RFC 9207's iss: Node's two do.
"""

import asyncio
from typing import Any, Final

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc6749 import MismatchingStateException
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError
from joserfc.jwk import ECKey, KeySet
from oauthlib.oauth2 import (
    AccessDeniedError,
    InvalidGrantError,
    MismatchingStateError,
    WebApplicationClient,
)
from requests_oauthlib import OAuth2Session

from tests.oauth.independent.desk import METHODS, PUBLIC, SCOPES, Desk, with_parameter

TOKEN: Final = "/oauth/token"
AUTHORIZE: Final = "/oauth/authorize"


def authlib_client(given: dict[str, Any]) -> AsyncOAuth2Client:
    """Authlib's client of what an application was given."""
    client = AsyncOAuth2Client(
        given["client_id"],
        ECKey.import_key(given["jwk"]) if "jwk" in given else given.get("secret"),
        token_endpoint_auth_method=given["method"],
        revocation_endpoint_auth_method=given["method"],
        scope=given.get("scope"),
        redirect_uri=given.get("redirect_uri"),
        code_challenge_method="S256",
    )
    client.register_client_auth_method(PrivateKeyJWT(given["issuer"], alg="ES256"))
    return client


def validated(id_token: str, keys: Any, issuer: str, **expected: str) -> dict[str, Any]:
    """The claims, after Authlib has looked at each."""
    read = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=["ES256"])
    found = CodeIDToken(
        read.claims, read.header, {"iss": {"essential": True, "value": issuer}}, expected
    )
    found.validate()
    return read.claims


class TestAuthlib:
    """AsyncOAuth2Client, and Authlib's validation of ID tokens."""

    async def tokens(self, client: AsyncOAuth2Client, desk: Desk, nonce: str) -> dict[str, Any]:
        verifier = generate_token(48)
        url, state = client.create_authorization_url(
            f"{desk.url}{AUTHORIZE}", code_verifier=verifier, nonce=nonce
        )
        callback, token_url = await desk.lets_in(url), f"{desk.url}{TOKEN}"
        elsewhere = with_parameter(callback, "state", "another")
        with pytest.raises(MismatchingStateException):
            await client.fetch_token(token_url, authorization_response=elsewhere, state=state)
        found: dict[str, Any] = await client.fetch_token(
            token_url, authorization_response=callback, state=state, code_verifier=verifier
        )
        return dict(found)

    @pytest.mark.parametrize("method", METHODS)
    async def test_what_a_person_lent_is_used_kept_alive_asked_about_and_given_back(
        self, desk: Desk, method: str
    ) -> None:
        given, nonce = await desk.application(method), generate_token()
        asking = desk.service if method == PUBLIC else given
        async with authlib_client(given) as client, authlib_client(asking) as asker:
            tokens = await self.tokens(client, desk, nonce)
            assert set(tokens["scope"].split()) == set(SCOPES)
            keys = (await client.get(f"{desk.url}/oauth/jwks", auth=None)).json()
            expected = {
                "nonce": nonce,
                "client_id": given["client_id"],
                "access_token": tokens["access_token"],
            }
            assert validated(tokens["id_token"], keys, desk.url, **expected)["sub"] == desk.sub
            for name in expected:
                with pytest.raises(ClaimError):
                    validated(tokens["id_token"], keys, desk.url, **{**expected, name: "another"})
            renewed = dict(await client.refresh_token(f"{desk.url}{TOKEN}"))
            assert renewed["access_token"] != tokens["access_token"]
            rotated = renewed["refresh_token"] != tokens["refresh_token"]
            assert rotated is (method == PUBLIC)
            told = (await client.get(f"{desk.url}/oauth/userinfo")).json()
            assert (told["sub"], told["email"]) == (desk.sub, desk.email)
            assert (await client.get(f"{desk.url}/v1/members")).status_code == 200
            for active in (True, False):
                for name in ("access_token", "refresh_token"):
                    answer = await asker.introspect_token(
                        f"{desk.url}/oauth/introspect", token=renewed[name], token_type_hint=name
                    )
                    assert answer.json()["active"] is active
                revoked = await client.revoke_token(  # type: ignore[no-untyped-call] # as it is
                    f"{desk.url}/oauth/revoke",
                    token=renewed["refresh_token"],
                    token_type_hint="refresh_token",
                )
                assert revoked.status_code == 200
            with pytest.raises(OAuthError, match="invalid_grant"):
                await client.refresh_token(f"{desk.url}{TOKEN}")

    async def test_a_refresh_token_used_again_after_the_grace_ends_the_family(
        self, desk: Desk
    ) -> None:
        async with authlib_client(await desk.application(PUBLIC)) as client:
            url = f"{desk.url}{TOKEN}"
            used = (await self.tokens(client, desk, generate_token()))["refresh_token"]
            newest = dict(await client.refresh_token(url))
            await desk.age(used)
            for token in (used, newest["refresh_token"]):
                with pytest.raises(OAuthError, match="invalid_grant"):
                    await client.refresh_token(url, refresh_token=token)
            assert (await client.get(f"{desk.url}/v1/members")).status_code == 401


class TestRequestsOauthlib:
    """OAuth2Session, with PKCE; it knows no client assertions and no introspection."""

    @pytest.fixture(autouse=True)
    def loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # plain HTTP

    def session(self, given: dict[str, Any]) -> OAuth2Session:
        client = OAuth2Session(
            given["client_id"],
            scope=list(SCOPES),
            redirect_uri=given["redirect_uri"],
            pkce="S256",
        )
        client.trust_env = False
        return client

    def proof(self, given: dict[str, Any]) -> dict[str, Any]:
        """How it signs in when it fetches a token."""
        if given["method"] == "client_secret_basic":
            return {"auth": (given["client_id"], given["secret"])}
        return {"include_client_id": True, "client_secret": given.get("secret")}

    def again(self, given: dict[str, Any]) -> dict[str, Any]:
        """How it signs in when it refreshes."""
        if given["method"] == "client_secret_basic":
            return self.proof(given)
        secret = {"client_secret": given["secret"]} if "secret" in given else {}
        return {"client_id": given["client_id"], **secret}

    def revoke(self, client: OAuth2Session, given: dict[str, Any], desk: Desk, token: str) -> int:
        """Revoke by the request that oauthlib prepares; the answer's status."""
        again = self.again(given)
        auth = again.pop("auth", None)
        url, headers, body = WebApplicationClient(
            given["client_id"]
        ).prepare_token_revocation_request(
            f"{desk.url}/oauth/revoke", token, "refresh_token", **again
        )
        return client.request(
            "POST", url, data=body, headers=headers, auth=auth, withhold_token=True
        ).status_code

    async def tokens(self, client: OAuth2Session, given: dict[str, Any], desk: Desk) -> Any:
        url, _ = client.authorization_url(f"{desk.url}{AUTHORIZE}")
        callback, proof = await desk.lets_in(url), self.proof(given)
        elsewhere = with_parameter(callback, "state", "another")
        with pytest.raises(MismatchingStateError):
            client.fetch_token(f"{desk.url}{TOKEN}", authorization_response=elsewhere, **proof)
        return await asyncio.to_thread(
            client.fetch_token, f"{desk.url}{TOKEN}", authorization_response=callback, **proof
        )

    @pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", PUBLIC])
    async def test_what_a_person_lent_is_used_kept_alive_and_given_back(
        self, desk: Desk, method: str
    ) -> None:
        given = await desk.application(method)
        with self.session(given) as client:
            tokens = dict(await self.tokens(client, given, desk))
            assert set(tokens["scope"]) == set(SCOPES)

            def go_on() -> None:
                url, again = f"{desk.url}{TOKEN}", self.again(given)
                renewed = dict(client.refresh_token(url, **again))
                rotated = renewed["refresh_token"] != tokens["refresh_token"]
                assert rotated is (method == PUBLIC)
                assert client.get(f"{desk.url}/v1/members").status_code == 200
                assert self.revoke(client, given, desk, renewed["refresh_token"]) == 200
                assert client.get(f"{desk.url}/v1/members").status_code == 401
                with pytest.raises(InvalidGrantError):
                    client.refresh_token(url, **again)

            await asyncio.to_thread(go_on)

    async def test_who_is_told_no_knows_it(self, desk: Desk) -> None:
        given = await desk.application(PUBLIC)
        with self.session(given) as client:
            url, _ = client.authorization_url(f"{desk.url}{AUTHORIZE}")
            callback = await desk.lets_in(url, "deny")
            with pytest.raises(AccessDeniedError):
                client.fetch_token(f"{desk.url}{TOKEN}", authorization_response=callback)

    async def test_a_refresh_token_used_again_after_the_grace_ends_the_family(
        self, desk: Desk
    ) -> None:
        given = await desk.application(PUBLIC)
        with self.session(given) as client:
            used = (await self.tokens(client, given, desk))["refresh_token"]
            url, again = f"{desk.url}{TOKEN}", self.again(given)
            newest = dict(await asyncio.to_thread(client.refresh_token, url, **again))
            await desk.age(used)
            for token in (used, newest["refresh_token"]):
                with pytest.raises(InvalidGrantError):
                    await asyncio.to_thread(client.refresh_token, url, token, **again)
            answer = await asyncio.to_thread(client.get, f"{desk.url}/v1/members")
            assert answer.status_code == 401
