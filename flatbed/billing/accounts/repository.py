"""SQL for billing accounts, the agency's profile and its invoice numbers."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.accounts.defaults import TERMS_DAYS, language_of
from flatbed.billing.accounts.models import BillingAccount, BillingProfile, InvoiceSeries
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.organizations.service import organization_of


async def find(session: TenantReadSession, *, lock: bool = False) -> BillingAccount | None:
    """The tenant's account, if it was ever changed; locked against other changes if asked."""
    statement = select(BillingAccount).where(BillingAccount.tenant_id == session.tenant_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def keep_customer(session: TenantSession, customer_ref: str) -> str | None:
    """Note the customer at Stripe if none is noted. Returns the one that was noted before."""
    organization = await organization_of(session)
    fresh = upsert(BillingAccount).values(
        tenant_id=session.tenant_id,
        tax_ids=[],
        payment_terms_days=TERMS_DAYS,
        language=language_of(organization.country),
        collection="send_invoice",
        customer_ref=customer_ref,
        created_at=session.now(),
        updated_at=session.now(),
    )
    kept = fresh.on_conflict_do_update(
        index_elements=["tenant_id"],
        set_={"customer_ref": customer_ref},
        where=BillingAccount.customer_ref.is_(None),
    ).returning(BillingAccount.customer_ref)
    if await session.scalar(kept) is not None:
        return None
    noted = select(BillingAccount.customer_ref).where(BillingAccount.tenant_id == session.tenant_id)
    return await session.scalar(noted)


async def find_profile(session: AgencyReadSession, *, lock: bool = False) -> BillingProfile | None:
    """The agency's billing profile."""
    statement = select(BillingProfile).where(BillingProfile.realm_id == session.realm_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def take_numbers(session: AgencySession, count: int) -> int:
    """Take the next invoice numbers of the agency; the first of them.

    The series stays locked until the transaction ends: a number that is rolled back is the next
    one's, so that none is missing.
    """
    statement = (
        upsert(InvoiceSeries)
        .values(realm_id=session.realm_id, last_number=count)
        .on_conflict_do_update(
            index_elements=["realm_id"],
            set_={"last_number": InvoiceSeries.last_number + count},
        )
        .returning(InvoiceSeries.last_number)
    )
    last = await session.scalar(statement)
    return int(last or 0) - count + 1
