"""Closing a period: its statements, their lines, the invoice and the credit notes, at once.

Locks, in this order: cap counters of what is billed, ledger head (writers and deciders of the
tenant wait), the agency's invoice series last, so that other tenants wait for moments only.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.accounts.parties import Customer, Seller, customer_of, seller_of
from flatbed.billing.statements import drafting
from flatbed.billing.statements.errors import ClosingBlockedError, PeriodClosedError
from flatbed.billing.statements.jobs import collect_later, tell_of_room
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.billing.statements.repository import closing as repository
from flatbed.billing.statements.rules.content import content, statement_hash, sums
from flatbed.billing.statements.rules.rating import Draft, Line, LineKind
from flatbed.billing.statements.rules.tax import TABLE, TaxRule, UntaxableError, tax_back, tax_on
from flatbed.billing.statements.snapshots import head_of, invoice_content
from flatbed.billing.usage.chain import EMPTY, Head
from flatbed.billing.usage.models import Period
from flatbed.billing.usage.repository import ledger, lines
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.canonical import GENESIS
from flatbed.tenants.kit.database.session import (
    TenantReadSession,
    TenantSession,
    agency_plane,
    agency_plane_to_read,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import NotFoundError, UnavailableError
from flatbed.tenants.organizations.service import organization_of

GRACE: Final = timedelta(days=5)
"""After a period's end, for what arrives late; then it is closed."""


@dataclass(frozen=True, slots=True)
class _Closing:
    """What all statements of a closing share."""

    period: Period
    zone: ZoneInfo
    customer: Customer
    seller: Seller
    rule: TaxRule
    ledger_from: Head
    ledger_to: Head


async def close(session: TenantSession, period_id: UUID) -> list[UUID]:
    """Close a period. Returns its statements, one a currency.

    Raises:
        NotFoundError: no such period of this tenant.
        PeriodClosedError: it is closed.
        ClosingBlockedError: it is too early, an earlier period is open, or the agency's billing
            profile is missing.
        UnavailableError: something was accepted meanwhile whose caps are not locked; try again.
    """
    period = await _open_period(session, period_id)
    _, foreseen = await drafting.draft(session, period)
    wanted = drafting.counters(foreseen)
    await ledger.lock_all_counters(session, wanted)
    head = await ledger.lock_head(session)
    failpoint(Failpoint.CLOSING_LOCKED)
    # Again under the lock: another closing may have come first.
    period = await _open_period(session, period_id)
    seller, rule = await check(session, period)
    found, units = await drafting.draft(session, period)
    changes = drafting.deltas(units, found)
    # Also where no counter changes: who meters under one reserves by the ranks of before.
    ranked = drafting.counters([unit for unit in units if unit.price.tiers])
    if (changes.keys() | ranked) - wanted:
        raise UnavailableError
    await _give_back(session, changes)
    last = await repository.last_statement(session)
    shared = _Closing(
        period=period,
        zone=(await organization_of(session)).zone,
        customer=await customer_of(session),
        seller=seller,
        rule=rule,
        ledger_from=EMPTY if last is None else Head(last.ledger_to, last.ledger_to_hash),
        ledger_to=head,
    )
    await repository.close_period(session, period.id)
    failpoint(Failpoint.CLOSING_CLOSED)
    numbers = await _numbers(session, found)
    statements = list[UUID]()
    number, previous = (0, GENESIS) if last is None else (last.number, last.hash)
    for draft in found:
        number += 1
        statement = await _write(session, shared, draft, number, previous, numbers)
        previous = statement.hash
        statements.append(statement.id)
    mutation(session, "period.closed", "per", period.id, {"statements": len(statements)})
    await session.flush()
    failpoint(Failpoint.CLOSING_WRITTEN)
    return statements


async def _give_back(session: TenantSession, changes: Mapping[tuple[UUID, str], int]) -> None:
    for (campaign, bucket), amount in sorted(changes.items()):
        await ledger.count(session, campaign, [bucket], units=0, amount=amount)
    for campaign in sorted({campaign for campaign, _ in changes}):
        await tell_of_room(session, campaign)


async def check(session: TenantReadSession, period: Period) -> tuple[Seller, TaxRule]:
    """Refuse a closing whose time has not come; else who sells, and under which tax.

    Raises:
        ClosingBlockedError: see its ``reason``.
    """
    if session.now() < period.ends_at + GRACE:
        raise ClosingBlockedError(extra={"reason": "grace"})
    if await repository.is_open_before(session, period):
        raise ClosingBlockedError(extra={"reason": "order"})
    if await repository.has_findings(session):
        raise ClosingBlockedError(extra={"reason": "findings"})
    async with agency_plane_to_read(session) as agency:
        seller = await seller_of(agency)
    if seller is None:
        raise ClosingBlockedError(extra={"reason": "seller"})
    customer = await customer_of(session)
    try:
        rule = TABLE.rule(
            seller=seller.country,
            buyer=customer.country,
            buyer_has_vat_id=customer.has_vat_id,
        )
    except UntaxableError:
        raise ClosingBlockedError(extra={"reason": "seller"}) from None
    return seller, rule


async def _open_period(session: TenantReadSession, period_id: UUID) -> Period:
    period = await repository.find_period(session, period_id)
    if period is None:
        raise NotFoundError
    if period.status != "open":
        raise PeriodClosedError
    return period


async def _numbers(session: TenantSession, found: list[Draft]) -> "_Numbers":
    """As many numbers of the agency's series as invoices and credit notes are made."""
    count = sum((draft.charges > 0) + len(_by_invoice(draft)) for draft in found)
    if not count:
        return _Numbers("", 0)
    async with agency_plane(session) as agency:
        seller = await seller_of(agency)
        first = await accounts.take_numbers(agency, count)
    failpoint(Failpoint.CLOSING_NUMBERED)
    return _Numbers("" if seller is None else seller.prefix, first)


