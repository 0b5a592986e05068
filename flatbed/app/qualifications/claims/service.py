"""Claims under the guarantee: a withdrawal is reported, and an uninvolved lead finds that it is so.

Also what stops the clock: a partner's request that the ISV is told of.
"""

from datetime import datetime
from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.rules.touches import Side, TouchClass
from flatbed.app.qualifications import cards, clocks, evidence, outcome
from flatbed.app.qualifications.claims.errors import (
    GuaranteeCaseExistsError,
    GuaranteeCaseStateError,
    NotGuaranteedError,
)
from flatbed.app.qualifications.claims.schemas import (
    GuaranteeCaseCreate,
    PartnerRequestCreate,
    PartnerRequestRead,
    ReportDecision,
)
from flatbed.app.qualifications.disputes import is_contested
from flatbed.app.qualifications.guarantee import cases, reading, repository
from flatbed.app.qualifications.guarantee.clock import clock_of
from flatbed.app.qualifications.guarantee.models import GuaranteeCase, PartnerRequest
from flatbed.app.qualifications.guarantee.schemas import GuaranteeCaseRead
from flatbed.app.qualifications.involvement import check_uninvolved
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.cases import CaseState, Cause
from flatbed.app.qualifications.rules.guarantee import ANSWER_DAYS, Clock
from flatbed.app.qualifications.rules.states import CaseStatus
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError

NOT_YET = "It has not happened yet."
NO_REQUEST = "It is no word of the partner that asks for an answer."


async def report(
    session: TenantSession,
    principal: Principal,
    qualification_id: UUID,
    body: GuaranteeCaseCreate,
) -> tuple[GuaranteeCaseRead, int]:
    """Report that the partner withdrew. Returns the case with its ETag.

    Raises:
        NotFoundError: no such qualification of this tenant.
        InvalidError: the withdrawal lies in the future.
        NotGuaranteedError: the guarantee does not cover it.
        GuaranteeCaseExistsError: it was reported before, and not refused.
        ReferenceNotFoundError: a touch is none of this candidate.
    """
    candidate, row = await outcome.locked(session, qualification_id)
    await evidence.check(session, candidate, body.evidence)
    now = session.now()
    if body.withdrew_at > now:
        raise InvalidError.at("/withdrew_at", "in-the-future", NOT_YET)
    existing = await repository.of_unit(session, row.id, lock=True)
    if existing is not None:
        known = encode("gcase", existing.id)
        raise GuaranteeCaseExistsError(extra={"guarantee_case_id": known})
    await _covering(session, row, body.withdrew_at)
    case = GuaranteeCase(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=row.candidate_id,
        campaign_id=row.campaign_id,
        qualification_id=row.id,
        cause=Cause.WITHDRAWAL.value,
        status=CaseState.REPORTED.value,
        entry_id=row.entry_id,
        paid_entry_id=await _paid(session, row),
        withdrew_at=body.withdrew_at,
        reason=body.reason,
        evidence=evidence.stored(body.evidence),
        reported_by=session.caller.actor,
        reported_at=now,
        currency=row.currency,
        created_at=now,
        updated_at=now,
    )
    session.add(case)
    await cases.tell(session, case, "reported", {"withdrew_at": body.withdrew_at.isoformat()})
    await cards.show_claim(session, case, CaseStatus.OPEN)
    return reading.read(case, principal), case.version


