"""What happens to who waits at an instant: the term ends, or the ISV's next month begins."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flatbed.app.campaigns.orders.room import look_for_room
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.reservations.service import (
    EXPIRY,
    MONTH,
    Status,
    await_month,
    end,
    lock_line,
)
from flatbed.app.qualifications.waiting import admission, repository
from flatbed.billing.facade import month_end
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandler
from flatbed.tenants.organizations.service import organization_of


async def expire(session: TenantSession, deadline: Deadline) -> None:
    """The term is over: the candidate may be submitted anew."""
    candidate = await candidates.find(session, deadline.candidate_id, lock=True)
    row = await repository.find(session, deadline.subject_id)
    if candidate is None or row is None:
        return
    await lock_line(session, row.campaign_id)
    row = await repository.find(session, deadline.subject_id)
    if row is not None and row.status == Status.WAITING and row.expires_at <= session.now():
        await end(session, candidate, row, Status.EXPIRED)


async def month_begins(session: TenantSession, deadline: Deadline) -> None:
    """The caps of a month are whole again: the first of the line is let in, as long as any fits.

    Each who waits has such a deadline, so that all have their chance at the instant itself, and
    each in a transaction of its own.
    """
    found = await repository.find(session, deadline.subject_id)
    if found is None or found.status != Status.WAITING:
        return
    may_go_on = await admission.step(session, found.campaign_id)
    await lock_line(session, found.campaign_id)
    row = await repository.find(session, deadline.subject_id)
    if row is None or row.status != Status.WAITING:
        return
    tenant = await organization_of(session)
    await await_month(session, row, month_end(session.now(), tenant.zone))
    if may_go_on:
        # This chance was another's, whose own may have been missed.
        await look_for_room(session, row.campaign_id)


DEADLINES: Final[Mapping[str, DeadlineHandler]] = MappingProxyType(
    {EXPIRY: expire, MONTH: month_begins}
)
"""What each kind of deadline does at its own instant, for wiring."""
