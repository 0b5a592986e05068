"""The signing keys: one active, encrypted at rest, found by every process."""

import asyncio
import json

import pytest
from joserfc.jwk import ECKey

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.oauth.keys import (
    STALE_AFTER,
    UNKNOWN_EVERY,
    Keys,
    SigningKeyMissingError,
    SigningKeyUnreadableError,
    ensure_signing_key,
)
from flatbed.tenants.oauth.repository import add_active_key
from tests.oauth.house import CALLER, SECRET_KEY, House
from tests.oauth.test_token import statements


class TestEnsure:
    async def test_of_two_processes_at_once_one_makes_the_key(
        self, house: House, admin_connection: Plain
    ) -> None:
        await admin_connection.execute("DELETE FROM signing_key")
        async with house.database.login(caller=CALLER) as session:
            values = {
                "kid": "first",
                "public_jwk": {},
                "private_box": b"",
                "state": "active",
                "created_at": system_now(),
            }
            await add_active_key(session, values)
            rival = asyncio.create_task(ensure_signing_key(house.database, house.keyring))
            await asyncio.sleep(0.3)
            assert not rival.done()
        await rival
        assert await admin_connection.fetchval("SELECT array_agg(kid) FROM signing_key") == [
            "first"
        ]
        await admin_connection.execute("DELETE FROM signing_key")

    async def test_started_again_it_keeps_the_key(
        self, house: House, admin_connection: Plain
    ) -> None:
        before = await admin_connection.fetchval("SELECT kid FROM signing_key")
        await ensure_signing_key(house.database, house.keyring)
        assert await admin_connection.fetchval("SELECT kid FROM signing_key") == before

    @pytest.mark.usefixtures("house")
    async def test_the_private_part_is_encrypted(self, admin_connection: Plain) -> None:
        row = await admin_connection.fetchrow("SELECT public_jwk, private_box FROM signing_key")
        assert row is not None
        assert "d" not in json.loads(row["public_jwk"])
        private = json.loads(Keyring(SECRET_KEY).box("signing-key").decrypt(row["private_box"]))
        assert private["d"].encode() not in row["private_box"]


class Clockwork:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def rotate(connection: Plain, house: House) -> str:
    """Another process retires the key and makes a new one."""
    await connection.execute("UPDATE signing_key SET state = 'retired' WHERE state = 'active'")
    await ensure_signing_key(house.database, house.keyring)
    return str(await connection.fetchval("SELECT kid FROM signing_key WHERE state = 'active'"))


class TestKeys:
    async def test_without_a_key_nothing_is_signed(
        self, house: House, admin_connection: Plain
    ) -> None:
        await admin_connection.execute("DELETE FROM signing_key")
        with pytest.raises(SigningKeyMissingError):
            await Keys(house.database, house.keyring).active()
        await ensure_signing_key(house.database, house.keyring)

    async def test_another_deployments_secret_cannot_read_it(self, house: House) -> None:
        with pytest.raises(SigningKeyUnreadableError):
            await Keys(house.database, Keyring(b"another secret of 32 bytes or so")).active()

    async def test_an_unknown_kid_asks_the_database_at_most_once_a_minute(
        self, house: House
    ) -> None:
        clock = Clockwork()
        keys = Keys(house.database, house.keyring, clock)
        await keys.active()
        with statements(house) as seen:
            for number in range(20):
                assert await keys.by_kid(f"unknown-{number}") is None
        assert not seen
        clock.seconds += UNKNOWN_EVERY
        with statements(house) as seen:
            await asyncio.gather(*(keys.by_kid(f"unknown-{number}") for number in range(20)))
        assert len(seen) == 1

    async def test_a_new_key_is_found_by_its_kid(
        self, house: House, admin_connection: Plain
    ) -> None:
        clock = Clockwork()
        keys = Keys(house.database, house.keyring, clock)
        await keys.active()
        kid = await rotate(admin_connection, house)
        assert await keys.by_kid(kid) is None
        clock.seconds += UNKNOWN_EVERY
        found = await keys.by_kid(kid)
        assert found is not None
        assert found.kid == kid

    async def test_what_another_process_changed_is_known_after_five_minutes(
        self, house: House, admin_connection: Plain
    ) -> None:
        clock = Clockwork()
        keys = Keys(house.database, house.keyring, clock)
        before = await keys.active()
        kid = await rotate(admin_connection, house)
        assert (await keys.active()).kid == before.kid
        clock.seconds += STALE_AFTER
        assert (await keys.active()).kid == kid
        assert await keys.by_kid(before.kid) is None

    async def test_the_kid_is_the_keys_thumbprint(self, house: House) -> None:
        key = await house.oauth.keys.active()
        public = {name: key.public[name] for name in ("kty", "crv", "x", "y")}
        assert ECKey.import_key(public).thumbprint() == key.kid
