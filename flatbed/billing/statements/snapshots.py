"""The parts of a statement that are snapshots, as its hash covers them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flatbed.billing.pricing.rules.tiers import price_from
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.billing.statements.rules.rating import Line, LineKind, Unit

HEAD: Final = (
    "tenant_id",
    "period_id",
    "starts_at",
    "ends_at",
    "time_zone",
    "number",
    "currency",
    "closed_at",
    "seller",
    "customer",
    "ledger_from",
    "ledger_from_hash",
    "ledger_to",
    "ledger_to_hash",
)
INVOICE: Final = (
    "id",
    "kind",
    "number",
    "corrects_id",
    "net",
    "tax",
    "gross",
    "tax_category",
    "tax_rate",
    "tax_rule",
    "issued_on",
    "due_on",
)


def head_of(statement: Statement) -> dict[str, Any]:
    """What the hash covers beside lines, rest and invoices."""
    return {name: getattr(statement, name) for name in HEAD}


def invoice_content(invoice: Invoice) -> dict[str, Any]:
    """What the hash covers of an invoice or a credit note."""
    return {name: getattr(invoice, name) for name in INVOICE}


def unit_of(
    entry: Mapping[str, Any], *, accepted_at: datetime, late: bool, carried_over: bool
) -> Unit:
    """An accepted entry as it is rated; the period that bills it says whether it is late for it."""
    return Unit(
        entry_id=entry["id"],
        campaign_ref=entry["campaign_ref"],
        currency=entry["currency"],
        price=price_from(entry["tiers"], entry["amount"]),
        free=entry["replaces_id"] is not None,
        reserved=entry["amount"],
        month=entry["month"],
        dossier_hash=entry["evidence_hash"],
        occurred_at=entry["occurred_at"],
        accepted_at=accepted_at,
        late=late,
        carried_over=carried_over,
    )


def line_of(row: Mapping[str, Any]) -> Line:
    """A stored line; ``corrected_entry_id`` is the entry of the line that it corrects."""
    return Line(
        position=row["position"],
        entry_id=row["entry_id"],
        kind=LineKind(row["kind"]),
        campaign_ref=row["campaign_ref"],
        currency=row["currency"],
        amount=row["amount"],
        rank=row["rank"],
        price_text=row["price_text"],
        dossier_hash=row["dossier_hash"],
        occurred_at=row["occurred_at"],
        accepted_at=row["accepted_at"],
        late=row["late"],
        carried_over=row["carried_over"],
        corrects_id=row["corrects_id"],
        corrected_entry_id=row["corrected_entry_id"],
    )
