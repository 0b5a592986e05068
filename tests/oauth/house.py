"""A small application with the identity routers only, and the calls that its tests make."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import randbits
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import Claims
from flatbed.tenants.access.require import Gate
from flatbed.tenants.kit import http
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import AgencyReadSession, Caller
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.clients.first_client import OpenedRealm, create_realm
from flatbed.tenants.oauth.endpoints import router as oauth_endpoints
from flatbed.tenants.oauth.grants.ending.service import Ending
from flatbed.tenants.oauth.pages import router as oauth_pages
from flatbed.tenants.oauth.remembered import SECONDS, RememberedClients
from flatbed.tenants.oauth.router import router as oauth_clients
from flatbed.tenants.oauth.wiring import OAuth, build_oauth, ensure_signing_key
from flatbed.tenants.organizations.router import router as organizations
from flatbed.tenants.organizations.service import RealmTenants
from flatbed.tenants.organizations.staff_router import router as staff
from flatbed.tenants.pages.pages import Pages
from flatbed.tenants.people.pages.router import router as people
from flatbed.tenants.people.wiring import People
from tests.api.support import SECRET
from tests.support.apps import Pool
from tests.support.engines import opened

ISSUER = "http://127.0.0.1:8080"
SECRET_KEY = SECRET.encode()
"""The same in every test: signing keys of one database open with one secret."""
CALLER = Caller("system:test", "")
SOFTWARE_HOUSE = {
    "name": "Northwind Software",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
}


class NoAssignments:
    """No hunter has work here."""

    async def of_candidate(
        self, session: AgencyReadSession, staff_id: UUID, candidate_id: UUID
    ) -> UUID | None:
        del session, staff_id, candidate_id
        return None

    async def of_campaign(
        self, session: AgencyReadSession, staff_id: UUID, campaign_id: UUID
    ) -> UUID | None:
        del session, staff_id, campaign_id
        return None


@dataclass(frozen=True)
class Credentials:
    """What a client was given when it was made."""

    client_id: str
    client_secret: str


@dataclass
class Ticks:
    """Seconds that pass only when a test lets them."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class House:
    """The application, its parts, and one realm with its first client."""

    app: FastAPI
    http: httpx.AsyncClient
    database: Database
    keyring: Keyring
    oauth: OAuth
    realm: OpenedRealm
    ticks: Ticks

    def later(self) -> None:
        """So long that no client is remembered any more."""
        self.ticks.seconds += SECONDS

    @property
    def agency(self) -> Credentials:
        return Credentials(self.realm.client_id, self.realm.client_secret)

    async def ask(self, credentials: Credentials, *, scope: str | None = None) -> httpx.Response:
        """A token request by client_secret_basic."""
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        return await self.http.post(
            "/oauth/token",
            data=form,
            auth=(credentials.client_id, credentials.client_secret),
        )

    async def token(self, credentials: Credentials, *, scope: str | None = None) -> str:
        reply = await self.ask(credentials, scope=scope)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """An API request by the realm's first client, or another."""
        token = await self.token(by or self.agency)
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        return await self.http.request(method, path, json=body, headers=sent)

    async def made(self, path: str, body: Any) -> dict[str, Any]:
        reply = await self.call("POST", path, body)
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def isv(self, slug: str) -> dict[str, Any]:
        return await self.made("/v1/organizations", {**SOFTWARE_HOUSE, "slug": slug})

    async def member(self, role: str) -> dict[str, Any]:
        body = {"name": "Kim Doe", "email": f"{uuid7().hex}@example.org", "role": role}
        return await self.made("/v1/staff", body)

    async def client(self, owner: Mapping[str, str], *scopes: str) -> Credentials:
        body = {"name": "A client", "owner": dict(owner), "scopes": list(scopes)}
        made = await self.made("/v1/oauth-clients", body)
        return Credentials(made["client_id"], made["client_secret"])

    async def isv_client(self, slug: str, *scopes: str) -> Credentials:
        isv = await self.isv(slug)
        return await self.client({"kind": "isv", "organization_id": isv["id"]}, *scopes)

    async def staff_client(self, role: str, *scopes: str) -> Credentials:
        member = await self.member(role)
        return await self.client({"kind": "staff", "staff_id": member["id"]}, *scopes)

    def at(self, address: str) -> httpx.AsyncClient:
        """A caller whose connection comes from this address."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url="http://test")

    async def change(self, path: str, body: Any) -> httpx.Response:
        """Read the resource and change it."""
        etag = (await self.call("GET", path)).headers["etag"]
        return await self.call("PATCH", path, body, headers={"If-Match": etag})

    async def admitted(self, claims: Claims) -> Any:
        """The principal behind claims, in a transaction of its own."""
        async with self.database.agency(
            realm_id=claims.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            return await self.oauth.authenticator.principal(session, claims, None)


def _application() -> FastAPI:
    app = FastAPI()
    http.install(app)
    for router in (oauth_endpoints, oauth_pages, oauth_clients, organizations, staff, people):
        app.include_router(router)
    app.add_middleware(RequestLayer)
    return app


APPS = Pool(_application)


@asynccontextmanager
async def open_house(app_url: str) -> AsyncIterator[House]:
    """The application on this database, with a fresh sandbox realm."""
    keyring, ticks = Keyring(SECRET_KEY), Ticks()
    async with opened(app_url, pool_size=5) as database:
        oauth = build_oauth(
            database,
            keyring,
            KernelSettings(public_url=ISSUER),
            PERMISSIONS,
            RememberedClients(keyring, ticks),
        )
        await ensure_signing_key(database, keyring)
        realm = await create_realm(
            database, keyring, PERMISSIONS, name="Test", slug=f"t-{uuid7().hex}", kind="sandbox"
        )
        with APPS.borrowed() as app:
            app.state.oauth = oauth
            app.state.pages = Pages.of(keyring, ISSUER)
            app.state.people = People.of(database, keyring, Ending())
            app.state.gate = Gate(
                database=database,
                keyring=keyring,
                permissions=PERMISSIONS,
                authenticator=oauth.authenticator,
                tenants=RealmTenants(),
                assignments=NoAssignments(),
            )
            # A network of its own: what failed elsewhere does not count here.
            network = (f"2001:db8:{randbits(16):x}:{randbits(8):x}00::1", 4711)
            transport = httpx.ASGITransport(app=app, client=network)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                yield House(app, client, database, keyring, oauth, realm, ticks)
