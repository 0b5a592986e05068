"""Joining the line: what a submission becomes where there is no room."""

from typing import Any

from flatbed.app.candidates.models import WaitingQualification
from flatbed.app.candidates.pipeline import criteria
from flatbed.app.candidates.pipeline.cases import Case
from flatbed.app.candidates.reservations import service as reservations
from flatbed.app.candidates.reservations.service import Frozen, Status
from flatbed.app.candidates.rules.gate_criteria import GateCheck
from flatbed.app.qualifications import dossier as dossiers
from flatbed.app.qualifications.schemas import QualificationCreate
from flatbed.app.qualifications.waiting.errors import UnitWaitingError
from flatbed.billing.facade import month_end
from flatbed.tenants.kit.database.session import TenantSession


async def standing(session: TenantSession, case: Case) -> WaitingQualification | None:
    """The candidate's reservation that still holds; one whose term is over ends here."""
    row = await reservations.waiting_of(session, case.candidate.id)
    if row is None or session.now() < row.expires_at:
        return row
    await reservations.lock_line(session, row.campaign_id)
    await reservations.end(session, case.candidate, row, Status.EXPIRED)
    return None


async def join(
    session: TenantSession,
    case: Case,
    gate: GateCheck,
    dossier: dict[str, Any],
    body: QualificationCreate,
    met: list[dict[str, Any]],
) -> WaitingQualification:
    """Reserve, with what was judged frozen. The caller holds the line's lock.

    Args:
        session: the transaction of the submission.
        case: the candidate, under its lock.
        gate: that it has passed.
        dossier: what it rests on.
        body: what was submitted.
        met: the caps that left no room; none where others wait before it.

    Raises:
        UnitWaitingError: another candidate of the company group waits already.
    """
    kept, kept_hash = dossiers.waiting(dossier)
    frozen = Frozen(
        unit_key=case.unit_keys[0],
        criteria=criteria.of_gate(gate),
        dossier=kept,
        dossier_hash=kept_hash,
        caps=met,
        external_ref=body.external_ref,
        metadata=body.metadata,
    )
    row = await reservations.reserve(
        session,
        case.candidate,
        frozen,
        month_end=month_end(session.now(), case.organization.zone),
    )
    if row is None:
        raise UnitWaitingError
    return row
