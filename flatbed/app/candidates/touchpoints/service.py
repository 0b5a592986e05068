"""Rules of logging touches: who may say what, how far back, and how we know of it."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.app.campaigns.models import Campaign
from flatbed.app.candidates.models import Candidate, Contact, Touchpoint
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.stages import CampaignState, Stage
from flatbed.app.candidates.rules.touches import Side, TouchClass, classes_of
from flatbed.app.candidates.touchpoints import repository
from flatbed.app.candidates.touchpoints.errors import (
    CampaignNotRunningError,
    ExternalRefTakenError,
    SideForbiddenError,
)
from flatbed.app.candidates.touchpoints.ports import LatePushes
from flatbed.app.candidates.touchpoints.reading import (
    eliciting,
    is_agency_push,
    judged,
    read,
    source_of,
)
from flatbed.app.candidates.touchpoints.schemas import (
    TouchpointCreate,
    TouchpointPage,
    TouchpointRead,
)
from flatbed.tenants.access.principal import ISV_ROLES, Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError
from flatbed.tenants.kit.workdays import subtract_business_days
from flatbed.tenants.organizations.service import organization_of

AGENCY_SIDES = frozenset({Side.PARTNER, Side.AGENCY})
SIDES = {
    Role.HUNTER: AGENCY_SIDES,
    Role.LEAD: AGENCY_SIDES,
    Role.AGENCY_CLIENT: AGENCY_SIDES,
    **dict.fromkeys(ISV_ROLES, frozenset({Side.PARTNER, Side.ISV})),
}


async def create(
    session: TenantSession,
    principal: Principal,
    candidate_id: UUID,
    body: TouchpointCreate,
    late: LatePushes,
) -> tuple[TouchpointRead, bool]:
    """Log a touch. Returns it, and whether it is new: an integration may repeat itself.

    Raises:
        NotFoundError: no such candidate for this caller.
        ExternalRefTakenError: the client's reference stands for another touch.
        SideForbiddenError: the caller does not speak for that side.
        ReferenceNotFoundError: contact or touch is not one of this candidate.
        InvalidError: class, time or a reference breaks a rule.
        CampaignNotRunningError: an agency touch while nothing goes out.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    row = _row(session, principal, candidate, body)
    stored = await _repeated(session, row)
    if stored is not None:
        verdicts = await repository.verdicts(session, candidate.id, [stored.id])
        return read(stored, verdicts, principal), False
    await _check(session, principal, candidate, body, row)
    try:
        await repository.add(session, row)
    except IntegrityError:
        # References were checked above: what is left is the client's own reference, held by a
        # candidate whom this transaction does not see.
        raise ExternalRefTakenError from None
    failpoint(Failpoint.TOUCHPOINT_WRITTEN)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "side": row.side,
        "class": row.class_,
        "channel": row.channel,
        "provenance": row.provenance,
        "occurred_at": row.occurred_at.isoformat(),
    }
    mutation(session, "touchpoint.recorded", "touch", row.id, detail)
    await records.touch_candidate(session, candidate)
    if is_agency_push(row, []):
        await late.said(session, candidate, row)
    return read(row, [], principal), True


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> TouchpointPage:
    """A page of the candidate's touches with their verdicts, oldest first.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.occurred_at, row.id))
    verdicts = await repository.verdicts(session, candidate.id, [row.id for row in shown])
    data = [read(row, verdicts, principal) for row in shown]
    return TouchpointPage(data=data, **envelope.model_dump())


def _row(
    session: TenantSession, principal: Principal, candidate: Candidate, body: TouchpointCreate
) -> Touchpoint:
    return Touchpoint(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        side=body.side.value,
        class_=body.class_.value,
        channel=body.channel.value,
        contact_id=body.contact_id,
        occurred_at=body.occurred_at,
        recorded_at=session.now(),
        text=body.text,
        provenance=records.provenance_of(principal).value,
        elicited_by=body.elicited_by,
        in_reply_to=body.in_reply_to,
        unrequested_ask=body.unrequested_ask,
        recorded_by=session.caller.actor,
        client_id=principal.key_owner,
        external_ref=body.external_ref,
        metadata_=body.metadata,
    )


SAME = (
    "candidate_id",
    "side",
    "class_",
    "channel",
    "contact_id",
    "occurred_at",
    "text",
    "elicited_by",
    "in_reply_to",
    "unrequested_ask",
    "metadata_",
)


async def _repeated(session: TenantSession, row: Touchpoint) -> Touchpoint | None:
    """The touch that the client has sent before under this reference.

    Looked at before any rule: what was taken once is not refused because time has passed.
    """
    if row.external_ref is None:
        return None
    stored = await repository.by_reference(session, row.client_id, row.external_ref)
    if stored is not None and any(getattr(stored, n) != getattr(row, n) for n in SAME):
        raise ExternalRefTakenError
    return stored


async def _check(
    session: TenantSession,
    principal: Principal,
    candidate: Candidate,
    body: TouchpointCreate,
    row: Touchpoint,
) -> None:
    if body.side not in SIDES.get(principal.role, frozenset()):
        raise SideForbiddenError
    if body.class_ not in classes_of(body.side):
        raise InvalidError.at(
            "/class", "class-of-other-side", "P0 to P3 are the partner's, push and answer ours."
        )
    await records.check_references(session, Contact, candidate, {"/contact_id": body.contact_id})
    source = await source_of(session, candidate, "/in_reply_to", body.in_reply_to, row)
    if body.side is Side.AGENCY and body.class_ is TouchClass.ANSWER and not body.unrequested_ask:
        await _check_answers(session, source)
    await eliciting(session, candidate, body.elicited_by, row)
    campaign = await candidates.campaign(session, candidate)
    await _check_time(session, principal, campaign, body)
    if body.side is Side.AGENCY and not _may_go_out(campaign, candidate, body):
        raise CampaignNotRunningError


async def _check_answers(session: TenantReadSession, source: Touchpoint | None) -> None:
    """Refuse an answer to nothing: a push by another name weighs less, and ends no hands-off."""
    if source is not None:
        verdicts = await repository.verdicts(session, source.candidate_id, [source.id])
        heard = judged(source, verdicts)
        if heard.touch.side is Side.PARTNER and heard.cls is not TouchClass.P0:
            return
    message = "An answer names the word of the partner that it answers; else it is a push."
    raise InvalidError.at("/in_reply_to", "answers-nothing", message)


async def _check_time(
    session: TenantSession, principal: Principal, campaign: Campaign, body: TouchpointCreate
) -> None:
    if body.occurred_at > session.now():
        raise InvalidError.at("/occurred_at", "in-the-future", "It has not happened yet.")
    if principal.role is not Role.HUNTER:
        return
    if campaign.rubric is None:
        raise CampaignNotOrderedError
    days = Rubric.from_json(campaign.rubric).backdate_business_days
    tenant = await organization_of(session)
    earliest = subtract_business_days(session.now(), days, tenant.country, tenant.zone)
    if body.occurred_at < earliest:
        raise InvalidError.at(
            "/occurred_at", "dated-back-too-far", f"A hunter dates back {days} business days."
        )


def _may_go_out(campaign: Campaign, candidate: Candidate, body: TouchpointCreate) -> bool:
    """Whether the agency could have acted then.

    When a pause began is not kept: while it lasts, touches of before it wait until the campaign
    runs again. What was left out is always said while a unit is metered: it opens a review.
    """
    state = CampaignState(campaign.status)
    if state is CampaignState.RUNNING or candidate.entry_id is not None:
        return True
    if state is CampaignState.FILLED and campaign.continue_after_fill:
        return Stage(candidate.stage).rank >= Stage.DISCOVERING.rank
    return campaign.ended_at is not None and body.occurred_at < campaign.ended_at
