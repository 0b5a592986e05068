"""Independent clients, unchanged, get tokens for themselves and call the API with them."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

from tests.oauth.independent.node import node
from tests.oauth.signing import new_key, public
from tests.support.served import Served

SCOPE: Final = "tenants:manage"
METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
SECRETS: Final = METHODS[:2]
LIBRARIES: Final = ("oauth4webapi", "openid-client")


@dataclass(frozen=True)
class Service:
    """Clients of the agency, one for each way to authenticate."""

    served: Served
    given: dict[str, dict[str, Any]]
    """What a client was given: `client_id`, `method`, and `secret` or `jwk`."""


@pytest_asyncio.fixture
async def service(served: Served) -> Service:
    given = {}
    for method in METHODS:
        key = new_key()
        keyed = method == "private_key_jwt"
        made = await served.world.admin.made(
            "/v1/oauth-clients",
            {
                "name": "An independent client",
                "owner": {"kind": "agency"},
                "scopes": [SCOPE, "clients:manage"],
                "token_endpoint_auth_method": method,
                **({"jwks": {"keys": [public(key)]}} if keyed else {}),
            },
        )
        proof = {"jwk": key.as_dict(private=True)} if keyed else {"secret": made["client_secret"]}
        given[method] = {"client_id": made["client_id"], "method": method, **proof}
    return Service(served, given)


async def works(served: Served, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await served.world.http.get("/v1/organizations", headers=headers)
    return answer.status_code == 200


class TestNode:
    """npm oauth4webapi and openid-client, from discovery on."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("library", LIBRARIES)
    async def test_a_token_that_calls_the_api(
        self, service: Service, library: str, method: str
    ) -> None:
        given = {**service.given[method], "issuer": service.served.url, "scope": SCOPE}
        async with node(f"{library}-client-credentials", **given) as client:
            tokens = (await client.says())["tokens"]
        assert tokens["token_type"] == "bearer"
        assert (tokens["scope"], tokens["expires_in"]) == (SCOPE, 600)
        assert await works(service.served, tokens["access_token"])

    @pytest.mark.parametrize("method", METHODS)
    async def test_the_token_is_one_of_rfc_9068(self, service: Service, method: str) -> None:
        given = {**service.given[method], "issuer": service.served.url}
        async with node("oauth4webapi-client-credentials", **given) as client:
            await client.says()
            claims = (await client.says())["claims"]
        assert (claims["iss"], claims["aud"]) == (service.served.url, service.served.url)
        assert claims["client_id"] == given["client_id"]
        assert claims["sub"] == f"client:{given['client_id']}"
        assert set(claims["scope"].split()) == {SCOPE, "clients:manage"}

    @pytest.mark.parametrize("library", LIBRARIES)
    async def test_a_refusal_is_understood(self, service: Service, library: str) -> None:
        known = {**service.given["client_secret_basic"], "issuer": service.served.url}
        given_to_another = service.given["client_secret_post"]["secret"]
        challenge = {"scheme": "basic", "parameters": {"realm": "flatbed"}}
        for changed, expected in (
            ({"secret": given_to_another}, {"challenged": [challenge], "status": 401}),
            ({"scope": "audit:read"}, {"refused": "invalid_scope", "status": 400}),
        ):
            async with node(f"{library}-client-credentials", **{**known, **changed}) as client:
                assert (await client.says())["tokens"] == expected


class TestAuthlib:
    """PyPI Authlib's own client."""

    @pytest.mark.parametrize("method", METHODS)
    async def test_a_token_that_calls_the_api(self, service: Service, method: str) -> None:
        given, url = service.given[method], service.served.url
        secret = given.get("secret") or ECKey.import_key(given["jwk"])
        async with AsyncOAuth2Client(
            given["client_id"], secret, token_endpoint_auth_method=method, scope=SCOPE
        ) as client:
            client.register_client_auth_method(PrivateKeyJWT(url, alg="ES256"))
            token = await client.fetch_token(f"{url}/oauth/token", grant_type="client_credentials")
            answer = await client.get(f"{url}/v1/organizations")
        assert (token["token_type"], token["scope"]) == ("Bearer", SCOPE)
        assert answer.status_code == 200


class TestRequestsOauthlib:
    """PyPI requests-oauthlib."""

    @pytest.mark.parametrize("method", SECRETS)
    async def test_a_token_that_calls_the_api(
        self, service: Service, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # plain HTTP, on the loopback
        given, url = service.given[method], service.served.url
        pair = (given["client_id"], given["secret"])
        sent: dict[str, Any] = (
            {"auth": pair}
            if method == "client_secret_basic"
            else {"client_secret": given["secret"], "include_client_id": True}
        )

        def run() -> tuple[list[str], int]:
            backend = BackendApplicationClient(given["client_id"], scope=[SCOPE])
            with OAuth2Session(client=backend) as client:
                client.trust_env = False
                token = client.fetch_token(f"{url}/oauth/token", **sent)
                return token["scope"], client.get(f"{url}/v1/organizations").status_code

        assert await asyncio.to_thread(run) == ([SCOPE], 200)
