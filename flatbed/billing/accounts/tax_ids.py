"""The kinds of tax ids that can be billed to, as Stripe names them."""

from importlib.resources import files
from typing import Annotated, Final

from pydantic import AfterValidator, Field

TAX_ID_TYPES: Final = frozenset(
    files(__package__).joinpath("tax_ids.txt").read_text(encoding="ascii").split()
)
"""Of Stripe's API; what it does not know would be refused only when the invoice is collected."""


def _known(value: str) -> str:
    if value not in TAX_ID_TYPES:
        raise ValueError("Not a type of tax id that Stripe knows, as eu_vat or ch_vat.")
    return value


TaxIdType = Annotated[
    str,
    Field(
        description="As Stripe names it; `eu_vat` holds the VAT id of every country of the EU.",
        examples=["eu_vat", "ch_vat"],
        json_schema_extra={"enum": sorted(TAX_ID_TYPES)},
    ),
    AfterValidator(_known),
]
