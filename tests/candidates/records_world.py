"""A candidate in a running campaign, on the real database, role and gate; only tokens are made up.

Each test makes a realm of its own, so that tests share a database. What stands below a candidate
is recorded over HTTP; the rows above him are written as other slices would leave them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import select, update

from flatbed.app.campaigns.models import Campaign
from flatbed.app.candidates.contacts.router import router as contacts
from flatbed.app.candidates.evidence.router import router as evidence
from flatbed.app.candidates.intelligence.router import router as intelligence
from flatbed.app.candidates.models import Candidate, Touchpoint
from flatbed.app.candidates.plans.router import router as plans
from flatbed.app.candidates.touchpoints.router import router as touchpoints
from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import STAFF_ROLES, Claims, Principal, Role
from flatbed.tenants.access.require import Gate
from flatbed.tenants.access.scopes import SCOPES, SIGNALS
from flatbed.tenants.kit import http
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import AuditPending, EventPending, Realm
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantSession
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.organizations.service import RealmTenants
from tests.candidates.records_rows import CALLER, add_campaign, add_candidate
from tests.support.apps import Pool
from tests.support.engines import opened
from tests.support.postgres import TestDatabase

NOW = datetime(2026, 3, 11, 10, tzinfo=UTC)
"""A Wednesday; the five business days before it begin on Wednesday, 4 March, in Berlin."""
ROUTERS = (contacts, intelligence, touchpoints, evidence, plans)


def ago(**delta: float) -> str:
    """An instant before now, as text."""
    return (NOW - timedelta(**delta)).isoformat()


def missing(prefix: str) -> str:
    """A well-formed id of nothing."""
    return encode(prefix, uuid7())


@dataclass
class Ports:
    """What the floors above would bind."""

    clock: Clock
    principals: dict[str, Principal] = field(default_factory=dict)
    assigned: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    late: list[UUID] = field(default_factory=list)
    resource_metadata: str = "http://test/.well-known/oauth-protected-resource"

    async def verify(self, token: str) -> Claims:
        """A token is the hex of its client."""
        known = self.principals[token]
        return Claims(
            known.client_id, known.realm_id, known.tenant_id, known.staff_id, known.scopes
        )

    async def principal(
        self, _: AgencyReadSession, claims: Claims, __: Address | None
    ) -> Principal:
        """The principal at the realm's present instant."""
        return replace(self.principals[claims.client_id.hex], clock=self.clock)

    async def of_candidate(
        self, _: AgencyReadSession, staff_id: UUID, candidate_id: UUID
    ) -> UUID | None:
        """The tenant of a live assignment."""
        return self.assigned.get((staff_id, candidate_id))

    async def of_campaign(self, *_: object) -> UUID | None:
        """Nobody sources here."""
        return None

    async def said(self, _: TenantSession, __: Candidate, touchpoint: Touchpoint) -> None:
        """Remember a push that the qualifications would hear of."""
        self.late.append(touchpoint.id)


