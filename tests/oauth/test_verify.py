"""Access tokens at the door: what is no token of ours, or no longer good, is a 401."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from flatbed.tenants.access.principal import Claims
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.oauth.tokens import CACHED, Verifier
from tests.oauth.house import ISSUER, House
from tests.oauth.test_token import parts

LIST = "/v1/oauth-clients"
METADATA = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource"'


class TallRegistry(JWSRegistry):
    """Signs headers that the library finds too large, and algorithms it finds weak."""

    max_header_length = 2_000_000
    max_payload_length = 2_000_000


class Forger:
    """Makes tokens that are right but for what a test changes."""

    def __init__(self, key: ECKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        self.key = key
        self.header = dict(header)
        self.claims = dict(claims)

    def make(
        self,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: ECKey | None = None,
        without: str | None = None,
    ) -> str:
        head = {k: v for k, v in {**self.header, **(header or {})}.items() if k != without}
        body = {k: v for k, v in {**self.claims, **(claims or {})}.items() if k != without}
        registry = TallRegistry(algorithms=["ES256", "ES384"], strict_check_header=False)
        return sign(head, body, key or self.key, registry)


def sign(head: dict[str, Any], body: dict[str, Any], key: ECKey, registry: JWSRegistry) -> str:
    """Compact serialization without the library's checks of the header."""
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    algorithm = registry.get_alg("ES256")
    return f"{signed}.{b64(algorithm.sign(signed.encode(), key))}"


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.fixture
async def forger(house: House) -> Forger:
    key = await house.oauth.keys.active()
    header, claims = parts(await house.token(house.agency))
    return Forger(key.key, header, claims)


