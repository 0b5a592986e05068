"""SQL of the reconciliation."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.reconciliation.models import Reconciliation
from flatbed.billing.reconciliation.rules.comparing import Found
from flatbed.billing.statements.models import BillingFinding, Invoice, Statement
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import uuid7


async def statement_ids(session: TenantReadSession) -> Sequence[UUID]:
    """The tenant's statements, oldest first."""
    statement = select(Statement.id).where(Statement.tenant_id == session.tenant_id)
    return (await session.scalars(statement.order_by(Statement.number))).all()


async def invoices(session: TenantReadSession) -> Sequence[Invoice]:
    """The tenant's invoices and credit notes."""
    statement = select(Invoice).where(Invoice.tenant_id == session.tenant_id)
    return (await session.scalars(statement.order_by(Invoice.number))).all()


async def note(session: TenantSession, found: Sequence[Found]) -> None:
    """Open what is new, see again what is there, and resolve what is no longer found."""
    for one in found:
        fresh = upsert(BillingFinding).values(
            tenant_id=session.tenant_id,
            id=uuid7(),
            kind=one.kind,
            subject=one.subject,
            detail=dict(one.detail),
            found_at=session.now(),
            seen_at=session.now(),
        )
        await session.execute(
            fresh.on_conflict_do_update(
                index_elements=["tenant_id", "kind", "subject"],
                index_where=BillingFinding.resolved_at.is_(None),
                set_={"detail": fresh.excluded.detail, "seen_at": fresh.excluded.seen_at},
            )
        )
    gone = (
        update(BillingFinding)
        .where(BillingFinding.tenant_id == session.tenant_id, BillingFinding.resolved_at.is_(None))
        .values(resolved_at=session.now())
        .execution_options(synchronize_session=False)
    )
    kept = [(one.kind, one.subject) for one in found]
    if kept:
        gone = gone.where(tuple_(BillingFinding.kind, BillingFinding.subject).not_in(kept))
    await session.execute(gone)


async def last(session: TenantReadSession) -> Reconciliation | None:
    """The newest run."""
    statement = select(Reconciliation).where(Reconciliation.tenant_id == session.tenant_id)
    return await session.scalar(
        statement.order_by(Reconciliation.ran_at.desc(), Reconciliation.id.desc()).limit(1)
    )


async def open_findings(session: TenantReadSession) -> int:
    """How many findings are open."""
    statement = select(func.count()).where(
        BillingFinding.tenant_id == session.tenant_id, BillingFinding.resolved_at.is_(None)
    )
    return int(await session.scalar(statement) or 0)


async def findings(
    session: TenantReadSession, window: Window, *, is_open: bool | None
) -> Sequence[BillingFinding]:
    """A page of findings by when they were found."""
    statement = select(BillingFinding).where(BillingFinding.tenant_id == session.tenant_id)
    if is_open is not None:
        resolved = BillingFinding.resolved_at
        statement = statement.where(resolved.is_(None) if is_open else resolved.is_not(None))
    beyond = window.beyond(BillingFinding.found_at, BillingFinding.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(BillingFinding.found_at, BillingFinding.id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def is_due(session: TenantReadSession, since: datetime) -> bool:
    """Whether the tenant has statements and was not compared since an instant."""
    has = await session.scalar(
        select(Statement.id).where(Statement.tenant_id == session.tenant_id).limit(1)
    )
    found = await last(session)
    return has is not None and (found is None or found.ran_at < since)
