"""Free rides as the API shows them."""

from uuid import UUID

from flatbed.app.campaigns.readers import shown_to
from flatbed.app.qualifications.free_rides import repository
from flatbed.app.qualifications.free_rides.models import FreeRide
from flatbed.app.qualifications.free_rides.schemas import FreeRidePage, FreeRideRead
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import NotFoundError


async def get(
    session: TenantReadSession, principal: Principal, ride_id: UUID
) -> tuple[FreeRideRead, int]:
    """The free ride and its ETag.

    Raises:
        NotFoundError: no such free ride of this tenant.
    """
    row = await repository.find(session, ride_id)
    if row is None:
        raise NotFoundError
    return read(row, principal), row.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: repository.Filters,
) -> FreeRidePage:
    """A page of free rides by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    data = [read(row, principal) for row in shown]
    return FreeRidePage(data=data, **envelope.model_dump())


def read(row: FreeRide, principal: Principal) -> FreeRideRead:
    """The free ride; an ISV is not told who of the agency acted."""
    return shown_to(principal, FreeRideRead.model_validate(row), "reported_by", "decided_by")
