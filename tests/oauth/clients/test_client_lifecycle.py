"""How a client signs in, from where, and its end: PATCH and DELETE /v1/oauth-clients."""

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.sealing import seal_agency
from tests.oauth.clients.test_client_secrets import add, listed
from tests.oauth.house import Credentials, House
from tests.oauth.signing import AGENCY, Signer, new_key, new_signer, public
from tests.oauth.test_token import refused

PATH = "/v1/oauth-clients"
PRIVATE = "private_key_jwt"
WEAK = RSAKey.generate_key(2048, {"kid": "weak"})


def body(**more: Any) -> dict[str, Any]:
    return {"name": "A client", "owner": AGENCY, "scopes": ["clients:manage"], **more}


def keyed(*keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    return body(token_endpoint_auth_method=PRIVATE, jwks={"keys": list(keys)}, **more)


class TestMethod:
    async def test_a_secret_is_the_default_and_may_be_sent_in_either_way(
        self, house: House
    ) -> None:
        made = await house.made(PATH, body())
        assert made["token_endpoint_auth_method"] == "client_secret_basic"
        assert made["jwks"] is None
        made = await house.made(PATH, body(token_endpoint_auth_method="client_secret_post"))
        assert made["token_endpoint_auth_method"] == "client_secret_post"
        assert (await house.ask(Credentials(made["id"], made["client_secret"]))).status_code == 200

    async def test_a_client_with_keys_shows_them_and_has_no_secret(self, house: House) -> None:
        key = new_key()
        made = await house.made(PATH, keyed(public(key, use="sig", alg="ES256")))
        assert made["client_secret"] is None
        assert made["secrets"] == []
        assert made["jwks"] == {"keys": [public(key, use="sig", alg="ES256")]}

    async def test_changed_to_keys_its_secrets_end_at_once(
        self, house: House, admin_connection: Plain
    ) -> None:
        client = await house.client(AGENCY, "clients:manage")
        await add(house, client)
        key = new_key()
        change = {"token_endpoint_auth_method": PRIVATE, "jwks": {"keys": [public(key)]}}
        reply = await house.change(f"{PATH}/{client.client_id}", change)
        assert reply.status_code == 200
        assert reply.json()["secrets"] == []
        refused(await house.ask(client), "invalid_client")
        assert (await Signer(house, client.client_id, key).ask()).status_code == 200
        revoked = await admin_connection.fetchval(
            "SELECT count(*) FROM agency_audit_pending"
            " WHERE action = 'client_secret.revoked' AND realm_id = $1",
            decode("realm", house.realm.realm_id),
        )
        assert revoked == 2

    async def test_changed_to_a_secret_its_keys_are_gone(self, house: House) -> None:
        signer = await new_signer(house)
        client = Credentials(signer.client_id, "")
        change = {"token_endpoint_auth_method": "client_secret_basic"}
        reply = await house.change(f"{PATH}/{signer.client_id}", change)
        assert reply.json()["jwks"] is None
        refused(await signer.ask(), "invalid_client")
        secret = (await add(house, client)).json()["client_secret"]
        assert (await house.ask(Credentials(signer.client_id, secret))).status_code == 200
        reply = await house.change(
            f"{PATH}/{signer.client_id}", {"token_endpoint_auth_method": PRIVATE}
        )
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["code"] == "keys-required"

    async def test_keys_without_the_method_and_the_method_without_keys_are_refused(
        self, house: House
    ) -> None:
        for wrong, code in (
            (body(jwks={"keys": [public(new_key())]}), "keys-not-used"),
            (body(token_endpoint_auth_method=PRIVATE), "keys-required"),
        ):
            reply = await house.call("POST", PATH, wrong)
            assert reply.status_code == 422
            assert reply.json()["errors"][0]["code"] == code

    @pytest.mark.parametrize(
        "change",
        [
            {"token_endpoint_auth_method": "none"},
            {"token_endpoint_auth_method": "tls_client_auth"},
            {"token_endpoint_auth_method": None},
            {"jwks": None},
            {"jwks_uri": "https://evil.example/jwks"},
            {"jwks": {"keys": [], "uri": "https://evil.example"}},
        ],
    )
    async def test_another_way_is_refused(self, house: House, change: dict[str, Any]) -> None:
        reply = await house.call("POST", PATH, keyed(public(new_key())) | change)
        assert reply.status_code == 422


class TestKeys:
    async def test_one_to_five_keys_of_different_names(self, house: House) -> None:
        keys = [public(new_key(f"k{n}")) for n in range(6)]
        assert (await house.call("POST", PATH, keyed(*keys[:5]))).status_code == 201
        assert (await house.call("POST", PATH, keyed(*keys))).status_code == 422
        assert (await house.call("POST", PATH, keyed())).status_code == 422
        twins = [public(new_key("same")), public(new_key("same"))]
        assert (await house.call("POST", PATH, keyed(*twins))).status_code == 422

    async def test_a_private_part_is_refused_and_not_repeated(self, house: House) -> None:
        key = new_key()
        whole = dict(key.as_dict(private=True))
        reply = await house.call("POST", PATH, keyed({**public(key), "d": whole["d"]}))
        assert reply.status_code == 422
        assert str(whole["d"]) not in reply.text
        rsa = dict(WEAK.as_dict(private=True))
        for member in ("d", "p", "q", "dp", "dq", "qi"):
            reply = await house.call("POST", PATH, keyed({**public(WEAK), member: rsa[member]}))
            assert reply.status_code == 422
            assert str(rsa[member]) not in reply.text

    @pytest.mark.parametrize(
        "change",
        [
            {"crv": "P-384"},
            {"kty": "oct"},
            {"kty": "OKP"},
            {"alg": "ES384"},
            {"alg": "none"},
            {"use": "enc"},
            {"kid": ""},
            {"kid": "a b"},
            {"kid": "x" * 129},
            {"x": "AA"},
            {"x": "A" * 43},
            {"x5u": "https://evil.example"},
        ],
    )
    async def test_a_key_of_another_kind_or_off_the_curve_is_refused(
        self, house: House, change: dict[str, Any]
    ) -> None:
        assert (await house.call("POST", PATH, keyed(public(new_key())))).status_code == 201
        reply = await house.call("POST", PATH, keyed(public(new_key()) | change))
        assert reply.status_code == 422

    async def test_a_weak_a_giant_or_a_strange_rsa_key_is_refused(self, house: House) -> None:
        assert (await house.call("POST", PATH, keyed(public(WEAK)))).status_code == 201
        short = "A" * 4 + public(WEAK)["n"][4:]
        for change in (
            {"e": "Aw"},
            {"n": short},
            {"n": "_" * 684},
            {"n": "AQAB"},
            {"alg": "PS256"},
            {"alg": "ES256"},
        ):
            reply = await house.call("POST", PATH, keyed(public(WEAK) | change))
            assert reply.status_code == 422, change


class TestNetworks:
    async def test_tokens_are_issued_to_and_used_from_its_networks_only(self, house: House) -> None:
        client = await house.client(AGENCY, "clients:manage")
        networks = {"allowed_cidrs": ["192.0.2.0/24", "2001:DB8::/32"]}
        reply = await house.change(f"{PATH}/{client.client_id}", networks)
        assert reply.json()["allowed_cidrs"] == ["192.0.2.0/24", "2001:db8::/32"]
        form = {"grant_type": "client_credentials"}
        login = (client.client_id, client.client_secret)
        token = ""
        for inside in ("192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"):
            async with house.at(inside) as http:
                issued = await http.post("/oauth/token", data=form, auth=login)
                assert issued.status_code == 200
                token = issued.json()["access_token"]
                headers = {"Authorization": f"Bearer {token}"}
                assert (await http.get(PATH, headers=headers)).status_code == 200
        for outside in ("198.51.100.7", "2001:db9::7", "192.0.3.0", "testclient", "::ffff:c633:1"):
            async with house.at(outside) as http:
                refused(await http.post("/oauth/token", data=form, auth=login), "invalid_client")
                headers = {"Authorization": f"Bearer {token}"}
                found = await http.get(PATH, headers=headers)
                assert found.status_code == 401
                assert found.json()["code"] == "invalid-token"

    async def test_without_networks_it_may_call_from_everywhere(self, house: House) -> None:
        client = await house.client(AGENCY, "clients:manage")
        assert (await house.call("GET", f"{PATH}/{client.client_id}")).json()["allowed_cidrs"] == []
        form = {"grant_type": "client_credentials"}
        async with house.at("198.51.100.7") as http:
            login = (client.client_id, client.client_secret)
            assert (await http.post("/oauth/token", data=form, auth=login)).status_code == 200

    async def test_they_are_written_in_one_way_and_each_once(self, house: House) -> None:
        sent = ["192.0.2.1", "192.0.2.1/32", "2001:0DB8:0::/32"]
        made = await house.made(PATH, body(allowed_cidrs=sent))
        assert made["allowed_cidrs"] == ["192.0.2.1/32", "2001:db8::/32"]

    @pytest.mark.parametrize(
        "networks",
        [
            ["192.0.2.1/24"],
            ["192.0.2.0/33"],
            ["example.org"],
            ["fe80::1%eth0"],
            ["::ffff:192.0.2.0/120"],
            ["192.0.2.0/255.255.255.0 "],
            [""],
            [7],
            None,
            [f"10.0.{n}.0/24" for n in range(33)],
        ],
    )
    async def test_what_is_no_network_is_refused(self, house: House, networks: Any) -> None:
        assert (await house.call("POST", PATH, body(allowed_cidrs=networks))).status_code == 422

    async def test_thirty_two_are_taken(self, house: House) -> None:
        networks = [f"10.0.{n}.0/24" for n in range(32)]
        made = await house.made(PATH, body(allowed_cidrs=networks))
        assert len(made["allowed_cidrs"]) == 32


class TestDelete:
    async def test_it_is_gone_for_sign_in_for_tokens_and_for_readers(
        self, house: House, admin_connection: Plain
    ) -> None:
        client = await house.client(AGENCY, "clients:manage")
        path = f"{PATH}/{client.client_id}"
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        assert (await house.http.get(PATH, headers=headers)).status_code == 200
        etag = (await house.call("GET", path)).headers["etag"]
        reply = await house.call("DELETE", path, headers={"If-Match": etag})
        assert (reply.status_code, reply.content) == (204, b"")
        house.later()
        refused(await house.ask(client), "invalid_client")
        assert (await house.http.get(PATH, headers=headers)).status_code == 401
        assert (await house.call("GET", path)).status_code == 404
        assert client.client_id not in (await house.call("GET", PATH)).text
        for method in ("PATCH", "DELETE"):
            again = await house.call(method, path, {}, headers={"If-Match": '"2"'})
            assert again.status_code == 404
        assert (await add(house, client)).status_code == 404
        secrets = await admin_connection.fetchval(
            "SELECT count(*) FROM client_secret WHERE oauth_client_id = $1",
            decode("client", client.client_id),
        )
        assert secrets == 0

    async def test_it_needs_the_version_that_is_stored(self, house: House) -> None:
        client = await house.client(AGENCY, "clients:manage")
        path = f"{PATH}/{client.client_id}"
        assert (await house.call("DELETE", path)).status_code == 428
        stale = await house.call("DELETE", path, headers={"If-Match": '"9"'})
        assert stale.status_code == 412
        assert (await house.ask(client)).status_code == 200

    async def test_the_audit_still_says_what_it_did(
        self, house: House, admin_connection: Plain
    ) -> None:
        client = await house.client(AGENCY, "clients:manage", "tenants:manage")
        made = await house.call(
            "POST", "/v1/staff", {"name": "A", "email": "a@b.example", "role": "lead"}, by=client
        )
        assert made.status_code == 201
        path = f"{PATH}/{client.client_id}"
        await house.call("DELETE", path, headers={"If-Match": '"1"'})
        await seal_agency(house.database, decode("realm", house.realm.realm_id))
        rows = await admin_connection.fetch(
            "SELECT action, actor FROM agency_audit_entry WHERE realm_id = $1",
            decode("realm", house.realm.realm_id),
        )
        found = {(row["action"], row["actor"]) for row in rows}
        assert ("staff.created", f"client:{client.client_id}") in found
        assert ("oauth_client.deleted", f"client:{house.realm.client_id}") in found
        name = await admin_connection.fetchval(
            "SELECT name FROM oauth_client WHERE id = $1", decode("client", client.client_id)
        )
        assert name == "A client"

    async def test_a_client_with_keys_is_gone_too(self, house: House) -> None:
        signer = await new_signer(house)
        path = f"{PATH}/{signer.client_id}"
        reply = await house.call("DELETE", path, headers={"If-Match": '"1"'})
        assert reply.status_code == 204
        refused(await signer.ask(), "invalid_client")


class TestAttacks:
    async def test_a_header_about_the_callers_address_means_nothing(self, house: House) -> None:
        """X-Forwarded-For, Forwarded and X-Real-IP are what anybody writes."""
        client = await house.client(AGENCY, "clients:manage")
        change = {"allowed_cidrs": ["192.0.2.0/24"]}
        await house.change(f"{PATH}/{client.client_id}", change)
        spoofed = {
            "X-Forwarded-For": "192.0.2.7",
            "Forwarded": "for=192.0.2.7",
            "X-Real-IP": "192.0.2.7",
        }
        async with house.at("198.51.100.7") as http:
            reply = await http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(client.client_id, client.client_secret),
                headers=spoofed,
            )
        refused(reply, "invalid_client")

    async def test_a_refused_network_looks_like_a_wrong_secret(self, house: House) -> None:
        """Who has found a secret does not learn that it is one."""
        client = await house.client(AGENCY, "clients:manage")
        change = {"allowed_cidrs": ["192.0.2.0/24"]}
        await house.change(f"{PATH}/{client.client_id}", change)
        wrong = Credentials(client.client_id, client.client_secret[:-1] + "x")
        replies = [await house.ask(one) for one in (client, wrong)]
        assert replies[0].content == replies[1].content
        used = (await listed(house, client))[0]["last_used_at"]
        assert used is None

    async def test_a_deleted_client_does_not_come_back_by_a_row(
        self, house: House, admin_connection: Plain
    ) -> None:
        """Switched on in the database alone, it breaks a rule of the table."""
        client = await house.client(AGENCY, "clients:manage")
        await house.call("DELETE", f"{PATH}/{client.client_id}", headers={"If-Match": '"1"'})
        with pytest.raises(Exception, match="oauth_client_deleted_check"):
            await admin_connection.execute(
                "UPDATE oauth_client SET active = true WHERE id = $1",
                decode("client", client.client_id),
            )
