"""A small application on the real gate: sign-in is played, everything below it is real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated
from uuid import UUID

import httpx
from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from flatbed.tenants.access.calls import AgencyCall, TenantCall
from flatbed.tenants.access.permissions import OperationPlane, Permission, Permissions
from flatbed.tenants.access.principal import Claims, Principal, Role
from flatbed.tenants.access.require import Gate, require
from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencyReadSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.http import reply
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import ConflictError
from tests.support.world import World


@dataclass
class FrontDesk:
    """Knows the tokens that a test gave out; stands behind all three ports of the gate."""

    principals: dict[str, Claims] = field(default_factory=dict)
    resource_metadata: str = "http://test/.well-known/oauth-protected-resource"

    def token(
        self, realm_id: UUID, tenant_id: UUID | None, scopes: frozenset[str]
    ) -> dict[str, str]:
        """The headers of a new client."""
        token = uuid7().hex
        self.principals[token] = Claims(uuid7(), realm_id, tenant_id, None, scopes)
        return {"Authorization": f"Bearer {token}"}

    async def verify(self, token: str) -> Claims:
        return self.principals[token]

    async def principal(
        self, session: AgencyReadSession, claims: Claims, __: Address | None
    ) -> Principal:
        realm = await session.get_one(Realm, claims.realm_id)
        return Principal(
            role=Role.AGENCY_CLIENT if claims.tenant_id is None else Role.ISV_CLIENT,
            client_id=claims.client_id,
            realm_id=claims.realm_id,
            tenant_id=claims.tenant_id,
            staff_id=None,
            scopes=claims.scopes,
            clock=Clock(timedelta(microseconds=realm.clock_offset_us)).frozen(),
            sandbox=realm.kind == "sandbox",
        )

    async def exists(self, session: AgencyReadSession, tenant_id: UUID) -> bool:
        return any(
            claims.realm_id == session.realm_id and claims.tenant_id == tenant_id
            for claims in self.principals.values()
        )

    async def of_candidate(self, *_: object) -> UUID | None:
        return None

    async def of_campaign(self, *_: object) -> UUID | None:
        return None


class Thing(BaseModel):
    """What the operations below take and answer."""

    id: UUID | None = None
    name: str = ""


@dataclass
class Gatekeeper:
    """Lets a test stop a request in the middle of its transaction."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


def sound_routes() -> APIRouter:
    """Operations that write."""
    router = APIRouter()
    tenant, agency = require("pipeline:write").tenant, require("pipeline:write").agency

    @router.post("/things", status_code=201, operation_id="create_thing")
    async def create_thing(body: Thing, call: Annotated[TenantCall, tenant]) -> Response:
        async def work() -> Response:
            made = Thing(id=uuid7(), name=body.name)
            mutation(call.session, "thing.made", "off", uuid7())
            return reply(made, status=201, version=1, location=f"/things/{made.id}")

        return await call.once(work)

    @router.post("/agency-things", status_code=201, operation_id="create_agency_thing")
    async def create_agency_thing(body: Thing, call: Annotated[AgencyCall, agency]) -> Response:
        async def work() -> Response:
            record(call.session, "thing.made", "staff", uuid7())
            return reply(Thing(id=uuid7(), name=body.name), status=201)

        return await call.once(work)

    return router


def broken_routes(halt: Gatekeeper) -> APIRouter:
    """Operations that go wrong in every way that the kernel must survive."""
    router = APIRouter()
    tenant = require("pipeline:write").tenant

    @router.post("/refused", operation_id="refuse_thing")
    async def refuse_thing(body: Thing, call: Annotated[TenantCall, tenant]) -> Response:
        async def work() -> Response:
            mutation(call.session, "thing.made", "off", uuid7())
            await call.session.flush()
            if body.name == "bad":
                raise ConflictError
            return reply(body)

        return await call.once(work)

    @router.post("/swallowed", status_code=201, operation_id="swallow_error")
    async def swallow_error(body: Thing, call: Annotated[TenantCall, tenant]) -> Response:
        mutation(call.session, "thing.made", "off", uuid7())
        try:
            await call.session.execute(text("SELECT 1/0"))
        except SQLAlchemyError:
            return reply(body, status=201)
        raise AssertionError

    @router.post("/halted", status_code=201, operation_id="halt_thing")
    async def halt_thing(body: Thing, call: Annotated[TenantCall, tenant]) -> Response:
        async def work() -> Response:
            mutation(call.session, "thing.made", "off", uuid7())
            await call.session.flush()
            halt.arrived.set()
            if body.name == "asleep":
                await call.session.execute(text("SELECT pg_sleep(20)"))
            await halt.go_on.wait()
            return reply(Thing(id=uuid7()), status=201)

        return await call.once(work)

    return router


def permit(operation: str, scope: str, plane: OperationPlane) -> Permission:
    """A line of the table for both kinds of client."""
    roles = frozenset({Role.ISV_CLIENT, Role.AGENCY_CLIENT})
    return Permission(operation, (scope,), plane, roles, None)


@dataclass
class KernelApp:
    """The application, and clients of it."""

    app: FastAPI
    desk: FrontDesk
    halt: Gatekeeper
    world: World

    def client(
        self,
        tenant_id: UUID | None = None,
        *,
        realm_id: UUID | None = None,
        through: ASGIApp | None = None,
    ) -> httpx.AsyncClient:
        """A client of its own, of the tenant, else of the agency; `through` what wraps the app."""
        scopes = frozenset({"pipeline:write", "audit:read", "sandbox:manage"})
        headers = self.desk.token(realm_id or self.world.realm_id, tenant_id, scopes)
        transport = httpx.ASGITransport(through or self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@asynccontextmanager
async def kernel_app(
    world: World, *routers: APIRouter, handlers: DeadlineHandlers | None = None
) -> AsyncIterator[KernelApp]:
    """The application over a world, with the routers of slices beside its own."""
    desk, halt = FrontDesk(), Gatekeeper()
    tenant, agency, either = OperationPlane.TENANT, OperationPlane.AGENCY, OperationPlane.EITHER
    lines = [
        permit("create_thing", "pipeline:write", tenant),
        permit("create_agency_thing", "pipeline:write", agency),
        permit("refuse_thing", "pipeline:write", tenant),
        permit("swallow_error", "pipeline:write", tenant),
        permit("halt_thing", "pipeline:write", tenant),
        permit("list_audit", "audit:read", either),
        permit("advance_sandbox_clock", "sandbox:manage", agency),
    ]
    app = FastAPI()
    http.install(app)
    for router in (sound_routes(), broken_routes(halt), *routers):
        app.include_router(router)
    app.add_middleware(RequestLayer)
    app.state.program = SimpleNamespace(database=world.database, deadlines=handlers or {})
    app.state.gate = Gate(
        database=world.database,
        keyring=Keyring(b"s" * 32),
        permissions=Permissions({line.operation: line for line in lines}),
        authenticator=desk,
        tenants=desk,
        assignments=desk,
    )
    yield KernelApp(app, desk, halt, world)
