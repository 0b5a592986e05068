"""Number the events and chain the audit, behind the writers.

Writers insert into ``…_pending`` and never wait for each other. A sealer locks the owner's head,
moves what has been committed since and numbers it without a gap: whoever commits late is simply
numbered later, so that a reader who went on from a sequence misses nothing.

What is hashed is the whole row with its owner and its number. An entry that is edited, removed,
inserted or swapped breaks the chain, a removed tail the head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.tenants.kit.audit import ring
from flatbed.tenants.kit.canonical import GENESIS, chained
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditEntry,
    AgencyAuditHead,
    AgencyAuditPending,
    AuditEntry,
    AuditHead,
    AuditPending,
    Event,
    EventHead,
    EventPending,
)
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    Caller,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7

BATCH = 1000
"""Rows that one transaction moves at most: it holds the head's lock."""
SHARE = 10
"""Transactions in which the worker seals for one owner before the others have their turn."""


@dataclass(frozen=True, slots=True)
class _Log:
    """The three tables of one log, and the column that names its owner."""

    pending: Table
    sealed: Table
    head: Table
    owner: str

    @classmethod
    def of(cls, pending: type, sealed: type, head: type, owner: str) -> "_Log":
        first, second, third = (cast("Any", model).__table__ for model in (pending, sealed, head))
        return cls(first, second, third, owner)

    @property
    def is_chained(self) -> bool:
        return "hash" in self.head.c


_TENANT_AUDIT = _Log.of(AuditPending, AuditEntry, AuditHead, "tenant_id")
_TENANT_EVENTS = _Log.of(EventPending, Event, EventHead, "tenant_id")
_AGENCY_AUDIT = _Log.of(AgencyAuditPending, AgencyAuditEntry, AgencyAuditHead, "realm_id")


async def seal_tenant(
    database: Database, realm_id: UUID, tenant_id: UUID, *, share: int | None = None
) -> int:
    """Seal what a tenant's transactions have committed so far. Returns the rows moved.

    Args:
        database: opens the transactions.
        realm_id: the tenant's realm.
        tenant_id: whose rows.
        share: how many transactions that may take at most. What is left then rings anew, behind
            the owners that wait already.
    """
    caller, total = _sealer(), 0
    for number in count(1):
        async with database.tenant(
            realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
        ) as session:
            audited = await _seal(session, _TENANT_AUDIT, tenant_id)
            happened = await _seal(session, _TENANT_EVENTS, tenant_id)
            is_whole = max(audited, happened) < BATCH
            if number == share and not is_whole:
                ring(session)
        total += audited + happened
        if is_whole or number == share:
            break
    return total


async def seal_agency(database: Database, realm_id: UUID, *, share: int | None = None) -> int:
    """As `seal_tenant`, what the realm's agency plane has committed."""
    caller, total = _sealer(), 0
    for number in count(1):
        async with database.agency(realm_id=realm_id, caller=caller, clock=Clock()) as session:
            moved = await _seal(session, _AGENCY_AUDIT, realm_id)
            if number == share and moved == BATCH:
                ring(session)
        total += moved
        if moved < BATCH or number == share:
            break
    return total


def _sealer() -> Caller:
    return Caller("system:seal", str(uuid7()))


async def _seal(session: TenantSession | AgencySession, log: _Log, owner_id: UUID) -> int:
    head, pending = log.head, log.pending
    nothing: dict[str, Any] = {log.owner: owner_id, "sequence": 0}
    if log.is_chained:
        nothing["hash"] = GENESIS
    # Two sealers that meet on a tenant's first row: one makes the head, both then lock it.
    await session.execute(upsert(head).values(nothing).on_conflict_do_nothing())
    mine = head.c[log.owner] == owner_id
    last = (await session.execute(select(head).where(mine).with_for_update())).mappings().one()
    # Read after the lock: a statement sees what was committed when it began.
    waiting = select(pending).where(pending.c[log.owner] == owner_id)
    rows = (await session.execute(waiting.order_by(pending.c.id).limit(BATCH))).mappings().all()
    if not rows:
        return 0
    failpoint(Failpoint.SEAL_LOCKED)
    sealed = list(_numbered(log, last, rows))
    await session.execute(insert(log.sealed), sealed)
    failpoint(Failpoint.SEAL_INSERTED)
    ids = [row["id"] for row in rows]
    await session.execute(
        delete(pending).where(pending.c[log.owner] == owner_id, pending.c.id.in_(ids))
    )
    failpoint(Failpoint.SEAL_DELETED)
    newest = {name: sealed[-1][name] for name in nothing if name != log.owner}
    await session.execute(update(head).where(mine).values(newest))
    return len(rows)


def _numbered(
    log: _Log, last: Mapping[Any, Any], rows: Sequence[Mapping[Any, Any]]
) -> Sequence[dict[str, Any]]:
    sealed: list[dict[str, Any]] = []
    previous: str = last["hash"] if log.is_chained else GENESIS
    for sequence, row in enumerate(rows, start=last["sequence"] + 1):
        entry = {**row, "sequence": sequence}
        if log.is_chained:
            hash_ = chained(previous, content(entry))
            entry |= {"previous_hash": previous, "hash": hash_}
            previous = hash_
        sealed.append(entry)
    return sealed


def content(entry: Mapping[Any, Any]) -> dict[str, Any]:
    """What an audit entry's hash covers: every column but the hashes."""
    return {
        str(name): value for name, value in entry.items() if name not in {"previous_hash", "hash"}
    }


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One place where a chain does not hold.

    ``kind``: ``edited`` the entry is not what was hashed; ``missing`` no entry has this number
    (the first of a gap);
    ``unlinked`` it does not follow the entry before; ``tail`` the head names another last entry.
    """

    kind: str
    sequence: int


async def verify_audit(session: TenantReadSession | AgencyReadSession) -> list[AuditFinding]:
    """Compute the session's chain again, from its first entry to the head.

    Returns every place where it breaks; none for a whole chain. What was removed together with
    the head shows against an anchor outside only.

    Args:
        session: a read: entries and head are of one snapshot, whatever is sealed meanwhile.
    """
    log = _TENANT_AUDIT if isinstance(session, TenantReadSession) else _AGENCY_AUDIT
    owner_id = session.tenant_id if isinstance(session, TenantReadSession) else session.realm_id
    table, findings = log.sealed, list[AuditFinding]()
    sequence, previous, is_whole = 0, GENESIS, False
    while not is_whole:
        page = (
            select(table)
            .where(table.c[log.owner] == owner_id, table.c.sequence > sequence)
            .order_by(table.c.sequence)
            .limit(BATCH)
        )
        rows = (await session.execute(page)).mappings().all()
        for row in rows:
            number = row["sequence"]
            if number != sequence + 1:
                findings.append(AuditFinding("missing", sequence + 1))
            if row["previous_hash"] != previous:
                findings.append(AuditFinding("unlinked", number))
            if row["hash"] != chained(row["previous_hash"], content(row)):
                findings.append(AuditFinding("edited", number))
            sequence, previous = number, row["hash"]
        is_whole = len(rows) < BATCH
    head = await _head(session, log, owner_id)
    if head != (sequence, previous):
        findings.append(AuditFinding("tail", max(sequence, head[0])))
    return findings


async def _head(
    session: TenantReadSession | AgencyReadSession, log: _Log, owner_id: UUID
) -> tuple[int, str]:
    statement = select(log.head).where(log.head.c[log.owner] == owner_id)
    found = (await session.execute(statement)).mappings().one_or_none()
    return (0, GENESIS) if found is None else (found["sequence"], found["hash"])
