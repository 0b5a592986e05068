"""SQL for guarantee cases, partners' requests and what the clock rests on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from flatbed.app.candidates.models import Candidate, Touchpoint
from flatbed.app.qualifications.guarantee.models import GuaranteeCase, PartnerRequest
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.cases import CaseState, Cause
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession


@dataclass(frozen=True, slots=True)
class Filters:
    """Which cases; None is any."""

    campaign_id: UUID | None = None
    status: CaseState | None = None
    updated_after: datetime | None = None


async def find(session: TenantReadSession, case_id: UUID) -> GuaranteeCase | None:
    """The case as it is stored now."""
    statement = (
        select(GuaranteeCase)
        .where(GuaranteeCase.tenant_id == session.tenant_id, GuaranteeCase.id == case_id)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def of_unit(
    session: TenantReadSession, qualification_id: UUID, *, lock: bool = False
) -> GuaranteeCase | None:
    """The case of a unit that was neither refused nor cancelled."""
    statement = select(GuaranteeCase).where(
        GuaranteeCase.tenant_id == session.tenant_id,
        GuaranteeCase.qualification_id == qualification_id,
        GuaranteeCase.status != word(CaseState.REFUSED.value),
        GuaranteeCase.status != word(CaseState.CANCELLED.value),
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def answered_by(session: TenantReadSession, qualification_id: UUID) -> GuaranteeCase | None:
    """The case that this unit is the replacement of."""
    statement = select(GuaranteeCase).where(
        GuaranteeCase.tenant_id == session.tenant_id,
        GuaranteeCase.replacement_id == qualification_id,
    )
    return await session.scalar(statement.execution_options(populate_existing=True))


async def concerning(session: TenantSession, qualification_id: UUID) -> Sequence[GuaranteeCase]:
    """The cases that this unit is in or makes good, under their locks."""
    statement = (
        select(GuaranteeCase)
        .where(
            GuaranteeCase.tenant_id == session.tenant_id,
            or_(
                GuaranteeCase.qualification_id == qualification_id,
                GuaranteeCase.replacement_id == qualification_id,
            ),
        )
        .order_by(GuaranteeCase.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def lock(session: TenantSession, case_id: UUID) -> GuaranteeCase | None:
    """The case under its lock, as it is stored now."""
    statement = (
        select(GuaranteeCase)
        .where(GuaranteeCase.tenant_id == session.tenant_id, GuaranteeCase.id == case_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def lock_owed(
    session: TenantSession, campaign_id: UUID, candidate_id: UUID, *, without: Collection[UUID]
) -> GuaranteeCase | None:
    """The next case of the campaign that waits for a replacement, under its lock.

    Those that are paid for come first, then the earliest due. Never of the candidate himself.
    Whoever waited for the lock and finds the case taken gets the one behind it.
    """
    statement = select(GuaranteeCase).where(
        GuaranteeCase.tenant_id == session.tenant_id,
        GuaranteeCase.campaign_id == campaign_id,
        GuaranteeCase.status == word(CaseState.OPEN.value),
        GuaranteeCase.replace_by > session.now(),
        GuaranteeCase.candidate_id != candidate_id,
        GuaranteeCase.id.not_in(without),
    )
    paid = GuaranteeCase.cause == Cause.WITHDRAWAL.value
    statement = (
        statement.order_by(paid.desc(), GuaranteeCase.replace_by, GuaranteeCase.id)
        .limit(1)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[GuaranteeCase]:
    """Cases by last change."""
    statement = select(GuaranteeCase).where(GuaranteeCase.tenant_id == session.tenant_id)
    if filters.campaign_id is not None:
        statement = statement.where(GuaranteeCase.campaign_id == filters.campaign_id)
    if filters.status is not None:
        statement = statement.where(GuaranteeCase.status == filters.status.value)
    if filters.updated_after is not None:
        statement = statement.where(GuaranteeCase.updated_at > filters.updated_after)
    beyond = window.beyond(GuaranteeCase.updated_at, GuaranteeCase.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(GuaranteeCase.updated_at, GuaranteeCase.id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def last_of_unit(session: TenantReadSession, qualification_id: UUID) -> GuaranteeCase | None:
    """The newest case of a unit, refused and cancelled ones too."""
    statement = (
        select(GuaranteeCase)
        .where(
            GuaranteeCase.tenant_id == session.tenant_id,
            GuaranteeCase.qualification_id == qualification_id,
        )
        .order_by(GuaranteeCase.reported_at.desc(), GuaranteeCase.id.desc())
        .limit(1)
    )
    return await session.scalar(statement)


async def touches(session: TenantReadSession, qualification: Qualification) -> Sequence[Touchpoint]:
    """All touches of the unit's candidate."""
    statement = (
        select(Touchpoint)
        .where(
            Touchpoint.tenant_id == session.tenant_id,
            Touchpoint.candidate_id == qualification.candidate_id,
        )
        .order_by(Touchpoint.occurred_at, Touchpoint.id)
    )
    return (await session.scalars(statement)).all()


async def requests(
    session: TenantReadSession, qualification: Qualification
) -> Sequence[PartnerRequest]:
    """The partner's touches that somebody said are for the ISV to answer."""
    statement = select(PartnerRequest).where(
        PartnerRequest.tenant_id == session.tenant_id,
        PartnerRequest.candidate_id == qualification.candidate_id,
    )
    return (await session.scalars(statement.order_by(PartnerRequest.id))).all()


async def programme_of(session: TenantReadSession, qualification: Qualification) -> UUID:
    """The programme in which the unit was billed."""
    statement = select(Candidate.programme_id).where(
        Candidate.tenant_id == session.tenant_id, Candidate.id == qualification.candidate_id
    )
    return (await session.scalars(statement)).one()
