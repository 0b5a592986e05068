"""Whether an ISV pays: what it owes pauses ordering, never the ledger."""

from flatbed.billing.accounts import repository
from flatbed.billing.accounts.errors import BadStandingError
from flatbed.tenants.kit.database.session import TenantReadSession

GOOD = "good"


async def require_good_standing(session: TenantReadSession) -> None:
    """Refuse what makes new debts.

    Raises:
        BadStandingError: an invoice of the ISV is overdue.
    """
    account = await repository.find(session)
    if account is not None and account.standing != GOOD:
        raise BadStandingError(extra={"standing": account.standing})
