"""Submission: gates, dossier, unit and stage in one transaction, or nothing at all.

What meets a cap waits for room instead, with gates and dossier frozen (``waiting/``).
"""

from uuid import UUID

from flatbed.app.campaigns.orders.caps import caps_of
from flatbed.app.candidates.pipeline.cases import decide, open_case
from flatbed.app.candidates.records.errors import CampaignNotOrderedError
from flatbed.app.candidates.reservations.service import lock_line
from flatbed.app.candidates.rules.pipeline import Submit
from flatbed.app.qualifications import metering, reading
from flatbed.app.qualifications.dossier import freeze
from flatbed.app.qualifications.errors import AlreadyQualifiedError
from flatbed.app.qualifications.metering import Birth
from flatbed.app.qualifications.schemas import QualificationCreate, QualificationRead
from flatbed.app.qualifications.waiting import joining
from flatbed.app.qualifications.waiting.reading import read as read_waiting
from flatbed.app.qualifications.waiting.schemas import WaitingQualificationRead
from flatbed.billing.facade import CapReachedError
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7


async def submit(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: QualificationCreate
) -> tuple[QualificationRead | WaitingQualificationRead, int]:
    """Qualify the candidate: the unit is metered with it. Returns it with its ETag.

    Where a cap leaves no room, or others wait for room already, it is a reservation that waits;
    submitted again, the same one.

    Raises:
        NotFoundError: no such candidate for this caller.
        AlreadyQualifiedError: the candidate's unit stands.
        GateFailedError: the definition of a qualified partner is not met; criteria say where.
        CapReachedError: a cap is below a single unit; nothing was changed.
        UnitWaitingError: another candidate of the company group waits already.
        AlreadyBilledError: the company group was billed meanwhile in this programme.
        Problem: what else the pipeline refuses (``candidates/pipeline/errors.py``).
    """
    case = await open_case(session, candidate_id)
    if case.snapshot.holds_entry:
        raise AlreadyQualifiedError
    waiting = await joining.standing(session, case)
    if waiting is not None:
        return read_waiting(waiting, principal), waiting.version
    decided = decide(session, case, Submit())
    if decided.gate is None or case.campaign.unit_price is None:
        raise CampaignNotOrderedError
    dossier, dossier_hash = freeze(case, decided.gate, session.now())
    failpoint(Failpoint.DOSSIER_FROZEN)
    birth = Birth(
        id=uuid7(),
        dossier=dossier,
        dossier_hash=dossier_hash,
        hunter_id=case.candidate.hunter_id,
        external_ref=body.external_ref,
        metadata=body.metadata,
    )
    # Nobody overtakes: where others wait, the first of them has the next room.
    if await lock_line(session, case.campaign.id):
        waiting = await joining.join(session, case, decided.gate, dossier, body, [])
        return read_waiting(waiting, principal), waiting.version
    try:
        metered = await metering.meter(session, case, birth, caps_of(case.campaign))
    except CapReachedError as met:
        if met.is_final:
            # What the ISV may spend is not for hunters.
            raise (CapReachedError if principal.role is Role.HUNTER else met) from None
        caps = met.extra["caps"]
        waiting = await joining.join(session, case, decided.gate, dossier, body, caps)
        return read_waiting(waiting, principal), waiting.version
    row = await metering.qualify(session, case, decided, birth, metered)
    return await reading.read(session, principal, row), row.version
