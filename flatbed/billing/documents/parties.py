"""Who bills and who is billed, as they stand on a document."""

import re
from dataclasses import dataclass
from typing import Final

from flatbed.billing.documents.errors import DocumentError

_ALPHA_2: Final = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address. ``country`` is ISO 3166-1 alpha-2; the rest may be unknown (empty)."""

    country: str
    lines: tuple[str, ...] = ()
    postal_code: str = ""
    city: str = ""

    def __post_init__(self) -> None:
        if _ALPHA_2.fullmatch(self.country) is None:
            raise DocumentError("a country is two capital letters")


@dataclass(frozen=True, slots=True)
class Bank:
    """Where the money goes. ``iban`` without blanks."""

    account_holder: str
    iban: str
    bic: str | None = None


@dataclass(frozen=True, slots=True)
class TaxId:
    """A tax id beside the VAT id: what it is (``us_ein``), and the id."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Seller:
    """The agency. ``vat_id`` starts with its country; ``tax_number`` is the tax office's."""

    legal_name: str
    address: Address
    email: str
    vat_id: str | None = None
    tax_number: str | None = None
    bank: Bank | None = None


@dataclass(frozen=True, slots=True)
class Buyer:
    """The ISV. ``purchase_order`` is its own number for what it ordered."""

    legal_name: str
    address: Address
    email: str | None = None
    vat_id: str | None = None
    tax_ids: tuple[TaxId, ...] = ()
    purchase_order: str | None = None
