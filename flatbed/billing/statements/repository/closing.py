"""SQL of a closing: what a period holds that is not billed, and the rows that bill it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import aliased

from flatbed.billing.statements.models import BillingFinding, Invoice, Statement, StatementRest
from flatbed.billing.statements.rules.rating import HELD, Campaign, Fate, Rest
from flatbed.billing.usage.models import (
    LedgerHead,
    Period,
    StatementLine,
    UsageDecision,
    UsageEntry,
)
from flatbed.billing.usage.repository.ledger import CREDIT, QUALIFIED, REVERSAL
from flatbed.billing.usage.states import Decision
from flatbed.tenants.kit.database.columns import any_of
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

_Corrected: Final = aliased(StatementLine, name="corrected")
_Reversal: Final = aliased(UsageEntry, name="reversal")
_ENDED = (Fate.CANCELLED.value, Fate.WRITTEN_OFF.value)


async def find_period(session: TenantReadSession, period_id: UUID) -> Period | None:
    """A period of the tenant, as it is now."""
    statement = select(Period).where(Period.tenant_id == session.tenant_id, Period.id == period_id)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def open_periods(session: TenantReadSession) -> Sequence[Period]:
    """The open periods, oldest first."""
    statement = select(Period).where(Period.tenant_id == session.tenant_id, Period.status == "open")
    return (await session.scalars(statement.order_by(Period.starts_at))).all()


async def is_open_before(session: TenantReadSession, period: Period) -> bool:
    """Whether an earlier period is open."""
    statement = select(
        exists().where(
            Period.tenant_id == session.tenant_id,
            Period.status == "open",
            Period.starts_at < period.starts_at,
        )
    )
    return bool(await session.scalar(statement))


async def has_findings(session: TenantReadSession) -> bool:
    """Whether the reconciliation has found something that is open."""
    statement = select(
        exists().where(
            BillingFinding.tenant_id == session.tenant_id, BillingFinding.resolved_at.is_(None)
        )
    )
    return bool(await session.scalar(statement))


async def unsettled(session: TenantReadSession, until: datetime) -> list[UUID]:
    """The entries that no closing has settled: one of years does not read the years before.

    Those of open periods that began at ``until`` or before, and what the last closing held. Each
    closing settles all else of the periods before it, and tells again of what it does not.
    """
    begun = select(Period.id).where(
        Period.tenant_id == session.tenant_id, Period.status == "open", Period.starts_at <= until
    )
    last = (
        select(Statement.period_id)
        .where(Statement.tenant_id == session.tenant_id)
        .order_by(Statement.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    told = select(Statement.id).where(
        Statement.tenant_id == session.tenant_id, Statement.period_id == last
    )
    fresh = select(UsageEntry.id).where(
        UsageEntry.tenant_id == session.tenant_id,
        UsageEntry.period_id.in_(_spelled((await session.scalars(begun)).all())),
    )
    held = select(StatementRest.entry_id).where(
        StatementRest.tenant_id == session.tenant_id,
        StatementRest.statement_id.in_(_spelled((await session.scalars(told)).all())),
        StatementRest.fate.in_(sorted(HELD)),
    )
    return [*{*await session.scalars(fresh), *await session.scalars(held)}]


def _spelled(ids: Sequence[UUID]) -> BindParameter[Any]:
    """Written into the statement, so that it is planned for them.

    A period that has just begun holds few entries, where a plan for any period takes it for one
    of those that hold them all.
    """
    return bindparam(None, ids, type_=Uuid(), expanding=True, literal_execute=True)


async def refunds(
    session: TenantReadSession, among: Collection[UUID]
) -> Sequence[Mapping[str, Any]]:
    """Those of some entries that give money back and are on no line, with what they correct.

    In the order of the ledger.
    """
    statement = (
        select(
            UsageEntry.id,
            UsageEntry.kind,
            UsageEntry.campaign_ref,
            UsageEntry.currency,
            UsageEntry.amount,
            UsageEntry.evidence_hash,
            UsageEntry.occurred_at,
            UsageEntry.period_id,
            (UsageEntry.occurred_at < Period.starts_at).label("late"),
            _Corrected.id.label("corrects_id"),
            _Corrected.entry_id.label("corrected_entry_id"),
            _Corrected.invoice_id.label("corrected_invoice_id"),
        )
        .join(Period, _of(Period, UsageEntry.period_id))
        .join(
            _Corrected,
            and_(
                _Corrected.tenant_id == UsageEntry.tenant_id,
                _Corrected.entry_id == func.coalesce(UsageEntry.reverses_id, UsageEntry.credits_id),
            ),
        )
        .where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.kind.in_([REVERSAL, CREDIT]),
            UsageEntry.amount < 0,
            UsageEntry.id == any_of(among),
            ~_has_line(UsageEntry),
        )
        .order_by(UsageEntry.sequence)
    )
    return [dict(row) for row in (await session.execute(statement)).mappings()]


async def ended(session: TenantReadSession, among: Collection[UUID]) -> list[Rest]:
    """Those of some units that were cancelled or written off, and told of on no statement yet.

    By the unit's own period, not the reversal's: voided in the grace, it would be on no statement
    of the period that it belongs to.
    """
    units = select(
        UsageEntry.id, UsageEntry.currency, UsageEntry.amount, UsageEntry.sequence
    ).where(UsageEntry.id == any_of(among))
    is_reversed = exists().where(
        _Reversal.tenant_id == UsageEntry.tenant_id, _Reversal.reverses_id == UsageEntry.id
    )
    cancelled = units.where(is_reversed)
    written_off = units.where(
        exists().where(
            UsageDecision.tenant_id == UsageEntry.tenant_id,
            UsageDecision.entry_id == UsageEntry.id,
            UsageDecision.decision == Decision.WRITTEN_OFF.value,
        ),
        ~is_reversed,
    )
    found: list[Rest] = []
    for fate, statement in ((Fate.CANCELLED, cancelled), (Fate.WRITTEN_OFF, written_off)):
        rows = await session.execute(_untold(session, statement).order_by(UsageEntry.sequence))
        found += [Rest(row.id, row.currency, fate, row.amount) for row in rows]
    return found


async def ranks(
    session: TenantReadSession, campaigns: Collection[Campaign], before: int | None = None
) -> dict[Campaign, int]:
    """How many units of these campaigns were billed, on statements below a number if one is given.

    Those of which none were are left out.
    """
    wanted = sorted(campaigns)
    if not wanted:
        return {}
    asked = select(
        func.unnest(literal([ref for ref, _ in wanted], ARRAY(Uuid()))).label("campaign_ref"),
        func.unnest(literal([currency for _, currency in wanted], ARRAY(Text()))).label("currency"),
    ).subquery("asked")
    highest = select(func.max(StatementLine.rank)).where(
        StatementLine.tenant_id == session.tenant_id,
        StatementLine.campaign_ref == asked.c.campaign_ref,
        StatementLine.currency == asked.c.currency,
        StatementLine.rank.is_not(None),
    )
    if before is not None:
        highest = highest.join(Statement, _of(Statement, StatementLine.statement_id)).where(
            Statement.number < before
        )
    rows = await session.execute(select(asked, highest.scalar_subquery().label("rank")))
    return {(row.campaign_ref, row.currency): row.rank for row in rows if row.rank is not None}


async def last_statement(session: TenantReadSession) -> Statement | None:
    """The tenant's newest statement."""
    statement = select(Statement).where(Statement.tenant_id == session.tenant_id)
    return await session.scalar(statement.order_by(Statement.number.desc()).limit(1))


