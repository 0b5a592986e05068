"""Admission: who waits is qualified when there is room, first come first.

Each in a transaction of its own, under the candidate's lock and then the line's, at the frozen
price and on the frozen dossier. The qualification dates from the admission.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from flatbed.app.campaigns.exclusions.service import awaits_consent
from flatbed.app.campaigns.orders.caps import caps_of
from flatbed.app.candidates.models import Candidate, WaitingQualification
from flatbed.app.candidates.pipeline import criteria
from flatbed.app.candidates.pipeline.cases import Case, case_of, refused
from flatbed.app.candidates.pipeline.criteria import CriterionRead
from flatbed.app.candidates.pipeline.errors import GateFailedError
from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.candidates.reservations.service import EndReason, Status, end, lock_line
from flatbed.app.candidates.rules.gate_criteria import GateCriterion
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.pipeline import Decision, Refusal, Transition, admitted
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.stages import CampaignState, Stage
from flatbed.app.candidates.rules.touches import TouchClass
from flatbed.app.qualifications import dossier as dossiers
from flatbed.app.qualifications import metering, reading
from flatbed.app.qualifications.metering import Birth
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.reviews import review
from flatbed.app.qualifications.schemas import QualificationRead
from flatbed.app.qualifications.waiting import repository
from flatbed.app.qualifications.waiting.errors import WaitingStateError
from flatbed.billing.facade import CapReachedError, Caps
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import NotFoundError

STANDING: Final[Mapping[GateCriterion, EndReason]] = MappingProxyType(
    {
        GateCriterion.QUALIFIED_NO_OBJECTION: EndReason.OBJECTION,
        GateCriterion.QUALIFIED_NO_CONFLICT: EndReason.CONFLICT,
        GateCriterion.QUALIFIED_NOT_BILLED: EndReason.ALREADY_BILLED,
    }
)
"""What is judged again at admission: the frozen gates say nothing of the world around."""
OVER: Final = frozenset({CampaignState.CLOSED, CampaignState.CANCELLED})
"""States of a campaign in which nobody is qualified any more."""


async def step(session: TenantSession, campaign_id: UUID) -> bool:
    """Let the first in the line in, or out. Returns whether another step may do something.

    One whose exclusion waits for a lead keeps its place, and does not stop those behind.

    Raises:
        AlreadyBilledError: the company group was billed just now; the next step ends it.
    """
    first = await _first(session, campaign_id)
    if first is None:
        return False
    candidate = await candidate_to_write(session, first.candidate_id)
    case = await case_of(session, candidate)
    await lock_line(session, campaign_id)
    # Looked at again in turn: the line has moved, or a lead is asked, since it was read.
    if first != await _first(session, campaign_id) or case.snapshot.open_conflicts:
        return True
    row = await repository.find(session, first.id)
    if row is None:
        return True
    return await _decide(session, case, row)


async def admit(
    session: TenantSession, principal: Principal, waiting_id: UUID, version: int | None
) -> tuple[QualificationRead, int]:
    """The ISV takes this one beyond its caps. Returns the qualification with its ETag.

    The caps count it: they are met as before, and more so.

    Raises:
        NotFoundError: no such reservation of this tenant.
        PreconditionFailedError: another version is stored.
        WaitingStateError: it waits no more.
        GateFailedError: an objection or a conflict stands, or the company group is billed already.
        CampaignNotRunningError: the campaign is paused or has ended.
        AlreadyBilledError: the company group was billed just now.
    """
    candidate, row = await _locked(session, waiting_id)
    case = await case_of(session, candidate)
    await lock_line(session, row.campaign_id)
    match(row.version, version)
    if row.status != Status.WAITING or session.now() >= row.expires_at:
        state = row.status if row.status != Status.WAITING else Status.EXPIRED.value
        raise WaitingStateError(extra={"state": state})
    if _standing(session, case) is not None:
        raise GateFailedError(extra={"criteria": _criteria_now(session, case)})
    decided = _decided(session, case, opted_in=True)
    if isinstance(decided, Refusal):
        raise refused(session, case, decided)
    made = await _qualify(session, case, row, decided, Caps())
    return await reading.read(session, principal, made), made.version


async def _first(session: TenantReadSession, campaign_id: UUID) -> repository.Place | None:
    """Who has the next room: the first that nothing holds up."""
    for place in await repository.line(session, campaign_id):
        if not await awaits_consent(session, place.candidate_id):
            return place
    return None


async def _locked(
    session: TenantSession, waiting_id: UUID
) -> tuple[Candidate, WaitingQualification]:
    found = await repository.find(session, waiting_id)
    if found is None:
        raise NotFoundError
    candidate = await candidate_to_write(session, found.candidate_id)
    row = await repository.find(session, waiting_id)
    if row is None:
        raise NotFoundError
    return candidate, row


async def _decide(session: TenantSession, case: Case, row: WaitingQualification) -> bool:
    candidate = case.candidate
    if session.now() >= row.expires_at:
        await end(session, candidate, row, Status.EXPIRED)
        return True
    decided = _decided(session, case)
    reason = _standing(session, case)
    if case.campaign.status in OVER:
        reason = EndReason.CAMPAIGN_ENDED
    if reason is not None:
        await end(session, candidate, row, Status.WITHDRAWN, reason=reason)
        return True
    if isinstance(decided, Refusal):
        return False
    try:
        await _qualify(session, case, row, decided, caps_of(case.campaign))
    except CapReachedError:
        return False
    return True


async def _qualify(
    session: TenantSession, case: Case, row: WaitingQualification, decided: Transition, caps: Caps
) -> Qualification:
    dossier, dossier_hash = dossiers.admitted(
        row.dossier, row.id, row.dossier_hash, row.created_at, session.now()
    )
    birth = Birth(
        id=uuid7(),
        dossier=dossier,
        dossier_hash=dossier_hash,
        hunter_id=row.hunter_id,
        external_ref=row.external_ref,
        metadata=row.metadata_,
        criteria=row.criteria,
    )
    metered = await metering.meter(session, case, birth, caps)
    made = await metering.qualify(session, case, decided, birth, metered)
    failpoint(Failpoint.WAITING_ADMITTED)
    await end(session, case.candidate, row, Status.ADMITTED, qualification_id=made.id)
    left_out = _left_out(session, case, row)
    if left_out is not None:
        await review(session, made, left_out)
    return made


def _decided(session: TenantReadSession, case: Case, *, opted_in: bool = False) -> Decision:
    return admitted(case.snapshot, case.rubric, session.now(), opted_in=opted_in)


def _standing(session: TenantReadSession, case: Case) -> EndReason | None:
    """What the world says against it now."""
    gate = check(Stage.QUALIFIED, case.snapshot, case.rubric, session.now())
    reasons = (STANDING.get(one.criterion) for one in gate.failing)
    return next((one for one in reasons if one is not None), None)


def _criteria_now(session: TenantReadSession, case: Case) -> list[CriterionRead]:
    gate = check(Stage.QUALIFIED, case.snapshot, case.rubric, session.now())
    judged = [one for one in gate.results if one.criterion in STANDING]
    return criteria.shown([one.to_json() for one in judged])


def _left_out(session: TenantReadSession, case: Case, row: WaitingQualification) -> UUID | None:
    """A push of before the gates were judged that they did not know: it was said while it waited.

    Also an answer that turned out to be one.
    """
    known = {one["id"] for one in row.dossier["msi"]["touches"] if one["class"] == TouchClass.PUSH}
    pushes = (
        one.touch
        for one in Situation(case.snapshot, case.rubric, session.now()).touches
        if one.is_our_push and one.touch.occurred_at <= row.created_at
    )
    return next((one.id for one in pushes if encode("touch", one.id) not in known), None)
