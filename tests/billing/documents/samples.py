"""Documents of a size and kind, with totals that are computed apart from the model."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

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
from flatbed.billing.documents.parties import Address, Bank, Buyer, Seller
from flatbed.billing.documents.report import (
    Group,
    Grouping,
    ReportLine,
    State,
    Tally,
    Total,
    UsageReport,
)

IBAN: Final = "DE89 3704 0044 0532 0130 00".replace(" ", "")
SELLER: Final = Seller(
    legal_name="Flatbed Partnerwerbung GmbH",
    address=Address("DE", ("Lange Straße 12",), "10115", "Berlin"),
    email="rechnung@agentur.example",
    vat_id="DE123456789",
    tax_number="12/345/67890",
    bank=Bank("Flatbed Partnerwerbung GmbH", IBAN, "COBADEFFXXX"),
)
BUYER: Final = Buyer(
    legal_name="Nordlicht Software AG",
    address=Address("DE", ("Hafenweg 7", "Gebäude C"), "20457", "Hamburg"),
    email="ap@nordlicht.example",
    vat_id="DE987654321",
    purchase_order="PO-2026-0417",
)
MARCH: Final = Period(date(2026, 3, 1), date(2026, 3, 31), "Europe/Berlin")
PROOF: Final = Proof(120, "a1" * 32, 184, "b2" * 32, "c3" * 32)


def line(position: int, net: int = 360_000, **changes: Any) -> Line:
    """A line of March."""
    qualification = f"qual_{position:026d}"
    made = Line(
        position=position,
        text="Qualifizierter Partner",
        campaign="DACH Systemhäuser",
        entry_id=f"use_{position:026d}",
        dossier_url=f"https://api.agentur.example/v1/qualifications/{qualification}",
        dossier_hash=f"{position:064x}",
        occurred_on=MARCH.first_day + timedelta(days=position % 28),
        accepted_on=MARCH.first_day + timedelta(days=position % 28 + 2),
        price_text=f"unit {position} of the campaign",
        net=net,
    )
    return replace(made, **changes)


def taxed(net: int, category: TaxCategory, rate: str) -> Tax:
    """The VAT breakdown; the tax is rounded half up with whole numbers only."""
    scaled = int(Decimal(rate) * 10_000)
    amount = (2 * net * scaled + 1_000_000) // 2_000_000
    reasons = {
        TaxCategory.REVERSE_CHARGE: "Art. 196 Directive 2006/112/EC.",
        TaxCategory.OUT_OF_SCOPE: "The place of supply is the recipient's.",
        TaxCategory.EXPORT: "Export outside the EU.",
        TaxCategory.EXEMPT: "Exempt.",
    }
    return Tax(category, Decimal(rate), net, amount, reasons.get(category))


def document(
    *lines: Line,
    category: TaxCategory = TaxCategory.STANDARD,
    rate: str | None = None,
    paid: int = 0,
    **changes: Any,
) -> Document:
    """An invoice over the lines (one without), its totals computed here."""
    of = lines or (line(1),)
    net = sum(one.net for one in of)
    tax = taxed(net, category, rate or ("19" if category is TaxCategory.STANDARD else "0"))
    gross = net + tax.amount
    facts: dict[str, Any] = {
        "kind": Kind.INVOICE,
        "number": "R-1042",
        "issued_on": date(2026, 4, 5),
        "due_on": date(2026, 4, 19),
        "period": MARCH,
        "currency": "EUR",
        "language": Language.DE,
        "seller": SELLER,
        "buyer": BUYER,
        "lines": of,
        "tax": tax,
        "totals": Totals(net, tax.amount, gross, paid, gross - paid),
        "proof": PROOF,
    }
    return Document(**{**facts, **changes})


def credit_note(**changes: Any) -> Document:
    """A credit note over one line of an earlier invoice."""
    back = line(1, 180_000, corrects_entry_id="use_" + "7" * 26, accepted_on=None)
    facts: dict[str, Any] = {
        "kind": Kind.CREDIT_NOTE,
        "number": "R-1043",
        "corrects": Preceding("R-1017", date(2026, 2, 5)),
        **changes,
    }
    return document(back, **facts)


HELD: Final = Held(3, 1_080_000)


def report_line(position: int, **changes: Any) -> ReportLine:
    """A unit of March."""
    qualification = f"qual_{position:026d}"
    made = ReportLine(
        entry_id=f"use_{position:026d}",
        campaign=f"Kampagne {position % 3}",
        state=list(State)[position % 7],
        occurred_at=datetime(2026, 3, 1 + position % 28, 23, 30, tzinfo=UTC),
        currency=("EUR", "JPY", "KWD")[position % 3],
        amount=360_000 + position,
        dossier_url=f"https://api.agentur.example/v1/qualifications/{qualification}",
        dossier_hash=f"{position:064x}",
        late=position % 5 == 0,
    )
    return replace(made, **changes)


def report(*lines: ReportLine, **changes: Any) -> UsageReport:
    """A report on the lines by campaign, its sums computed here."""

    def of(currency: str, campaign: str | None = None) -> list[ReportLine]:
        return [
            one for one in lines if one.currency == currency and campaign in {None, one.campaign}
        ]

    facts: dict[str, Any] = {
        "customer": BUYER.legal_name,
        "seller": SELLER.legal_name,
        "period": MARCH,
        "language": Language.DE,
        "made_on": date(2026, 4, 2),
        "grouping": Grouping.CAMPAIGN,
        "totals": tuple(
            Total(currency, tallies(of(currency)), credited=credited(of(currency)))
            for currency in sorted({one.currency for one in lines})
        ),
        "groups": tuple(
            Group(
                campaign,
                currency,
                tallies(of(currency, campaign)),
                credited(of(currency, campaign)),
            )
            for campaign, currency in sorted({(one.campaign, one.currency) for one in lines})
        ),
        "lines": lines,
    }
    return UsageReport(**{**facts, **changes})


def given_back(**changes: Any) -> UsageReport:
    """A billed unit of which 1,800.01 EUR went back, and one that replaces another."""
    same: dict[str, Any] = {"campaign": "A", "state": State.BILLED, "currency": "EUR"}
    return report(
        report_line(1, **same, credited=180_001),
        report_line(2, **same, amount=0, replaces=f"use_{1:026d}"),
        **changes,
    )


def credited(lines: Iterable[ReportLine]) -> int:
    """What was given back of the billed lines."""
    return sum(one.credited for one in lines if one.state is State.BILLED)


def tallies(lines: Iterable[ReportLine]) -> dict[State, Tally]:
    """The lines counted by state."""
    found: dict[State, list[int]] = {}
    for one in lines:
        found.setdefault(one.state, []).append(one.amount)
    return {state: Tally(len(of), sum(of)) for state, of in found.items()}
