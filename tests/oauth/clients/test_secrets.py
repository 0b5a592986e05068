"""Client secrets."""

import asyncio

import pytest

from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.oauth.clients import repository
from flatbed.tenants.oauth.clients.errors import TooManySecretsError
from flatbed.tenants.oauth.clients.secrets import (
    LIFETIME,
    conceal,
    make_secret,
    matching,
    well_formed,
)
from tests.oauth.house import CALLER, SECRET_KEY, Credentials, House

KEYRING = Keyring(SECRET_KEY)


class TestFormat:
    def test_a_scanner_can_recognise_it(self) -> None:
        secret = make_secret()
        assert secret.startswith("flatbed_")
        assert len(secret) == len("flatbed_") + 43 + 6
        assert secret.removeprefix("flatbed_").isalnum()
        assert well_formed(secret)

    def test_no_two_are_alike(self) -> None:
        assert len({make_secret() for _ in range(200)}) == 200

    def test_a_typing_error_breaks_the_checksum(self) -> None:
        secret = make_secret()
        for place in range(len(secret)):
            other = "a" if secret[place] != "a" else "b"
            assert not well_formed(secret[:place] + other + secret[place + 1 :])

    @pytest.mark.parametrize("text", ["", "x", "flatbed_", "flatbed_" + "0" * 48, "\u00e4" * 57])
    def test_anything_else_is_not_well_formed(self, text: str) -> None:
        assert not well_formed(text)


class TestMatching:
    def test_each_of_two_live_secrets_is_found(self) -> None:
        first, second = make_secret(), make_secret()
        stored = [conceal(KEYRING, first), conceal(KEYRING, second)]
        assert matching(KEYRING, first, stored) == 0
        assert matching(KEYRING, second, stored) == 1
        assert matching(KEYRING, make_secret(), stored) is None

    def test_nothing_matches_nothing(self) -> None:
        assert matching(KEYRING, make_secret(), []) is None
        assert matching(KEYRING, "", []) is None

    def test_a_secret_that_is_not_of_our_making_never_works(self) -> None:
        assert matching(KEYRING, "password", [conceal(KEYRING, "password")]) is None

    def test_another_pepper_matches_nothing(self) -> None:
        secret = make_secret()
        other = Keyring(b"another secret of 32 bytes or so")
        assert matching(other, secret, [conceal(KEYRING, secret)]) is None


class TestIssue:
    async def test_only_its_hmac_and_last_four_are_stored(
        self, house: House, admin_connection: Plain
    ) -> None:
        row = await admin_connection.fetchrow(
            "SELECT * FROM client_secret WHERE oauth_client_id = $1",
            decode("client", house.realm.client_id),
        )
        assert row is not None
        secret = house.realm.client_secret
        assert row["last_four"] == secret[-4:]
        assert row["digest"] == house.keyring.mac("client-secret:1", secret.encode())
        assert row["expires_at"] - row["created_at"] == LIFETIME
        assert abs((row["created_at"] - system_now()).total_seconds()) < 60
        assert secret not in str(dict(row))

    async def test_a_client_has_two_live_secrets_at_most_and_both_work(
        self, house: House, admin_connection: Plain
    ) -> None:
        client_id = decode("client", house.realm.client_id)
        second = await another(house)
        assert (await house.ask(house.agency)).status_code == 200
        assert (await house.ask(Credentials(house.realm.client_id, second))).status_code == 200
        with pytest.raises(TooManySecretsError):
            await another(house)
        await admin_connection.execute(
            "UPDATE client_secret SET revoked_at = now()"
            " WHERE oauth_client_id = $1 AND label = 'first'",
            client_id,
        )
        third = await another(house)
        house.later()
        assert (await house.ask(house.agency)).status_code == 401
        assert (await house.ask(Credentials(house.realm.client_id, third))).status_code == 200

    async def test_of_two_at_once_one_gets_the_second_place(self, house: House) -> None:
        realm_id = decode("realm", house.realm.realm_id)
        async with house.database.agency(
            realm_id=realm_id, caller=CALLER, clock=Clock()
        ) as session:
            client = await repository.find_client(session, decode("client", house.realm.client_id))
            assert client is not None
            await house.oauth.clients.secrets.issue(session, client, "second")
            rival = asyncio.create_task(another(house))
            await asyncio.sleep(0.3)
            assert not rival.done()
        with pytest.raises(TooManySecretsError):
            await rival


async def another(house: House) -> str:
    """One more secret for the realm's first client."""
    async with house.database.agency(
        realm_id=decode("realm", house.realm.realm_id), caller=CALLER, clock=Clock()
    ) as session:
        client = await repository.find_client(session, decode("client", house.realm.client_id))
        assert client is not None
        return (await house.oauth.clients.secrets.issue(session, client, "second")).text