async def refuse(house: House, token: str) -> None:
    """Both doors: the port, and HTTP with its challenge."""
    with pytest.raises(UnauthenticatedError) as caught:
        await house.oauth.authenticator.verify(token)
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    headers = {"Authorization": f"Bearer {token}"}
    reply = await house.http.get(LIST, headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == f'Bearer error="invalid_token", {METADATA}'
    assert reply.json()["code"] == "invalid-token"


class TestToken:
    async def test_an_untouched_forgery_is_as_good_as_ours(
        self, house: House, forger: Forger
    ) -> None:
        """The attacks below fail for what they change and for nothing else."""
        claims = await house.oauth.authenticator.verify(forger.make())
        assert encode("client", claims.client_id) == house.realm.client_id
        assert encode("realm", claims.realm_id) == house.realm.realm_id

    @pytest.mark.parametrize(
        "header",
        [
            {"typ": "JWT"},
            {"typ": "at+JWT "},
            {"typ": None},
            {"typ": ["at+jwt"]},
            {"alg": "none"},
            {"alg": "ES384"},
            {"alg": "es256"},
            {"alg": ["ES256"]},
            {"kid": "unknown"},
            {"kid": "../../../../etc/passwd"},
            {"kid": "' OR 1=1 --"},
            {"kid": "\u0000"},
            {"kid": None},
            {"kid": 7},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/cert"},
            {"x5c": ["MII"]},
            {"crit": ["exp"]},
            {"crit": []},
            {"b64": False},
            {"zip": "DEF"},
            {"cty": "JWT"},
        ],
    )
    async def test_a_strange_header_is_refused(
        self, house: House, forger: Forger, header: dict[str, Any]
    ) -> None:
        await refuse(house, forger.make(header))

    @pytest.mark.parametrize("name", ["alg", "typ", "kid"])
    async def test_a_missing_header_is_refused(
        self, house: House, forger: Forger, name: str
    ) -> None:
        await refuse(house, forger.make(without=name))

    async def test_a_key_in_the_header_is_refused(self, house: House, forger: Forger) -> None:
        own = ECKey.generate_key("P-256")
        header = {"jwk": own.as_dict(private=False)}
        await refuse(house, forger.make(header, key=own))
        await refuse(house, forger.make(header))

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://evil.example"},
            {"iss": f"{ISSUER}/"},
            {"aud": "https://evil.example"},
            {"aud": [ISSUER]},
            {"aud": [ISSUER, "https://evil.example"]},
            {"exp": "9999999999"},
            {"exp": 9999999999.5},
            {"exp": True},
            {"exp": None},
            {"exp": 1},
            {"iat": 9999999998},
            {"scope": ["campaigns:read"]},
            {"sub": "usr_01h455vb4pex5vsknk084sn02q"},
            {"client_id": "client_0"},
            {"client_id": 7},
            {"realm": "live"},
            {"tid": "org_x"},
            {"staff": {"id": 1}},
        ],
    )
    async def test_strange_claims_are_refused(
        self, house: House, forger: Forger, claims: dict[str, Any]
    ) -> None:
        await refuse(house, forger.make(claims=claims))

    @pytest.mark.parametrize(
        "name", ["iss", "aud", "exp", "iat", "sub", "client_id", "realm", "scope"]
    )
    async def test_a_missing_claim_is_refused(
        self, house: House, forger: Forger, name: str
    ) -> None:
        await refuse(house, forger.make(without=name))

    async def test_the_signature_of_another_key_is_refused(
        self, house: House, forger: Forger
    ) -> None:
        await refuse(house, forger.make(key=ECKey.generate_key("P-256")))

    async def test_no_signature_is_refused(self, house: House, forger: Forger) -> None:
        head, body, signature = forger.make().split(".")
        unsigned = b64(json.dumps({**forger.header, "alg": "none"}).encode())
        for token in (
            f"{unsigned}.{body}.",
            f"{unsigned}.{body}.{signature}",
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}.{body}.{signature[:-4]}",
            f"{head}.{body}.{b64(bytes(64))}",
        ):
            await refuse(house, token)

    async def test_hs256_with_the_public_key_as_secret_is_refused(
        self, house: House, forger: Forger
    ) -> None:
        header = {**forger.header, "alg": "HS256"}
        signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(forger.claims).encode())}"
        for secret in (
            forger.key.as_pem(private=False),
            forger.key.as_der(private=False),
            json.dumps(forger.key.as_dict(private=False)).encode(),
        ):
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            await refuse(house, f"{signed}.{b64(mac)}")

    async def test_a_megabyte_is_refused_without_reading_it(
        self, house: House, forger: Forger
    ) -> None:
        await house.oauth.authenticator.verify(forger.make(claims={"padding": "x" * 5_000}))
        await refuse(house, forger.make(claims={"padding": "x" * 6_500}))
        await refuse(house, forger.make(claims={"padding": "x" * 1_000_000}))
        await refuse(house, "a" * 1_000_000)

    @pytest.mark.parametrize(
        "token", ["x", "..", "a.b.c", "e30.e30.e30", "\u00e4.b.c", "W10.e30.AA", "bnVsbA.e30.AA"]
    )
    async def test_what_is_no_token_is_refused(self, house: House, token: str) -> None:
        with pytest.raises(UnauthenticatedError):
            await house.oauth.authenticator.verify(token)

    async def test_deep_nesting_is_refused(self, house: House) -> None:
        with pytest.raises(UnauthenticatedError):
            await house.oauth.authenticator.verify(f"{b64(b'[' * 5000)}.e30.AA")

    async def test_without_a_token_the_challenge_says_bearer_alone(self, house: House) -> None:
        reply = await house.http.get(LIST)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == f"Bearer {METADATA}"

    async def test_a_token_in_the_query_is_not_looked_at(self, house: House) -> None:
        token = await house.token(house.agency)
        assert (await house.http.get(f"{LIST}?access_token={token}")).status_code == 401


class TestCache:
    async def test_a_remembered_token_still_expires(self, house: House) -> None:
        now = system_now()
        verifier = Verifier(ISSUER, house.oauth.keys, lambda: now)
        token = await house.token(house.agency)
        assert await verifier.verify(token) == await verifier.verify(token)
        now += timedelta(minutes=10, seconds=1)
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(token)

    async def test_it_is_bounded(self, house: House, forger: Forger) -> None:
        verifier = Verifier(ISSUER, house.oauth.keys)
        first = await verifier.verify(forger.make())
        for number in range(3):
            await verifier.verify(forger.make(claims={"jti": str(number)}))
        good = verifier._good
        assert len(good) == 4
        for number in range(CACHED):
            good[number.to_bytes(32)] = next(iter(good.values()))
        await verifier.verify(forger.make(claims={"jti": "last"}))
        assert await verifier.verify(forger.make()) == first

    async def test_a_bad_token_is_not_remembered(self, house: House, forger: Forger) -> None:
        verifier = Verifier(ISSUER, house.oauth.keys)
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(forger.make(key=ECKey.generate_key("P-256")))
        assert not verifier._good


