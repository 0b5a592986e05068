"""SQL that reads periods, statements, their lines and invoices."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import aliased

from flatbed.billing.statements.models import Invoice, Statement, StatementRest
from flatbed.billing.statements.rules.rating import Fate, Rest
from flatbed.billing.usage.models import Period, StatementLine, UsageDecision, UsageEntry
from flatbed.billing.usage.states import Decision
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import any_of
from flatbed.tenants.kit.database.session import TenantReadSession

Row = TypeVar("Row", Period, Statement, Invoice)
_Corrected: Final = aliased(StatementLine, name="corrected")


async def periods(session: TenantReadSession, window: Window) -> Sequence[Period]:
    """A page of periods by their start."""
    return await _page(session, window, Period, Period.starts_at)


async def statements(
    session: TenantReadSession, window: Window, period_id: UUID | None
) -> Sequence[Statement]:
    """A page of statements by closing."""
    condition = None if period_id is None else Statement.period_id == period_id
    return await _page(session, window, Statement, Statement.closed_at, condition)


async def invoices(
    session: TenantReadSession, window: Window, statement_id: UUID | None
) -> Sequence[Invoice]:
    """A page of invoices and credit notes by issue."""
    condition = None if statement_id is None else Invoice.statement_id == statement_id
    return await _page(session, window, Invoice, Invoice.issued_at, condition)


async def statement(session: TenantReadSession, statement_id: UUID) -> Statement | None:
    """A statement of the tenant."""
    wanted = select(Statement).where(
        Statement.tenant_id == session.tenant_id, Statement.id == statement_id
    )
    return await session.scalar(wanted)


async def invoice(session: TenantReadSession, invoice_id: UUID) -> Invoice | None:
    """An invoice or a credit note of the tenant."""
    wanted = select(Invoice).where(Invoice.tenant_id == session.tenant_id, Invoice.id == invoice_id)
    return await session.scalar(wanted)


async def invoices_of(
    session: TenantReadSession, statement_ids: Collection[UUID]
) -> Sequence[Invoice]:
    """The invoices and credit notes of statements, by number."""
    wanted = select(Invoice).where(
        Invoice.tenant_id == session.tenant_id, Invoice.statement_id.in_(statement_ids)
    )
    return (await session.scalars(wanted.order_by(Invoice.number))).all()


async def statements_of(session: TenantReadSession, period_id: UUID) -> Sequence[Statement]:
    """The statements of a closed period, by currency."""
    wanted = select(Statement).where(
        Statement.tenant_id == session.tenant_id, Statement.period_id == period_id
    )
    return (await session.scalars(wanted.order_by(Statement.currency))).all()


async def first_open_period(session: TenantReadSession) -> Period | None:
    """The oldest open period: the next one to be closed."""
    wanted = select(Period).where(Period.tenant_id == session.tenant_id, Period.status == "open")
    return await session.scalar(wanted.order_by(Period.starts_at).limit(1))


async def last_period(session: TenantReadSession) -> Period | None:
    """The newest period."""
    wanted = select(Period).where(Period.tenant_id == session.tenant_id)
    return await session.scalar(wanted.order_by(Period.starts_at.desc()).limit(1))


async def lines(
    session: TenantReadSession,
    statement_id: UUID,
    *,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[Mapping[str, Any]]:
    """Lines by position behind ``after``, with their entry's source and what they correct."""
    wanted = (
        select(
            *StatementLine.__table__.columns,
            UsageEntry.source,
            UsageEntry.source_id,
            UsageEntry.replaces_id,
            _Corrected.entry_id.label("corrected_entry_id"),
        )
        .join(
            UsageEntry,
            and_(
                UsageEntry.tenant_id == StatementLine.tenant_id,
                UsageEntry.id == StatementLine.entry_id,
            ),
        )
        .outerjoin(
            _Corrected,
            and_(
                _Corrected.tenant_id == StatementLine.tenant_id,
                _Corrected.id == StatementLine.corrects_id,
            ),
        )
        .where(
            StatementLine.tenant_id == session.tenant_id,
            StatementLine.statement_id == statement_id,
            StatementLine.position > after,
        )
        .order_by(StatementLine.position)
        .limit(limit)
    )
    return [dict(row) for row in (await session.execute(wanted)).mappings()]


async def rest(session: TenantReadSession, found: Statement) -> list[Rest]:
    """What a statement does not bill."""
    wanted = select(StatementRest.entry_id, StatementRest.fate, StatementRest.amount).where(
        StatementRest.tenant_id == session.tenant_id, StatementRest.statement_id == found.id
    )
    return [
        Rest(row.entry_id, found.currency, Fate(row.fate), row.amount)
        for row in await session.execute(wanted)
    ]


async def sources(
    session: TenantReadSession, entry_ids: Collection[UUID]
) -> dict[UUID, Mapping[str, Any]]:
    """What the units of entries are: ``source``, ``source_id`` and ``replaces_id``."""
    columns = UsageEntry.source, UsageEntry.source_id, UsageEntry.replaces_id
    wanted = select(UsageEntry.id.label("entry_id"), *columns).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.id == any_of(entry_ids)
    )
    rows = (await session.execute(wanted)).mappings()
    return {row["entry_id"]: dict(row) for row in rows}


async def entries(
    session: TenantReadSession, first: int, last: int, more: Collection[UUID] = ()
) -> Sequence[Mapping[str, Any]]:
    """Whole entries above sequence ``first`` up to ``last``, and those named, by sequence."""
    in_range = and_(UsageEntry.sequence > first, UsageEntry.sequence <= last)
    wanted = (
        select(*UsageEntry.__table__.columns)
        .where(
            UsageEntry.tenant_id == session.tenant_id, or_(in_range, UsageEntry.id == any_of(more))
        )
        .order_by(UsageEntry.sequence)
    )
    return [dict(row) for row in (await session.execute(wanted)).mappings()]


async def acceptances(session: TenantReadSession, statement_id: UUID) -> dict[UUID, Any]:
    """When each charged entry of a statement was accepted, from what was decided."""
    wanted = (
        select(UsageDecision.entry_id, UsageDecision.at)
        .where(
            UsageDecision.tenant_id == session.tenant_id,
            UsageDecision.decision.in_([Decision.ACCEPTED.value, Decision.CONFIRMED.value]),
            exists().where(
                StatementLine.tenant_id == UsageDecision.tenant_id,
                StatementLine.entry_id == UsageDecision.entry_id,
                StatementLine.statement_id == statement_id,
            ),
        )
        .order_by(UsageDecision.at, UsageDecision.id)
    )
    return {row.entry_id: row.at for row in await session.execute(wanted)}


async def _page(
    session: TenantReadSession,
    window: Window,
    table: type[Row],
    column: Any,  # noqa: ANN401 - an instant of the table
    condition: Any = None,  # noqa: ANN401 - SQL's own type
) -> Sequence[Row]:
    wanted = select(table).where(table.tenant_id == session.tenant_id)
    if condition is not None:
        wanted = wanted.where(condition)
    beyond = window.beyond(column, table.id)
    if beyond is not None:
        wanted = wanted.where(beyond)
    wanted = wanted.order_by(column, table.id).limit(window.limit)
    return (await session.scalars(wanted)).all()
