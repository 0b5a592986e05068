"""An operation whose runs a test scripts, behind the program's inner layers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

import httpx
import structlog
from fastapi import APIRouter, Response
from sqlalchemy import func, select, text
from starlette.middleware import Middleware

from flatbed.tenants.access.calls import TenantCall
from flatbed.tenants.access.permissions import OperationPlane, Permissions
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.after_commit import AfterCommit
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.kernel_tables import AuditPending
from flatbed.tenants.kit.database.session import LoginSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.edge.bodies import BodyLayer
from flatbed.tenants.kit.edge.retries import RetryLayer
from flatbed.tenants.kit.http import reply
from flatbed.tenants.kit.ids import uuid7
from tests.support.kernel_app import KernelApp, Thing, kernel_app, permit
from tests.support.world import World

Step = Callable[[TenantSession, int], Awaitable[None]]


async def nothing(session: TenantSession, run: int) -> None:
    del session, run


@dataclass
class Script:
    """What the operation under test does in each of its runs, counted from 1 per thing."""

    step: Step = nothing
    after: Callable[[], Awaitable[None]] | None = None
    runs: dict[str, int] = field(default_factory=dict)
    seen: list[tuple[str, set[str], set[str]]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.runs.values())


def scripted(script: Script) -> APIRouter:
    """An operation that writes one thing and then does what the script says."""
    router = APIRouter()

    @router.post("/scripted", status_code=201, operation_id="play_script")
    async def play_script(
        body: Thing, call: Annotated[TenantCall, require("pipeline:write").tenant]
    ) -> Response:
        state = call.request.scope["state"]
        logged = set(structlog.contextvars.get_contextvars())
        script.seen.append((state["request_id"], set(state), logged))
        call.request.state.left_by_a_run = True
        structlog.contextvars.bind_contextvars(left_by_a_run=True)
        script.runs[body.name] = script.runs.get(body.name, 0) + 1

        async def work() -> Response:
            mutation(call.session, "thing.made", "off", uuid7())
            await call.session.flush()
            await script.step(call.session, script.runs[body.name])
            return reply(body, status=201)

        made = await call.once(work)
        if script.after is None:
            return made

        async def finish() -> Response:
            assert script.after is not None
            await script.after()
            return made

        return AfterCommit(finish)

    return router


def _layered(app: KernelApp) -> None:
    """Put the layers where the program has them, inside the one that numbers requests."""
    line = permit("play_script", "pipeline:write", OperationPlane.TENANT)
    gate = app.app.state.gate
    lines = {**{name: gate.permissions[name] for name in ("create_thing",)}, "play_script": line}
    object.__setattr__(gate, "permissions", Permissions(lines))
    app.app.user_middleware += [Middleware(BodyLayer), Middleware(RetryLayer)]


@asynccontextmanager
async def playing(world: World, script: Script) -> AsyncIterator[KernelApp]:
    """The application with the operation."""
    async with kernel_app(world, scripted(script)) as made:
        _layered(made)
        yield made


async def play(
    client: httpx.AsyncClient, name: str = "thing", key: str | None = None
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/scripted", json={"name": name}, headers=headers)


async def effects(world: World) -> int:
    async with world.reading() as session:
        return await session.scalar(select(func.count()).select_from(AuditPending)) or 0


async def fail(session: TenantSession | LoginSession, sqlstate: str) -> None:
    await session.execute(
        text(f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{sqlstate}'; END $$")
    )


def failing(sqlstate: str, runs: int) -> Step:
    async def step(session: TenantSession, run: int) -> None:
        if run <= runs:
            await fail(session, sqlstate)

    return step


async def terminate(admin: Plain, condition: str = "state = 'idle'") -> int:
    """Kill connections of the program in the test's own database, and see them dead."""
    found = await admin.fetch(
        "SELECT pg_terminate_backend(pid, 5000) AS dead FROM pg_stat_activity"
        f" WHERE datname = current_database() AND application_name = 'flatbed' AND {condition}"
    )
    assert all(row["dead"] for row in found)
    return len(found)


def unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
    for word in ("canary", "127.0.0.1", "secret", "asyncpg", "Connect", "closed"):
        assert word not in answer.text
