"""How long the doorbell has been ringing unanswered: whether the workers keep up."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    Select,
    func,
    join,
    literal,
    literal_column,
    select,
    true,
    union_all,
)

from flatbed.tenants.kit.audit import DEADLINE, SEAL
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.kernel_tables import Realm, Wakeup
from flatbed.tenants.kit.database.session import WorkerSession

_RUNG: Final = literal_column(
    "to_timestamp(('x' || left(replace(wakeup.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)",
    DateTime(timezone=True),
)
"""When a wake-up was written: its id begins with the milliseconds."""


async def oldest_wakeup(session: WorkerSession) -> timedelta:
    """How long the oldest wake-up that is due has waited for an answer; zero when none waits.

    Counted from when it was rung, if it fell due before: a sandbox's clock may leap by years.
    """
    now = literal(system_now(), DateTime(timezone=True))
    realms_now = now + Realm.clock_offset_us * literal(timedelta(microseconds=1), Interval())
    # By topic, each a range of the index: a condition with OR reads what is due in years, too.
    found = union_all(_rings(DEADLINE, Wakeup.due_at <= realms_now), _rings(SEAL, true()))
    waiting = found.lateral("waiting")
    statement = select(
        func.max(func.least(now - waiting.c.rung, realms_now - waiting.c.due_at))
    ).select_from(join(Realm, waiting, true()))
    oldest: timedelta | None = await session.scalar(statement)
    return max(oldest or timedelta(), timedelta())


def _rings(topic: str, due: ColumnElement[bool]) -> Select[datetime, datetime]:
    return (
        select(_RUNG.label("rung"), Wakeup.due_at)
        .where(Wakeup.realm_id == Realm.id, Wakeup.topic == word(topic), due)
        .correlate(Realm)
    )
