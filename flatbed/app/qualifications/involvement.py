"""Who may decide: nobody who had a hand in the candidate."""

from flatbed.app.candidates.models import Candidate
from flatbed.app.qualifications import repository
from flatbed.app.qualifications.errors import DeciderInvolvedError
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.database.session import TenantReadSession


async def check_uninvolved(
    session: TenantReadSession, principal: Principal, candidate: Candidate, *reporters: str
) -> None:
    """Refuse who had a hand in it, or reported what is decided; compliance too.

    A role may have changed since, the hand in it has not.

    Raises:
        DeciderInvolvedError: he is its hunter, submitted it, recorded or audited a touch, confirmed
            evidence, marked a partner's request, gave an override, or is one of the reporters.
    """
    if principal.staff_id is None or principal.staff_id == candidate.hunter_id:
        raise DeciderInvolvedError
    if principal.actor in reporters:
        raise DeciderInvolvedError
    if await repository.had_a_hand(session, candidate.id, principal.actor):
        raise DeciderInvolvedError
