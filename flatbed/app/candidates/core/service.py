"""Rules of candidates: what is shown to whom, and what may be changed beside the stage."""

from typing import Final
from uuid import UUID

from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.candidates.core import reading, repository
from flatbed.app.candidates.core.repository import Filters
from flatbed.app.candidates.core.schemas import (
    CandidateDetail,
    CandidatePage,
    CandidateUpdate,
    NurtureInput,
)
from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.pipeline import cards
from flatbed.app.candidates.pipeline import repository as pipeline
from flatbed.app.candidates.pipeline.cases import case_of, decide, situation_of
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.records.service import candidate_to_read, candidate_to_write
from flatbed.app.candidates.reservations.service import waiting_of
from flatbed.app.candidates.rules.pipeline import Nurture, Wake
from flatbed.app.candidates.rules.stages import Status
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.problems import ForbiddenError, InvalidError

PLAIN: Final = frozenset({"core_argument", "next_due_at", "external_ref"})
"""Members of an update that are columns of the same name."""


async def get(
    session: TenantReadSession, principal: Principal, candidate_id: UUID
) -> tuple[CandidateDetail, int]:
    """The candidate with its scores at this instant, and its ETag.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await candidate_to_read(session, candidate_id)
    return await _detail(session, principal, candidate), candidate.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    filters: Filters,
    *,
    cursor: str | None,
    limit: int,
) -> CandidatePage:
    """A page of candidates by last change; scores are computed for single ones only.

    Raises:
        InvalidError: an ISV asks for a hunter: it is not told who works what.
    """
    if filters.hunter_id is not None and principal.role.of_isv:
        raise InvalidError.at("query:hunter_id", "agency-only", "Only the agency filters by it.")
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row[0].updated_at, row[0].id))
    data = [reading.read(candidate, company, principal) for candidate, company in shown]
    return CandidatePage(data=data, **envelope.model_dump())


async def page_of_campaign(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    filters: Filters,
    *,
    cursor: str | None,
    limit: int,
) -> CandidatePage:
    """As :func:`page`, for the campaign that the filters name.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    if filters.campaign_id is not None:
        await campaign_of(session, filters.campaign_id)
    return await page(session, principal, cursors, filters, cursor=cursor, limit=limit)


async def update(
    session: TenantSession,
    principal: Principal,
    candidate_id: UUID,
    version: int,
    body: CandidateUpdate,
) -> tuple[CandidateDetail, int]:
    """Change what the body names; ``nurture`` puts to rest, or wakes when it is null.

    Null for a candidate that does not rest changes nothing.

    Raises:
        NotFoundError: no such candidate for this caller.
        PreconditionFailedError: another version is stored.
        ForbiddenError: an override by somebody who is no lead.
        Problem: what the rules refuse about nurture (``pipeline/errors.py``).
    """
    candidate = await candidate_to_write(session, candidate_id)
    match(candidate.version, version)
    changed = body.model_fields_set - {"nurture"}
    if "core_argument" in changed and candidate.core_argument not in {None, body.core_argument}:
        # What we argued once stays ours: a partner who repeats it does not voice an own interest.
        candidate.past_arguments = [*candidate.past_arguments, candidate.core_argument]
    for field in changed & PLAIN:
        setattr(candidate, field, getattr(body, field))
    if "metadata" in changed:
        candidate.metadata_ = body.metadata
    if changed:
        candidate.updated_at = max(candidate.updated_at, session.now())
        fields = {"fields": sorted(changed)}
        mutation(session, "candidate.updated", "cand", candidate.id, fields)
        await session.flush()
    if "nurture" in body.model_fields_set:
        await _nurture(session, principal, candidate, body.nurture)
    if "next_due_at" in changed:
        await _refresh(session, candidate)
    return await _detail(session, principal, candidate), candidate.version


async def _nurture(
    session: TenantSession, principal: Principal, candidate: Candidate, body: NurtureInput | None
) -> None:
    if body is None and candidate.status != Status.NURTURE:
        return
    request: Nurture | Wake = Wake()
    if body is not None:
        if body.override_reason is not None and principal.role is not Role.LEAD:
            raise ForbiddenError
        request = Nurture(body.until, body.trigger, body.override_reason)
    case = await case_of(session, candidate)
    await move(session, case, decide(session, case, request))


async def _refresh(session: TenantSession, candidate: Candidate) -> None:
    campaign = await campaign_of(session, candidate.campaign_id)
    company = await pipeline.company(session, candidate)
    await cards.refresh(session, candidate, campaign_name=campaign.name, company_name=company.name)


async def _detail(
    session: TenantReadSession, principal: Principal, candidate: Candidate
) -> CandidateDetail:
    situation = await situation_of(session, candidate)
    company = await pipeline.company(session, candidate)
    waiting = await waiting_of(session, candidate.id)
    return reading.detail(candidate, company, principal, situation, waiting)
