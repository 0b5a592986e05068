"""What happens at an instant of the realm's clock unless it is done before.

A deadline is a row of its candidate. It is handled in a transaction of its own whose clock stands
at the deadline's own instant, in the order in which deadlines fall due, also when a sandbox's
clock leaps over many of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import structlog
from sqlalchemy import CursorResult, Select, Update, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.tenants.kit.audit import DEADLINE
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Deadline, Wakeup
from flatbed.tenants.kit.database.session import Caller, TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import failure_code, is_lost, retried
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.metrics import DEADLINES
from flatbed.tenants.kit.problems import UnavailableError

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 8
"""After so many failures a deadline is a dead letter: kept open, shown, no longer tried."""
FIRST_PAUSE: Final = timedelta(minutes=1)
TURN_SECONDS: Final = 0.05
"""Between two looks whether another sweeper of the tenant is done with its deadline."""
SHARE: Final = 100
"""Deadlines of one tenant that are handled before the next tenant's turn."""
SHARE_SECONDS: Final = 1.0
"""And for how long: a share ends by whichever comes first, but not before its first deadline."""
_HANDLING: Final = "deadline"

DeadlineHandler = Callable[[TenantSession, Deadline], Awaitable[None]]
DeadlineHandlers = Mapping[str, DeadlineHandler]
"""What each kind of deadline does. A handler locks what it changes and looks at its state again:
the deadline may have been overtaken."""


class UnknownDeadlineError(LookupError):
    """No handler is bound to the kind."""


class OvertakenError(Exception):
    """The deadline was cancelled or moved while its handler worked; the work is rolled back."""


class TurnTakenError(Exception):
    """Another sweeper is at the tenant."""


@dataclass(slots=True)
class _Handling:
    """The deadline that a session's transaction handles, and whether it is closed already."""

    deadline: Deadline
    closed: bool = False

    def concerns(self, candidate_id: UUID, kind: str, subject_id: UUID) -> bool:
        deadline = self.deadline
        key = (deadline.candidate_id, deadline.kind, deadline.subject_id)
        return not self.closed and key == (candidate_id, kind, subject_id)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many deadlines were handled, and how many failed and will be tried again."""

    handled: int = 0
    failed: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(self.handled + other.handled, self.failed + other.failed)


async def schedule(
    session: TenantSession, *, candidate_id: UUID, kind: str, subject_id: UUID, due_at: datetime
) -> None:
    """Set a deadline; where one is open for the same candidate, kind and subject, move it.

    Args:
        session: the transaction in which the reason for the deadline arises.
        candidate_id: whose deadline it is.
        kind: what happens, a key of the program's handlers.
        subject_id: the row that it is about.
        due_at: instant of the realm's clock; one in the past is due at once.
    """
    handling = _handling(session)
    if handling is not None and handling.concerns(candidate_id, kind, subject_id):
        # A handler sets its own successor: what it handles must not be moved, but done.
        await _close(session, handling)
    fresh = insert(Deadline).values(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate_id,
        kind=kind,
        subject_id=subject_id,
        due_at=due_at,
    )
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=["tenant_id", "candidate_id", "kind", "subject_id"],
            index_where=Deadline.done_at.is_(None),
            set_={"due_at": due_at, "attempts": 0, "retry_at": None},
        )
    )
    failpoint(Failpoint.DEADLINE_SCHEDULED)
    await _wake(session, due_at)


async def cancel(
    session: TenantSession, *, candidate_id: UUID, kind: str, subject_id: UUID
) -> bool:
    """Close an open deadline unhandled. Returns whether there was one."""
    statement = (
        update(Deadline)
        .where(
            Deadline.tenant_id == session.tenant_id,
            Deadline.candidate_id == candidate_id,
            Deadline.kind == kind,
            Deadline.subject_id == subject_id,
            Deadline.done_at.is_(None),
        )
        .values(done_at=session.now())
        .execution_options(synchronize_session=False)
    )
    handling = _handling(session)
    own = handling is not None and handling.concerns(candidate_id, kind, subject_id)
    changed = await _changes(session, statement)
    if handling is not None and own:
        handling.closed = changed
    return changed


async def sweep_tenant(
    database: Database,
    handlers: DeadlineHandlers,
    realm_id: UUID,
    tenant_id: UUID,
    until: datetime,
) -> Swept:
    """Handle a tenant's deadlines that are due by ``until``, those that arise meanwhile too.

    Sweepers of one tenant take turns, so that the order holds between processes as well. A
    handler that fails is logged by code, its deadline rests for a growing while, and the next one
    is handled. A database that is away or silent is nobody's failure: it ends the sweep.
    """
    sweep = _Sweep(database, handlers, realm_id, tenant_id, until)
    swept = Swept()
    while (step := await sweep.step()) is not None:
        swept += step
    return swept


async def sweep_share(
    database: Database,
    handlers: DeadlineHandlers,
    realm_id: UUID,
    tenant_id: UUID,
    until: datetime,
) -> Swept:
    """As `sweep_tenant`, but wait for nobody and leave the rest to the next look after a share.

    What is left has a wake-up of its own, due behind those of the tenants that wait already.

    Raises:
        TurnTakenError: another sweeper is at the tenant; nothing was handled.
    """
    sweep = _Sweep(database, handlers, realm_id, tenant_id, until)
    swept, end = Swept(), time.monotonic() + SHARE_SECONDS
    for number in range(SHARE):
        try:
            step = await sweep.step(is_patient=False)
        except TurnTakenError:
            if not number:
                raise
            break
        if step is None:
            return swept
        swept += step
        if time.monotonic() >= end:
            break
    await sweep.leave()
    return swept


async def dead_letters(session: TenantReadSession) -> Sequence[Deadline]:
    """The deadlines that are no longer tried, oldest first."""
    statement = select(Deadline).where(
        Deadline.tenant_id == session.tenant_id,
        Deadline.done_at.is_(None),
        Deadline.attempts >= ATTEMPTS,
    )
    return (await session.scalars(statement.order_by(Deadline.due_at, Deadline.id))).all()


async def revive(session: TenantSession) -> None:
    """Let the tenant's dead letters be tried again, when what made them fail is mended."""
    await session.execute(
        update(Deadline)
        .where(
            Deadline.tenant_id == session.tenant_id,
            Deadline.done_at.is_(None),
            Deadline.attempts >= ATTEMPTS,
        )
        .values(attempts=0, retry_at=None)
    )
    await _wake(session, session.now())