class TestPrincipal:
    async def test_it_is_the_client_as_the_database_has_it(self, house: House) -> None:
        member = await house.member("lead")
        owner = {"kind": "staff", "staff_id": member["id"]}
        client = await house.client(owner, "pipeline:read", "usage:read")
        claims = await house.oauth.authenticator.verify(await house.token(client))
        principal = await house.admitted(claims)
        assert principal.role == "lead"
        assert principal.actor == f"staff:{member['id']}"
        assert principal.tenant_id is None
        assert principal.scopes == {"pipeline:read", "usage:read"}
        assert principal.sandbox
        assert principal.clock.now() == principal.clock.now()

    async def test_its_clock_is_the_realms(self, house: House, admin_connection: Plain) -> None:
        await admin_connection.execute(
            "UPDATE realm SET clock_offset_us = 86400000000 WHERE id = $1",
            decode("realm", house.realm.realm_id),
        )
        claims = await house.oauth.authenticator.verify(await house.token(house.agency))
        principal = await house.admitted(claims)
        ahead = principal.clock.now() - system_now()
        assert timedelta(hours=23) < ahead <= timedelta(days=1)

    async def test_a_token_keeps_no_more_than_it_was_given(self, house: House) -> None:
        client = await house.isv_client("acme", "usage:read", "campaigns:read")
        token = await house.token(client, scope="usage:read")
        claims = await house.oauth.authenticator.verify(token)
        assert (await house.admitted(claims)).scopes == {"usage:read"}

    @pytest.mark.parametrize("member", ["tenant_id", "staff_id", "realm_id", "client_id"])
    async def test_claims_that_differ_from_the_clients_row_are_refused(
        self, house: House, member: str
    ) -> None:
        client = await house.isv_client("acme", "usage:read")
        claims = await house.oauth.authenticator.verify(await house.token(client))
        values = {name: getattr(claims, name) for name in claims.__slots__}
        with pytest.raises(UnauthenticatedError):
            await house.admitted(Claims(**{**values, member: uuid7()}))

    async def test_switched_off_the_client_is_out_at_once(self, house: House) -> None:
        client = await house.client({"kind": "agency"}, "clients:manage")
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        assert (await house.http.get(LIST, headers=headers)).status_code == 200
        await house.change(f"/v1/oauth-clients/{client.client_id}", {"active": False})
        assert (await house.http.get(LIST, headers=headers)).status_code == 401
        await house.change(f"/v1/oauth-clients/{client.client_id}", {"active": True})
        assert (await house.http.get(LIST, headers=headers)).status_code == 200

    async def test_let_go_a_staff_member_is_out_at_once(self, house: House) -> None:
        member = await house.member("admin")
        client = await house.client({"kind": "staff", "staff_id": member["id"]}, "clients:manage")
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        assert (await house.http.get(LIST, headers=headers)).status_code == 200
        await house.change(f"/v1/staff/{member['id']}", {"active": False})
        assert (await house.http.get(LIST, headers=headers)).status_code == 401

    async def test_in_another_role_he_has_its_rights_at_once(self, house: House) -> None:
        member = await house.member("admin")
        client = await house.client({"kind": "staff", "staff_id": member["id"]}, "clients:manage")
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        await house.change(f"/v1/staff/{member['id']}", {"role": "hunter"})
        assert (await house.http.get(LIST, headers=headers)).status_code == 403

    async def test_suspended_an_isvs_client_is_out_at_once(self, house: House) -> None:
        isv = await house.isv("acme")
        owner = {"kind": "isv", "organization_id": isv["id"]}
        client = await house.client(owner, "usage:read")
        claims = await house.oauth.authenticator.verify(await house.token(client))
        assert (await house.admitted(claims)).role == "isv_client"
        await house.change(f"/v1/organizations/{isv['id']}", {"status": "suspended"})
        with pytest.raises(UnauthenticatedError):
            await house.admitted(claims)

    async def test_a_scope_taken_from_the_client_is_gone_at_once(self, house: House) -> None:
        client = await house.client({"kind": "agency"}, "clients:manage", "tenants:manage")
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        path = f"/v1/oauth-clients/{client.client_id}"
        await house.change(path, {"scopes": ["tenants:manage"]})
        reply = await house.http.get(LIST, headers=headers)
        assert reply.status_code == 403
        assert reply.json()["code"] == "insufficient-scope"


def test_the_library_would_take_what_we_refuse() -> None:
    """The decoding of joserfc knows no ``typ``: the check is ours."""
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256"}, {"iss": ISSUER}, key, algorithms=["ES256"])
    assert jwt.decode(token, key, algorithms=["ES256"]).claims["iss"] == ISSUER
