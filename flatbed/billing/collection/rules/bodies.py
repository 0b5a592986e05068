"""The requests that collect an invoice, frozen before the first one is sent. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

MOST_LINES: Final = 250
"""Lines of one Stripe invoice; a longer one of ours is split into parts."""
_WHOLE: Final = 10_000
_TAX_NAMES: Final = {"S": "VAT", "AE": "VAT (reverse charge)", "O": "Not subject to VAT"}


@dataclass(frozen=True, slots=True)
class Charge:
    """A line to collect; a credit line names the entry that it corrects. Minor units."""

    entry_id: UUID
    amount: int
    text: str
    corrected_entry_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice or credit note of ours, as far as Stripe needs it. Minor units."""

    realm_id: UUID
    tenant_id: UUID
    invoice_id: UUID
    statement_id: UUID
    number: str
    currency: str
    net: int
    tax: int
    tax_category: str
    tax_rate: int
    country: str
    terms_days: int
    collection: str
    purchase_order: str | None
    lines: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One Stripe invoice: what is sent, and what it must come to. Minor units."""

    number: int
    net: int
    tax: int
    bodies: dict[str, Any]


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Share a total by weights to the last unit: the largest remainders get what is left."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    left = total - sum(shares)
    order = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for place in order[:left]:
        shares[place] += 1
    return shares


def parts_of(bill: Bill) -> list[Part]:
    """The Stripe invoices of an invoice, each with its own lines, numbers and tax."""
    taxes = spread(bill.tax, [line.amount for line in bill.lines])
    lines = list(zip(bill.lines, taxes, strict=True))
    chunks = [lines[start : start + MOST_LINES] for start in range(0, len(lines), MOST_LINES)]
    return [
        Part(
            number=number,
            net=sum(line.amount for line, _ in chunk),
            tax=sum(tax for _, tax in chunk),
            bodies=_invoice_bodies(bill, number, len(chunks), chunk),
        )
        for number, chunk in enumerate(chunks, start=1)
    ]


def credit_parts_of(bill: Bill, part_of: Mapping[UUID, int]) -> list[Part]:
    """The Stripe credit notes of a credit note, one for each part of the invoice it corrects.

    Args:
        bill: the credit note; its lines' amounts are positive here.
        part_of: the part of the corrected invoice that each corrected entry stands on.
    """
    taxes = spread(bill.tax, [line.amount for line in bill.lines])
    by_part: dict[int, list[tuple[Charge, int]]] = {}
    for line, tax in zip(bill.lines, taxes, strict=True):
        corrected = line.corrected_entry_id or line.entry_id
        by_part.setdefault(part_of[corrected], []).append((line, tax))
    return [
        Part(
            number=number,
            net=sum(line.amount for line, _ in chunk),
            tax=sum(tax for _, tax in chunk),
            bodies={
                "memo": bill.number,
                "metadata": _metadata(bill, number),
                "lines": [_credit_line(line, tax) for line, tax in chunk],
            },
        )
        for number, chunk in sorted(by_part.items())
    ]


def customer_body(customer: Mapping[str, Any], realm_id: UUID, tenant_id: UUID) -> dict[str, Any]:
    """The customer at Stripe for an ISV's snapshot."""
    address = customer["address"]
    kept = ("line1", "line2", "postal_code", "city", "country")
    return {
        "name": customer["legal_name"],
        "email": customer["email"],
        "address": {name: address[name] for name in kept if address.get(name)},
        "preferred_locales": [customer["language"]],
        "metadata": {"realm_id": str(realm_id), "tenant_id": str(tenant_id)},
    }


def _invoice_bodies(
    bill: Bill, number: int, count: int, chunk: Sequence[tuple[Charge, int]]
) -> dict[str, Any]:
    create: dict[str, Any] = {
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "collection_method": bill.collection,
        "currency": bill.currency.lower(),
        "number": bill.number if count == 1 else f"{bill.number}-{number}",
        "metadata": _metadata(bill, number),
    }
    if bill.collection == "send_invoice":
        create["days_until_due"] = bill.terms_days
    if bill.purchase_order:
        create["custom_fields"] = [{"name": "PO", "value": bill.purchase_order[:140]}]
    return {
        "create": create,
        "lines": [_line(bill, line, tax) for line, tax in chunk],
        "finalize": {"auto_advance": bill.collection == "charge_automatically"},
    }


def _metadata(bill: Bill, part: int) -> dict[str, str]:
    return {
        "realm_id": str(bill.realm_id),
        "tenant_id": str(bill.tenant_id),
        "statement_id": str(bill.statement_id),
        "invoice_id": str(bill.invoice_id),
        "part": str(part),
    }


def _line(bill: Bill, line: Charge, tax: int) -> dict[str, Any]:
    rate = {
        "display_name": _TAX_NAMES.get(bill.tax_category, "VAT"),
        "percentage": percentage(bill.tax_rate),
        "inclusive": False,
        "country": bill.country,
    }
    return {
        "amount": line.amount,
        "description": line.text,
        "metadata": {"entry_id": str(line.entry_id)},
        "tax_amounts": [{"amount": tax, "taxable_amount": line.amount, "tax_rate_data": rate}],
    }


def _credit_line(line: Charge, tax: int) -> dict[str, Any]:
    return {
        "entry_id": str(line.entry_id),
        "corrected_entry_id": str(line.corrected_entry_id),
        "description": line.text,
        "amount": line.amount,
        "tax": tax,
    }


def percentage(rate: int) -> str:
    """Hundredths of a percent as Stripe writes a percentage."""
    whole, part = divmod(rate, _WHOLE // 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".")


def missing_lines(
    wanted: Sequence[Mapping[str, Any]], present: Iterable[str]
) -> list[Mapping[str, Any]]:
    """The frozen lines whose entries are not on the invoice yet."""
    there = set(present)
    return [line for line in wanted if line["metadata"]["entry_id"] not in there]