@dataclass(frozen=True, slots=True)
class _Sweep:
    database: Database
    handlers: DeadlineHandlers
    realm_id: UUID
    tenant_id: UUID
    until: datetime

    async def step(self, *, is_patient: bool = True, is_again: bool = False) -> Swept | None:
        """Handle the next due deadline; None when there is none.

        Raises:
            TurnTakenError: another sweeper is at the tenant, and this one is not patient.
        """
        taken: list[Deadline] = []
        try:
            await self._in_turn(taken, is_patient=is_patient)
        except OvertakenError:
            return Swept()
        except Exception as error:  # one deadline must not stop the others
            if not taken:
                raise
            # A database that is away or silent is no failure of the deadline's; one that is there
            # and is lost over the same deadline twice is.
            if _is_away(error) and not is_again:
                return await self.step(is_patient=is_patient, is_again=True)
            await self._postpone(taken[0], error)
            is_dead = taken[0].attempts + 1 >= ATTEMPTS
            DEADLINES.labels(taken[0].kind, "dead" if is_dead else "failed").inc()
            return Swept(failed=1)
        if not taken:
            return None
        DEADLINES.labels(taken[0].kind, "handled").inc()
        return Swept(handled=1)

    async def leave(self) -> None:
        """Ring anew for what may still be due.

        By a row of its own: any that was read may be deleted by another sweeper that read it too.
        """
        async with self._transaction() as session:
            await _wake(session, self.until)

    async def _in_turn(self, taken: list[Deadline], *, is_patient: bool) -> None:
        while not await retried(lambda: self._handle(taken)):
            if not is_patient:
                raise TurnTakenError
            await asyncio.sleep(TURN_SECONDS)

    async def _handle(self, taken: list[Deadline]) -> bool:
        """Handle the next one. False: another sweeper is at this tenant."""
        taken.clear()
        async with self._transaction() as session:
            # Sweepers take turns by a lock of their own, and wait outside of any transaction: in
            # one they would hold a connection, and no longer than lock_timeout. The row itself
            # is locked last, as by requests, which change a candidate and then cancel what is
            # due on him.
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(self._turn()))):
                return False
            deadline = await session.scalar(self._due().limit(1))
            if deadline is None:
                return True
            # Detached: still to be read after a rollback, and nobody changes it by accident.
            session.expunge(deadline)
            taken.append(deadline)
            session.clock = Clock().at(deadline.due_at)
            handling = _Handling(deadline)
            session.sync_session.info[_HANDLING] = handling
            failpoint(Failpoint.DEADLINE_TAKEN)
            handler = self.handlers.get(deadline.kind)
            if handler is None:
                raise UnknownDeadlineError
            await handler(session, deadline)
            failpoint(Failpoint.DEADLINE_HANDLED)
            if not handling.closed:
                await _close(session, handling)
            failpoint(Failpoint.DEADLINE_CLOSED)
        return True

    def _transaction(self) -> AbstractAsyncContextManager[TenantSession]:
        return self.database.tenant(
            realm_id=self.realm_id,
            tenant_id=self.tenant_id,
            caller=Caller("system:sweep", str(uuid7())),
            clock=Clock().at(self.until),
        )

    def _turn(self) -> int:
        return int(digest(["sweep", self.tenant_id])[:15], 16)

    def _due(self) -> Select[Deadline]:
        return (
            select(Deadline)
            .where(
                Deadline.tenant_id == self.tenant_id,
                Deadline.done_at.is_(None),
                Deadline.due_at <= self.until,
                Deadline.attempts < ATTEMPTS,
                or_(Deadline.retry_at.is_(None), Deadline.retry_at <= self.until),
            )
            .order_by(Deadline.due_at, Deadline.id)
        )

    async def _postpone(self, deadline: Deadline, error: Exception) -> None:
        attempts = deadline.attempts + 1
        retry_at = self.until + FIRST_PAUSE * 2 ** (attempts - 1)
        log.error(
            "deadline_failed",
            kind=deadline.kind,
            deadline_id=str(deadline.id),
            code=failure_code(error),
            attempts=attempts,
            dead=attempts >= ATTEMPTS,
        )
        async with self._transaction() as session:
            await session.execute(
                _still_open(deadline).values(attempts=attempts, retry_at=retry_at)
            )
            if attempts < ATTEMPTS:
                await _wake(session, retry_at)


