"""Moving a sandbox's clock: forward only, in one transaction; what falls due follows its commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.app.sandbox import repository
from flatbed.app.sandbox.errors import NotSandboxError
from flatbed.app.sandbox.schemas import ClockAdvance, ClockRead
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import AgencySession
from flatbed.tenants.kit.deadlines import DeadlineHandlers, Swept
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.problems import InvalidError
from flatbed.tenants.kit.sweep import SWEEP, sweep_realm

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond it dates stop meaning anything, and some time computed from them overflows."""
MICROSECOND: Final = timedelta(microseconds=1)
AT_ONCE: Final = 2
"""Requests of a process that sweep at once. A sweep may take long, and a request that sweeps holds
its admission: more of them would keep every other request out."""


@dataclass(slots=True)
class _Sweepers:
    """The requests of this process that sweep now. Nobody waits here, so no loop is bound."""

    busy: int = 0

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is a place, held until the end of the block."""
        if self.busy >= AT_ONCE:
            yield False
            return
        self.busy += 1
        try:
            yield True
        finally:
            self.busy -= 1


_SWEEPERS: Final = _Sweepers()


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

    Where enough other requests are at that, answer as the move did: the job does it.

    Args:
        database: opens the transactions of the sweep.
        handlers: what each kind of deadline does.
        moved: the closed session of the move, for its realm and caller.
        read: what the move answered.
        key: the request's Idempotency-Key, under which the count is stored too.
    """
    swept = await sweep(database, handlers, moved.realm_id)
    if swept is None:
        return read
    failpoint(Failpoint.CLOCK_SWEPT)
    read = read.model_copy(update={"swept": swept.handled})
    if key is not None and moved.caller.key_owner is not None:
        async with database.agency(
            realm_id=moved.realm_id, caller=moved.caller, clock=moved.clock
        ) as session:
            await idempotency.amend(session, moved.caller.key_owner, key, read.model_dump_json())
    return read


async def sweep(database: Database, handlers: DeadlineHandlers, realm_id: UUID) -> Swept | None:
    """Sweep a realm within a request; None where enough other requests are sweeping."""
    with _SWEEPERS.place() as is_free:
        return await sweep_realm(database, handlers, realm_id) if is_free else None
