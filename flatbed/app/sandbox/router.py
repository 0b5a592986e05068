"""HTTP for a sandbox's clock."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.app.sandbox import service
from flatbed.app.sandbox.schemas import ClockAdvance, ClockRead
from flatbed.tenants.access.calls import AgencyCall
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.after_commit import AfterCommit
from flatbed.tenants.kit.http import reply

router = APIRouter(prefix="/v1/sandbox", tags=["sandbox"])


@router.post("/clock", operation_id="advance_sandbox_clock", response_model=ClockRead)
async def advance_sandbox_clock(
    body: ClockAdvance, call: Annotated[AgencyCall, require("sandbox:manage").agency]
) -> Response:
    """Move a sandbox realm's clock forward.

    Answers when everything that fell due has happened; while several other requests are at that,
    at once, and it happens soon after.
    """
    program, session = call.request.app.state.program, call.session
    made: list[ClockRead] = []

    async def move() -> Response:
        made.append(await service.advance(session, body))
        return reply(made[0])

    stored = await call.once(move)

    async def finish() -> Response:
        database, handlers = program.database, program.deadlines
        if not made:
            # A replay also finishes what a crash may have left undone.
            await service.sweep(database, handlers, session.realm_id)
            return stored
        key = call.request.headers.get("idempotency-key")
        return reply(await service.finish(database, handlers, session, made[0], key))

    return AfterCommit(finish)
