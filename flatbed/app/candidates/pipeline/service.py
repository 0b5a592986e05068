"""Rules of gates and transitions as the API asks for them."""

from uuid import UUID

from flatbed.app.candidates.models import Transition as TransitionRow
from flatbed.app.candidates.pipeline import criteria, repository
from flatbed.app.candidates.pipeline.cases import Case, decide, open_case, read_case
from flatbed.app.candidates.pipeline.errors import StageNotNextError
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.pipeline.ports import Signings
from flatbed.app.candidates.pipeline.schemas import (
    EXITED,
    GatesRead,
    RefusalRead,
    TransitionCreate,
    TransitionPage,
    TransitionRead,
)
from flatbed.app.candidates.records.service import candidate_to_read
from flatbed.app.candidates.rules.exits import ExitReason
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.pipeline import (
    Exit,
    Move,
    Refusal,
    Request,
    Return,
    Submit,
    TransitionKind,
    advance,
)
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.problems import ForbiddenError, InvalidError

DRY = "dry run"


async def gates(session: TenantReadSession, candidate_id: UUID, to: Stage | None) -> GatesRead:
    """Judge a stage's gate, the next one's unless told, and change nothing.

    Raises:
        NotFoundError: no such candidate for this caller.
        StageNotNextError: none was named, and the last stage is reached.
    """
    case = await read_case(session, candidate_id)
    target = to or case.snapshot.stage.following
    if target is None:
        raise StageNotNextError
    decision = advance(case.snapshot, case.rubric, _dry(case, target), session.now())
    gate = decision.gate
    if gate is None or gate.stage is not target:
        gate = check(target, case.snapshot, case.rubric, session.now())
    refusal = None
    if isinstance(decision, Refusal):
        refusal = RefusalRead(code=decision.code.value, why=decision.detail)
    return GatesRead(
        candidate_id=candidate_id,
        stage=case.snapshot.stage,
        status=case.snapshot.status,
        to=target,
        rubric_version=gate.rubric_version,
        passed=gate.passed,
        criteria=criteria.shown(criteria.of_gate(gate)),
        refusal=refusal,
    )


async def transition(
    session: TenantSession,
    principal: Principal,
    candidate_id: UUID,
    version: int,
    body: TransitionCreate,
    signings: Signings,
) -> tuple[TransitionRead, int]:
    """Move the candidate. Returns the stored move and the candidate's new ETag.

    A move to `contracted` accepts the unit that still waits for the ISV.

    Raises:
        NotFoundError: no such candidate for this caller.
        PreconditionFailedError: another version is stored.
        ForbiddenError: an override by somebody who is no lead.
        InvalidError: an exit without a reason's code, or an override of what has no guard.
        Problem: what the rules refuse (``pipeline/errors.py``).
    """
    if body.override_reason is not None and principal.role is not Role.LEAD:
        raise ForbiddenError
    case = await open_case(session, candidate_id, version=version)
    row = await move(session, case, decide(session, case, _request(case, body)))
    if row.to_stage == Stage.CONTRACTED.value:
        await signings.signed(session, candidate_id)
    return _read(row, principal), case.candidate.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> TransitionPage:
    """A page of the candidate's transitions, oldest first.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    await candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, candidate_id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.at, row.id))
    return TransitionPage(data=[_read(row, principal) for row in shown], **envelope.model_dump())


def _dry(case: Case, target: Stage) -> Request:
    """What would be asked of the rules to get there."""
    if case.snapshot.status is Status.EXITED:
        return Return(target)
    if target is Stage.QUALIFIED and not case.snapshot.holds_entry:
        return Submit()
    return Move(target, DRY)


def _request(case: Case, body: TransitionCreate) -> Request:
    if body.to == EXITED:
        return Exit(_exit_reason(body.reason), body.override_reason)
    if body.override_reason is not None:
        raise InvalidError.at("/override_reason", "not-applicable", "Only an exit has a guard.")
    if case.snapshot.status is Status.EXITED:
        return Return(Stage(body.to))
    return Move(Stage(body.to), body.reason)


def _exit_reason(code: str | None) -> ExitReason:
    try:
        return ExitReason(code or "")
    except ValueError:
        known = ", ".join(ExitReason)
        raise InvalidError.at("/reason", "unknown-exit-reason", f"One of: {known}.") from None


def _read(row: TransitionRow, principal: Principal) -> TransitionRead:
    return TransitionRead(
        id=row.id,
        candidate_id=row.candidate_id,
        kind=TransitionKind(row.kind),
        from_stage=None if row.from_stage is None else Stage(row.from_stage),
        to_stage=Stage(row.to_stage),
        reason=row.reason,
        override_reason=row.override_reason,
        criteria=criteria.shown(row.criteria),
        rubric_version=row.rubric_version,
        actor=None if principal.role.of_isv else row.actor,
        at=row.at,
    )
