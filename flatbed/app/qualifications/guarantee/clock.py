"""The clock of a unit's guarantee, read from touches, requests and changes of terms."""

from flatbed.app.campaigns.offerings.terms import changed_after
from flatbed.app.candidates.pipeline.waiting import answered
from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.snapshots.service import to_touch
from flatbed.app.qualifications import clocks
from flatbed.app.qualifications.guarantee import repository
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.guarantee import Clock, stops
from flatbed.app.qualifications.rules.states import Origin, Status
from flatbed.tenants.kit.database.session import TenantReadSession


async def clock_of(session: TenantReadSession, row: Qualification) -> Clock | None:
    """The clock of an accepted unit; None where nothing is guaranteed.

    That is before the acceptance, after a void, and of a partner whom the ISV contracted itself.
    """
    if row.accepted_at is None or row.status != Status.ACCEPTED.value:
        return None
    if row.origin == Origin.FREE_RIDE.value:
        return None
    programme_id = await repository.programme_of(session, row)
    return Clock(
        row.accepted_at,
        stops(await _waits(session, row), await clocks.calendar_of(session)),
        await changed_after(session, programme_id, row.accepted_at),
    )


async def _waits(session: TenantReadSession, row: Qualification) -> list[Waiting]:
    """The requests that the ISV has answered, and those that it was told of and has not.

    Nobody is late with what he has not been told of: a request that was marked before it was
    answered waits from then on.
    """
    rows = await repository.touches(session, row)
    occurred = {one.id: one.occurred_at for one in rows}
    found = dict(answered([to_touch(one, (), c_level=False) for one in rows]))
    for request in await repository.requests(session, row):
        touch = request.touchpoint_id
        end = found[touch].end if touch in found else None
        start = max(occurred[touch], request.marked_at)
        if end is None or start < end:
            found[touch] = Waiting(start, end)
    return list(found.values())
