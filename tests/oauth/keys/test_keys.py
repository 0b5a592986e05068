"""The signing keys: one active, encrypted at rest, found by every process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from joserfc.jwk import ECKey

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.oauth.keys.keyset import (
    AFTER_FAILURE,
    STALE_AFTER,
    UNKNOWN_EVERY,
    Keys,
    SigningKeyMissingError,
    SigningKeyUnreadableError,
    ensure_signing_key,
)
from flatbed.tenants.oauth.keys.repository import add_active_key
from flatbed.tenants.oauth.rules.rotation import OVERLAP
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
        kids = "SELECT array_agg(kid ORDER BY kid) FROM signing_key"
        before = await admin_connection.fetchval(kids)
        await ensure_signing_key(house.database, house.keyring)
        assert await admin_connection.fetchval(kids) == before

    @pytest.mark.usefixtures("house")
    async def test_the_private_part_is_encrypted(self, admin_connection: Plain) -> None:
        row = await admin_connection.fetchrow(
            "SELECT public_jwk, private_box FROM signing_key WHERE state = 'active'"
        )
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
    """Another process takes all keys away and makes a new one."""
    await connection.execute("DELETE FROM signing_key")
    await ensure_signing_key(house.database, house.keyring)
    return str(await connection.fetchval("SELECT kid FROM signing_key"))


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


class Login:
    """A database whose login transaction answers late, and with an error while it is away."""

    def __init__(self, house: House) -> None:
        self._database = house.database
        self.away = False
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    @asynccontextmanager
    async def login(self, **more: Any) -> AsyncIterator[Any]:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise UnavailableError
        async with self._database.login(**more) as session:
            yield session


@pytest.fixture
def login(house: House) -> Login:
    return Login(house)


@pytest.fixture
def clock() -> Clockwork:
    return Clockwork()


@pytest.fixture
def keys(house: House, login: Login, clock: Clockwork) -> Keys:
    return Keys(login, house.keyring, clock)  # type: ignore[arg-type]  # all that it uses


class TestKeysWithoutDatabase:
    async def test_who_waits_for_the_same_attempt_fails_with_it(
        self, keys: Keys, login: Login
    ) -> None:
        """One after the other they would wait for a database that does not answer."""
        login.away = True
        login.answers.clear()
        waiting = [asyncio.create_task(keys.active()) for _ in range(5)]
        waiting += [asyncio.create_task(keys.by_kid(f"unknown-{n}")) for n in range(5)]  # type: ignore[arg-type]  # its result is not used
        await asyncio.sleep(0.01)
        login.answers.set()
        async with asyncio.timeout(5):
            failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(failure) for failure in failures] == [UnavailableError] * 10
        assert login.asked == 1
        login.away = False
        assert (await keys.active()).active
        assert login.asked == 2

    async def test_who_began_the_attempt_may_go_away(self, keys: Keys, login: Login) -> None:
        login.answers.clear()
        first = asyncio.create_task(keys.active())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(keys.active())
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        assert first.cancelled()
        login.answers.set()
        assert (await second).active
        assert login.asked == 1

    async def test_stale_keys_go_on_and_are_read_anew_when_the_database_is_back(
        self, house: House, keys: Keys, login: Login, clock: Clockwork, admin_connection: Plain
    ) -> None:
        before = await keys.active()
        kid = await rotate(admin_connection, house)
        clock.seconds += STALE_AFTER
        login.away = True
        assert await keys.active() == before
        assert await keys.by_kid(before.kid) == before
        assert [one["kid"] for one in await keys.published()] == [before.kid]
        assert login.asked == 2
        clock.seconds += AFTER_FAILURE
        assert await keys.active() == before
        assert login.asked == 3
        login.away = False
        clock.seconds += AFTER_FAILURE
        assert (await keys.active()).kid == kid
        assert login.asked == 4

    async def test_a_kid_that_is_not_known_is_not_called_unknown_without_an_answer(
        self, keys: Keys, login: Login, clock: Clockwork
    ) -> None:
        await keys.active()
        clock.seconds += STALE_AFTER
        login.away = True
        with pytest.raises(UnavailableError):
            await keys.by_kid("of another process")
        login.away = False
        assert await keys.by_kid("of another process") is None


class TestPublished:
    async def test_the_key_set_is_public_parts_only(
        self, house: House, admin_connection: Plain
    ) -> None:
        """Of the active key, and of a next one where a worker of an earlier test made it."""
        keys = (await house.http.get("/oauth/jwks")).json()["keys"]
        rows = await admin_connection.fetch("SELECT kid FROM signing_key WHERE state <> 'retired'")
        assert rows
        assert {key["kid"] for key in keys} >= {row["kid"] for row in rows}
        assert len(keys) == await admin_connection.fetchval(
            "SELECT count(*) FROM signing_key WHERE revoked_at IS NULL"
            " AND coalesce(retired_at > now() - $1::interval, true)",
            OVERLAP,
        )
        members = {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert [set(key) for key in keys] == [members] * len(keys)
