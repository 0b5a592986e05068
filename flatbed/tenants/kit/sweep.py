"""The doorbell: who waits to be sealed or swept, and handling it.

A transaction that leaves something to do writes a row into ``wakeup``. The poller reads what is
due by each realm's clock, handles it tenant by tenant, and only then deletes the rows that it
read: a crash in between repeats work that is idempotent, and loses none.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    Select,
    delete,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.selectable import LateralFromClause

from flatbed.tenants.kit.audit import DEADLINE, SEAL
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Realm, Wakeup
from flatbed.tenants.kit.database.session import Caller, WorkerSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers, Swept, sweep_tenant
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.metrics import SEALED, WAKEUPS
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant

log = structlog.get_logger(__name__)

SWEEP: Final = "sweep"
"""The job that sweeps a realm (argument ``realm_id``)."""
AT_ONCE: Final = 1000
"""Wake-ups of a realm and topic that one poll reads at most."""
LONGEST_REST: Final = 60.0
"""Seconds between tries for an owner whose sealing or sweeping itself keeps failing."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One owner with something to do: a tenant, or the agency where ``tenant_id`` is None."""

    realm_id: UUID
    tenant_id: UUID | None
    topic: str
    now: datetime
    rings: Sequence[UUID]

    @property
    def owner(self) -> tuple[UUID, UUID | None, str]:
        """What one failure concerns."""
        return self.realm_id, self.tenant_id, self.topic


@dataclass(slots=True)
class _Rest:
    """An owner that is left alone until an instant of the monotonic clock."""

    seconds: float
    until: float


@dataclass(slots=True)
class Poller:
    """Answers the doorbell; one in each worker, any number of workers."""

    database: Database
    handlers: DeadlineHandlers
    _resting: dict[tuple[UUID, UUID | None, str], _Rest] = field(default_factory=dict)

    async def poll(self, realm_id: UUID | None = None) -> tuple[int, Swept]:
        """Handle what is due now, of one realm if given.

        Returns how many owners were handled, and the deadlines among it.
        """
        answered, swept = 0, Swept()
        for waiting in await self._due(realm_id):
            rest = self._resting.get(waiting.owner)
            if rest is not None and time.monotonic() < rest.until:
                continue
            try:
                swept += await self._answer(waiting)
            except Exception as error:  # noqa: BLE001 - one owner must not stop the others
                self._failed(waiting, error)
            else:
                self._resting.pop(waiting.owner, None)
                WAKEUPS.labels(waiting.topic, "answered").inc()
                answered += 1
        return answered, swept

    async def _due(self, realm_id: UUID | None) -> list[Waiting]:
        async with self.database.worker(caller=_caller()) as session:
            return await _read(session, realm_id)

    async def _answer(self, waiting: Waiting) -> Swept:
        swept = Swept()
        failpoint(Failpoint.POLLER_READ)
        if waiting.tenant_id is None:
            SEALED.inc(await seal_agency(self.database, waiting.realm_id))
        elif waiting.topic == SEAL:
            SEALED.inc(await seal_tenant(self.database, waiting.realm_id, waiting.tenant_id))
        else:
            swept = await sweep_tenant(
                self.database, self.handlers, waiting.realm_id, waiting.tenant_id, waiting.now
            )
        failpoint(Failpoint.POLLER_ANSWERED)
        async with self.database.worker(caller=_caller()) as session:
            # By id, not by order of ids: a row with a lower one may be committed later.
            await session.execute(delete(Wakeup).where(Wakeup.id.in_(waiting.rings)))
        failpoint(Failpoint.POLLER_CLEARED)
        return swept

    def _failed(self, waiting: Waiting, error: Exception) -> None:
        rest = self._resting.get(waiting.owner)
        seconds = 1.0 if rest is None else min(rest.seconds * 2, LONGEST_REST)
        self._resting[waiting.owner] = _Rest(seconds, time.monotonic() + seconds)
        WAKEUPS.labels(waiting.topic, "failed").inc()
        log.error(
            "wakeup_failed",
            realm_id=str(waiting.realm_id),
            tenant_id=str(waiting.tenant_id) if waiting.tenant_id else None,
            topic=waiting.topic,
            code=failure_code(error),
            pause=seconds,
        )


async def sweep_realm(database: Database, handlers: DeadlineHandlers, realm_id: UUID) -> Swept:
    """Handle everything of a realm that is due by its clock, until nothing is due any more.

    Also seals what that left behind. Waits for another worker that is at it. What fails is left
    to the worker, which tries again.
    """
    poller, total = Poller(database, handlers), Swept()
    while True:
        answered, swept = await poller.poll(realm_id)
        total += swept
        if not answered:
            return total


async def _read(session: WorkerSession, realm_id: UUID | None) -> list[Waiting]:
    """The due wake-ups by owner, deadlines first: handling them leaves more to seal.

    At most ``AT_ONCE`` a realm and topic, the oldest: the next poll reads on. The limit also keeps
    the plan on the index, however many wait for a later day.
    """
    now = system_now()
    found = _rings(now)
    columns = Realm.id, found.c.tenant_id, found.c.topic, Realm.clock_offset_us
    statement = (
        select(*columns, func.array_agg(found.c.id))
        .join(found, true())
        .group_by(*columns)
        .order_by(found.c.topic != DEADLINE, func.min(found.c.due_at))
    )
    if realm_id is not None:
        statement = statement.where(Realm.id == realm_id)
    return [
        Waiting(realm, tenant, topic, now + timedelta(microseconds=ahead), rings)
        for realm, tenant, topic, ahead, rings in await session.execute(statement)
    ]


def _rings(now: datetime) -> LateralFromClause:
    """For each realm the wake-ups that are due by its clock, the oldest of each topic."""
    ahead = Realm.clock_offset_us * literal(timedelta(microseconds=1), Interval())
    realms_now = literal(now, DateTime(timezone=True)) + ahead
    due = _oldest(DEADLINE, Wakeup.due_at <= realms_now)
    return union_all(due, _oldest(SEAL, true())).lateral("found")


def _oldest(topic: str, due: ColumnElement[bool]) -> Select[UUID, UUID | None, str, datetime]:
    return (
        select(Wakeup.id, Wakeup.tenant_id, Wakeup.topic, Wakeup.due_at)
        .where(Wakeup.realm_id == Realm.id, Wakeup.topic == word(topic), due)
        .order_by(Wakeup.due_at)
        .limit(literal(AT_ONCE, literal_execute=True))
        .correlate(Realm)
    )


def _caller() -> Caller:
    return Caller("system:poll", str(uuid7()))


async def realms(session: WorkerSession) -> Sequence[UUID]:
    """Every realm of the deployment."""
    return (await session.scalars(select(Realm.id).order_by(Realm.id))).all()
