"""Changes of a programme's terms: said by the ISV or noted by the agency, from that moment on."""

from datetime import datetime
from uuid import UUID

from flatbed.app.campaigns.models import ProgrammeTermsChange
from flatbed.app.campaigns.offerings import repository
from flatbed.app.campaigns.offerings.schemas import (
    TermsChangeCreate,
    TermsChangePage,
    TermsChangeRead,
)
from flatbed.app.campaigns.readers import actor_shown
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import NotFoundError


async def change(
    session: TenantSession, principal: Principal, programme_id: UUID, body: TermsChangeCreate
) -> TermsChangeRead:
    """Record that the ISV changed its programme terms; guarantees of the programme end now.

    Never dated back: what happened before was guaranteed when it happened.

    Raises:
        NotFoundError: no such programme of this tenant.
    """
    if await repository.programme(session, programme_id) is None:
        raise NotFoundError
    row = ProgrammeTermsChange(
        tenant_id=session.tenant_id,
        id=uuid7(),
        programme_id=programme_id,
        description=body.description,
        recorded_by=session.caller.actor,
        changed_at=session.now(),
    )
    session.add(row)
    detail = {"terms_change_id": encode("terms", row.id)}
    mutation(session, "programme.terms_changed", "prog", programme_id, detail)
    await session.flush()
    return _read(row, principal)


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    programme_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> TermsChangePage:
    """A page of the programme's changes of terms, oldest first.

    Raises:
        NotFoundError: no such programme of this tenant.
    """
    if await repository.programme(session, programme_id) is None:
        raise NotFoundError
    window = cursors.window(cursor, limit)
    rows = await repository.terms_changes(session, programme_id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.changed_at, row.id))
    data = [_read(row, principal) for row in shown]
    return TermsChangePage(data=data, **envelope.model_dump())


async def changed_after(
    session: TenantReadSession, programme_id: UUID, instant: datetime
) -> datetime | None:
    """When the programme's terms first changed after an instant."""
    return await repository.terms_changed_after(session, programme_id, instant)


def _read(row: ProgrammeTermsChange, principal: Principal) -> TermsChangeRead:
    return TermsChangeRead(
        id=row.id,
        programme_id=row.programme_id,
        description=row.description,
        recorded_by=actor_shown(row.recorded_by, principal),
        changed_at=row.changed_at,
    )