async def decide(
    session: TenantSession,
    principal: Principal,
    case_id: UUID,
    body: ReportDecision,
    version: int | None,
) -> tuple[GuaranteeCaseRead, int]:
    """A lead, or compliance, finds that the partner withdrew by his own cause, or not.

    Confirmed, the day of the guarantee is frozen and a replacement is owed for 90 days.

    Raises:
        NotFoundError: no such case of this tenant.
        PreconditionFailedError: another version is stored.
        GuaranteeCaseStateError: it is decided already.
        DeciderInvolvedError: the decider had a hand in the candidate, or reported it.
        NotGuaranteedError: as is known by now, the guarantee did not cover it.
    """
    found = await repository.find(session, case_id)
    if found is None:
        raise NotFoundError
    candidate, row = await outcome.locked(session, found.qualification_id)
    case = await repository.lock(session, case_id)
    if case is None:
        raise NotFoundError
    match(case.version, version)
    if case.status != CaseState.REPORTED.value or case.withdrew_at is None:
        raise GuaranteeCaseStateError(extra={"state": case.status})
    await check_uninvolved(session, principal, candidate, case.reported_by)
    case.decided_by = session.caller.actor
    case.decided_at = session.now()
    case.decision_reason = body.reason
    if body.decision == "refused":
        case.status = CaseState.REFUSED.value
        case.ended_at = session.now()
        await cases.tell(session, case, "refused")
        await cards.show_claim(session, case, CaseStatus.REFUSED)
    else:
        clock = await _covering(session, row, case.withdrew_at)
        is_held = await is_contested(session, row)
        await cases.confirm(session, case, clock.day(case.withdrew_at), is_held=is_held)
        await cards.show_claim(session, case, CaseStatus.CONFIRMED)
    return reading.read(case, principal), case.version


async def ask(
    session: TenantSession,
    principal: Principal,
    qualification_id: UUID,
    body: PartnerRequestCreate,
) -> PartnerRequestRead:
    """Tell the ISV that a touch of the partner is for it to answer; told again, the same one.

    Raises:
        NotFoundError: no such qualification of this tenant.
        NotGuaranteedError: nothing is guaranteed, so that no clock could stop.
        ReferenceNotFoundError: the touch is none of this candidate.
        InvalidError: it is no word of the partner.
    """
    candidate, row = await outcome.locked(session, qualification_id)
    await evidence.check_touch(session, candidate, body.touchpoint_id)
    if await clock_of(session, row) is None:
        raise NotGuaranteedError(extra={"guarantee": "none"})
    touch = next(
        one for one in await repository.touches(session, row) if one.id == body.touchpoint_id
    )
    if touch.side != Side.PARTNER.value or touch.class_ == TouchClass.P0.value:
        raise InvalidError.at("/touchpoint_id", "no-request", NO_REQUEST)
    stored = await repository.requests(session, row)
    request = next((one for one in stored if one.touchpoint_id == touch.id), None)
    if request is None:
        request = PartnerRequest(
            tenant_id=session.tenant_id,
            id=uuid7(),
            candidate_id=row.candidate_id,
            qualification_id=row.id,
            touchpoint_id=touch.id,
            marked_by=session.caller.actor,
            marked_at=session.now(),
        )
        session.add(request)
        detail = {**outcome.of(row), "touchpoint_id": encode("touch", touch.id)}
        mutation(session, "partner_request.marked", "preq", request.id, detail)
        outcome.touch(session, row)
        await session.flush()
    start = max(touch.occurred_at, request.marked_at)
    return PartnerRequestRead(
        id=request.id,
        qualification_id=request.qualification_id,
        touchpoint_id=request.touchpoint_id,
        marked_by=actor_shown(request.marked_by, principal),
        marked_at=request.marked_at,
        stops_clock_at=(await clocks.calendar_of(session)).end_of(ANSWER_DAYS, start),
    )


async def _covering(session: TenantReadSession, row: Qualification, at: datetime) -> Clock:
    clock = await clock_of(session, row)
    if clock is None:
        raise NotGuaranteedError(extra={"guarantee": "none"})
    if not clock.covers(at):
        state = "not_begun" if at < clock.accepted_at else clock.state(at).value
        raise NotGuaranteedError(extra={"guarantee": state})
    return clock


async def _paid(session: TenantReadSession, row: Qualification) -> UUID:
    """The entry that the ISV paid for this partner: of the first, where it is a replacement."""
    made_good = await repository.answered_by(session, row.id)
    if made_good is None or made_good.cause == Cause.DISPUTE.value:
        return row.entry_id
    return made_good.paid_entry_id
