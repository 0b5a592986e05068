"""Deadlines set, handled and failed by tests."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.kernel_tables import Deadline, Wakeup
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import schedule
from flatbed.tenants.kit.ids import uuid7
from tests.support.world import World

DAY = timedelta(days=1)


class Journal:
    """A handler that remembers what it was called for, and when by its session's clock."""

    def __init__(self) -> None:
        self.lines: list[tuple[UUID, datetime]] = []

    async def __call__(self, session: TenantSession, deadline: Deadline) -> None:
        self.lines.append((deadline.subject_id, session.now()))
        mutation(session, "deadline.met", "cand", deadline.candidate_id)


async def set_deadline(
    world: World,
    due_at: datetime,
    *,
    kind: str = "note",
    subject_id: UUID | None = None,
    candidate_id: UUID | None = None,
    tenant_id: UUID | None = None,
) -> UUID:
    subject_id = subject_id or uuid7()
    async with world.tenant(tenant_id) as session:
        await schedule(
            session,
            candidate_id=candidate_id or uuid7(),
            kind=kind,
            subject_id=subject_id,
            due_at=due_at,
        )
    return subject_id


async def wakeups(world: World) -> int:
    async with world.worker() as session:
        statement = select(func.count()).where(Wakeup.realm_id == world.realm_id)
        return await session.scalar(statement) or 0


async def fail(_: TenantSession, __: Deadline) -> None:
    raise RuntimeError("a secret of Ada Lovelace")
