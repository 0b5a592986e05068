"""SQL for billing accounts, the agency's profile and its invoice numbers."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.accounts.models import BillingAccount, BillingProfile, InvoiceSeries
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
)


async def find(session: TenantReadSession, *, lock: bool = False) -> BillingAccount | None:
    """The tenant's account, if it was ever changed; locked against other changes if asked."""
    statement = select(BillingAccount).where(BillingAccount.tenant_id == session.tenant_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


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
