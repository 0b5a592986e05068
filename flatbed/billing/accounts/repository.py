"""SQL for billing accounts."""

from sqlalchemy import select

from flatbed.billing.accounts.models import BillingAccount
from flatbed.tenants.kit.database.session import TenantReadSession


async def find(session: TenantReadSession, *, lock: bool = False) -> BillingAccount | None:
    """The tenant's account, if it was ever changed; locked against other changes if asked."""
    statement = select(BillingAccount).where(BillingAccount.tenant_id == session.tenant_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)
