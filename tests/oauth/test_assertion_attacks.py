"""private_key_jwt: what is no proof of who the client is."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.oauth.assertions import accepted
from flatbed.tenants.oauth.clients import keys as client_keys
from tests.oauth.house import ISSUER, House
from tests.oauth.signing import RSA, TYPE, Signer, ahead, new_key, new_signer, public, sign
from tests.oauth.test_token import basic, refused, statements
from tests.oauth.test_verify import b64


async def denied(signer: Signer, assertion: str, **form: Any) -> httpx.Response:
    """It is refused as every refusal is, and an untouched one is still good: nothing is locked."""
    reply = await signer.ask(assertion, **form)
    refused(reply, "invalid_client")
    assert reply.headers["www-authenticate"] == 'Basic realm="flatbed"'
    assert (await signer.ask()).status_code == 200
    return reply


class TestAttacks:
    @pytest.mark.parametrize(
        "aud",
        [
            "https://evil.example",
            f"{ISSUER}/",
            f"{ISSUER}/oauth/token",
            [ISSUER, "https://evil.example"],
            [ISSUER, ISSUER],
            [],
            [[ISSUER]],
            {"aud": ISSUER},
            None,
        ],
    )
    async def test_an_assertion_for_another_audience_or_for_two_is_refused(
        self, signer: Signer, aud: Any
    ) -> None:
        """What was made for another server, or for it too, could be forwarded by that server."""
        await denied(signer, signer.assertion({"aud": aud}))

    @pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "jti"])
    async def test_an_assertion_without_a_needed_claim_is_refused(
        self, signer: Signer, name: str
    ) -> None:
        """Without `exp` or `jti` it would be good for ever, without the others for anybody."""
        await denied(signer, signer.assertion(without=[name]))

    async def test_an_assertion_of_one_client_in_the_name_of_another_is_refused(
        self, signer: Signer
    ) -> None:
        """Who signs may speak for himself only."""
        victim = await new_signer(signer.house)
        for claims in (
            {"sub": victim.client_id},
            {"iss": victim.client_id},
            {"iss": victim.client_id, "sub": victim.client_id},
            {"iss": "somebody"},
            {"sub": [signer.client_id]},
            {"sub": signer.client_id.upper(), "iss": signer.client_id.upper()},
        ):
            await denied(signer, signer.assertion(claims))
        await denied(signer, signer.assertion(), client_assertion_type=TYPE.upper())

    @pytest.mark.parametrize(
        ("name", "seconds"),
        [
            ("exp", -1),
            ("exp", 0),
            ("exp", 3_700),
            ("exp", 86_400),
            ("iat", 120),
            ("nbf", 120),
            ("iat", -86_400),
        ],
    )
    async def test_an_assertion_of_another_time_is_refused(
        self, signer: Signer, name: str, seconds: int
    ) -> None:
        """Expired, good for too long, not begun."""
        await denied(signer, signer.assertion({name: ahead(seconds)}))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("exp", "9999999999"),
            ("exp", 9999999999.5),
            ("exp", True),
            ("exp", 10**400),
            ("iat", "now"),
            ("iat", None),
            ("nbf", [1]),
        ],
    )
    async def test_an_instant_that_is_none_is_refused(
        self, signer: Signer, name: str, value: Any
    ) -> None:
        """What one reader takes for a number another does not."""
        await denied(signer, signer.assertion({name: value}))

    @pytest.mark.parametrize("jti", ["", "x" * 257, 7, None, ["a"]])
    async def test_a_jti_that_is_no_name_is_refused(self, signer: Signer, jti: Any) -> None:
        """It must be remembered."""
        await denied(signer, signer.assertion({"jti": jti}))

    async def test_a_strange_jti_is_remembered_too(self, signer: Signer) -> None:
        """NUL and lone surrogates, which PostgreSQL cannot store, are no way around it."""
        for jti in ("\u0000", "\ud800", "\U0001f511"):
            assert (await signer.ask(signer.assertion({"jti": jti}))).status_code == 200
            await denied(signer, signer.assertion({"jti": jti}))

    async def test_a_replayed_assertion_is_refused(self, signer: Signer) -> None:
        """Who reads one on its way can do nothing with it, also not under a new signature."""
        assertion = signer.assertion({"jti": "once"})
        assert (await signer.ask(assertion)).status_code == 200
        await denied(signer, assertion)
        await denied(signer, signer.assertion({"jti": "once"}))

    async def test_of_eight_requests_with_one_assertion_at_once_one_is_answered(
        self, house: House
    ) -> None:
        """The row decides, not who looked first. Each round's client has failed nowhere yet."""
        for _ in range(5):
            signer = await new_signer(house)
            assertion = signer.assertion()
            replies = await asyncio.gather(*(signer.ask(assertion) for _ in range(8)))
            assert sorted(reply.status_code for reply in replies) == [200] + [401] * 7

    async def test_hs256_with_the_public_key_as_secret_is_refused(self, signer: Signer) -> None:
        """Everybody knows the public key."""
        header = {"alg": "HS256", "kid": signer.key.kid}
        _, body, _ = signer.assertion().split(".")
        signed = f"{b64(json.dumps(header).encode())}.{body}"
        assert isinstance(signer.key, ECKey)
        for secret in (
            signer.key.as_pem(private=False),
            signer.key.as_der(private=False),
            json.dumps(public(signer.key)).encode(),
        ):
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            await denied(signer, f"{signed}.{b64(mac)}")

    async def test_an_unsigned_assertion_is_refused(self, signer: Signer) -> None:
        """`none` is no algorithm, and no signature is no proof."""
        head_, body, signature = signer.assertion().split(".")
        none = b64(json.dumps({"alg": "none", "kid": signer.key.kid}).encode())
        for assertion in (
            f"{none}.{body}.",
            f"{none}.{body}.{signature}",
            f"{head_}.{body}.",
            f"{head_}.{body}.{b64(bytes(64))}",
            f"{head_}.{body}.{signature[:-4]}",
        ):
            await denied(signer, assertion)

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "ES384"},
            {"alg": "RS256"},
            {"alg": "es256"},
            {"alg": ["ES256"]},
            {"alg": None},
            {"kid": "../../../../etc/passwd"},
            {"kid": "' OR 1=1 --"},
            {"kid": "\u0000"},
            {"kid": "FIRST"},
            {"kid": ["first"]},
            {"kid": 0},
            {"typ": "at+jwt"},
            {"typ": ["JWT"]},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/cert"},
            {"x5c": ["MII"]},
            {"crit": ["exp"]},
            {"crit": []},
            {"b64": False},
            {"zip": "DEF"},
        ],
    )
    async def test_a_strange_header_is_refused(
        self, signer: Signer, header: dict[str, Any]
    ) -> None:
        """Another algorithm, a kid that leads elsewhere, a key or a meaning brought along."""
        await denied(signer, signer.assertion(header=header))

    async def test_the_signature_of_another_key_is_refused(self, signer: Signer) -> None:
        """A stranger's, one that he puts into the header, and another client's."""
        own = new_key()
        await denied(signer, signer.assertion(key=own))
        await denied(signer, signer.assertion(header={"jwk": public(own)}, key=own))
        await denied(signer, signer.assertion(header={"jwk": public(signer.key)}))
        other = await new_signer(signer.house)
        await denied(signer, signer.assertion(key=other.key))
        await denied(signer, signer.assertion(header={"kid": "rsa"}, key=RSA))

    async def test_a_megabyte_is_refused_without_reading_it(self, signer: Signer) -> None:
        """The body has an end, and the assertion an earlier one."""
        assert (await signer.ask(signer.assertion({"p": "x" * 4_000}))).status_code == 200
        await denied(signer, signer.assertion({"p": "x" * 7_000}))
        reply = await signer.ask(signer.assertion({"p": "x" * 1_000_000}))
        refused(reply, "invalid_request")

    @pytest.mark.parametrize(
        "assertion",
        ["x", "..", "a.b.c", "e30.e30.e30", "W10.W10.AA", "bnVsbA.bnVsbA.AA", "\u00e4.b.c"],
    )
    async def test_what_is_no_assertion_is_refused(self, signer: Signer, assertion: str) -> None:
        """Rubbish is refused like everything else."""
        await denied(signer, assertion)

    async def test_deep_nesting_is_refused(self, signer: Signer) -> None:
        """A reader that recurses would fall over it."""
        deep = b64(b"[" * 3000)
        await denied(signer, f"{deep}.{deep}.AA")
        head_ = b64(json.dumps({"alg": "ES256", "kid": signer.key.kid}).encode())
        await denied(signer, f"{head_}.{deep}.AA")

    async def test_a_secret_clients_assertion_and_a_key_clients_secret_are_refused(
        self, house: House, signer: Signer, admin_connection: Plain
    ) -> None:
        """Each client signs in in its own way only, whatever rows say besides."""
        secret = house.realm.client_secret
        reply = await house.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            headers=basic(signer.client_id, secret),
        )
        refused(reply, "invalid_client")
        await admin_connection.execute(
            "INSERT INTO client_secret (realm_id, id, oauth_client_id, digest, pepper_version,"
            " last_four, label, created_at) SELECT realm_id, $1, $2, digest, pepper_version,"
            " last_four, label, created_at FROM client_secret WHERE oauth_client_id = $3",
            uuid7(),
            decode("client", signer.client_id),
            decode("client", house.realm.client_id),
        )
        reply = await house.http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            headers=basic(signer.client_id, secret),
        )
        refused(reply, "invalid_client")
        stranger = Signer(house, house.realm.client_id, signer.key)
        refused(await stranger.ask(), "invalid_client")

    async def test_two_authentications_at_once_are_refused(self, signer: Signer) -> None:
        """Which of the two counted would depend on the reader."""
        agency = signer.house.agency
        secret: dict[str, Any] = {
            "client_id": agency.client_id,
            "client_secret": agency.client_secret,
        }
        refused(await signer.ask(**secret), "invalid_request")
        form = {
            "grant_type": "client_credentials",
            "client_assertion": signer.assertion(),
            "client_assertion_type": TYPE,
        }
        headers = basic(agency.client_id, agency.client_secret)
        for left_out in ("", "client_assertion", "client_assertion_type"):
            sent = {name: value for name, value in form.items() if name != left_out}
            reply = await signer.house.http.post("/oauth/token", data=sent, headers=headers)
            refused(reply, "invalid_request")

    async def test_a_repeated_parameter_or_one_in_the_query_is_refused(
        self, signer: Signer
    ) -> None:
        """Of two values one would be passed over, and a query stands in logs."""
        assertion = signer.assertion()
        body = (
            f"grant_type=client_credentials&client_assertion_type={TYPE}"
            f"&client_assertion={assertion}"
        )
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        http = signer.house.http
        for twice in (f"&client_assertion={assertion}", f"&client_assertion_type={TYPE}"):
            reply = await http.post("/oauth/token", content=body + twice, headers=form)
            refused(reply, "invalid_request")
        reply = await http.post(f"/oauth/token?{body}", content=body, headers=form)
        refused(reply, "invalid_request")
        assert (await http.post("/oauth/token", content=body, headers=form)).status_code == 200

    async def test_the_kind_of_assertion_must_be_the_one(self, signer: Signer) -> None:
        """A SAML bearer is something else, and a missing kind is none."""
        for kind in (TYPE.replace("jwt", "saml2"), "jwt-bearer", f"{TYPE} ", ""):
            await denied(signer, signer.assertion(), client_assertion_type=kind)

    async def test_every_refusal_looks_the_same_and_costs_the_same(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unknown client, bad key and bad claims give nothing away."""
        unknown = Signer(signer.house, encode("client", uuid7()), signer.key)
        idle = await new_signer(signer.house)
        await signer.house.change(f"/v1/oauth-clients/{idle.client_id}", {"active": False})
        cases = [
            (signer, signer.assertion(key=new_key())),
            (signer, signer.assertion({"aud": "x"})),
            (signer, signer.assertion(header={"kid": "x"})),
            (unknown, unknown.assertion()),
            (idle, idle.assertion()),
        ]
        replies, counts, read = [], [], []
        imported = client_keys.imported

        def counted(jwk: Mapping[str, Any]) -> ECKey | RSAKey:
            read.append(jwk["kty"])
            return imported(jwk)

        monkeypatch.setattr(client_keys, "imported", counted)
        for one, assertion in cases:
            read.clear()
            with statements(signer.house) as seen:
                replies.append(await one.ask(assertion))
            counts.append((len(seen), tuple(read)))
        for reply in replies:
            refused(reply, "invalid_client")
        assert len({reply.content for reply in replies}) == 1
        assert len(set(counts)) == 1
        assert counts[0][1] == ("EC",)

    @pytest.mark.parametrize(
        "scope",
        [
            "registry:read",
            "CLIENTS:MANAGE",
            "clients:manage\u200b",
            "clients:manage  tenants:manage",
        ],
    )
    async def test_a_scope_too_many_is_refused(self, signer: Signer, scope: str) -> None:
        """Excess, case and Unicode are no way to more."""
        refused(await signer.ask(scope=scope), "invalid_scope")


class TestAccepted:
    def test_a_key_that_does_not_fit_is_never_tried_with_another_algorithm(self) -> None:
        """An RSA key under ES256, and an EC key under RS256."""
        now = system_now()
        body = {
            "iss": "c",
            "sub": "c",
            "aud": ISSUER,
            "exp": int((now + timedelta(minutes=1)).timestamp()),
            "jti": "j",
        }
        key = new_key()
        keys = [public(key), public(RSA)]
        assert accepted(sign({"alg": "ES256", "kid": "first"}, body, key), keys, "c", ISSUER, now)
        assert accepted(sign({"alg": "RS256", "kid": "rsa"}, body, RSA), keys, "c", ISSUER, now)
        for header in ({"alg": "RS256", "kid": "first"}, {"alg": "ES256", "kid": "rsa"}):
            for used in (key, RSA):
                made = sign(header, body, used)
                assert accepted(made, keys, "c", ISSUER, now) is None
