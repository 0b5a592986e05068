"""No free rides: a report that the ISV contracted a company itself, and the unit that follows.

Billed at the frozen price, once per company group and programme as any unit; caps do not refuse
it: they bound what the agency delivers, not what the ISV takes.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.campaigns.orders.views import CampaignView
from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.pipeline.cases import case_of
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.candidates.reservations.service import EndReason
from flatbed.app.candidates.reservations.service import withdraw as withdraw_reservation
from flatbed.app.qualifications import cards, dossier, evidence, metering
from flatbed.app.qualifications.cards import Card
from flatbed.app.qualifications.claims.schemas import ReportDecision
from flatbed.app.qualifications.errors import AlreadyQualifiedError
from flatbed.app.qualifications.free_rides import reading, repository
from flatbed.app.qualifications.free_rides.errors import (
    FreeRideExistsError,
    FreeRideStateError,
    NotFreeRideError,
)
from flatbed.app.qualifications.free_rides.models import FreeRide
from flatbed.app.qualifications.free_rides.schemas import FreeRideCreate, FreeRideRead
from flatbed.app.qualifications.involvement import check_uninvolved
from flatbed.app.qualifications.metering import Birth
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.free_rides import RideResult, judge
from flatbed.app.qualifications.rules.states import CaseStatus, Origin
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError
from flatbed.tenants.organizations.service import organization_of

NOT_YET: Final = "It has not happened yet."
REPORTED: Final = "reported"


async def report(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: FreeRideCreate
) -> tuple[FreeRideRead, int]:
    """Report that the ISV contracted the candidate's company. Returns the report with its ETag.

    Raises:
        NotFoundError: no such candidate of this tenant.
        AlreadyQualifiedError: the candidate's unit stands: it is billed.
        CampaignNotOrderedError: the campaign has no price.
        InvalidError: the day lies in the future.
        NotFreeRideError: it was not worked far enough, or not contracted in the time.
        FreeRideExistsError: a report waits for a lead.
        ReferenceNotFoundError: a touch is none of this candidate.
    """
    candidate = await candidate_to_write(session, candidate_id)
    await evidence.check(session, candidate, body.evidence)
    if candidate.entry_id is not None:
        raise AlreadyQualifiedError
    campaign = await campaign_of(session, candidate.campaign_id)
    if campaign.rubric is None:
        raise CampaignNotOrderedError
    zone = (await organization_of(session)).zone
    now = session.now()
    if body.contracted_on > now.astimezone(zone).date():
        raise InvalidError.at("/contracted_on", "in-the-future", NOT_YET)
    existing = await repository.reported(session, candidate.id)
    if existing is not None:
        raise FreeRideExistsError(extra={"free_ride_id": encode("ride", existing.id)})
    row = FreeRide(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        campaign_id=candidate.campaign_id,
        contracted_on=body.contracted_on,
        statement=body.statement,
        evidence=evidence.stored(body.evidence),
        status=REPORTED,
        reported_by=session.caller.actor,
        reported_at=now,
        created_at=now,
        updated_at=now,
    )
    await _judge(session, candidate, campaign, row, zone)
    session.add(row)
    await _tell(session, row, CaseStatus.OPEN)
    return reading.read(row, principal), row.version


async def decide(
    session: TenantSession,
    principal: Principal,
    ride_id: UUID,
    body: ReportDecision,
    version: int | None,
) -> tuple[FreeRideRead, int]:
    """A lead, or compliance, finds that it is so, which meters the unit, or not.

    The unit waits for the ISV as any other: it may accept or dispute it.

    Raises:
        NotFoundError: no such free ride of this tenant.
        PreconditionFailedError: another version is stored.
        FreeRideStateError: it is decided already.
        DeciderInvolvedError: the decider had a hand in the candidate, or reported it.
        AlreadyQualifiedError: the candidate's own unit stands by now.
        NotFreeRideError: as is known by now, it was not contracted in the time.
        AlreadyBilledError: the company group is billed already in this programme.
    """
    found = await repository.find(session, ride_id)
    if found is None:
        raise NotFoundError
    candidate = await candidate_to_write(session, found.candidate_id)
    row = await repository.find(session, ride_id)
    if row is None:
        raise NotFoundError
    match(row.version, version)
    if row.status != REPORTED:
        raise FreeRideStateError(extra={"state": row.status})
    await check_uninvolved(session, principal, candidate, row.reported_by)
    is_billed = body.decision == "confirmed"
    unit = await _bill(session, candidate, row) if is_billed else None
    row.qualification_id = None if unit is None else unit.id
    row.status = body.decision
    row.decided_by = session.caller.actor
    row.decided_at = session.now()
    row.decision_reason = body.reason
    row.updated_at = max(row.updated_at, session.now())
    await _tell(session, row, CaseStatus(body.decision))
    return reading.read(row, principal), row.version


async def _bill(session: TenantSession, candidate: Candidate, row: FreeRide) -> Qualification:
    if candidate.entry_id is not None:
        raise AlreadyQualifiedError
    # A reservation over a cap ends: its unit is billed by this one.
    await withdraw_reservation(session, candidate, EndReason.ALREADY_BILLED)
    case = await case_of(session, candidate)
    results = await _judge(session, candidate, case.campaign, row, case.organization.zone)
    content, content_hash = dossier.freeze_ride(case, _contract(row), results, session.now())
    birth = Birth(
        id=uuid7(),
        dossier=content,
        dossier_hash=content_hash,
        hunter_id=candidate.hunter_id,
        external_ref=None,
        metadata={},
    )
    metered = await metering.meter_ride(session, case, birth)
    failpoint(Failpoint.FREE_RIDE_METERED)
    candidate.entry_id = metered.usage.entry_id
    candidate.updated_at = max(candidate.updated_at, session.now())
    return await metering.write(session, case, birth, metered, Origin.FREE_RIDE)


async def _judge(
    session: TenantReadSession,
    candidate: Candidate,
    campaign: CampaignView,
    row: FreeRide,
    zone: ZoneInfo,
) -> tuple[RideResult, ...]:
    """Why it is billed.

    Raises:
        NotFreeRideError: it is not.
    """
    reached_at = await repository.reached_far(session, candidate)
    ended = [one for one in (candidate.exited_at, _campaign_ended(campaign)) if one is not None]
    ended_at = min(ended, default=None)
    results = judge(
        row.contracted_on,
        None if reached_at is None else reached_at.astimezone(zone).date(),
        None if ended_at is None else ended_at.astimezone(zone).date(),
        known_before=await repository.is_known_before(session, candidate.id),
    )
    if not all(one.passed for one in results):
        raise NotFreeRideError(extra={"criteria": [asdict(one) for one in results]})
    return results


def _campaign_ended(campaign: CampaignView) -> datetime | None:
    """When the work ended with the campaign; a filled one may go on by the ISV's opt-in."""
    if campaign.status is CampaignState.FILLED and campaign.continue_after_fill:
        return None
    return campaign.ended_at


def _contract(row: FreeRide) -> dict[str, Any]:
    """What the dossier says of the contract: days and ids; words by their hash."""
    return {
        "free_ride_id": encode("ride", row.id),
        "contracted_on": row.contracted_on,
        "reported_at": row.reported_at,
        "statement_sha256": digest(row.statement),
        "evidence_sha256": [digest(one) for one in row.evidence],
    }


async def _tell(session: TenantSession, row: FreeRide, state: CaseStatus) -> None:
    detail = {
        "candidate_id": encode("cand", row.candidate_id),
        "campaign_id": encode("camp", row.campaign_id),
        "contracted_on": row.contracted_on.isoformat(),
    }
    if row.qualification_id is not None:
        detail["qualification_id"] = encode("qual", row.qualification_id)
    mutation(session, f"free_ride.{row.status}", "ride", row.id, detail)
    await session.flush()
    card = Card(row.id, "free_ride", row.qualification_id, row.candidate_id, state, row.reported_at)
    await cards.put(session, card)
