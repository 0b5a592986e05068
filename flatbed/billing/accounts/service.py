"""Rules of billing accounts and of the agency's billing profile."""

from typing import Final

from flatbed.billing.accounts import repository
from flatbed.billing.accounts.defaults import TERMS_DAYS, language_of
from flatbed.billing.accounts.models import BillingAccount, BillingProfile
from flatbed.billing.accounts.schemas import (
    BillingAccountRead,
    BillingAccountTerms,
    BillingAccountUpdate,
    BillingProfileRead,
    BillingProfileUpdate,
)
from flatbed.billing.accounts.standing import GOOD
from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.organizations.service import organization_of

UNCHANGED: Final = 0
"""The version of an account that was never changed and has no row."""


async def account(session: TenantReadSession) -> tuple[BillingAccountRead, int]:
    """The ISV's account with its ETag."""
    row = await repository.find(session)
    if row is None:
        return BillingAccountRead.model_validate(await _fresh(session)), UNCHANGED
    return BillingAccountRead.model_validate(row), row.version


async def update_account(
    session: TenantSession, version: int, body: BillingAccountUpdate | BillingAccountTerms
) -> tuple[BillingAccountRead, int]:
    """Change what the body names. Returns the account with its ETag.

    Raises:
        PreconditionFailedError: another version is stored.
    """
    row = await repository.find(session, lock=True)
    match(UNCHANGED if row is None else row.version, version)
    if row is None:
        row = await _fresh(session)
        session.add(row)
    plain = body.model_dump(mode="json")
    for field in body.model_fields_set:
        setattr(row, field, plain[field])
    row.updated_at = session.now()
    changed = {"fields": sorted(body.model_fields_set)}
    mutation(session, "billing_account.updated", "org", session.tenant_id, changed)
    await session.flush()
    return BillingAccountRead.model_validate(row), row.version


async def profile(session: AgencyReadSession) -> tuple[BillingProfileRead, int]:
    """The agency's profile with its ETag.

    Raises:
        NotFoundError: it was never filled in.
    """
    row = await repository.find_profile(session)
    if row is None:
        raise NotFoundError
    return BillingProfileRead.model_validate(row), row.version


async def put_profile(
    session: AgencySession, version: int, body: BillingProfileUpdate
) -> tuple[BillingProfileRead, int]:
    """Fill in the profile, or replace it; invoices that were issued stay as they are.

    Raises:
        PreconditionFailedError: another version is stored than the one named.
    """
    row = await repository.find_profile(session, lock=True)
    match(UNCHANGED if row is None else row.version, version)
    plain = body.model_dump(mode="json")
    now = session.now()
    if row is None:
        row = BillingProfile(realm_id=session.realm_id, **plain, created_at=now, updated_at=now)
        session.add(row)
    for field, value in plain.items():
        setattr(row, field, value)
    row.updated_at = now
    record(session, "billing_profile.updated", "realm", session.realm_id)
    await session.flush()
    return BillingProfileRead.model_validate(row), row.version


async def _fresh(session: TenantReadSession) -> BillingAccount:
    organization = await organization_of(session)
    now = session.now()
    return BillingAccount(
        tenant_id=session.tenant_id,
        tax_ids=[],
        payment_terms_days=TERMS_DAYS,
        language=language_of(organization.country),
        collection="send_invoice",
        standing=GOOD,
        created_at=now,
        updated_at=now,
    )
