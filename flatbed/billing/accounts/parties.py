"""The two parties of an invoice as they are when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flatbed.billing.accounts import repository
from flatbed.billing.accounts.defaults import TERMS_DAYS, language_of
from flatbed.billing.accounts.models import BillingAccount
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantReadSession
from flatbed.tenants.organizations.service import OrganizationView, organization_of

_EU_PREFIXES: Final = {"GR": "EL"}
"""Where a VAT id does not begin with the ISO 3166-1 country."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The ISV as it is billed.

    ``country`` and ``has_vat_id`` (one of that country) decide its tax, ``terms_days`` its due
    dates.
    """

    country: str
    has_vat_id: bool
    terms_days: int
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seller:
    """The agency as it bills."""

    country: str
    prefix: str
    snapshot: dict[str, Any]


async def customer_of(session: TenantReadSession) -> Customer:
    """The ISV's account; what it did not fill in comes from its organization."""
    organization = await organization_of(session)
    account = await repository.find(session)
    if account is None:
        return _customer(organization, None)
    return _customer(organization, account)


async def seller_of(session: AgencyReadSession) -> Seller | None:
    """The agency's billing profile, None if it was never filled in."""
    row = await repository.find_profile(session)
    if row is None:
        return None
    snapshot = {
        "legal_name": row.legal_name,
        "address": row.address,
        "email": row.email,
        "vat_id": row.vat_id,
        "tax_number": row.tax_number,
        "account_holder": row.account_holder,
        "iban": row.iban,
        "bic": row.bic,
    }
    return Seller(str(row.address["country"]), row.invoice_prefix, snapshot)


def _customer(organization: OrganizationView, account: BillingAccount | None) -> Customer:
    address = (account.address if account else None) or {"country": organization.country}
    country = str(address["country"])
    tax_ids = account.tax_ids if account else []
    snapshot = {
        "organization_id": organization.id,
        "legal_name": (account.legal_name if account else None) or organization.name,
        "address": address,
        "email": account.email if account else None,
        "tax_ids": tax_ids,
        "purchase_order": account.purchase_order if account else None,
        "language": account.language if account else language_of(organization.country),
        "collection": account.collection if account else "send_invoice",
    }
    return Customer(
        country=country,
        has_vat_id=any(_is_vat_of(country, one) for one in tax_ids),
        terms_days=account.payment_terms_days if account else TERMS_DAYS,
        snapshot={name: _plain(value) for name, value in snapshot.items()},
    )


def _is_vat_of(country: str, tax_id: Mapping[str, str]) -> bool:
    """Whether a tax id is a VAT id of the country; in the EU its first two letters say so."""
    prefix = _EU_PREFIXES.get(country, country)
    if tax_id["type"] == "eu_vat":
        return tax_id["value"].startswith(prefix)
    return tax_id["type"] == f"{country.lower()}_vat"


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON's own type
    return str(value) if isinstance(value, UUID) else value