@dataclass
class Client:
    """A principal who sends requests; paths are below the room's candidate unless absolute."""

    room: "Room"
    principal: Principal

    async def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        candidate: str | None = None,
        etag: str | None = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request."""
        sent = {"Authorization": f"Bearer {self.principal.client_id.hex}", **(headers or {})}
        if self.principal.role not in {Role.ISV_CLIENT, Role.HUNTER}:
            sent["Flatbed-Tenant"] = encode("org", self.room.tenant_id)
        if etag is not None:
            sent["If-Match"] = etag
        base = f"/v1/candidates/{candidate or self.room.candidate}"
        url = path if path.startswith("/v1/") else f"{base}/{path}"
        return await self.room.http.request(method, url, json=json, headers=sent, params=params)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return await self.send("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST."""
        return await self.send("POST", path, json, **more)

    async def made(self, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """POST that succeeds; the body."""
        answer = await self.post(path, json, **more)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def listed(self, path: str, **more: Any) -> list[dict[str, Any]]:
        """GET of a list that succeeds; its rows."""
        answer = await self.get(path, **more)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    async def touch(self, cls: str = "P2", side: str = "partner", **more: Any) -> dict[str, Any]:
        """A touch of an hour ago."""
        return await self.made("touchpoints", touch_body(cls, side, **more))


def touch_body(cls: str = "P2", side: str = "partner", **more: Any) -> dict[str, Any]:
    """The body of a touch of an hour ago."""
    return {
        "side": side,
        "class": cls,
        "channel": "email",
        "occurred_at": ago(hours=1),
        **more,
    }


@dataclass
class Room:
    """One realm, one ISV, one running campaign and its candidate."""

    database: Database
    http: httpx.AsyncClient
    ports: Ports
    realm_id: UUID
    tenant_id: UUID
    campaign_id: UUID = field(default_factory=uuid7)
    candidate: str = ""
    hunter: Client = field(init=False)
    lead: Client = field(init=False)
    isv: Client = field(init=False)
    integration: Client = field(init=False)

    def client(self, role: Role, *, signals: bool = False, tenant: UUID | None = None) -> Client:
        """A principal of the role with every scope but `signals:write`, unless told."""
        principal = Principal(
            role=role,
            client_id=uuid7(),
            realm_id=self.realm_id,
            tenant_id=(tenant or self.tenant_id) if role is Role.ISV_CLIENT else None,
            staff_id=uuid7() if role in STAFF_ROLES else None,
            scopes=SCOPES if signals else SCOPES - {SIGNALS},
            clock=self.ports.clock,
            sandbox=True,
        )
        self.ports.principals[principal.client_id.hex] = principal
        return Client(self, principal)

    def assign(self, hunter: Client, candidate: str) -> None:
        """Give the hunter a live assignment."""
        assert hunter.principal.staff_id is not None
        key = (hunter.principal.staff_id, decode("cand", candidate))
        self.ports.assigned[key] = self.tenant_id

    def pass_time(self, **delta: float) -> None:
        """Move the realm's clock forward."""
        self.ports.clock = self.ports.clock.at(self.ports.clock.now() + timedelta(**delta))

    def transaction(self, tenant: UUID | None = None) -> Any:
        """A transaction of the tenant."""
        return self.database.tenant(
            realm_id=self.realm_id,
            tenant_id=tenant or self.tenant_id,
            caller=CALLER,
            clock=self.ports.clock,
        )

    async def row(self) -> Candidate:
        """The candidate as stored."""
        async with self.transaction() as session:
            found: Candidate = (
                await session.scalars(
                    select(Candidate).where(Candidate.id == decode("cand", self.candidate))
                )
            ).one()
            return found

    async def change_campaign(self, **values: Any) -> None:
        """Write the campaign as its own slice would."""
        async with self.transaction() as session:
            await session.execute(
                update(Campaign).where(Campaign.id == self.campaign_id).values(**values)
            )

    async def change_candidate(self, **values: Any) -> None:
        """Write the candidate as its own slice would."""
        async with self.transaction() as session:
            await session.execute(
                update(Candidate)
                .where(Candidate.id == decode("cand", self.candidate))
                .values(**values)
            )

    async def trail(self, action: str) -> list[tuple[AuditPending, EventPending]]:
        """Audit and event rows of an action, in pairs."""
        async with self.transaction() as session:
            audit = (
                await session.scalars(
                    select(AuditPending)
                    .where(AuditPending.tenant_id == self.tenant_id, AuditPending.action == action)
                    .order_by(AuditPending.id)
                )
            ).all()
            events = (
                await session.scalars(
                    select(EventPending)
                    .where(EventPending.tenant_id == self.tenant_id, EventPending.type == action)
                    .order_by(EventPending.id)
                )
            ).all()
            return list(zip(audit, events, strict=True))

    async def another_candidate(self) -> str:
        """One more candidate of the campaign, with the same hunter."""
        made = await self._candidate(self.tenant_id, self.campaign_id)
        self.assign(self.hunter, made)
        return made

    async def foreign(self) -> tuple[Client, str]:
        """Another ISV of the realm and its candidate."""
        tenant = uuid7()
        campaign_id = await add_campaign(self.database, self.realm_id, tenant, self.ports.clock)
        candidate = await self._candidate(tenant, campaign_id)
        return self.client(Role.ISV_CLIENT, tenant=tenant), candidate

    async def _candidate(self, tenant: UUID, campaign_id: UUID) -> str:
        async with self.transaction(tenant) as session:
            hunter_id = self.hunter.principal.staff_id
            return encode("cand", await add_candidate(session, campaign_id, hunter_id))

    async def begin(self) -> None:
        """Write the rows above the candidate, and make the principals."""
        self.hunter = self.client(Role.HUNTER)
        self.lead = self.client(Role.LEAD)
        self.isv = self.client(Role.ISV_CLIENT)
        self.integration = self.client(Role.ISV_CLIENT, signals=True)
        self.campaign_id = await add_campaign(
            self.database, self.realm_id, self.tenant_id, self.ports.clock
        )
        self.candidate = await self._candidate(self.tenant_id, self.campaign_id)
        self.assign(self.hunter, self.candidate)


def _application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    http.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(RequestLayer)
    return app


APPS = Pool(_application)


@asynccontextmanager
async def new_room(database: TestDatabase) -> AsyncIterator[Room]:
    """A fresh realm with one candidate."""
    ports = Ports(Clock().at(NOW))
    keyring = Keyring(b"a secret of at least thirty-two bytes")
    async with opened(database.app_url, pool_size=4) as found:
        with APPS.borrowed() as app:
            app.state.gate = Gate(found, keyring, PERMISSIONS, ports, RealmTenants(), ports)
            app.state.program = SimpleNamespace(late_pushes=ports)
            realm_id, tenant_id = uuid7(), uuid7()
            async with found.agency(realm_id=realm_id, caller=CALLER, clock=ports.clock) as session:
                slug = f"realm-{realm_id.hex}"
                session.add(Realm(id=realm_id, kind="sandbox", slug=slug, name="R", created_at=NOW))
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://test.example"
            ) as client:
                room = Room(found, client, ports, realm_id, tenant_id)
                await room.begin()
                yield room


@pytest_asyncio.fixture
async def room(database: TestDatabase) -> AsyncIterator[Room]:
    """A fresh realm with one candidate in a running campaign."""
    async with new_room(database) as made:
        yield made


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


def places(answer: httpx.Response) -> list[tuple[str, str]]:
    """Pointers and codes of what is wrong in a 422."""
    assert answer.status_code == 422, answer.text
    return [(one["pointer"], one["code"]) for one in answer.json()["errors"]]
