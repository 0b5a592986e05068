"""Periods are opened by the writer that needs one, under the ledger head; closing only closes."""

from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.usage.periods import Span, first_period, next_period, periods_until
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.jobs.queue import enqueue

CLOSING_JOB: Final = "schedule_closing"
"""The job that sets the deadlines of open periods: the writer may be bound to one candidate, and
a period's deadline is no candidate's (``statements.tasks``)."""


async def period_for(
    session: TenantSession, instant: datetime, zone: ZoneInfo, named: ledger.Open | None = None
) -> UUID:
    """The period that an entry of this instant belongs to; missing ones are made.

    The caller holds the ledger head's lock. In the usual case the head names it.
    """
    if named is not None and instant in named.span:
        return named.id
    place = await ledger.place(session, instant)
    end = place.last_end
    if end is None:
        return await _open(session, first_period(instant, zone), None)
    missing = list(periods_until(end, instant, zone))
    for span in missing:
        await _open(session, span, end)
        end = span.ends_at
    if missing:
        place = await ledger.place(session, instant)
    return place.period_id or await _open(session, next_period(end, zone), end)


async def _open(session: TenantSession, span: Span, previous_end: datetime | None) -> UUID:
    period_id = await ledger.add_period(session, span, previous_end)
    await enqueue(session, CLOSING_JOB, realm_id=session.realm_id, tenant_id=session.tenant_id)
    return period_id
