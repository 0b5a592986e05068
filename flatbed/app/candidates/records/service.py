"""What all records of a candidate share."""

from collections.abc import Mapping
from uuid import UUID

from flatbed.app.candidates.models import Candidate, Contact, Fact, Touchpoint
from flatbed.app.candidates.records import repository
from flatbed.app.candidates.records.errors import ReferenceNotFoundError
from flatbed.app.candidates.rules.touches import Provenance
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.problems import NotFoundError


async def candidate_to_read(session: TenantReadSession, candidate_id: UUID) -> Candidate:
    """The candidate.

    Raises:
        NotFoundError: none that this caller sees.
    """
    candidate = await repository.find(session, candidate_id)
    if candidate is None:
        raise NotFoundError
    return candidate


async def candidate_to_write(session: TenantSession, candidate_id: UUID) -> Candidate:
    """The candidate under its lock: nothing is recorded while a gate is being judged.

    Raises:
        NotFoundError: none that this caller sees.
    """
    candidate = await repository.find(session, candidate_id, lock=True)
    if candidate is None:
        raise NotFoundError
    return candidate


async def touch_candidate(session: TenantSession, candidate: Candidate) -> None:
    """Let ``updated_after`` find the candidate; its version, and so its ETag, stays."""
    await repository.touch(session, candidate, session.now())


async def check_references(
    session: TenantReadSession,
    model: type[Contact | Fact | Touchpoint],
    candidate: Candidate,
    references: Mapping[str, UUID | None],
) -> None:
    """Refuse ids, by the pointer where each stands, that name nothing of the candidate.

    Raises:
        ReferenceNotFoundError: at the first of them.
    """
    wanted = {pointer: one for pointer, one in references.items() if one is not None}
    found = await repository.known(session, model, candidate.id, set(wanted.values()))
    for pointer, one in wanted.items():
        if one not in found:
            raise ReferenceNotFoundError.at_pointer(pointer)


def provenance_of(principal: Principal) -> Provenance:
    """How we know of what this caller records; he never says it himself.

    An integration with ``signals:write`` is a system; staff never are, whatever their token says.
    """
    integration = principal.role in {Role.ISV_CLIENT, Role.AGENCY_CLIENT}
    if integration and principal.has(SIGNALS):
        return Provenance.SYSTEM
    return Provenance.ATTESTED
