"""What the API takes and gives for billing accounts and the agency's billing profile."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, EmailStr, Field

from flatbed.billing.accounts.tax_ids import TaxIdType
from flatbed.tenants.kit.schemas import CountryCode, Input, Name, Output, unset

Language = Literal["de", "en"]
Collection = Annotated[
    Literal["send_invoice", "charge_automatically"],
    Field(description="Pay by transfer against the invoice, or be charged by the stored method."),
]
TermsDays = Annotated[int, Field(ge=0, le=120, description="Days from issue to due date.")]
_LETTERS: Final = {letter: str(ord(letter) - 55) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_CHECK: Final = 97


def _iban(value: str) -> str:
    plain = value.replace(" ", "")
    digits = "".join(_LETTERS.get(letter, letter) for letter in plain[4:] + plain[:4])
    if int(digits) % _CHECK != 1:
        raise ValueError("Not an IBAN: its check digits are wrong.")
    return plain


Iban = Annotated[
    str,
    Field(
        pattern="^[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}$", examples=["DE89 3704 0044 0532 0130 00"]
    ),
    AfterValidator(_iban),
]
Bic = Annotated[str, Field(pattern="^[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$")]
Prefix = Annotated[
    str,
    Field(
        pattern="^[A-Z0-9][A-Z0-9-]{0,11}$",
        description="Stands before the gapless number.",
        examples=["R-"],
    ),
]


class Address(Input):
    """A postal address; the country decides the tax."""

    line1: Name
    line2: Name | None = None
    postal_code: Name
    city: Name
    country: CountryCode


class TaxId(Input):
    """A tax id of the business."""

    type: TaxIdType
    value: Annotated[str, Field(pattern="^[A-Z0-9.-]{4,20}$", examples=["DE123456789"])]


class AddressRead(Output):
    """A postal address."""

    line1: str
    line2: str | None
    postal_code: str
    city: str
    country: str


class TaxIdRead(Output):
    """A tax id of the business."""

    type: str
    value: str


class BillingAccountUpdate(Input):
    """What may change; a member that is left out stays. Issued invoices stay as they are."""

    legal_name: Name | None = None
    address: Address | None = None
    email: EmailStr | None = None
    tax_ids: Annotated[list[TaxId], Field(max_length=5)] = Field(default_factory=unset)
    purchase_order: Name | None = None
    language: Language = Field(default_factory=unset)
    collection: Collection = Field(default_factory=unset)


class BillingAccountTerms(Input):
    """What the agency agrees with the ISV."""

    payment_terms_days: TermsDays


class BillingAccountRead(Output):
    """How the ISV is billed; what it left out comes from its organization."""

    legal_name: str | None
    address: AddressRead | None
    email: str | None
    tax_ids: list[TaxIdRead]
    purchase_order: str | None
    payment_terms_days: int
    language: Language
    collection: Collection
    standing: Annotated[
        str, Field(description="`good`; otherwise ordering pauses.", examples=["good"])
    ]
    standing_since: datetime | None


class BillingProfileUpdate(Input):
    """The agency as the seller on its invoices, whole."""

    legal_name: Name
    address: Address
    email: EmailStr
    vat_id: Name | None = None
    tax_number: Name | None = None
    account_holder: Name | None = None
    iban: Iban | None = None
    bic: Bic | None = None
    invoice_prefix: Prefix = "R-"


class BillingProfileRead(Output):
    """The agency as the seller on its invoices."""

    legal_name: str
    address: AddressRead
    email: str
    vat_id: str | None
    tax_number: str | None
    account_holder: str | None
    iban: str | None
    bic: str | None
    invoice_prefix: str
    created_at: datetime
    updated_at: datetime
