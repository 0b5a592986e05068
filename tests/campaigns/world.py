"""The routes of campaigns on the real database and role; only the tokens are made up.

Each test makes a realm of its own with one ISV, so that tests share a database.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from flatbed.app.campaigns.exclusions.ports import Worked
from flatbed.app.campaigns.exclusions.router import router as exclusions
from flatbed.app.campaigns.offerings.router import router as offerings
from flatbed.app.campaigns.orders.router import router as orders
from flatbed.app.campaigns.profiles.router import router as profiles
from flatbed.app.permissions import PERMISSIONS
from flatbed.billing.pricing.models import PriceList
from flatbed.tenants.access.principal import STAFF_ROLES, Claims, Principal, Role
from flatbed.tenants.access.require import Gate
from flatbed.tenants.access.scopes import SCOPES
from flatbed.tenants.kit import http
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    Caller,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.organizations.models import Organization
from flatbed.tenants.organizations.service import RealmTenants
from tests.support.apps import Pool
from tests.support.engines import opened
from tests.support.postgres import TestDatabase

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PRICE = 450_000
CALLER = Caller("system:test", "req_test")


@dataclass
class Ports:
    """What the floors above would bind; tests say what they answer."""

    clock: Clock
    principals: dict[str, Principal] = field(default_factory=dict)
    sourcing: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    furthest_worked: Worked | None = None
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    resource_metadata: str = "http://test/.well-known/oauth-protected-resource"

    async def verify(self, token: str) -> Claims:
        """A token is the hex of its client."""
        principal = self.principals.get(token)
        if principal is None:
            raise UnauthenticatedError
        return Claims(
            principal.client_id,
            principal.realm_id,
            principal.tenant_id,
            principal.staff_id,
            principal.scopes,
        )

    async def principal(
        self, _: AgencyReadSession, claims: Claims, __: Address | None
    ) -> Principal:
        """The principal, at the present instant of the realm."""
        known = self.principals[claims.client_id.hex]
        return Principal(
            role=known.role,
            client_id=known.client_id,
            realm_id=known.realm_id,
            tenant_id=known.tenant_id,
            staff_id=known.staff_id,
            scopes=known.scopes,
            clock=self.clock,
            sandbox=True,
        )

    async def of_candidate(self, _: AgencyReadSession, __: UUID, ___: UUID) -> UUID | None:
        """Nobody holds a candidate here."""
        return None

    async def of_campaign(
        self, _: AgencyReadSession, staff_id: UUID, campaign_id: UUID
    ) -> UUID | None:
        """The tenant of a sourcing assignment."""
        return self.sourcing.get((staff_id, campaign_id))

    async def furthest(
        self, _: TenantReadSession, *, domain: str | None, name_key: str | None
    ) -> Worked | None:
        """What the test said."""
        self.asked.append((domain, name_key))
        return self.furthest_worked


@dataclass
class Client:
    """A principal who sends requests."""

    client: httpx.AsyncClient
    token: str
    staff_id: UUID | None = None
    tenant: str | None = None

    async def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        etag: str | None = None,
        key: str | None = None,
        params: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """One request; ``etag`` becomes If-Match, ``key`` the Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.tenant:
            headers["Flatbed-Tenant"] = self.tenant
        if etag:
            headers["If-Match"] = etag
        if key:
            headers["Idempotency-Key"] = key
        return await self.client.request(method, path, json=json, headers=headers, params=params)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """GET."""
        return await self.send("GET", path, params=params)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST."""
        return await self.send("POST", path, json, **more)

    async def patch(self, path: str, json: Any, etag: str | None = None) -> httpx.Response:
        """PATCH of the version that stands now, unless told."""
        etag = etag or (await self.get(path)).headers["etag"]
        return await self.send("PATCH", path, json, etag=etag)

    async def made(self, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """POST that succeeds; the body."""
        answer = await self.post(path, json, **more)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def read(self, path: str, **params: Any) -> dict[str, Any]:
        """GET that succeeds; the body."""
        answer = await self.get(path, **params)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json()
        return body


@dataclass
class World:
    """One realm with one ISV and its program, profile and price at hand."""

    database: Database
    http: httpx.AsyncClient
    realm_id: UUID
    tenant_id: UUID
    ports: Ports
    isv: Client
    lead: Client

    def client(self, role: Role, tenant_id: UUID | None = None) -> Client:
        """A principal of the role; those of the agency name the world's ISV."""
        staff = role in STAFF_ROLES
        principal = Principal(
            role=role,
            client_id=uuid7(),
            realm_id=self.realm_id,
            tenant_id=(tenant_id or self.tenant_id) if role.of_isv else None,
            staff_id=uuid7() if staff else None,
            scopes=frozenset(SCOPES),
            clock=self.ports.clock,
            sandbox=True,
        )
        self.ports.principals[principal.client_id.hex] = principal
        named = None if role.of_isv else encode("org", self.tenant_id)
        return Client(self.http, principal.client_id.hex, principal.staff_id, named)

    def hunter(self, campaign: dict[str, Any]) -> Client:
        """A hunter who sources for the campaign."""
        client = self.client(Role.HUNTER)
        assert client.staff_id is not None
        self.ports.sourcing[client.staff_id, decode("camp", campaign["id"])] = self.tenant_id
        return client

    async def other_isv(self, **more: str) -> Client:
        """A client of another ISV of the realm."""
        tenant_id = uuid7()
        await self._organization(tenant_id, **more)
        return self.client(Role.ISV_CLIENT, tenant_id)

    async def price(self, unit_price: int = PRICE, currency: str = "EUR", number: int = 1) -> UUID:
        """A price list of the agency."""
        row = PriceList(
            realm_id=self.realm_id,
            id=uuid7(),
            name=f"list-{currency}",
            currency=currency,
            unit_price=unit_price,
            number=number,
            active=True,
            created_at=self.ports.clock.now(),
            updated_at=self.ports.clock.now(),
        )
        async with self.database.agency(
            realm_id=self.realm_id, caller=CALLER, clock=self.ports.clock
        ) as session:
            session.add(row)
        return row.id

    async def pass_time(self, **delta: int) -> None:
        """Move the realm's clock forward."""
        self.ports.clock = self.ports.clock.at(self.ports.clock.now() + timedelta(**delta))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[TenantSession]:
        """A transaction of the ISV."""
        async with self.database.tenant(
            realm_id=self.realm_id, tenant_id=self.tenant_id, caller=CALLER, clock=self.ports.clock
        ) as session:
            yield session

    async def offering(self, client: Client | None = None, **more: Any) -> dict[str, Any]:
        """An offering with the programmes `dach` and `benelux`."""
        programmes = [
            {"code": "dach", "countries": ["DE", "AT", "CH"]},
            {"code": "benelux", "countries": ["NL", "BE", "LU"]},
        ]
        body = {"name": "Ledger Cloud", "programmes": programmes, **more}
        return await (client or self.isv).made("/v1/offerings", body)

    async def profile(
        self, offering: dict[str, Any], client: Client | None = None, **more: Any
    ) -> dict[str, Any]:
        """A profile with one hard and one soft criterion."""
        body = {"offering_id": offering["id"], "name": "Mid-size", **CRITERIA, **more}
        return await (client or self.isv).made("/v1/profiles", body)

    async def draft(self, **more: Any) -> dict[str, Any]:
        """A campaign of three units in `dach`."""
        offering = await self.offering()
        profile = await self.profile(offering)
        body = campaign_body(offering, profile, **more)
        return await self.isv.made("/v1/campaigns", body)

    async def campaign(self, state: str, **more: Any) -> dict[str, Any]:
        """A campaign that came to this state by the ordinary ways (`filled` by acceptances)."""
        made = await self.draft(**more)
        path = f"/v1/campaigns/{made['id']}"
        ways = {
            "draft": [],
            "ordered": ["order"],
            "running": ["order", "start"],
            "paused": ["order", "start", "pause"],
            "cancelled": ["cancel"],
            "closed": ["order", "start", "close"],
        }
        if state != "draft":
            await self.price(number=int.from_bytes(uuid7().bytes[-3:]))
        for step in ways[state]:
            who = self.lead if step in {"start", "close"} else self.isv
            await who.made(f"{path}/{step}")
        return await self.isv.read(path)

    async def _organization(self, tenant_id: UUID, **more: str) -> None:
        now = self.ports.clock.now()
        values = {"country": "DE", "time_zone": "Europe/Berlin", "currency": "EUR", **more}
        async with self.database.agency(
            realm_id=self.realm_id, caller=CALLER, clock=self.ports.clock
        ) as session:
            session.add(
                Organization(
                    realm_id=self.realm_id,
                    id=tenant_id,
                    slug=f"isv-{tenant_id.hex[-12:]}",
                    name="An ISV",
                    status="active",
                    created_at=now,
                    updated_at=now,
                    **values,
                )
            )


