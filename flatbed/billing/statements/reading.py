"""Periods, statements and invoices as their tenant reads them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.statements import drafting
from flatbed.billing.statements.closing import GRACE
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.billing.statements.repository import closing as closing_repository
from flatbed.billing.statements.repository import reading as repository
from flatbed.billing.statements.rules.content import sums
from flatbed.billing.statements.rules.rating import Draft
from flatbed.billing.statements.schemas import (
    ClosingRead,
    InvoicePage,
    InvoiceRead,
    LinePage,
    LineRead,
    PeriodPage,
    PeriodRead,
    RestRead,
    StatementDraft,
    StatementPage,
    StatementPreview,
    StatementRead,
)
from flatbed.billing.usage.models import Period
from flatbed.billing.usage.periods import Span, first_period, next_period
from flatbed.billing.usage.reports import dossier_of
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.organizations.service import organization_of


async def periods(
    session: TenantReadSession, cursors: Cursors, *, cursor: str | None, limit: int
) -> PeriodPage:
    """A page of periods by their start."""
    window = cursors.window(cursor, limit)
    rows = await repository.periods(session, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.starts_at, row.id))
    return PeriodPage(data=[_period(row) for row in shown], **envelope.model_dump())


async def page(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    period_id: UUID | None,
) -> StatementPage:
    """A page of statements by closing."""
    window = cursors.window(cursor, limit)
    rows = await repository.statements(session, window, period_id)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.closed_at, row.id))
    return StatementPage(data=await _statements(session, shown), **envelope.model_dump())


async def get(session: TenantReadSession, statement_id: UUID) -> StatementRead:
    """A statement with its invoices.

    Raises:
        NotFoundError: no such statement of this tenant.
    """
    [read] = await _statements(session, [await found(session, statement_id)])
    return read


async def found(session: TenantReadSession, statement_id: UUID) -> Statement:
    """A statement.

    Raises:
        NotFoundError: no such statement of this tenant.
    """
    row = await repository.statement(session, statement_id)
    if row is None:
        raise NotFoundError
    return row


async def closed(session: TenantReadSession, period_id: UUID) -> ClosingRead:
    """The statements of a closed period."""
    rows = await repository.statements_of(session, period_id)
    return ClosingRead(period_id=period_id, statements=await _statements(session, rows))


async def lines(
    session: TenantReadSession,
    cursors: Cursors,
    statement_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> LinePage:
    """A page of a statement's lines by position.

    Raises:
        NotFoundError: no such statement of this tenant.
    """
    statement = await found(session, statement_id)
    window = cursors.window(cursor, limit)
    after = 0 if window.after is None else int(_whole(window.after.value))
    rows = await repository.lines(session, statement.id, after=after, limit=window.size + 1)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row["position"], row["id"]))
    return LinePage(data=[line_read(row) for row in shown], **envelope.model_dump())


async def invoices(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    statement_id: UUID | None,
) -> InvoicePage:
    """A page of invoices and credit notes by issue."""
    window = cursors.window(cursor, limit)
    rows = await repository.invoices(session, window, statement_id)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.issued_at, row.id))
    data = [InvoiceRead.model_validate(row) for row in shown]
    return InvoicePage(data=data, **envelope.model_dump())


async def invoice(session: TenantReadSession, invoice_id: UUID) -> InvoiceRead:
    """An invoice or a credit note.

    Raises:
        NotFoundError: no such invoice of this tenant.
    """
    row = await repository.invoice(session, invoice_id)
    if row is None:
        raise NotFoundError
    return InvoiceRead.model_validate(row)


async def preview(session: TenantReadSession, period_id: UUID | None) -> StatementPreview:
    """What closing a period now would bill; not paged, a statement is read as a whole.

    Without a name it is the next period to be closed, or the one that comes next.

    Raises:
        NotFoundError: no such open period of this tenant.
    """
    organization = await organization_of(session)
    zone = organization.zone
    if period_id is None:
        period = await repository.first_open_period(session)
    else:
        period = await closing_repository.find_period(session, period_id)
        if period is None or period.status != "open":
            raise NotFoundError
    span = await _span(session, period, zone)
    drafts, _ = await drafting.draft(session, period, currency=organization.currency)
    return StatementPreview(
        period_id=None if period is None else period.id,
        starts_at=span.starts_at.astimezone(zone),
        ends_at=span.ends_at.astimezone(zone),
        time_zone=zone.key,
        statements=[await _draft(session, draft) for draft in drafts],
    )


def line_read(row: Mapping[str, Any]) -> LineRead:
    """A stored line for the API."""
    return LineRead(
        position=row["position"],
        entry_id=row["entry_id"],
        kind=row["kind"],
        campaign_id=row["campaign_ref"],
        amount=row["amount"],
        rank=row["rank"],
        price_text=row["price_text"],
        qualification_id=encode(row["source"], row["source_id"]),
        dossier=dossier_of(row["source"], row["source_id"]),
        dossier_hash=row["dossier_hash"],
        occurred_at=row["occurred_at"],
        accepted_at=row["accepted_at"],
        late=row["late"],
        carried_over=row["carried_over"],
        corrects_entry_id=row["corrected_entry_id"],
        replaces_entry_id=row["replaces_id"],
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _period(row: Period) -> PeriodRead:
    return PeriodRead(
        id=row.id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        status=row.status,
        closes_at=row.ends_at + GRACE,
    )


async def _statements(session: TenantReadSession, rows: Sequence[Statement]) -> list[StatementRead]:
    invoices = await repository.invoices_of(session, [row.id for row in rows])
    return [
        _statement(row, [one for one in invoices if one.statement_id == row.id]) for row in rows
    ]


def _statement(row: Statement, invoices: Sequence[Invoice]) -> StatementRead:
    plain = {name: getattr(row, name) for name in StatementRead.model_fields if name != "invoices"}
    return StatementRead(**plain, invoices=[InvoiceRead.model_validate(one) for one in invoices])


async def _span(session: TenantReadSession, period: Period | None, zone: ZoneInfo) -> Span:
    if period is not None:
        return Span(period.starts_at, period.ends_at)
    # No usage yet, or all periods are closed: the next one is made by whoever needs it.
    last = await repository.last_period(session)
    if last is None:
        return first_period(session.now(), zone)
    return next_period(last.ends_at, zone)


def _unit(entry: Mapping[str, Any]) -> tuple[str, UUID]:
    return entry["source"], entry["source_id"]


async def _draft(session: TenantReadSession, draft: Draft) -> StatementDraft:
    entries = [line.entry_id for line in draft.lines] + [one.entry_id for one in draft.rest]
    sources = await repository.sources(session, entries)
    lines = [
        line_read(
            {
                "position": line.position,
                "kind": line.kind,
                "campaign_ref": line.campaign_ref,
                "amount": line.amount,
                "rank": line.rank,
                "price_text": line.price_text,
                **sources[line.entry_id],
                "dossier_hash": line.dossier_hash,
                "occurred_at": line.occurred_at,
                "accepted_at": line.accepted_at,
                "late": line.late,
                "carried_over": line.carried_over,
                "corrected_entry_id": line.corrected_entry_id,
            }
        )
        for line in draft.lines
    ]
    rest = [
        RestRead(
            entry_id=one.entry_id,
            fate=one.fate,
            amount=one.amount,
            qualification_id=encode(*_unit(sources[one.entry_id])),
            dossier=dossier_of(*_unit(sources[one.entry_id])),
        )
        for one in draft.rest
    ]
    figures = sums(draft.lines, draft.rest)
    return StatementDraft(currency=draft.currency, **figures, lines=lines, rest=rest)
