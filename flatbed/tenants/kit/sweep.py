"""The doorbell: who waits to be sealed or swept, and handling it.

A transaction that leaves something to do writes a row into ``wakeup``. The poller reads what is
due by each realm's clock, handles it tenant by tenant, and only then deletes the rows that it
read: a crash in between repeats work that is idempotent, and loses none.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Interval,
    Select,
    Uuid,
    all_,
    delete,
    func,
    literal,
    or_,
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
from flatbed.tenants.kit.deadlines import (
    DeadlineHandlers,
    Swept,
    TurnTakenError,
    sweep_share,
    sweep_tenant,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.metrics import SEALED, WAKEUPS
from flatbed.tenants.kit.sealing import SHARE, seal_agency, seal_tenant

log = structlog.get_logger(__name__)

SWEEP: Final = "sweep"
"""The job that sweeps a realm (argument ``realm_id``)."""
AT_ONCE: Final = 1000
"""Wake-ups of a realm and topic that one poll reads at most."""
LONGEST_REST: Final = 60.0
"""Seconds between tries for an owner whose sealing or sweeping itself keeps failing."""
SHORT_REST: Final = 0.25
"""Seconds for an owner whom another worker is sweeping."""
_FIRST_REST: Final = 1.0

Sweep = Callable[[Database, DeadlineHandlers, UUID, UUID, datetime], Awaitable[Swept]]


class Owner(NamedTuple):
    """What one failure concerns: the agency where ``tenant_id`` is None."""

    realm_id: UUID
    tenant_id: UUID | None
    topic: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One owner with something to do: a tenant, or the agency where ``tenant_id`` is None."""

    realm_id: UUID
    tenant_id: UUID | None
    topic: str
    now: datetime
    rings: Sequence[UUID]

    @property
    def owner(self) -> Owner:
        """What one failure concerns."""
        return Owner(self.realm_id, self.tenant_id, self.topic)


@dataclass(slots=True)
class _Rest:
    """An owner that is left alone until an instant of the monotonic clock."""

    until: float
    failing: float = 0.0
    """The pause after its last failure; 0 where it did not fail."""


