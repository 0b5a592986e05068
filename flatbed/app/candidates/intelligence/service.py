"""Rules of facts and judgements: sourced, dated, and of the frozen profile."""

from datetime import date
from uuid import UUID

from flatbed.app.campaigns.profiles import repository as profiles
from flatbed.app.campaigns.profiles.criteria import from_store
from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.intelligence import repository
from flatbed.app.candidates.intelligence.errors import CriterionUnknownError
from flatbed.app.candidates.intelligence.publication import publish
from flatbed.app.candidates.intelligence.schemas import (
    FactCreate,
    FactPage,
    FactProvenance,
    FactRead,
    JudgementCreate,
    JudgementPage,
    JudgementRead,
)
from flatbed.app.candidates.models import Candidate, CriterionJudgement, Fact
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.rules.fit import Criterion
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import FieldError, InvalidError
from flatbed.tenants.organizations.service import organization_of


async def create_fact(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: FactCreate
) -> FactRead:
    """Record a fact; a public one is copied to the registry.

    Raises:
        NotFoundError: no such candidate for this caller.
        InvalidError: observed in the future, a value without its attribute or the other way
            round, or public without an address.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    _check_fact(body, await _today(session))
    fact = Fact(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        attribute=body.attribute,
        statement=body.statement,
        value=body.value,
        source_kind=body.source_kind,
        source_url=body.source_url,
        provenance=body.provenance.value,
        observed_on=body.observed_on,
        trigger_on=body.trigger_on,
        angle=body.angle,
        recorded_by=session.caller.actor,
        recorded_at=session.now(),
    )
    session.add(fact)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "attribute": fact.attribute,
        "source_kind": fact.source_kind,
        "provenance": fact.provenance,
        "trigger": fact.trigger_on is not None,
    }
    mutation(session, "fact.recorded", "fact", fact.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    if body.provenance is FactProvenance.PUBLIC:
        await publish(session, candidate, fact)
    return _read_fact(fact, principal)


async def facts(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> FactPage:
    """A page of the candidate's facts, in the order of recording.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.facts(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.recorded_at, row.id))
    data = [_read_fact(row, principal) for row in shown]
    return FactPage(data=data, **envelope.model_dump())


async def judge(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: JudgementCreate
) -> JudgementRead:
    """Record a person's word on a judged criterion.

    Raises:
        NotFoundError: no such candidate for this caller.
        CampaignNotOrderedError: no profile is frozen yet.
        CriterionUnknownError: the frozen profile has no such judged criterion.
        InvalidError: a verdict on a soft criterion, or a value on a hard one.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    criterion = await _criterion(session, candidate, body.criterion)
    _check_judgement(body, criterion)
    judgement = CriterionJudgement(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        criterion=criterion.key,
        verdict=None if body.verdict is None else body.verdict.value,
        value=body.value,
        reason=body.reason,
        source_kind=body.source_kind,
        judged_by=session.caller.actor,
        at=session.now(),
    )
    session.add(judgement)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "criterion": judgement.criterion,
        "verdict": judgement.verdict,
        "value": judgement.value,
        "source_kind": judgement.source_kind,
    }
    mutation(session, "criterion.judged", "judg", judgement.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return _read_judgement(judgement, principal)


async def judgements(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> JudgementPage:
    """A page of the candidate's judgements, in the order of recording.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.judgements(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.at, row.id))
    data = [_read_judgement(row, principal) for row in shown]
    return JudgementPage(data=data, **envelope.model_dump())


async def _today(session: TenantReadSession) -> date:
    tenant = await organization_of(session)
    return session.now().astimezone(tenant.zone).date()


def _check_fact(body: FactCreate, today: date) -> None:
    errors = []
    if body.observed_on > today:
        message = "It has not been observed yet."
        errors.append(FieldError("/observed_on", "in-the-future", message))
    if (body.value is None) != (body.attribute is None):
        # A statement about an attribute that says no value would hide what is known of it.
        message = "Attribute and value come together."
        missing = "attribute" if body.attribute is None else "value"
        errors.append(FieldError(f"/{missing}", f"{missing}-required", message))
    if body.provenance is FactProvenance.PUBLIC and body.source_url is None:
        message = "What is public has an address."
        errors.append(FieldError("/source_url", "source-required", message))
    if errors:
        raise InvalidError(errors=errors)


async def _criterion(session: TenantReadSession, candidate: Candidate, key: str) -> Criterion:
    campaign = await candidates.campaign(session, candidate)
    if campaign.profile_version_id is None:
        raise CampaignNotOrderedError
    version = await profiles.version(session, campaign.profile_version_id)
    stored = [] if version is None else [*version.hard, *version.soft]
    for criterion in from_store(stored):
        if criterion.key == key and criterion.judged:
            return criterion
    message = "The frozen profile has no such judged criterion."
    raise CriterionUnknownError(errors=[FieldError("/criterion", "criterion-unknown", message)])


def _check_judgement(body: JudgementCreate, criterion: Criterion) -> None:
    wanted, refused = ("verdict", "value") if criterion.is_hard else ("value", "verdict")
    if getattr(body, wanted) is None:
        message = "A hard criterion gets a verdict, a soft one a value."
        raise InvalidError.at(f"/{wanted}", f"{wanted}-needed", message)
    if getattr(body, refused) is not None:
        message = "A hard criterion gets no value, a soft one no verdict."
        raise InvalidError.at(f"/{refused}", "not-allowed", message)


def _read_fact(row: Fact, principal: Principal) -> FactRead:
    shown = FactRead.model_validate(row)
    return shown.model_copy(update={"recorded_by": actor_shown(row.recorded_by, principal)})


def _read_judgement(row: CriterionJudgement, principal: Principal) -> JudgementRead:
    shown = JudgementRead.model_validate(row)
    return shown.model_copy(update={"judged_by": actor_shown(row.judged_by, principal)})
