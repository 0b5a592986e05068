"""A client that signs its own assertions, and what it sends."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import uuid7
from tests.oauth.house import ISSUER, House
from tests.oauth.test_verify import TallRegistry, b64

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AGENCY: Final = {"kind": "agency"}
RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa"})


def ahead(seconds: int) -> int:
    return int(system_now().timestamp()) + seconds


def new_key(kid: str = "first") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def public(key: ECKey | RSAKey, **more: Any) -> dict[str, Any]:
    """The key as a client sends it."""
    wanted = ("kty", "crv", "x", "y", "n", "e")
    found = {k: v for k, v in key.as_dict(private=False).items() if k in wanted}
    return {**found, "kid": key.kid, **more}


def sign(head: Mapping[str, Any], body: Mapping[str, Any], key: ECKey | RSAKey) -> str:
    """Compact serialization without the library's checks of the header."""
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    registry: JWSRegistry = TallRegistry(algorithms=["ES256", "RS256"])
    algorithm = registry.get_alg("RS256" if isinstance(key, RSAKey) else "ES256")
    return f"{signed}.{b64(algorithm.sign(signed.encode(), key))}"


@dataclass
class Signer:
    """A private_key_jwt client; its assertions are right but for what a test changes."""

    house: House
    client_id: str
    key: ECKey | RSAKey = field(repr=False)

    def assertion(
        self,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        *,
        key: ECKey | RSAKey | None = None,
        without: Collection[str] = (),
    ) -> str:
        now = int(system_now().timestamp())
        used = key or self.key
        head: dict[str, Any] = {
            "alg": "RS256" if isinstance(used, RSAKey) else "ES256",
            "kid": self.key.kid,
            **(header or {}),
        }
        body: dict[str, Any] = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 300,
            "jti": uuid7().hex,
            **(claims or {}),
        }
        head = {k: v for k, v in head.items() if k not in without}
        body = {k: v for k, v in body.items() if k not in without}
        return sign(head, body, used)

    async def ask(
        self, assertion: str | None = None, *, http: httpx.AsyncClient | None = None, **form: str
    ) -> httpx.Response:
        sent = {
            "grant_type": "client_credentials",
            "client_assertion_type": TYPE,
            "client_assertion": self.assertion() if assertion is None else assertion,
            **form,
        }
        return await (http or self.house.http).post("/oauth/token", data=sent)


async def new_signer(house: House, key: ECKey | RSAKey | None = None, **more: Any) -> Signer:
    """A client of the agency that signs in with this key."""
    key = key or new_key()
    body = {
        "name": "A signer",
        "owner": AGENCY,
        "scopes": ["clients:manage", "tenants:manage"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [public(key)]},
        **more,
    }
    made = await house.made("/v1/oauth-clients", body)
    assert made["client_secret"] is None
    return Signer(house, made["id"], key)