def _is_away(error: Exception) -> bool:
    return is_lost(error) or isinstance(error, UnavailableError)


def _handling(session: TenantSession) -> _Handling | None:
    found: _Handling | None = session.sync_session.info.get(_HANDLING)
    return found


async def _close(session: TenantSession, handling: _Handling) -> None:
    """Mark it done.

    Raises:
        OvertakenError: somebody else closed or moved it since it was read.
    """
    deadline = handling.deadline
    statement = (
        _still_open(deadline)
        .values(done_at=session.now())
        .execution_options(synchronize_session=False)
    )
    if not await _changes(session, statement):
        raise OvertakenError
    handling.closed = True


def _still_open(deadline: Deadline) -> Update:
    return update(Deadline).where(
        Deadline.tenant_id == deadline.tenant_id,
        Deadline.id == deadline.id,
        Deadline.due_at == deadline.due_at,
        Deadline.done_at.is_(None),
    )


async def _changes(session: TenantSession, statement: Update) -> bool:
    result = cast("CursorResult[Any]", await session.execute(statement))
    return result.rowcount > 0


async def _wake(session: TenantSession, due_at: datetime) -> None:
    """Tell the poller from when on the tenant is worth a look."""
    await session.execute(
        insert(Wakeup).values(
            id=uuid7(),
            realm_id=session.realm_id,
            tenant_id=session.tenant_id,
            topic=DEADLINE,
            due_at=due_at,
        )
    )
