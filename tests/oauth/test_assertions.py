"""private_key_jwt: a client signs in with a JWT that it made."""

from datetime import timedelta
from typing import Any

import pytest
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from joserfc.jwk import ECKey, RSAKey

from flatbed.app.worker import purge
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.oauth import repository
from tests.oauth.house import CALLER, ISSUER, House
from tests.oauth.signing import RSA, Signer, ahead, new_key, new_signer, public
from tests.oauth.test_token import refused

pytestmark = pytest.mark.own_database


class TestSignIn:
    async def test_a_signed_assertion_gets_a_token_that_works(self, signer: Signer) -> None:
        reply = await signer.ask()
        assert reply.status_code == 200, reply.text
        headers = {"Authorization": f"Bearer {reply.json()['access_token']}"}
        found = await signer.house.http.get("/v1/oauth-clients", headers=headers)
        assert found.status_code == 200

    async def test_an_rsa_key_signs_rs256(self, house: House) -> None:
        signer = await new_signer(house, RSA)
        assert (await signer.ask()).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [{"aud": [ISSUER]}, {"exp": 3590}, {"exp": 5}, {"nbf": 0}, {"iat": 30}, {"more": [1]}],
    )
    async def test_what_the_standard_leaves_open_is_taken(
        self, signer: Signer, claims: dict[str, Any]
    ) -> None:
        instants = {n: ahead(v) if n in {"exp", "nbf", "iat"} else v for n, v in claims.items()}
        assert (await signer.ask(signer.assertion(instants))).status_code == 200

    async def test_iat_and_typ_may_be_left_out_and_the_kid_of_an_only_key(
        self, signer: Signer
    ) -> None:
        for without in (["iat"], ["kid"]):
            assert (await signer.ask(signer.assertion(without=without))).status_code == 200
        for type_ in ("JWT", "client-authentication+jwt"):
            assert (await signer.ask(signer.assertion(header={"typ": type_}))).status_code == 200

    async def test_the_client_id_may_stand_beside_it(self, signer: Signer) -> None:
        assert (await signer.ask(client_id=signer.client_id)).status_code == 200
        other = encode("client", uuid7())
        refused(await signer.ask(client_id=other), "invalid_request")

    async def test_of_several_keys_the_kid_chooses(self, house: House) -> None:
        keys: list[ECKey | RSAKey] = [new_key("one"), new_key("two"), RSA]
        jwks = {"keys": [public(key) for key in keys]}
        signer = await new_signer(house, jwks=jwks)
        for key in keys:
            one = Signer(house, signer.client_id, key)
            assert (await one.ask()).status_code == 200
            refused(await one.ask(one.assertion(without=["kid"])), "invalid_client")
            others = {"kid": next(k for k in keys if k is not key).kid}
            refused(await one.ask(one.assertion(header=others)), "invalid_client")

    async def test_new_keys_count_at_once_and_the_old_ones_no_more(self, signer: Signer) -> None:
        fresh = new_key("next")
        path = f"/v1/oauth-clients/{signer.client_id}"
        reply = await signer.house.change(path, {"jwks": {"keys": [public(fresh)]}})
        assert reply.status_code == 200
        refused(await signer.ask(), "invalid_client")
        assert (await Signer(signer.house, signer.client_id, fresh).ask()).status_code == 200

    async def test_authlibs_own_client_signs_in(self, signer: Signer) -> None:
        assertion = private_key_jwt_sign(signer.key, signer.client_id, ISSUER, alg="ES256")
        assert (await signer.ask(assertion)).status_code == 200

    async def test_a_used_one_is_remembered_until_it_expires_and_then_forgotten(
        self, signer: Signer, admin_connection: Plain
    ) -> None:
        client = decode("client", signer.client_id)
        query = "SELECT expires_at FROM used_assertion WHERE oauth_client_id = $1"
        expires = ahead(200)
        assert (await signer.ask(signer.assertion({"exp": expires}))).status_code == 200
        assert int((await admin_connection.fetchval(query, client)).timestamp()) == expires
        await purge(signer.house.database)
        assert await admin_connection.fetchval(query, client) is not None
        await admin_connection.execute(
            "UPDATE used_assertion SET expires_at = now() - interval '1 second'"
            " WHERE oauth_client_id = $1",
            client,
        )
        await purge(signer.house.database)
        assert await admin_connection.fetchval(query, client) is None

    async def test_the_jti_of_one_client_is_free_for_another(self, house: House) -> None:
        for _ in range(2):
            signer = await new_signer(house)
            assert (await signer.ask(signer.assertion({"jti": "the-same"}))).status_code == 200

    async def test_a_request_that_is_run_again_may_use_it_again_and_no_other(
        self, house: House
    ) -> None:
        """After a connection that was lost in the commit nobody knows whether it was noted."""
        client, digest, until = uuid7(), uuid7().bytes, system_now() + timedelta(minutes=1)

        async def used(request_id: str) -> bool:
            async with house.database.login(caller=CALLER) as session:
                return await session.run_sync(
                    repository.use_assertion, client, digest, until, request_id
                )

        assert await used("req_one")
        assert await used("req_one")
        assert not await used("req_two")

    async def test_a_refused_assertion_is_not_used_up(self, signer: Signer) -> None:
        path = f"/v1/oauth-clients/{signer.client_id}"
        assertion = signer.assertion()
        await signer.house.change(path, {"active": False})
        refused(await signer.ask(assertion), "invalid_client")
        await signer.house.change(path, {"active": True})
        assert (await signer.ask(assertion)).status_code == 200
