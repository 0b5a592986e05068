"""Guarantees and their cases as the API shows them."""

from datetime import timedelta
from uuid import UUID

from flatbed.app.campaigns.readers import shown_to
from flatbed.app.qualifications.guarantee import repository
from flatbed.app.qualifications.guarantee.clock import clock_of
from flatbed.app.qualifications.guarantee.models import GuaranteeCase
from flatbed.app.qualifications.guarantee.schemas import (
    GuaranteeCasePage,
    GuaranteeCaseRead,
    GuaranteeRead,
    StopRead,
)
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.guarantee import GuaranteeState, percent
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import NotFoundError

OVER = frozenset({GuaranteeState.OVER, GuaranteeState.ENDED})


async def guarantee(session: TenantReadSession, row: Qualification) -> GuaranteeRead | None:
    """The guarantee of a unit at this instant; None where there is none."""
    clock = await clock_of(session, row)
    if clock is None:
        return None
    # Accepted by another process, or after this request began, it lies a moment ahead of us.
    now = max(session.now(), clock.accepted_at)
    state = clock.state(now)
    if clock.until is not None:
        now = min(now, clock.until)
    day = None if state in OVER else clock.day(now)
    return GuaranteeRead(
        state=state,
        since=clock.accepted_at,
        until=clock.until,
        day=day,
        percent=None if day is None else percent(day),
        stopped_seconds=clock.stopped(now) // timedelta(seconds=1),
        stops=[
            StopRead(start=one.start, end=one.end)
            for one in clock.stops
            if one.start <= now and (one.end is None or one.end > clock.accepted_at)
        ],
        terms_changed_at=clock.terms_changed_at,
    )


async def case_of(
    session: TenantReadSession, principal: Principal, row: Qualification
) -> GuaranteeCaseRead | None:
    """The unit's newest case."""
    case = await repository.last_of_unit(session, row.id)
    return None if case is None else read(case, principal)


async def get(
    session: TenantReadSession, principal: Principal, case_id: UUID
) -> tuple[GuaranteeCaseRead, int]:
    """The case and its ETag.

    Raises:
        NotFoundError: no such case of this tenant.
    """
    case = await repository.find(session, case_id)
    if case is None:
        raise NotFoundError
    return read(case, principal), case.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: repository.Filters,
) -> GuaranteeCasePage:
    """A page of cases by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    data = [read(row, principal) for row in shown]
    return GuaranteeCasePage(data=data, **envelope.model_dump())


def read(row: GuaranteeCase, principal: Principal) -> GuaranteeCaseRead:
    """The case; an ISV is not told who of the agency acted."""
    return shown_to(principal, GuaranteeCaseRead.model_validate(row), "reported_by", "decided_by")
