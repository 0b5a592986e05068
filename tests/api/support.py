"""The whole program over HTTP: a realm with an ISV and staff, each with a real token.

Each test makes a realm of its own, so that tests share a database, run in any order and see
nothing of each other.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from flatbed.app.main import create_app
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import Program, build
from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.kit.realms import RealmKind
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.clients.first_client import create_realm
from tests.support.apps import Pool
from tests.support.engines import handed_on
from tests.support.people import Lender, People
from tests.support.postgres import TestDatabase
from tests.support.till import with_stripe

BASE_URL = "http://flatbed.example"
METADATA = f'resource_metadata="{BASE_URL}/.well-known/oauth-protected-resource"'
"""Stands in every challenge: where a client learns how to get a token that will do."""
SECRET = "a test deployment's secret, 32 bytes or more"
_numbers = count(1)


@dataclass
class Client:
    """An OAuth client with a token; every call is one HTTP request."""

    http: httpx.AsyncClient
    client_id: str
    secret: str
    scopes: frozenset[str]
    token: str = ""
    tenant: str | None = None
    """Sent as Flatbed-Tenant when set: agency staff name the ISV they act for."""

    async def sign_in(self, *scopes: str) -> "Client":
        """Get a token, for all of the client's scopes unless told."""
        form = {"grant_type": "client_credentials"}
        if scopes:
            form["scope"] = " ".join(scopes)
        answer = await self.http.post("/oauth/token", data=form, auth=(self.client_id, self.secret))
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def acting_for(self, tenant: str) -> "Client":
        """The same client, naming an ISV."""
        return replace(self, tenant=tenant)

    async def narrowed(self, *scopes: str) -> "Client":
        """The same client with a token for these scopes alone."""
        return await replace(self).sign_in(*scopes)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        key: str | None = None,
        version: str | int | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """Send one request; ``version`` becomes If-Match, ``key`` the Idempotency-Key."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if self.tenant is not None:
            sent.setdefault("Flatbed-Tenant", self.tenant)
        if key is not None:
            sent["Idempotency-Key"] = key
        if version is not None:
            sent["If-Match"] = version if isinstance(version, str) else f'"{version}"'
        return await self.http.request(method, path, json=json, headers=sent, params=params)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST."""
        return await self.request("POST", path, json=json, **more)

    async def patch(self, path: str, json: Any, **more: Any) -> httpx.Response:
        """PATCH."""
        return await self.request("PATCH", path, json=json, **more)

    async def delete(self, path: str, **more: Any) -> httpx.Response:
        """DELETE."""
        return await self.request("DELETE", path, **more)

    async def made(self, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """POST that must succeed; the body."""
        answer = await self.post(path, json, **more)
        assert answer.status_code in {200, 201}, f"{path}: {answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json()
        return body

    async def read(self, path: str, **more: Any) -> dict[str, Any]:
        """GET that must succeed; the body."""
        answer = await self.get(path, **more)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json()
        return body


@dataclass(kw_only=True)
class Person(Client):
    """A person who signed in to an application; ``scopes`` are those that he can use."""

    people: People
    lender: Lender

    async def sign_in(self, *scopes: str) -> "Person":
        """Get a token of his grant, for all that he can use unless told."""
        self.token, self.scopes = await self.people.token(self.lender, scopes or None)
        return self

    async def anew(self, authenticated_at: datetime) -> "Person":
        """The same person by another grant, for which he signed in at that time."""
        lender = await self.people.lend_again(self.lender, authenticated_at)
        return await replace(self, lender=lender).sign_in()

    @property
    def actor(self) -> str:
        """His name in the audit."""
        kind, prefix = ("staff", "staff") if self.lender.tenant_id is None else ("member", "mem")
        return f"{kind}:{encode(prefix, self.lender.place_id)}"


@dataclass
class Isv:
    """An ISV and its client with every scope of use to it, `signals:write` left out."""

    id: str
    slug: str
    client: Client

    @property
    def tenant_id(self) -> UUID:
        """The id inside."""
        return decode("org", self.id)


@dataclass
class Staff:
    """An agency staff member and his personal client."""

    id: str
    role: str
    client: Client

    def at(self, isv: Isv) -> Client:
        """His client, acting for an ISV."""
        return self.client.acting_for(isv.id)


@dataclass
class World:
    """One sandbox realm, made over HTTP from its first admin client on."""

    program: Program
    http: httpx.AsyncClient
    realm: str
    realm_id: UUID
    admin: Client
    _staff: dict[str, Staff] = field(default_factory=dict)
    _applications: dict[UUID | None, UUID] = field(default_factory=dict)

    @property
    def people(self) -> People:
        """Makes people of this realm."""
        return People(self.program, self.realm_id)

    async def application(self, isv: Isv | None = None) -> UUID:
        """The web application of the ISV, or of the agency; the same one again."""
        owner = None if isv is None else isv.tenant_id
        if owner not in self._applications:
            self._applications[owner] = await self.people.application(tenant_id=owner)
        return self._applications[owner]

    async def member(
        self,
        isv: Isv,
        role: str,
        *,
        application: UUID | None = None,
        authenticated_at: datetime | None = None,
    ) -> Person:
        """A new person with the role at the ISV, signed in to its application unless told."""
        people, tenant_id = self.people, isv.tenant_id
        user_id = await people.user()
        lender = await people.lend(
            application or await self.application(isv),
            user_id,
            tenant_id=tenant_id,
            membership_id=await people.membership(tenant_id, role, user_id),
            authenticated_at=authenticated_at,
        )
        return await self.signed_in(lender)

    async def person(
        self,
        staff: Staff,
        *,
        application: UUID | None = None,
        authenticated_at: datetime | None = None,
    ) -> Person:
        """The staff member as a person, signed in to the agency's application unless told."""
        people, staff_id = self.people, decode("staff", staff.id)
        user_id = await people.employ(staff_id)
        lender = await people.lend(
            application or await self.application(),
            user_id,
            staff_id=staff_id,
            authenticated_at=authenticated_at,
        )
        return await self.signed_in(lender)

    async def signed_in(self, lender: Lender) -> Person:
        """Who lent it, with a token for all that he can use."""
        client_id = encode("client", lender.client_id)
        made = Person(self.http, client_id, "", frozenset(), people=self.people, lender=lender)
        return await made.sign_in()

    async def isv(self, **more: Any) -> Isv:
        """A new ISV with a client."""
        slug = f"isv-{next(_numbers)}-{uuid7().hex[-8:]}"
        body = {
            "slug": slug,
            "name": slug.upper(),
            "country": "DE",
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
            **more,
        }
        made = await self.admin.made("/v1/organizations", body)
        owner = {"kind": "isv", "organization_id": made["id"]}
        return Isv(made["id"], slug, await self.client(owner, Role.ISV_CLIENT))

    async def integration(self, isv: Isv) -> Client:
        """A client of the ISV that delivers signals: what it logs is `system`."""
        owner = {"kind": "isv", "organization_id": isv.id}
        return await self.client(owner, Role.ISV_CLIENT, signals=True)

    async def staff(self, role: str, *, new: bool = False) -> Staff:
        """A staff member of the role; the same one again unless ``new``."""
        if new or role not in self._staff:
            email = f"{role}-{uuid7().hex[-12:]}@agency.example"
            body = {"name": f"A {role}", "email": email, "role": role}
            made = await self.admin.made("/v1/staff", body)
            client = await self.client({"kind": "staff", "staff_id": made["id"]}, Role(role))
            staff = Staff(made["id"], role, client)
            if new:
                return staff
            self._staff[role] = staff
        return self._staff[role]

    async def client(self, owner: dict[str, str], role: Role, *, signals: bool = False) -> Client:
        """A client with every scope of use to its role."""
        scopes = PERMISSIONS.scopes_of(role) - (set() if signals else {SIGNALS})
        body = {"name": "test", "owner": owner, "scopes": sorted(scopes)}
        made = await self.admin.made("/v1/oauth-clients", body)
        client = Client(self.http, made["client_id"], made["client_secret"], scopes)
        return await client.sign_in()

    async def advance(self, **delta: float) -> None:
        """Move the realm's clock forward: ``days=1``, ``hours=2`` …; due jobs have then run."""
        unit = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
        seconds = int(sum(unit[name] * value for name, value in delta.items()))
        await self.admin.made("/v1/sandbox/clock", {"advance_seconds": seconds})


def settings_for(database: TestDatabase) -> KernelSettings:
    """The program's settings on a test database, as the real role."""
    return KernelSettings(
        database_url=SecretStr(database.app_url),
        owner_database_url=SecretStr(database.owner_url),
        secret_key=SecretStr(SECRET),
        public_url=BASE_URL,
        pool_size=10,
        # A busy machine is no reason to refuse what a test sends at once.
        admission_seconds=20,
        pool_seconds=20,
    )


@asynccontextmanager
async def serving(program: Program) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the real application, in process, without a socket."""
    with APPS.borrowed() as app:
        app.state.opened = program
        async with app.router.lifespan_context(app), _client(app) as http:
            yield http


def _application() -> FastAPI:
    app = create_app(lambda: app.state.opened)
    return app


APPS = Pool(_application)


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        yield http


@asynccontextmanager
async def new_world(database: TestDatabase, *, kind: RealmKind = "sandbox") -> AsyncIterator[World]:
    """A fresh realm on a running program."""
    settings = settings_for(database)
    program = with_stripe(build(settings))
    with handed_on(program.database, size=settings.pool_size, seconds=settings.pool_seconds):
        async with serving(program) as http:
            yield await open_world(program, http, kind)


async def open_world(program: Program, http: httpx.AsyncClient, kind: RealmKind) -> World:
    """Make a realm on a program that serves."""
    first = await create_realm(
        program.database,
        program.keyring,
        PERMISSIONS,
        slug=f"realm-{uuid7().hex[-12:]}",
        name="Test agency",
        kind=kind,
    )
    admin = Client(http, first.client_id, first.client_secret, frozenset(first.scopes))
    await admin.sign_in()
    return World(program, http, first.realm_id, decode("realm", first.realm_id), admin)
