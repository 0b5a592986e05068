"""A candidate's reservation `over_cap`: made, found, and ended by what happens to the candidate.

Whoever writes here holds the candidate's lock and takes the line's next: who joins, who leaves
and who might pass by take turns, so that nobody overtakes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from flatbed.app.campaigns.orders.room import look_for_room
from flatbed.app.candidates.models import Candidate, WaitingQualification
from flatbed.app.candidates.records.service import touch_candidate
from flatbed.app.candidates.reservations import repository
from flatbed.tenants.kit import deadlines
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7

TERM: Final = timedelta(days=30)
"""How long gate result and dossier stay frozen."""
EXPIRY: Final = "waiting.expiry"
MONTH: Final = "waiting.month"
"""The kinds of its deadlines: the end of the term, and the ISV's next local month."""


class Status(StrEnum):
    """The states of a reservation; all but the first are its end."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class EndReason(StrEnum):
    """Why a reservation was withdrawn."""

    MOVED_BACK = "moved_back"
    EXITED = "exited"
    NURTURED = "nurtured"
    OBJECTION = "objection"
    CONFLICT = "conflict"
    ALREADY_BILLED = "already_billed"
    CAMPAIGN_ENDED = "campaign_ended"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a reservation keeps as it was when the gates were judged.

    Args:
        unit_key: the key under which the unit would be metered then.
        criteria: the gate's result in its stored form.
        dossier: the evidence, not qualified yet.
        dossier_hash: its SHA-256.
        caps: the caps that were met, none if others waited before it.
        external_ref: the submitter's own reference.
        metadata: the submitter's own.
    """

    unit_key: str
    criteria: list[dict[str, Any]]
    dossier: dict[str, Any]
    dossier_hash: str
    caps: list[dict[str, Any]]
    external_ref: str | None
    metadata: dict[str, Any]


async def waiting_of(session: TenantReadSession, candidate_id: UUID) -> WaitingQualification | None:
    """The candidate's reservation that waits."""
    return await repository.find(session, candidate_id)


async def lock_line(session: TenantSession, campaign_id: UUID) -> int:
    """Take the turn in the campaign's line; how many wait there."""
    return await repository.lock_line(session, campaign_id)


async def reserve(
    session: TenantSession, candidate: Candidate, frozen: Frozen, *, month_end: datetime
) -> WaitingQualification | None:
    """Join the line, whose lock the caller holds; None where the same unit waits already.

    The caller then gives the transaction up.

    Asks for a look at the line once this is committed: a cap that was raised, or a unit that was
    voided, while this was being decided would be seen by nobody else.

    Args:
        session: the transaction of the submission.
        candidate: locked, and passing the gates.
        frozen: what is kept.
        month_end: when the ISV's next local month begins.
    """
    since = await repository.join(session, candidate.campaign_id)
    row = await repository.add(
        session,
        {
            "id": uuid7(),
            "candidate_id": candidate.id,
            "campaign_id": candidate.campaign_id,
            "status": Status.WAITING.value,
            "unit_key": frozen.unit_key,
            "criteria": frozen.criteria,
            "dossier": frozen.dossier,
            "dossier_hash": frozen.dossier_hash,
            "caps": frozen.caps,
            "hunter_id": candidate.hunter_id,
            "submitted_by": session.caller.actor,
            "expires_at": since + TERM,
            "external_ref": frozen.external_ref,
            "metadata_": frozen.metadata,
            "created_at": since,
            "updated_at": since,
        },
    )
    if row is None:
        return None
    failpoint(Failpoint.WAITING_RESERVED)
    await deadlines.schedule(
        session,
        candidate_id=row.candidate_id,
        kind=EXPIRY,
        subject_id=row.id,
        due_at=row.expires_at,
    )
    await await_month(session, row, month_end)
    figures = {"dossier_hash": row.dossier_hash, "expires_at": row.expires_at.isoformat()}
    mutation(session, "waiting_qualification.reserved", "wait", row.id, {**of(row), **figures})
    await touch_candidate(session, candidate)
    await session.flush()
    await look_for_room(session, row.campaign_id)
    return row


async def await_month(
    session: TenantSession, row: WaitingQualification, month_end: datetime
) -> None:
    """Look for room when the ISV's next month begins, if the reservation lives to see it."""
    if month_end < row.expires_at:
        await deadlines.schedule(
            session,
            candidate_id=row.candidate_id,
            kind=MONTH,
            subject_id=row.id,
            due_at=month_end,
        )


async def withdraw(session: TenantSession, candidate: Candidate, reason: EndReason) -> None:
    """End the candidate's reservation, if one waits."""
    row = await repository.find(session, candidate.id)
    if row is not None:
        await lock_line(session, row.campaign_id)
        await end(session, candidate, row, Status.WITHDRAWN, reason=reason)


async def end(
    session: TenantSession,
    candidate: Candidate,
    row: WaitingQualification,
    status: Status,
    *,
    reason: EndReason | None = None,
    qualification_id: UUID | None = None,
) -> None:
    """Leave the line, whose lock the caller holds. Those behind are looked at again."""
    row.status = status.value
    row.end_reason = None if reason is None else reason.value
    row.qualification_id = qualification_id
    row.ended_at = session.now()
    # A sweep's clock stands at its deadline, maybe before the row's last change.
    row.updated_at = max(row.updated_at, session.now())
    for kind in (EXPIRY, MONTH):
        await deadlines.cancel(session, candidate_id=row.candidate_id, kind=kind, subject_id=row.id)
    detail = of(row)
    if reason is not None:
        detail["reason"] = reason.value
    if qualification_id is not None:
        detail["qualification_id"] = encode("qual", qualification_id)
    mutation(session, f"waiting_qualification.{status}", "wait", row.id, detail)
    await touch_candidate(session, candidate)
    await session.flush()
    failpoint(Failpoint.WAITING_ENDED)
    await repository.leave(session, row.campaign_id)
    if status is not Status.ADMITTED:
        await look_for_room(session, row.campaign_id)


def of(row: WaitingQualification) -> dict[str, Any]:
    """What every event of a reservation names."""
    return {
        "candidate_id": encode("cand", row.candidate_id),
        "campaign_id": encode("camp", row.campaign_id),
    }
