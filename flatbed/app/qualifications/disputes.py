"""Disputes: the ISV objects, the agency answers in time or the unit is voided."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flatbed.app.campaigns.exclusions.service import was_excluded_before
from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.pipeline import repository as pipeline
from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.qualifications import cards, clocks, evidence, outcome, repository
from flatbed.app.qualifications.acceptance import check_term
from flatbed.app.qualifications.errors import (
    AlreadyDisputedError,
    AlreadyKnownUnprovenError,
    DisputeStateError,
    GuaranteeUsedError,
)
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.models import Dispute, Qualification
from flatbed.app.qualifications.reading import read_dispute
from flatbed.app.qualifications.rules.already_known import ALREADY_KNOWN, KnownContact, two_way
from flatbed.app.qualifications.rules.states import Act, CaseStatus, Status
from flatbed.app.qualifications.rules.terms import answer_by, decide_by
from flatbed.app.qualifications.schemas import (
    DisputeAnswer,
    DisputeCreate,
    DisputeEvidence,
    DisputeRead,
)
from flatbed.billing.facade import dispute_usage
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation, publish
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError

SYSTEM_REASON = "The agency did not answer in time."


async def create(
    session: TenantSession,
    principal: Principal,
    qualification_id: UUID,
    body: DisputeCreate,
    version: int | None,
) -> DisputeRead:
    """Dispute a qualification: it is held, and silence no longer accepts it.

    Raises:
        NotFoundError: no such qualification of this tenant.
        PreconditionFailedError: another version is stored.
        AlreadyDisputedError: it was disputed before, or waits for a decision now.
        GuaranteeUsedError: a replacement stands for it.
        QualificationStateError: it is accepted or voided, or the term has ended.
        InvalidError: the criterion is none of the frozen rubric.
        ReferenceNotFoundError: a touch is none of this candidate.
        AlreadyKnownUnprovenError: "already known" without its proof.
    """
    candidate, row = await outcome.locked(session, qualification_id, version)
    await _check_first(session, row, fraud=body.fraud)
    state = outcome.following(row, Act.ACCUSE if body.fraud else Act.DISPUTE)
    await check_term(session, row)
    if await cases.is_made_good(session, row):
        raise GuaranteeUsedError
    await _check_ground(session, candidate, row, body)
    await evidence.check(session, candidate, body.evidence)
    now = session.now()
    dispute = Dispute(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=row.candidate_id,
        qualification_id=row.id,
        criterion=body.criterion,
        fraud=body.fraud,
        statement=body.statement,
        evidence=evidence.stored(body.evidence),
        status=CaseStatus.OPEN.value,
        opened_by=session.caller.actor,
        opened_at=now,
        answer_by=answer_by(now, await clocks.calendar_of(session)),
        created_at=now,
        updated_at=now,
    )
    session.add(dispute)
    if state is Status.DISPUTED:
        if not await outcome.is_given_up(session, row):
            await dispute_usage(session, row.entry_id, actor=session.caller.actor)
        await clocks.stop_acceptance(session, row)
    else:
        await cases.hold(session, row)
    row.status = state.value
    outcome.touch(session, row)
    await session.flush()
    failpoint(Failpoint.DISPUTE_OPENED)
    await clocks.expect_answer(session, dispute)
    detail = {**_of(dispute), "fraud": body.fraud, "answer_by": dispute.answer_by.isoformat()}
    mutation(session, "dispute.opened", "disp", dispute.id, detail)
    await session.flush()
    await cards.show(session, dispute)
    return read_dispute(dispute, principal)


async def answer(
    session: TenantSession,
    principal: Principal,
    qualification_id: UUID,
    body: DisputeAnswer,
    version: int | None,
) -> DisputeRead:
    """The agency answers; from now on the decision is due.

    Raises:
        NotFoundError: no such qualification of this tenant.
        PreconditionFailedError: another version is stored.
        DisputeStateError: no dispute waits for an answer, or the term has ended.
        ReferenceNotFoundError: a touch is none of this candidate.
    """
    candidate, row = await outcome.locked(session, qualification_id, version)
    last = await last_dispute(session, row)
    if last is None or last.status != CaseStatus.OPEN.value:
        raise DisputeStateError(extra={"state": None if last is None else last.status})
    if session.now() >= last.answer_by:
        detail = "The term has ended: the unit is being voided."
        raise DisputeStateError(detail, extra={"state": last.status})
    await evidence.check(session, candidate, body.evidence)
    last.status = CaseStatus.ANSWERED.value
    last.answer = {"statement": body.statement, "evidence": evidence.stored(body.evidence)}
    last.answered_by = session.caller.actor
    last.answered_at = session.now()
    last.decide_by = decide_by(session.now(), await clocks.calendar_of(session))
    outcome.touch(session, last)
    outcome.touch(session, row)
    await clocks.expect_decision(session, last)
    failpoint(Failpoint.DISPUTE_ANSWERED)
    detail_ = {**_of(last), "decide_by": last.decide_by.isoformat()}
    mutation(session, "dispute.answered", "disp", last.id, detail_)
    await session.flush()
    await cards.show(session, last)
    return read_dispute(last, principal)


async def is_contested(session: TenantReadSession, row: Qualification) -> bool:
    """Whether a dispute or a review of the unit waits."""
    last = await last_dispute(session, row)
    if last is not None and last.is_open:
        return True
    return await repository.open_review(session, row) is not None


async def go_on(session: TenantSession, row: Qualification) -> None:
    """Let the guarantee case of an accepted unit go on, once nothing is held against it."""
    if not await is_contested(session, row):
        await cases.release(session, row)


async def last_dispute(session: TenantReadSession, row: Qualification) -> Dispute | None:
    """The newest dispute of a qualification: no other can be undecided."""
    found = await repository.disputes(session, [row])
    return found[-1] if found else None


async def unanswered(session: TenantSession, deadline: Deadline) -> None:
    """The agency did not answer in time: the unit is voided."""
    candidate = await candidate_to_write(session, deadline.candidate_id)
    dispute = await repository.dispute(session, candidate.id, deadline.subject_id)
    if dispute is None or dispute.status != CaseStatus.OPEN.value:
        return
    row = await repository.find(session, dispute.qualification_id)
    if row is not None:
        await outcome.void(session, candidate, row, "unanswered", SYSTEM_REASON)


async def overdue(session: TenantSession, deadline: Deadline) -> None:
    """No lead decided in time: from now on compliance does."""
    candidate = await candidate_to_write(session, deadline.candidate_id)
    dispute = await repository.dispute(session, candidate.id, deadline.subject_id)
    if dispute is not None and dispute.status == CaseStatus.ANSWERED.value:
        publish(session, "dispute.decision_overdue", "disp", dispute.id, _of(dispute))


async def _check_first(session: TenantReadSession, row: Qualification, *, fraud: bool) -> None:
    """One dispute per qualification, fraud excepted, and never two at a time."""
    for one in await repository.disputes(session, [row]):
        if one.fraud == fraud or one.is_open:
            raise AlreadyDisputedError(extra={"state": one.status})


async def _check_ground(
    session: TenantReadSession, candidate: Candidate, row: Qualification, body: DisputeCreate
) -> None:
    if body.criterion != ALREADY_KNOWN:
        judged = {one["criterion"] for one in row.dossier["criteria"]}
        if body.criterion not in judged.union(row.dossier["rubric"]["criteria"]):
            raise InvalidError.at(
                "/criterion", "not-in-rubric", "It is no criterion of the frozen rubric."
            )
        return
    campaign = await campaign_of(session, row.campaign_id)
    company = await pipeline.company(session, candidate)
    if campaign.started_at is not None and await was_excluded_before(
        session,
        domain=company.domain,
        company_name=company.name,
        launched_at=campaign.started_at,
    ):
        return
    zone = (await clocks.calendar_of(session)).zone
    identified_on = candidate.created_at.astimezone(zone).date()
    if not two_way(_contacts(body.evidence), identified_on):
        raise AlreadyKnownUnprovenError.in_evidence()


def _contacts(proofs: Sequence[DisputeEvidence]) -> list[KnownContact]:
    return [KnownContact(one.on, one.direction) for proof in proofs for one in proof.contacts]


def _of(dispute: Dispute) -> dict[str, Any]:
    return {
        "candidate_id": encode("cand", dispute.candidate_id),
        "qualification_id": encode("qual", dispute.qualification_id),
        "criterion": dispute.criterion,
    }