@dataclass(slots=True)
class Poller:
    """Answers the doorbell; one in each worker, any number of workers.

    Args:
        database: opens the transactions.
        handlers: what each kind of deadline does.
        sweep: how a tenant's deadlines are swept. By shares and without waiting for another
            sweeper, so that no tenant keeps the others from theirs.
        share: transactions in which one owner is sealed before the others; None: to the end.
        topics: what it answers. A worker has one for each, or sealing, which takes moments, would
            wait for all the tenants whose deadlines are swept.
        over: whether to leave the other owners to the next poll, asked before each one: whoever
            stops does not go on for as long as thousands of them take.
    """

    database: Database
    handlers: DeadlineHandlers
    sweep: Sweep = sweep_share
    share: int | None = SHARE
    topics: Collection[str] = (DEADLINE, SEAL)
    over: Callable[[], bool] = bool
    _resting: dict[Owner, _Rest] = field(default_factory=dict)

    async def poll(self, realm_id: UUID | None = None) -> tuple[int, Swept]:
        """Handle what is due now, of one realm if given.

        Returns how many owners were handled, and the deadlines among it.
        """
        answered, swept = await self.round(realm_id)
        return len(answered), swept

    async def round(
        self, realm_id: UUID | None = None, done: Collection[Owner] = ()
    ) -> tuple[Sequence[Owner], Swept]:
        """As `poll`, but without those that are done, and telling which owners were handled."""
        answered: list[Owner] = []
        swept = Swept()
        for waiting in await self._due(realm_id, done):
            if self.over():
                break
            try:
                swept += await self._answer(waiting)
            except TurnTakenError:
                self._rest(waiting.owner, SHORT_REST)
            except Exception as error:  # noqa: BLE001 - one owner must not stop the others
                self._failed(waiting, error)
            else:
                self._resting.pop(waiting.owner, None)
                WAKEUPS.labels(waiting.topic, "answered").inc()
                answered.append(waiting.owner)
        return answered, swept

    async def _due(self, realm_id: UUID | None, done: Collection[Owner]) -> list[Waiting]:
        now = time.monotonic()
        # Whom another worker served meanwhile is not heard of here again.
        known = {o: one for o, one in self._resting.items() if now < one.until + LONGEST_REST}
        self._resting = known
        resting = [owner for owner, rest in known.items() if now < rest.until]
        async with self.database.worker(caller=_caller()) as session:
            return await _read(session, realm_id, self.topics, [*resting, *done])

    async def _answer(self, waiting: Waiting) -> Swept:
        swept = Swept()
        failpoint(Failpoint.POLLER_READ)
        realm_id, tenant_id = waiting.realm_id, waiting.tenant_id
        if tenant_id is None:
            SEALED.inc(await seal_agency(self.database, realm_id, share=self.share))
        elif waiting.topic == SEAL:
            SEALED.inc(await seal_tenant(self.database, realm_id, tenant_id, share=self.share))
        else:
            swept = await self.sweep(self.database, self.handlers, realm_id, tenant_id, waiting.now)
        failpoint(Failpoint.POLLER_ANSWERED)
        async with self.database.worker(caller=_caller()) as session:
            # By id, not by order of ids: a row with a lower one may be committed later.
            await session.execute(delete(Wakeup).where(Wakeup.id.in_(waiting.rings)))
        failpoint(Failpoint.POLLER_CLEARED)
        return swept

    def _rest(self, owner: Owner, seconds: float, failing: float | None = None) -> None:
        if failing is None:
            failing = self._resting[owner].failing if owner in self._resting else 0.0
        self._resting[owner] = _Rest(time.monotonic() + seconds, failing)

    def _failed(self, waiting: Waiting, error: Exception) -> None:
        rest = self._resting.get(waiting.owner)
        seconds = min(rest.failing * 2, LONGEST_REST) if rest else 0.0
        seconds = max(seconds, _FIRST_REST)
        self._rest(waiting.owner, seconds, failing=seconds)
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

    Also seals what that left behind: every owner that waits once after the last deadline, and not
    what others write meanwhile, or it might never end. Waits for another worker that is at a
    tenant. What fails is left to the worker, which tries again.
    """
    poller, total = Poller(database, handlers, sweep_tenant, share=None), Swept()
    sealed: set[Owner] = set()
    while True:
        answered, swept = await poller.round(realm_id, sealed)
        total += swept
        if any(owner.topic == DEADLINE for owner in answered):
            sealed.clear()
        elif not answered:
            return total
        else:
            sealed.update(answered)


async def _read(
    session: WorkerSession,
    realm_id: UUID | None,
    topics: Collection[str],
    resting: Collection[Owner] = (),
) -> list[Waiting]:
    """The due wake-ups by owner, deadlines first: handling them leaves more to seal.

    Those of ``resting`` owners are left out here, not afterwards: they stay as long as the owner
    fails, and would in the end be all that the limit lets through.

    At most ``AT_ONCE`` a realm and topic, the oldest: the next poll reads on. The limit also keeps
    the plan on the index, however many wait for a later day.
    """
    now = system_now()
    found = _rings(now, topics, resting)
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


def _rings(now: datetime, topics: Collection[str], resting: Collection[Owner]) -> LateralFromClause:
    """For each realm the wake-ups that are due by its clock, the oldest of each topic."""
    ahead = Realm.clock_offset_us * literal(timedelta(microseconds=1), Interval())
    realms_now = literal(now, DateTime(timezone=True)) + ahead
    due = {DEADLINE: Wakeup.due_at <= realms_now, SEAL: true()}
    return union_all(*(_oldest(topic, due[topic], resting) for topic in topics)).lateral("found")


def _oldest(
    topic: str, due: ColumnElement[bool], resting: Collection[Owner]
) -> Select[UUID, UUID | None, str, datetime]:
    mine = [owner for owner in resting if owner.topic == topic]
    tenants = [owner.tenant_id for owner in mine if owner.tenant_id is not None]
    agencies = [owner.realm_id for owner in mine if owner.tenant_id is None]
    statement = (
        select(Wakeup.id, Wakeup.tenant_id, Wakeup.topic, Wakeup.due_at)
        .where(Wakeup.realm_id == Realm.id, Wakeup.topic == word(topic), due)
        .order_by(Wakeup.due_at)
        .limit(literal(AT_ONCE, literal_execute=True))
        .correlate(Realm)
    )
    # As arrays: one statement, however many rest.
    if tenants:
        others = Wakeup.tenant_id != all_(literal(tenants, ARRAY(Uuid())))
        statement = statement.where(or_(Wakeup.tenant_id.is_(None), others))
    if agencies:
        others = Wakeup.realm_id != all_(literal(agencies, ARRAY(Uuid())))
        statement = statement.where(or_(Wakeup.tenant_id.is_not(None), others))
    return statement


def _caller() -> Caller:
    return Caller("system:poll", str(uuid7()))


async def realms(session: WorkerSession) -> Sequence[UUID]:
    """Every realm of the deployment."""
    return (await session.scalars(select(Realm.id).order_by(Realm.id))).all()
