"""Who orders in the demo, what, at which price, and how each is billed; all of it fictitious."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flatbed.app.demo.client import JSON

VIEWER: Final = ("campaigns:read", "pipeline:read", "usage:read")
BOOKKEEPER: Final = ("usage:read", "billing:read", "billing:write")


@dataclass(frozen=True)
class Order:
    """A campaign that an ISV orders."""

    name: str
    quantity: int = 10


@dataclass(frozen=True)
class IsvPlan:
    """An ISV, what it offers and orders, its users, and how it pays."""

    organization: JSON
    offering: JSON
    orders: tuple[Order, ...]
    account: JSON
    leaves_card: bool = False
    """It gives a payment method at Checkout and is charged; else it pays against the invoice."""
    has_integration: bool = False
    users: tuple[tuple[str, Sequence[str]], ...] = ()
    """Users beside the owner: their part, and what their client may do."""


def _organization(slug: str, name: str, country: str, zone: str, currency: str) -> JSON:
    return {
        "slug": slug,
        "name": name,
        "country": country,
        "time_zone": zone,
        "currency": currency,
    }


def _account(street: str, postal_code: str, city: str, country: str, **more: str) -> JSON:
    address = {"line1": street, "postal_code": postal_code, "city": city, "country": country}
    return {"address": address, "tax_ids": [_VAT_IDS[country]], **more}


# Each begins as an id of its country does, and none is anybody's.
_VAT_IDS: Final = {
    "DE": {"type": "eu_vat", "value": "DE999999999"},
    "AT": {"type": "eu_vat", "value": "ATU99999999"},
    "CH": {"type": "ch_vat", "value": "CHE-999.999.999"},
    "NL": {"type": "eu_vat", "value": "NL999999999B99"},
    "GB": {"type": "gb_vat", "value": "GB999999999"},
}

# The first two compete: both protect data.
ISVS: Final = (
    IsvPlan(
        _organization(
            "leuchtturm-software", "Leuchtturm Software GmbH", "DE", "Europe/Berlin", "EUR"
        ),
        {"name": "Leuchtturm Backup", "category": "data protection"},
        (Order("Leuchtturm Backup in the south"),),
        _account(
            "Hafenstraße 12",
            "20457",
            "Hamburg",
            "DE",
            email="rechnung@leuchtturm-software.example",
            purchase_order="PO-4711",
        ),
        has_integration=True,
        users=(("finance", BOOKKEEPER), ("viewer", VIEWER)),
    ),
    IsvPlan(
        _organization("deichgraf-systems", "Deichgraf Systems GmbH", "DE", "Europe/Berlin", "EUR"),
        {"name": "Deichgraf Vault", "category": "data protection"},
        (Order("Deichgraf Vault, first round"),),
        _account(
            "Am Deich 3", "28199", "Bremen", "DE", email="buchhaltung@deichgraf-systems.example"
        ),
    ),
    IsvPlan(
        _organization("donau-analytics", "Donau Analytics GmbH", "AT", "Europe/Vienna", "EUR"),
        {"name": "Donau Insight", "category": "analytics"},
        (Order("Donau Insight, houses"), Order("Donau Insight, consultants", 5)),
        _account("Praterstraße 8", "1020", "Wien", "AT", email="rechnung@donau-analytics.example"),
        leaves_card=True,
    ),
    IsvPlan(
        _organization("gotthard-cloud", "Gotthard Cloud AG", "CH", "Europe/Zurich", "CHF"),
        {"name": "Gotthard Workspace", "category": "collaboration"},
        (Order("Gotthard Workspace, north"), Order("Gotthard Workspace, alps", 5)),
        _account(
            "Bahnhofplatz 1", "6460", "Altdorf", "CH", email="finanzen@gotthard-cloud.example"
        ),
        leaves_card=True,
        has_integration=True,
    ),
    IsvPlan(
        _organization("polder-software", "Polder Software B.V.", "NL", "Europe/Amsterdam", "EUR"),
        {"name": "Polder Flow", "category": "process automation"},
        (Order("Polder Flow goes DACH"),),
        _account(
            "Prinsengracht 90",
            "1015 DZ",
            "Amsterdam",
            "NL",
            email="finance@polder-software.example",
            language="en",
        ),
        leaves_card=True,
    ),
    IsvPlan(
        _organization("thames-ledger", "Thames Ledger Ltd", "GB", "Europe/London", "GBP"),
        {"name": "Thames Books", "category": "accounting"},
        (Order("Thames Books goes DACH"),),
        _account(
            "1 Quay Street",
            "SE1 9XX",
            "London",
            "GB",
            email="accounts@thames-ledger.example",
            language="en",
        ),
    ),
)
STORY: Final = Order("Leuchtturm Backup in the north", 2)
"""The campaign of the first ISV that is drafted, for the story to order."""
PRICES: Final[Sequence[JSON]] = (
    {"name": "Qualified partner, euro", "currency": "EUR", "unit_price": 450_000},
    {"name": "Qualified partner, franc", "currency": "CHF", "unit_price": 480_000},
    {
        "name": "Qualified partner, pound",
        "currency": "GBP",
        "unit_price": 390_000,
        "tiers": [{"from_unit": 3, "unit_price": 360_000}],
    },
)
SELLER: Final[JSON] = {
    "legal_name": "Flatbed demo agency GmbH",
    "address": {
        "line1": "Werkstraße 1",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    },
    "email": "billing@agency.example",
    "vat_id": "DE999999999",
    "account_holder": "Flatbed demo agency GmbH",
    "iban": "DE89 3704 0044 0532 0130 00",
}
TERMS_DAYS: Final = 30
"""What the agency agreed with the first ISV; the others have the usual days to pay."""
