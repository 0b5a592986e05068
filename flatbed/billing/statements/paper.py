"""An invoice or a credit note as the documents know it, from its snapshots alone."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import (
    Document,
    Held,
    Kind,
    Line,
    Period,
    Preceding,
    Proof,
    Tax,
    TaxCategory,
    Totals,
)
from flatbed.billing.documents.parties import Address, Bank, Buyer, Seller, TaxId
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.billing.statements.repository import reading as repository
from flatbed.billing.statements.rules.tax import TABLE
from flatbed.billing.statements.rules.wording import price_words
from flatbed.billing.usage.reports import dossier_of
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.problems import NotFoundError

_TEXTS: Final = {Language.DE: "Qualifizierter Partner", Language.EN: "Qualified partner"}
_HUNDRED: Final = Decimal(100)


async def document_of(session: TenantReadSession, invoice_id: UUID, *, base_url: str) -> Document:
    """An invoice or a credit note, whole.

    Args:
        session: the tenant's.
        invoice_id: which.
        base_url: where the evidence of its lines is read.

    Raises:
        NotFoundError: no such invoice of this tenant.
    """
    invoice = await repository.invoice(session, invoice_id)
    if invoice is None:
        raise NotFoundError
    statement = await repository.statement(session, invoice.statement_id)
    if statement is None:
        raise NotFoundError
    rows = await repository.lines(session, statement.id)
    corrects = None
    if invoice.corrects_id is not None:
        corrected = await repository.invoice(session, invoice.corrects_id)
        if corrected is not None:
            corrects = Preceding(corrected.number, corrected.issued_on)
    own = [row for row in rows if row["invoice_id"] == invoice.id]
    return _document(invoice, statement, own, corrects, base_url)


def _document(
    invoice: Invoice,
    statement: Statement,
    rows: Sequence[Mapping[str, Any]],
    corrects: Preceding | None,
    base_url: str,
) -> Document:
    zone = ZoneInfo(statement.time_zone)
    language = Language(statement.customer["language"])
    category = TaxCategory(invoice.tax_category)
    last = statement.ends_at.astimezone(zone) - timedelta(microseconds=1)
    return Document(
        kind=Kind(invoice.kind),
        number=invoice.number,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        period=Period(
            statement.starts_at.astimezone(zone).date(), last.date(), statement.time_zone
        ),
        currency=invoice.currency,
        language=language,
        seller=_seller(statement.seller),
        buyer=_buyer(statement.customer),
        lines=tuple(_line(row, language, zone, base_url) for row in rows),
        tax=Tax(
            category=category,
            rate=Decimal(invoice.tax_rate) / _HUNDRED,
            taxable=invoice.net,
            amount=invoice.tax,
            reason=TABLE.reason(category.value, language),
        ),
        totals=Totals(invoice.net, invoice.tax, invoice.gross, 0, invoice.gross),
        proof=Proof(
            statement.ledger_from,
            statement.ledger_from_hash,
            statement.ledger_to,
            statement.ledger_to_hash,
            statement.hash,
        ),
        held=Held(statement.held_units, statement.held_amount),
        corrects=corrects,
    )


def _line(row: Mapping[str, Any], language: Language, zone: ZoneInfo, base_url: str) -> Line:
    accepted, corrected = row["accepted_at"], row["corrected_entry_id"]
    source = encode(row["source"], row["source_id"])
    return Line(
        position=row["position"],
        text=f"{_TEXTS[language]} {source}",
        campaign=encode("camp", row["campaign_ref"]),
        entry_id=encode("use", row["entry_id"]),
        dossier_url=f"{base_url}{dossier_of(row['source'], row['source_id'])}",
        dossier_hash=row["dossier_hash"],
        occurred_on=row["occurred_at"].astimezone(zone).date(),
        accepted_on=None if accepted is None else accepted.astimezone(zone).date(),
        price_text=price_words(row["price_text"], language),
        net=abs(row["amount"]),
        corrects_entry_id=None if corrected is None else encode("use", corrected),
    )


def _seller(found: Mapping[str, Any]) -> Seller:
    holder = found["account_holder"] or found["legal_name"]
    bank = Bank(holder, found["iban"], found["bic"]) if found["iban"] else None
    return Seller(
        legal_name=found["legal_name"],
        address=_address(found["address"]),
        email=found["email"],
        vat_id=found["vat_id"],
        tax_number=found["tax_number"],
        bank=bank,
    )


def _buyer(found: Mapping[str, Any]) -> Buyer:
    vat = [one for one in found["tax_ids"] if one["type"].endswith("_vat")]
    rest = [one for one in found["tax_ids"] if one not in vat[:1]]
    return Buyer(
        legal_name=found["legal_name"],
        address=_address(found["address"]),
        email=found["email"],
        vat_id=vat[0]["value"] if vat else None,
        tax_ids=tuple(TaxId(one["type"], one["value"]) for one in rest),
        purchase_order=found["purchase_order"],
    )


def _address(found: Mapping[str, Any]) -> Address:
    lines = tuple(found[name] for name in ("line1", "line2") if found.get(name))
    return Address(found["country"], lines, found.get("postal_code") or "", found.get("city") or "")
