"""Rules of agency staff."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.organizations import repository
from flatbed.tenants.organizations.errors import EmailTakenError
from flatbed.tenants.organizations.models import Staff
from flatbed.tenants.organizations.ports import Departures
from flatbed.tenants.organizations.schemas import StaffCreate, StaffPage, StaffRead, StaffUpdate
from flatbed.tenants.organizations.service import apply


async def create(session: AgencySession, body: StaffCreate) -> tuple[StaffRead, int]:
    """Take on a staff member. Returns him with his version.

    Raises:
        EmailTakenError: another staff member of the realm has the address.
    """
    if await repository.email_holder(session, body.email) is not None:
        raise EmailTakenError
    now = session.now()
    row = Staff(
        realm_id=session.realm_id,
        id=uuid7(),
        name=body.name,
        email=body.email,
        role=body.role,
        active=True,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    try:
        await repository.add(session, row)
    except IntegrityError:
        # Another transaction took it since we looked.
        raise EmailTakenError from None
    record(session, "staff.created", "staff", row.id, {"role": row.role})
    return _read(row), row.version


async def get(session: AgencyReadSession, staff_id: UUID) -> tuple[StaffRead, int]:
    """The staff member and his version.

    Raises:
        NotFoundError: no such staff member in this realm.
    """
    row = await repository.find_staff(session, staff_id)
    if row is None:
        raise NotFoundError
    return _read(row), row.version


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    role: str | None,
    external_ref: str | None,
) -> StaffPage:
    """A page of the realm's staff by last change, of one role if asked."""
    window = cursors.window(cursor, limit)
    rows = await repository.staff(session, window, role=role, external_ref=external_ref)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    return StaffPage(data=[_read(row) for row in shown], **envelope.model_dump())


async def update(
    session: AgencySession,
    departures: Departures,
    staff_id: UUID,
    version: int,
    body: StaffUpdate,
) -> tuple[StaffRead, int]:
    """Change what the body names; ``departures`` ends what must not outlive it.

    Raises:
        NotFoundError: no such staff member in this realm.
        PreconditionFailedError: another version is stored.
        EmailTakenError: another staff member of the realm has the address.
    """
    row = await repository.find_staff(session, staff_id, lock=True)
    if row is None:
        raise NotFoundError
    http.match(row.version, version)
    changes = body.model_dump(exclude_unset=True)
    if "email" in changes:
        holder = await repository.email_holder(session, body.email)
        if holder not in {None, row.id}:
            raise EmailTakenError
    is_switched = "active" in changes and body.active != row.active
    is_moved = "email" in changes and body.email != row.email
    apply(row, changes)
    row.updated_at = session.now()
    detail = {"fields": sorted(changes), "role": row.role, "active": row.active}
    record(session, "staff.updated", "staff", row.id, detail)
    try:
        await session.flush()
    except IntegrityError:
        raise EmailTakenError from None
    if is_switched:
        await departures.switched(session, row.id)
    if is_moved:
        await departures.moved(session, row.id)
    return _read(row), row.version


def _read(row: Staff) -> StaffRead:
    return StaffRead.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "email": row.email,
            "role": row.role,
            "active": row.active,
            "signed_up": row.user_id is not None,
            "external_ref": row.external_ref,
            "metadata": row.metadata_,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )
