"""Rules of exclusions: free before a company was worked far, with a lead's consent after.

"No free rides": from ``discovering`` on an exclusion waits for a lead. Below, it is active at
once; a hunter exits an open candidate that it meets (``excluded_by_isv``).
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from flatbed.app.campaigns.exclusions import repository
from flatbed.app.campaigns.exclusions.errors import ExclusionDecidedError, ExclusionRefusedError
from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.app.campaigns.exclusions.ports import WorkedCandidates
from flatbed.app.campaigns.exclusions.schemas import (
    ExclusionAnswer,
    ExclusionCheck,
    ExclusionConsent,
    ExclusionCreate,
    ExclusionPage,
    ExclusionRead,
    ExclusionStatus,
)
from flatbed.app.campaigns.method import Stage
from flatbed.app.campaigns.models import Exclusion
from flatbed.app.campaigns.orders import repository as campaigns
from flatbed.app.campaigns.orders.room import look_at
from flatbed.app.campaigns.readers import actor_shown
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import NotFoundError

ACTIVE: Final = "active"
PENDING: Final = "pending_consent"
REFUSED: Final = "refused"


async def create(
    session: TenantSession, principal: Principal, body: ExclusionCreate, worked: WorkedCandidates
) -> tuple[ExclusionRead, int]:
    """Exclude a company, or ask for it where it has been worked to ``discovering`` or further.

    Returns the exclusion with its ETag.
    """
    key = None if body.company_name is None else name_key(body.company_name)
    furthest = await worked.furthest(session, domain=body.domain, name_key=key)
    met = furthest is not None and furthest.stage.rank >= Stage.DISCOVERING.rank
    now = session.now()
    exclusion = Exclusion(
        tenant_id=session.tenant_id,
        id=uuid7(),
        domain=body.domain,
        company_name=body.company_name,
        name_key=key,
        reason=body.reason,
        status=PENDING if met else ACTIVE,
        candidate_id=furthest.candidate_id if furthest is not None and met else None,
        before_launch=not await campaigns.any_launched(session),
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(exclusion)
    figures = {"status": exclusion.status, "before_launch": exclusion.before_launch}
    mutation(session, "exclusion.created", "excl", exclusion.id, figures)
    await session.flush()
    return _read(exclusion, principal), exclusion.version


async def get(
    session: TenantReadSession, principal: Principal, exclusion_id: UUID
) -> tuple[ExclusionRead, int]:
    """The exclusion and its ETag.

    Raises:
        NotFoundError: no such exclusion of this tenant.
    """
    exclusion = await _found(session, exclusion_id)
    return _read(exclusion, principal), exclusion.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    status: ExclusionStatus | None,
    external_ref: str | None,
) -> ExclusionPage:
    """A page of exclusions by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, status=status, external_ref=external_ref)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    data = [_read(row, principal) for row in shown]
    return ExclusionPage(data=data, **envelope.model_dump())


async def delete(session: TenantSession, exclusion_id: UUID, etag: int) -> None:
    """Lift an exclusion, or withdraw one that waits for consent.

    Raises:
        NotFoundError: no such exclusion of this tenant.
        PreconditionFailedError: another version is stored.
        ExclusionRefusedError: a lead refused it; without the refusal it could be asked for anew,
            and hold up a qualification each time.
    """
    exclusion = await _found(session, exclusion_id, lock=True)
    match(exclusion.version, etag)
    if exclusion.status == REFUSED:
        raise ExclusionRefusedError(extra={"state": exclusion.status})
    mutation(session, "exclusion.deleted", "excl", exclusion.id, {"status": exclusion.status})
    await repository.remove(session, exclusion)
    await _release(session, exclusion)


async def consent(
    session: TenantSession,
    principal: Principal,
    exclusion_id: UUID,
    body: ExclusionConsent,
    etag: int | None,
) -> tuple[ExclusionRead, int]:
    """A lead's decision: the exclusion becomes active or refused.

    Raises:
        NotFoundError: no such exclusion of this tenant.
        PreconditionFailedError: another version is stored.
        ExclusionDecidedError: it waits for no consent.
    """
    exclusion = await _found(session, exclusion_id, lock=True)
    match(exclusion.version, etag)
    if exclusion.status != PENDING:
        raise ExclusionDecidedError(extra={"state": exclusion.status})
    exclusion.status = ACTIVE if body.consent else REFUSED
    exclusion.consented_by = session.caller.actor
    exclusion.consented_at = session.now()
    exclusion.consent_reason = body.reason
    exclusion.updated_at = session.now()
    action = "exclusion.consented" if body.consent else "exclusion.refused"
    figures: dict[str, str] = {"from": PENDING, "to": exclusion.status}
    if exclusion.candidate_id is not None:
        figures["candidate_id"] = encode("cand", exclusion.candidate_id)
    mutation(session, action, "excl", exclusion.id, figures)
    await session.flush()
    await _release(session, exclusion)
    return _read(exclusion, principal), exclusion.version


async def check(
    session: TenantReadSession, campaign_id: UUID, body: ExclusionCheck
) -> ExclusionAnswer:
    """Whether the company is excluded: yes or no.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    if await campaigns.find(session, campaign_id) is None:
        raise NotFoundError
    excluded = await is_excluded(session, domain=body.domain, company_name=body.company_name)
    return ExclusionAnswer(excluded=excluded)


async def is_excluded(
    session: TenantReadSession, *, domain: str | None, company_name: str | None
) -> bool:
    """Whether an active exclusion meets the company by registrable domain or by name."""
    return await repository.is_active(session, domain=domain, name_key=_key(company_name))


async def was_excluded_before(
    session: TenantReadSession,
    *,
    domain: str | None,
    company_name: str | None,
    launched_at: datetime,
) -> bool:
    """Whether the company was excluded before the launch of a campaign: "already known" holds."""
    return await repository.is_active(
        session, domain=domain, name_key=_key(company_name), made_before=launched_at
    )


async def awaits_consent(session: TenantReadSession, candidate_id: UUID) -> bool:
    """Whether an exclusion that met this candidate waits for a lead: an open conflict.

    Not after a refusal: asking again is free, and holds nothing up.
    """
    return await repository.is_pending(session, candidate_id)


async def _release(session: TenantSession, exclusion: Exclusion) -> None:
    """A candidate that waits over a cap is held while a lead is asked; now it is not."""
    if exclusion.candidate_id is not None:
        await look_at(session, exclusion.candidate_id)


def _key(company_name: str | None) -> str | None:
    return None if company_name is None else name_key(company_name)


async def _found(
    session: TenantReadSession, exclusion_id: UUID, *, lock: bool = False
) -> Exclusion:
    exclusion = await repository.find(session, exclusion_id, lock=lock)
    if exclusion is None:
        raise NotFoundError
    return exclusion


def _read(row: Exclusion, principal: Principal) -> ExclusionRead:
    hidden = {"metadata", "consented_by"}
    return ExclusionRead.model_validate(
        {field: getattr(row, field) for field in ExclusionRead.model_fields if field not in hidden}
        | {"metadata": row.metadata_, "consented_by": actor_shown(row.consented_by, principal)}
    )
