"""Rest and waking: by a person, or by the wake date at its own instant."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flatbed.app.candidates.pipeline import cards
from flatbed.app.candidates.pipeline.cases import Case, case_of
from flatbed.app.candidates.pipeline.moves import NURTURE_WAKE, move
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.rules.pipeline import Refusal, Wake, advance
from flatbed.app.candidates.rules.stages import Status
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandler


async def wake_due(session: TenantSession, deadline: Deadline) -> None:
    """Wake a candidate whose wake date has come; one that may not wake is put before its hunter.

    Does nothing when it was woken, exited or put to rest anew since.
    """
    candidate = await candidates.find(session, deadline.candidate_id, lock=True)
    if candidate is None or candidate.status != Status.NURTURE:
        return
    if candidate.nurture_until is None or candidate.nurture_until > session.now():
        return
    case = await case_of(session, candidate)
    decision = advance(case.snapshot, case.rubric, Wake(), session.now())
    if isinstance(decision, Refusal):
        await _stays(session, case, decision)
    else:
        await move(session, case, decision)


async def _stays(session: TenantSession, case: Case, refusal: Refusal) -> None:
    candidate, now = case.candidate, session.now()
    due = candidate.next_due_at
    candidate.next_due_at = now if due is None else min(due, now)
    candidate.updated_at = max(candidate.updated_at, now)
    detail = {"code": refusal.code.value, "stage": candidate.stage}
    mutation(session, "candidate.wake_refused", "cand", candidate.id, detail)
    await session.flush()
    await cards.refresh(
        session, candidate, campaign_name=case.campaign.name, company_name=case.company.name
    )


DEADLINES: Final[Mapping[str, DeadlineHandler]] = MappingProxyType({NURTURE_WAKE: wake_due})
"""The deadlines of this slice, for wiring."""
