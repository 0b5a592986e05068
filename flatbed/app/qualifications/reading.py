"""Qualifications as the API shows them, each reader what he may see."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.records.service import candidate_to_read
from flatbed.app.qualifications import repository
from flatbed.app.qualifications.guarantee import reading as guarantees
from flatbed.app.qualifications.models import Dispute, Qualification, QualificationReview
from flatbed.app.qualifications.schemas import (
    DisputeRead,
    QualificationDetail,
    QualificationPage,
    QualificationRead,
    ReviewRead,
)
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import NotFoundError

HIDDEN: dict[str, Any] = {"unit_price": None, "replaces_id": None}
ACTORS = ("accepted_by", "answered_by", "decided_by", "withdrawn_by")


async def get(
    session: TenantReadSession, principal: Principal, qualification_id: UUID
) -> tuple[QualificationDetail, int]:
    """The qualification with its dossier, and its ETag.

    Raises:
        NotFoundError: no such qualification of this tenant.
    """
    row = await repository.find(session, qualification_id)
    if row is None:
        raise NotFoundError
    shown = await read(session, principal, row)
    detail = QualificationDetail(
        **dict(shown),
        guarantee=await guarantees.guarantee(session, row),
        guarantee_case=await guarantees.case_of(session, principal, row),
        dossier=row.dossier,
    )
    return detail, row.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: repository.Filters,
) -> QualificationPage:
    """A page of qualifications by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    data = await _read_all(session, principal, shown)
    return QualificationPage(data=data, **envelope.model_dump())


async def page_of_candidate(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> QualificationPage:
    """A page of one candidate's qualifications by last change.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    await candidate_to_read(session, candidate_id)
    filters = repository.Filters(candidate_id=candidate_id)
    return await page(session, principal, cursors, cursor=cursor, limit=limit, filters=filters)


async def read(
    session: TenantReadSession, principal: Principal, row: Qualification
) -> QualificationRead:
    """The qualification with its disputes and reviews, without the dossier."""
    return (await _read_all(session, principal, [row]))[0]


def read_dispute(row: Dispute, principal: Principal) -> DisputeRead:
    """The dispute; an ISV is not told who of the agency answered and decided."""
    return DisputeRead.model_validate(_values(row, DisputeRead, principal))


async def _read_all(
    session: TenantReadSession, principal: Principal, rows: Sequence[Qualification]
) -> list[QualificationRead]:
    if not rows:
        return []
    disputes = await repository.disputes(session, rows)
    reviews = await repository.reviews(session, rows)
    return [
        QualificationRead.model_validate(
            {
                **_values(row, QualificationRead, principal),
                # What it costs, and whose place it took, is not for hunters.
                **(HIDDEN if principal.role is Role.HUNTER else {}),
                "metadata": row.metadata_,
                "disputes": [
                    read_dispute(one, principal)
                    for one in disputes
                    if one.qualification_id == row.id
                ],
                "reviews": [
                    ReviewRead.model_validate(_values(one, ReviewRead, principal))
                    for one in reviews
                    if one.qualification_id == row.id
                ],
            }
        )
        for row in rows
    ]


def _values(
    row: Qualification | Dispute | QualificationReview,
    model: type[QualificationRead | DisputeRead | ReviewRead],
    principal: Principal,
) -> dict[str, Any]:
    values = {name: getattr(row, name, None) for name in model.model_fields if name != "metadata"}
    for name in values.keys() & set(ACTORS):
        values[name] = actor_shown(values[name], principal)
    return values
