"""Signing keys turn in the database: one at a time, in one transaction, and every process follows.

System time and each process's monotonic clock are moved together.
"""

import asyncio
from datetime import timedelta

import pytest
from asyncpg import CheckViolationError, UniqueViolationError

from flatbed.app.worker import run_worker
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import Failpoint, FailpointError, arm
from flatbed.tenants.oauth.keys.keyset import (
    SigningKeyUnreadableError,
)
from flatbed.tenants.oauth.keys.rotation import Rotor, UnknownSigningKeyError
from flatbed.tenants.oauth.rules.rotation import (
    PUBLISHED,
)
from tests.api.support import World
from tests.oauth.fleet import PERIOD, SECOND, Fleet, turned

OTHER = Keyring(b"another secret of 32 bytes or so")


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
