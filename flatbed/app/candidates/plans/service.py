"""Rules of plans: versions are appended, and a field is the partner's only with his touch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.models import Candidate, PlanVersion
from flatbed.app.candidates.plans import repository
from flatbed.app.candidates.plans.schemas import (
    PlanCreate,
    PlanFieldInput,
    PlanFieldRead,
    PlanRead,
    PlanVersionRead,
)
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.records.errors import ReferenceNotFoundError
from flatbed.app.candidates.rules.snapshot import Author, PlanName
from flatbed.app.candidates.rules.touches import Side, TouchClass
from flatbed.app.candidates.touchpoints import repository as touchpoints
from flatbed.app.candidates.touchpoints.reading import judged
from flatbed.tenants.access.principal import ISV_ROLES, Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import FieldError, InvalidError

LONGEST_HISTORY: Final = 200
AUTHORS: Final = {
    Role.HUNTER: frozenset({Author.PARTNER, Author.HUNTER}),
    Role.LEAD: frozenset({Author.PARTNER, Author.HUNTER}),
    **dict.fromkeys(ISV_ROLES, frozenset({Author.PARTNER, Author.ISV})),
}


async def create(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: PlanCreate
) -> PlanVersionRead:
    """Append a version: the fields of the body over those of the version before.

    Raises:
        NotFoundError: no such candidate for this caller.
        ReferenceNotFoundError: a source is not a touch of this candidate.
        InvalidError: a field twice, a value that does not fit, an author who is not the caller's
            to name, or a field claimed for the partner without an inbound touch.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    _check_fields(principal, body.fields)
    await _check_sources(session, candidate, body.fields)
    before = await repository.versions(session, candidate.id, 1)
    version = PlanVersion(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        number=before[0].number + 1 if before else 1,
        fields=_merged(before[0].fields if before else [], body.fields),
        recorded_by=session.caller.actor,
        at=session.now(),
    )
    session.add(version)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "number": version.number,
        "fields": sorted(field.name.value for field in body.fields),
        "authors": sorted({field.author.value for field in body.fields}),
    }
    mutation(session, "plan.version_recorded", "plan", version.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    campaign = await candidates.campaign(session, candidate)
    return _read(version, campaign.currency, principal)


async def get(session: TenantReadSession, principal: Principal, candidate_id: UUID) -> PlanRead:
    """The plan as it stands, and its history.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    campaign = await candidates.campaign(session, candidate)
    rows = await repository.versions(session, candidate.id, LONGEST_HISTORY + 1)
    versions = [_read(row, campaign.currency, principal) for row in rows]
    return PlanRead(latest=versions[0] if versions else None, history=versions[1:])


def _check_fields(principal: Principal, fields: Sequence[PlanFieldInput]) -> None:
    errors = []
    allowed = AUTHORS.get(principal.role, frozenset())
    names: set[PlanName] = set()
    for number, field in enumerate(fields):
        at = f"/fields/{number}"
        if field.name in names:
            errors.append(FieldError(f"{at}/name", "repeated", "A version has a field once."))
        names.add(field.name)
        wrong = field.wrong_value
        if wrong is not None:
            errors.append(FieldError(f"{at}/value", "value-does-not-fit", wrong))
        if field.author not in allowed:
            message = "Staff write for partner or hunter, the ISV for partner or isv."
            errors.append(FieldError(f"{at}/author", "author-does-not-fit", message))
        if field.author is Author.PARTNER and field.source_touchpoint_id is None:
            message = "A field is the partner's only with an inbound touch as its source."
            errors.append(FieldError(f"{at}/source_touchpoint_id", "source-required", message))
    if errors:
        raise InvalidError(errors=errors)


async def _check_sources(
    session: TenantSession, candidate: Candidate, fields: Sequence[PlanFieldInput]
) -> None:
    ids = [one.source_touchpoint_id for one in fields if one.source_touchpoint_id is not None]
    touches = await repository.touchpoints(session, candidate.id, ids)
    verdicts = await touchpoints.verdicts(session, candidate.id, ids)
    for number, field in enumerate(fields):
        if field.source_touchpoint_id is None:
            continue
        pointer = f"/fields/{number}/source_touchpoint_id"
        touch = touches.get(field.source_touchpoint_id)
        if touch is None:
            raise ReferenceNotFoundError.at_pointer(pointer)
        if field.author is not Author.PARTNER:
            continue
        heard = judged(touch, [one for one in verdicts if one.touchpoint_id == touch.id])
        if heard.touch.side is not Side.PARTNER or heard.cls is TouchClass.P0:
            message = "An inbound touch is the partner's and says something."
            raise InvalidError.at(pointer, "source-not-inbound", message)


def _merged(
    before: Sequence[Mapping[str, Any]], fields: Sequence[PlanFieldInput]
) -> list[dict[str, Any]]:
    """The version's fields in the plan's order; a null value takes one out."""
    merged: dict[str, dict[str, Any]] = {one["name"]: dict(one) for one in before}
    for field in fields:
        source = field.source_touchpoint_id
        merged[field.name.value] = {
            "name": field.name.value,
            "value": field.value,
            "author": field.author.value,
            "source_touchpoint_id": None if source is None else str(source),
        }
    named = [merged[name.value] for name in PlanName if name.value in merged]
    return [one for one in named if one["value"] is not None]


def _read(version: PlanVersion, currency: str, principal: Principal) -> PlanVersionRead:
    return PlanVersionRead(
        id=version.id,
        candidate_id=version.candidate_id,
        number=version.number,
        currency=currency,
        fields=[
            PlanFieldRead(
                name=PlanName(field["name"]),
                value=field["value"],
                author=Author(field["author"]),
                source_touchpoint_id=None
                if field["source_touchpoint_id"] is None
                else UUID(field["source_touchpoint_id"]),
            )
            for field in version.fields
        ],
        recorded_by=actor_shown(version.recorded_by, principal),
        at=version.at,
    )