async def invoice(session: TenantReadSession, invoice_id: UUID) -> Invoice:
    """An invoice of the tenant that a line names."""
    statement = select(Invoice).where(
        Invoice.tenant_id == session.tenant_id, Invoice.id == invoice_id
    )
    return (await session.scalars(statement)).one()


async def corrections(session: TenantReadSession, invoice_id: UUID) -> tuple[int, int]:
    """The net and tax that credit notes took back of an invoice, in minor units."""
    statement = select(
        func.coalesce(func.sum(Invoice.net), 0), func.coalesce(func.sum(Invoice.tax), 0)
    ).where(Invoice.tenant_id == session.tenant_id, Invoice.corrects_id == invoice_id)
    net, tax = (await session.execute(statement)).one()
    return int(net), int(tax)


async def add_rest(session: TenantSession, statement_id: UUID, rest: Sequence[Rest]) -> None:
    """Write what a statement does not bill."""
    rows = [
        {
            "tenant_id": session.tenant_id,
            "statement_id": statement_id,
            "entry_id": one.entry_id,
            "fate": one.fate.value,
            "amount": one.amount,
        }
        for one in rest
    ]
    if rows:
        await session.execute(insert(StatementRest), rows)


async def close_period(session: TenantSession, period_id: UUID) -> None:
    """Close a period; the ledger head names it no longer."""
    await session.execute(
        update(Period)
        .where(Period.tenant_id == session.tenant_id, Period.id == period_id)
        .values(status="closed")
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(LedgerHead)
        .where(LedgerHead.tenant_id == session.tenant_id, LedgerHead.open_period_id == period_id)
        .values(open_period_id=None)
        .execution_options(synchronize_session=False)
    )


def _of(table: Any, column: Any) -> Any:  # noqa: ANN401 - a mapped class and one of its columns
    """The row of the same tenant that a column of an entry or a line names."""
    return and_(table.tenant_id == column.class_.tenant_id, table.id == column)


def _has_line(entry: type[UsageEntry]) -> Any:  # noqa: ANN401 - SQL's own type
    return exists().where(
        StatementLine.tenant_id == entry.tenant_id, StatementLine.entry_id == entry.id
    )


def _untold(
    session: TenantReadSession, statement: Select[UUID, str, int, int]
) -> Select[UUID, str, int, int]:
    return statement.where(
        UsageEntry.tenant_id == session.tenant_id,
        UsageEntry.kind == QUALIFIED,
        ~_has_line(UsageEntry),
        ~exists().where(
            StatementRest.tenant_id == UsageEntry.tenant_id,
            StatementRest.entry_id == UsageEntry.id,
            StatementRest.fate.in_(_ENDED),
        ),
    )
