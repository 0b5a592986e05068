"""Moving a sandbox's clock: forward only, in one transaction; what falls due follows its commit."""

from datetime import UTC, datetime, timedelta
from typing import Final

from flatbed.app.sandbox import repository
from flatbed.app.sandbox.errors import NotSandboxError
from flatbed.app.sandbox.schemas import ClockAdvance, ClockRead
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import AgencySession
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.problems import InvalidError
from flatbed.tenants.kit.sweep import SWEEP, sweep_realm

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond it dates stop meaning anything, and some time computed from them overflows."""
MICROSECOND: Final = timedelta(microseconds=1)


async def advance(session: AgencySession, body: ClockAdvance) -> ClockRead:
    """Move the realm's clock forward and ask for the sweep of what falls due.

    Concurrent moves by seconds add up.

    Raises:
        NotSandboxError: the realm is live.
        InvalidError: the instant is not after the realm's present time, or too far off.
    """
    realm = await repository.lock_realm(session)
    if realm.kind != "sandbox":
        raise NotSandboxError
    # Not the session's instant: another move may have been committed since it was read.
    present = session.clock.system() + realm.clock_offset_us * MICROSECOND
    wanted = body.to or present + timedelta(seconds=body.advance_seconds or 0)
    if wanted <= present:
        raise InvalidError.at("/to", "not-forward", "The clock moves forward only.")
    if wanted > LATEST:
        field = "/to" if body.to else "/advance_seconds"
        raise InvalidError.at(field, "too-far", "The clock cannot go beyond the year 2200.")
    moved = (wanted - present) // MICROSECOND
    realm.clock_offset_us += moved
    record(session, "realm.clock_advanced", "realm", realm.id, {"microseconds": moved})
    await enqueue(session, SWEEP, realm_id=session.realm_id)
    failpoint(Failpoint.CLOCK_MOVED)
    return ClockRead(now=wanted.astimezone(UTC), swept=0)


async def finish(
    database: Database,
    handlers: DeadlineHandlers,
    moved: AgencySession,
    read: ClockRead,
    key: str | None,
) -> ClockRead:
    """After the commit: let everything happen that fell due, and count it.

    Args:
        database: opens the transactions of the sweep.
        handlers: what each kind of deadline does.
        moved: the closed session of the move, for its realm and caller.
        read: what the move answered.
        key: the request's Idempotency-Key, under which the count is stored too.
    """
    swept = await sweep_realm(database, handlers, moved.realm_id)
    failpoint(Failpoint.CLOCK_SWEPT)
    read = read.model_copy(update={"swept": swept.handled})
    if key is not None and moved.caller.client_id is not None:
        async with database.agency(
            realm_id=moved.realm_id, caller=moved.caller, clock=moved.clock
        ) as session:
            await idempotency.amend(session, moved.caller.client_id, key, read.model_dump_json())
    return read
