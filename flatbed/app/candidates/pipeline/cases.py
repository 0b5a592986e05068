"""A candidate with everything that decides about it: the one way in for every judgement."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from flatbed.app.campaigns.exclusions.service import awaits_consent, is_excluded
from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.campaigns.orders.views import CampaignView
from flatbed.app.candidates.models import Candidate, TenantCompany
from flatbed.app.candidates.pipeline import criteria, repository
from flatbed.app.candidates.pipeline.errors import PROBLEMS
from flatbed.app.candidates.pipeline.waiting import waiting_times
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.records.service import candidate_to_read, candidate_to_write
from flatbed.app.candidates.rules.pipeline import (
    Refusal,
    RefusalCode,
    Request,
    Transition,
    advance,
)
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot
from flatbed.app.candidates.snapshots.service import Surroundings, load_snapshot
from flatbed.app.registry.service import billing_refs, linked
from flatbed.billing.facade import billed_before, unit_key
from flatbed.tenants.kit.database.session import (
    TenantReadSession,
    TenantSession,
    agency_plane_to_read,
)
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.problems import Problem
from flatbed.tenants.organizations.service import OrganizationView, organization_of


class UnlinkedCompanyError(LookupError):
    """A candidate's company has no link to the registry: no gate could say what was billed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate at one instant, with what the rules must know of the world around it.

    ``unit_keys`` are those under which its company group may have been billed in the campaign's
    programme, the one to write first (see ``billing.facade.unit_key``).
    """

    candidate: Candidate
    company: TenantCompany
    campaign: CampaignView
    rubric: Rubric
    organization: OrganizationView
    snapshot: CandidateSnapshot
    unit_keys: tuple[str, ...]


async def open_case(
    session: TenantSession, candidate_id: UUID, *, version: int | None = None
) -> Case:
    """The case under the candidate's lock, to decide and move.

    The lock comes first: what is read afterwards cannot change before the decision is stored.

    Raises:
        NotFoundError: no such candidate for this caller.
        PreconditionFailedError: another version than ``version`` is stored.
        CampaignNotOrderedError: the campaign has no rubric.
    """
    candidate = await candidate_to_write(session, candidate_id)
    match(candidate.version, version)
    return await case_of(session, candidate)


async def read_case(session: TenantReadSession, candidate_id: UUID) -> Case:
    """The case without a lock, to look at.

    Raises:
        NotFoundError: no such candidate for this caller.
        CampaignNotOrderedError: the campaign has no rubric.
    """
    return await case_of(session, await candidate_to_read(session, candidate_id))


async def case_of(session: TenantReadSession, candidate: Candidate) -> Case:
    """The case of a candidate that the caller holds already, locked if it is to move."""
    campaign = await campaign_of(session, candidate.campaign_id)
    if campaign.rubric is None:
        raise CampaignNotOrderedError
    company = await repository.company(session, candidate)
    organization = await organization_of(session)
    unit_keys = await _unit_keys(session, candidate)
    # Its own entry bills the group as well; that is no reason against it.
    billed = candidate.entry_id is None and await billed_before(session, unit_keys)
    excluded = await is_excluded(session, domain=company.domain, company_name=company.name)
    pending = await awaits_consent(session, candidate.id)
    around = Surroundings(
        campaign_state=campaign.status,
        criteria=campaign.criteria,
        zone=organization.zone,
        continue_after_fill=campaign.continue_after_fill,
        excluded=excluded,
        group_billed=billed,
        open_conflicts=("exclusion_pending",) if pending else (),
    )
    snapshot = await load_snapshot(session, candidate, around=around)
    snapshot = replace(snapshot, waiting=waiting_times(snapshot.touches))
    return Case(candidate, company, campaign, campaign.rubric, organization, snapshot, unit_keys)


async def situation_of(session: TenantReadSession, candidate: Candidate) -> Situation:
    """The candidate as its scores see it: conflicts and billing are not looked up."""
    campaign = await campaign_of(session, candidate.campaign_id)
    if campaign.rubric is None:
        raise CampaignNotOrderedError
    organization = await organization_of(session)
    around = Surroundings(campaign.status, campaign.criteria, organization.zone)
    snapshot = await load_snapshot(session, candidate, around=around)
    return Situation(snapshot, campaign.rubric, session.now())


def decide(session: TenantReadSession, case: Case, request: Request) -> Transition:
    """The move that the rules permit now.

    Raises:
        Problem: what the rules refuse, with the criteria that say why (``pipeline/errors.py``).
    """
    decision = advance(case.snapshot, case.rubric, request, session.now())
    if isinstance(decision, Refusal):
        raise refused(session, case, decision)
    return decision


def refused(session: TenantReadSession, case: Case, refusal: Refusal) -> Problem:
    """A refusal as what the API answers."""
    extra: dict[str, Any] = {"why": refusal.detail}
    if refusal.gate is not None:
        extra["criteria"] = criteria.shown(criteria.of_gate(refusal.gate))
    if refusal.guard is not None:
        judged = criteria.of_guard(refusal.guard, case.rubric.version)
        extra["criteria"] = criteria.shown(judged)
        latest = session.now() + timedelta(days=case.rubric.nurture_max_days)
        extra["nurture"] = {
            "now": refusal.code is RefusalCode.NURTURE_INSTEAD,
            "latest": latest.isoformat(),
        }
    return PROBLEMS[refusal.code](extra=extra)


async def _unit_keys(session: TenantReadSession, candidate: Candidate) -> tuple[str, ...]:
    # Which companies are one group is the agency's knowledge; only the keys leave its plane.
    async with agency_plane_to_read(session) as agency:
        company_id = await linked(agency, session.tenant_id, candidate.company_id)
        if company_id is None:
            raise UnlinkedCompanyError
        refs = await billing_refs(agency, company_id)
    return tuple(unit_key(candidate.programme_id, ref) for ref in refs)
