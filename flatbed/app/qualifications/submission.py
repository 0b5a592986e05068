"""Submission: gates, dossier, unit and stage in one transaction, or nothing at all."""

from uuid import UUID

from flatbed.app.campaigns.orders.views import CampaignView
from flatbed.app.candidates.pipeline.cases import Case, decide, open_case
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.rules.pipeline import Submit
from flatbed.app.qualifications import clocks, outcome, reading
from flatbed.app.qualifications.dossier import freeze
from flatbed.app.qualifications.errors import AlreadyQualifiedError
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.states import Status
from flatbed.app.qualifications.rules.terms import Calendar, acceptance_term
from flatbed.app.qualifications.schemas import QualificationCreate, QualificationRead
from flatbed.billing.facade import (
    CapReachedError,
    Caps,
    RecordedUsage,
    UsageRequest,
    record_usage,
)
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7

SOURCE = "qual"


async def submit(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: QualificationCreate
) -> tuple[QualificationRead, int]:
    """Qualify the candidate: the unit is metered with it. Returns it with its ETag.

    Raises:
        NotFoundError: no such candidate for this caller.
        AlreadyQualifiedError: the candidate's unit stands.
        GateFailedError: the definition of a qualified partner is not met; criteria say where.
        CapReachedError: a cap of the campaign leaves no room; nothing was changed.
        AlreadyBilledError: the company group was billed meanwhile in this programme.
        Problem: what else the pipeline refuses (``candidates/pipeline/errors.py``).
    """
    case = await open_case(session, candidate_id)
    if case.snapshot.holds_entry:
        raise AlreadyQualifiedError
    decided = decide(session, case, Submit())
    if decided.gate is None or case.campaign.unit_price is None:
        raise CampaignNotOrderedError
    dossier, dossier_hash = freeze(case, decided.gate, session.now())
    failpoint(Failpoint.DOSSIER_FROZEN)
    qualification_id = uuid7()
    try:
        usage = await _meter(session, case, qualification_id, dossier_hash)
    except CapReachedError:
        if principal.role is Role.HUNTER:
            # What the ISV may spend is not for hunters.
            raise CapReachedError from None
        raise
    case.candidate.entry_id = usage.entry_id
    await move(session, case, decided)
    now = session.now()
    calendar = Calendar(case.organization.country, case.organization.zone)
    term = acceptance_term(now, calendar)
    row = Qualification(
        tenant_id=session.tenant_id,
        id=qualification_id,
        candidate_id=candidate_id,
        campaign_id=case.campaign.id,
        entry_id=usage.entry_id,
        generation=usage.generation,
        status=Status.PENDING.value,
        dossier=dossier,
        dossier_hash=dossier_hash,
        unit_price=usage.amount,
        currency=usage.currency,
        qualified_at=now,
        accept_by=term.accept_by,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    await session.flush()
    failpoint(Failpoint.QUALIFICATION_WRITTEN)
    await clocks.start_acceptance(session, row, term)
    detail = {
        **outcome.of(row),
        "entry_id": encode("use", row.entry_id),
        "generation": row.generation,
        "dossier_hash": dossier_hash,
        "accept_by": row.accept_by.isoformat(),
    }
    mutation(session, "qualification.submitted", "qual", row.id, detail)
    await session.flush()
    return await reading.read(session, principal, row), row.version


def _most_units(campaign: CampaignView) -> int | None:
    """The units that may be live at once: the cap, and no more than were ordered.

    Silence accepts: without this an ISV that ordered three could be billed for five that waited
    at the same time. Its opt-in to go on after the campaign is filled lifts the second.
    """
    if campaign.continue_after_fill:
        return campaign.cap_units_total
    if campaign.cap_units_total is None:
        return campaign.quantity
    return min(campaign.quantity, campaign.cap_units_total)


async def _meter(
    session: TenantSession, case: Case, qualification_id: UUID, dossier_hash: str
) -> RecordedUsage:
    campaign = case.campaign
    if campaign.unit_price is None or campaign.price_list_id is None:
        raise CampaignNotOrderedError
    return await record_usage(
        session,
        UsageRequest(
            source=SOURCE,
            source_id=qualification_id,
            campaign_ref=campaign.id,
            programme_ref=case.candidate.programme_id,
            price_ref=campaign.price_list_id,
            unit_keys=case.unit_keys,
            unit_price=campaign.unit_price,
            currency=campaign.currency,
            caps=Caps(
                units_total=_most_units(campaign),
                units_month=campaign.cap_units_month,
                money_total=campaign.cap_money_total,
                money_month=campaign.cap_money_month,
            ),
            evidence_hash=dossier_hash,
            occurred_at=session.now(),
            zone=case.organization.zone,
            tiers=campaign.price_tiers,
            country=case.company.country,
            agent_ref=case.candidate.hunter_id,
        ),
    )