@dataclass(slots=True)
class _Numbers:
    prefix: str
    next: int

    def take(self) -> str:
        number = f"{self.prefix}{self.next:06}"
        self.next += 1
        return number


def _by_invoice(draft: Draft) -> dict[UUID, list[Line]]:
    """Credit lines by the invoice that they correct; one that asked for nothing has none."""
    found: dict[UUID, list[Line]] = defaultdict(list)
    for line in draft.lines:
        if line.kind is LineKind.CREDIT and line.corrected_invoice_id is not None:
            found[line.corrected_invoice_id].append(line)
    return found


async def _write(
    session: TenantSession,
    shared: _Closing,
    draft: Draft,
    number: int,
    previous: str,
    numbers: _Numbers,
) -> Statement:
    statement_id = uuid7()
    invoices, holder = await _invoices(session, shared, draft, statement_id, numbers)
    period = shared.period
    statement = Statement(
        tenant_id=session.tenant_id,
        id=statement_id,
        period_id=period.id,
        currency=draft.currency,
        number=number,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        time_zone=shared.zone.key,
        closed_at=session.now(),
        closed_by=session.caller.actor,
        seller=shared.seller.snapshot,
        customer=shared.customer.snapshot,
        **sums(draft.lines, draft.rest),
        ledger_from=shared.ledger_from.sequence,
        ledger_from_hash=shared.ledger_from.hash,
        ledger_to=shared.ledger_to.sequence,
        ledger_to_hash=shared.ledger_to.hash,
        previous_hash=previous,
    )
    told = [invoice_content(one) for one in invoices]
    whole = content(head_of(statement), draft.lines, draft.rest, told)
    statement.hash = statement_hash(previous, whole)
    session.add(statement)
    await session.flush()
    # By hand: an invoice may correct one that this flush writes too.
    session.add_all(invoices)
    await session.flush()
    for one in invoices:
        await collect_later(session, one.id)
    rows = [_row(statement_id, line, holder.get(line.entry_id)) for line in draft.lines]
    await lines.add_lines(session, rows)
    failpoint(Failpoint.CLOSING_BILLED)
    await repository.add_rest(session, statement_id, draft.rest)
    figures = {
        "period_id": encode("per", period.id),
        "number": number,
        "currency": draft.currency,
        "units": statement.units,
        "total": statement.total,
        "held_units": statement.held_units,
        "hash": statement.hash,
    }
    mutation(session, "statement.closed", "stmt", statement_id, figures)
    return statement


async def _invoices(
    session: TenantSession,
    shared: _Closing,
    draft: Draft,
    statement_id: UUID,
    numbers: _Numbers,
) -> tuple[list[Invoice], dict[UUID, UUID]]:
    """The invoice for the charges, a credit note per corrected invoice, and whose each line is."""
    made, holder = list[Invoice](), dict[UUID, UUID]()
    issued_on = session.now().astimezone(shared.zone).date()
    due_on = issued_on + timedelta(days=shared.customer.terms_days)
    common: dict[str, Any] = {
        "tenant_id": session.tenant_id,
        "statement_id": statement_id,
        "currency": draft.currency,
        "issued_at": session.now(),
        "issued_on": issued_on,
        "due_on": due_on,
    }
    if draft.charges > 0:
        tax = tax_on(draft.charges, shared.rule.rate)
        invoice = Invoice(
            **common,
            id=uuid7(),
            kind="invoice",
            corrects_id=None,
            number=numbers.take(),
            net=draft.charges,
            tax=tax,
            gross=draft.charges + tax,
            tax_category=shared.rule.category,
            tax_rate=shared.rule.rate,
            tax_rule=shared.rule.name,
        )
        made.append(invoice)
        charged = (line for line in draft.lines if line.kind is LineKind.CHARGE)
        holder.update((line.entry_id, invoice.id) for line in charged)
    for corrected_id, credited in sorted(_by_invoice(draft).items()):
        note = await _credit_note(session, corrected_id, credited, numbers, common)
        made.append(note)
        holder.update((line.entry_id, note.id) for line in credited)
    return made, holder


async def _credit_note(
    session: TenantSession,
    corrected_id: UUID,
    credited: list[Line],
    numbers: _Numbers,
    common: dict[str, Any],
) -> Invoice:
    """A credit note is taxed as the invoice that it corrects was."""
    corrected = await repository.invoice(session, corrected_id)
    net_back, tax_taken = await repository.corrections(session, corrected_id)
    net = -sum(line.amount for line in credited)
    tax = tax_back(
        net=net,
        rate=corrected.tax_rate,
        open_net=corrected.net - net_back,
        open_tax=corrected.tax - tax_taken,
    )
    return Invoice(
        **common,
        id=uuid7(),
        kind="credit_note",
        corrects_id=corrected_id,
        number=numbers.take(),
        net=net,
        tax=tax,
        gross=net + tax,
        tax_category=corrected.tax_category,
        tax_rate=corrected.tax_rate,
        tax_rule=corrected.tax_rule,
    )


def _row(statement_id: UUID, line: Line, invoice_id: UUID | None) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "statement_id": statement_id,
        "invoice_id": invoice_id,
        "entry_id": line.entry_id,
        "corrects_id": line.corrects_id,
        "position": line.position,
        "kind": line.kind.value,
        "campaign_ref": line.campaign_ref,
        "amount": line.amount,
        "currency": line.currency,
        "rank": line.rank,
        "price_text": line.price_text,
        "dossier_hash": line.dossier_hash,
        "occurred_at": line.occurred_at,
        "accepted_at": line.accepted_at,
        "late": line.late,
        "carried_over": line.carried_over,
    }
