"""When periods are closed: a deadline at the end of the grace, set by a job."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.billing.statements.closing import GRACE, close
from flatbed.billing.statements.errors import ClosingBlockedError, PeriodClosedError
from flatbed.billing.statements.jobs import reconcile_later
from flatbed.billing.statements.repository import closing as repository
from flatbed.tenants.kit.audit import publish
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers, schedule
from flatbed.tenants.kit.ids import ZERO
from flatbed.tenants.kit.problems import NotFoundError

CLOSE_PERIOD: Final = "close_period"
AGAIN: Final = timedelta(days=1)
"""After a closing that was blocked."""


async def schedule_closings(database: Database, realm_id: UUID, tenant_id: UUID) -> None:
    """Set the deadline of each open period of a tenant. Safe to repeat and to run late.

    A job of its own: who opens a period may be bound to one candidate, and its deadline is no
    candidate's.
    """
    caller = Caller("system:closing", request_id="")
    async with database.tenant(
        realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
    ) as session:
        for period in await repository.open_periods(session):
            await _schedule(session, period.id, period.ends_at + GRACE)


async def close_due(session: TenantSession, deadline: Deadline) -> None:
    """Close a period whose grace has ended; one that is blocked is tried again the next day."""
    try:
        await close(session, deadline.subject_id)
    except (NotFoundError, PeriodClosedError):
        return
    except ClosingBlockedError as blocked:
        publish(
            session,
            "period.closing_blocked",
            "per",
            deadline.subject_id,
            {"reason": blocked.extra["reason"]},
        )
        # A finding may be settled by now, and only a run of the reconciliation says so.
        await reconcile_later(session)
        await _schedule(session, deadline.subject_id, session.now() + AGAIN)


async def _schedule(session: TenantSession, period_id: UUID, due_at: datetime) -> None:
    await schedule(
        session, candidate_id=ZERO, kind=CLOSE_PERIOD, subject_id=period_id, due_at=due_at
    )


DEADLINES: Final[DeadlineHandlers] = {CLOSE_PERIOD: close_due}
