"""Acceptance: by the ISV, or by its silence at the end of the term."""

from uuid import UUID

from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.qualifications import clocks, outcome, reading, repository
from flatbed.app.qualifications.errors import QualificationStateError
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.states import Act, Basis, Status
from flatbed.app.qualifications.schemas import QualificationRead
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import publish
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

OVER = "The term has ended: the unit is being accepted by silence."


async def accept(
    session: TenantSession, principal: Principal, qualification_id: UUID, version: int | None
) -> tuple[QualificationRead, int]:
    """The ISV takes the unit. Returns the qualification with its ETag.

    Raises:
        NotFoundError: no such qualification of this tenant.
        PreconditionFailedError: another version is stored.
        QualificationStateError: it is disputed, accepted or voided, or the term has ended.
    """
    _, row = await outcome.locked(session, qualification_id, version)
    outcome.following(row, Act.ACCEPT)
    await check_term(session, row)
    await outcome.accept(session, row, Basis.PERSON)
    return await reading.read(session, principal, row), row.version


async def check_term(session: TenantReadSession, row: Qualification) -> None:
    """Refuse what comes after the end of the term, in the moment before its deadline is swept.

    Raises:
        QualificationStateError: the term of a pending qualification has ended.
    """
    if row.status != Status.PENDING.value or session.now() < row.accept_by:
        return
    if await repository.open_review(session, row) is None:
        raise QualificationStateError(OVER, extra={"state": row.status})


async def silence(session: TenantSession, deadline: Deadline) -> None:
    """Nobody said anything in time: accept. Not what is disputed, and not during a review."""
    row = await _waiting(session, deadline)
    if row is not None and session.now() >= row.accept_by:
        await outcome.accept(session, row, Basis.SILENCE)


async def remind(session: TenantSession, deadline: Deadline) -> None:
    """Tell the ISV that its term runs."""
    row = await _waiting(session, deadline)
    if row is None:
        return
    data = {
        **outcome.of(row),
        "day": clocks.REMINDERS[deadline.kind],
        "accept_by": row.accept_by.isoformat(),
    }
    publish(session, "qualification.acceptance_reminder", "qual", row.id, data)


async def _waiting(session: TenantSession, deadline: Deadline) -> Qualification | None:
    """The deadline's qualification if it still waits for the ISV."""
    await candidate_to_write(session, deadline.candidate_id)
    row = await repository.find(session, deadline.subject_id)
    if row is None or row.status != Status.PENDING.value:
        return None
    return None if await repository.open_review(session, row) else row
