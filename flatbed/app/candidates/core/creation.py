"""Sourcing a candidate: the gate of `identified`, in one transaction with all that follows it."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.campaigns.orders.views import CampaignView
from flatbed.app.candidates.core import repository
from flatbed.app.candidates.core.errors import CandidateExistsError
from flatbed.app.candidates.core.reading import detail
from flatbed.app.candidates.core.schemas import CandidateCreate, CandidateDetail, CompanyInput
from flatbed.app.candidates.models import Candidate, TenantCompany, Transition
from flatbed.app.candidates.pipeline import cards, criteria
from flatbed.app.candidates.pipeline.cases import Case, case_of
from flatbed.app.candidates.pipeline.errors import GateFailedError
from flatbed.app.candidates.rules.gate_criteria import GateCheck
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.pipeline import TransitionKind
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.stages import CampaignState, Stage, Status
from flatbed.app.candidates.touchpoints.errors import CampaignNotRunningError
from flatbed.app.hunting.service import assign
from flatbed.app.registry.service import link, linked
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession, agency_plane
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError


async def create(
    session: TenantSession,
    principal: Principal,
    campaign_id: UUID,
    candidate_id: UUID,
    body: CandidateCreate,
) -> tuple[CandidateDetail, int]:
    """Enter a company into the campaign's pipeline; a hunter who finds it works it.

    Returns the candidate with its ETag.

    Args:
        session: the transaction; a hunter's sees the one candidate that it may make.
        principal: who found the company.
        campaign_id: the campaign.
        candidate_id: the new candidate's id (``TenantCall.fresh_candidate_id``).
        body: the company and where it was found.

    Raises:
        NotFoundError: no such campaign of this tenant.
        CampaignNotRunningError: nobody sources for a campaign that does not run.
        InvalidError: the company's country is unknown, or not the programme's.
        CandidateExistsError: the company is a candidate of the campaign already.
        GateFailedError: excluded, in conflict or billed before; the criteria say which.
    """
    campaign = await campaign_of(session, campaign_id)
    if campaign.status is not CampaignState.RUNNING:
        raise CampaignNotRunningError(extra={"why": f"the campaign is {campaign.status}"})
    company = await _company(session, body.company)
    _check_country(campaign, company)
    await _link(session, company)
    hunter_id = principal.staff_id if principal.role is Role.HUNTER else None
    candidate = _candidate(session, campaign, company, candidate_id, hunter_id, body)
    session.add(candidate)
    try:
        await session.flush()
    except IntegrityError:
        # The unique key sees the candidates that a hunter's transaction does not.
        raise CandidateExistsError from None
    failpoint(Failpoint.CANDIDATE_CREATED)
    case = await case_of(session, candidate)
    gate = check(Stage.IDENTIFIED, case.snapshot, case.rubric, session.now())
    if not gate.passed:
        raise GateFailedError(extra={"criteria": criteria.shown(criteria.of_gate(gate))})
    await _enter(session, case, gate)
    situation = Situation(case.snapshot, case.rubric, session.now())
    return detail(candidate, company, principal, situation), candidate.version


async def _company(session: TenantSession, body: CompanyInput) -> TenantCompany:
    now = session.now()
    values = {**body.model_dump(exclude={"domain"}), "created_at": now, "updated_at": now}
    return await repository.company_of_domain(session, body.domain, values)


def _check_country(campaign: CampaignView, company: TenantCompany) -> None:
    if company.country is None:
        raise InvalidError.at("/company/country", "country-needed", "The country is not known.")
    if company.country not in campaign.countries:
        raise InvalidError.at(
            "/company/country", "outside-programme", "The programme is for other countries."
        )


async def _link(session: TenantSession, company: TenantCompany) -> None:
    """Tie the company to the agency's registry, of which the tenant learns nothing."""
    async with agency_plane(session) as agency:
        if await linked(agency, session.tenant_id, company.id) is not None:
            return
        await repository.turn_of_domain(session, company.domain)
        await link(
            agency,
            tenant_id=session.tenant_id,
            tenant_company_id=company.id,
            domain=company.domain,
            name=company.name,
            country=company.country,
        )


def _candidate(
    session: TenantSession,
    campaign: CampaignView,
    company: TenantCompany,
    candidate_id: UUID,
    hunter_id: UUID | None,
    body: CandidateCreate,
) -> Candidate:
    now = session.now()
    return Candidate(
        tenant_id=session.tenant_id,
        id=candidate_id,
        campaign_id=campaign.id,
        company_id=company.id,
        programme_id=campaign.programme_id,
        source=body.source,
        stage=Stage.IDENTIFIED.value,
        status=Status.ACTIVE.value,
        stage_entered_at=now,
        hunter_id=hunter_id,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )


async def _enter(session: TenantSession, case: Case, gate: GateCheck) -> None:
    """Store the move into the pipeline, audit and event, the hunter's assignment, and the card."""
    candidate = case.candidate
    transition = Transition(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        from_stage=None,
        to_stage=candidate.stage,
        kind=TransitionKind.FORWARD.value,
        reason=None,
        override_reason=None,
        criteria=criteria.of_gate(gate),
        rubric_version=gate.rubric_version,
        actor=session.caller.actor,
        at=session.now(),
    )
    session.add(transition)
    figures = {
        "campaign_id": encode("camp", candidate.campaign_id),
        "transition_id": encode("tran", transition.id),
        "stage": candidate.stage,
    }
    mutation(session, "candidate.created", "cand", candidate.id, figures)
    await session.flush()
    if candidate.hunter_id is not None:
        async with agency_plane(session) as agency:
            await assign(
                agency,
                tenant_id=session.tenant_id,
                staff_id=candidate.hunter_id,
                campaign_id=candidate.campaign_id,
                candidate_id=candidate.id,
            )
    await cards.refresh(
        session, candidate, campaign_name=case.campaign.name, company_name=case.company.name
    )
