"""Liveness, which needs nothing, and readiness, which needs the database at head."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from flatbed.tenants.kit.http import reply
from flatbed.tenants.kit.problems import Problem

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process lives, or may be sent requests."""

    status: Literal["ok"]


class NotReadyError(Problem):
    """The database does not answer, or its migrations are not at head."""

    status = 503
    code = "not-ready"
    title = "Not ready"
    advice = "Wait; if it stays so, run `flatbed db status`."


@router.get("/healthz", operation_id="get_liveness", response_model=Health)
async def get_liveness() -> Response:
    """Say that the process lives. Needs neither database nor load."""
    return reply(Health(status="ok"))


@router.get("/readyz", operation_id="get_readiness", response_model=Health)
async def get_readiness(request: Request) -> Response:
    """Say whether requests may be sent here: the database answers, migrations are at head."""
    if not await request.app.state.program.ready():
        raise NotReadyError
    return reply(Health(status="ok"))