CRITERIA: dict[str, Any] = {
    "hard": [{"key": "size", "attribute": "employees", "operator": "gte", "value": 20}],
    "soft": [{"key": "fame", "judged": True, "question": "Is it known there?", "weight": 2.5}],
}


def campaign_body(offering: dict[str, Any], profile: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of a draft."""
    return {
        "name": "Spring",
        "offering_id": offering["id"],
        "programme": "dach",
        "profile_id": profile["id"],
        "quantity": 3,
        **more,
    }


def missing(prefix: str) -> str:
    """A well-formed id of nothing."""
    return encode(prefix, uuid7())


def _application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    http.install(app)
    for router in (offerings, profiles, orders, exclusions):
        app.include_router(router)
    app.add_middleware(RequestLayer)
    return app


APPS = Pool(_application)


@asynccontextmanager
async def new_world(database: TestDatabase) -> AsyncIterator[World]:
    """A realm with an ISV, an ISV client and a lead."""
    ports = Ports(Clock().at(START))
    keyring = Keyring(b"a secret of at least thirty-two bytes")
    async with opened(database.app_url, pool_size=4) as found:
        with APPS.borrowed() as app:
            app.state.gate = Gate(found, keyring, PERMISSIONS, ports, RealmTenants(), ports)
            app.state.program = SimpleNamespace(worked_candidates=ports)
            realm_id, tenant_id = uuid7(), uuid7()
            async with found.agency(realm_id=realm_id, caller=CALLER, clock=ports.clock) as session:
                slug = f"realm-{realm_id.hex}"
                session.add(
                    Realm(id=realm_id, kind="sandbox", slug=slug, name="R", created_at=START)
                )
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://test.example"
            ) as client:
                nobody = Client(client, "")
                world = World(found, client, realm_id, tenant_id, ports, nobody, nobody)
                await world._organization(tenant_id)
                world.isv = world.client(Role.ISV_CLIENT)
                world.lead = world.client(Role.LEAD)
                yield world
