"""People, applications, grants, codes and refresh tokens, made as rows: tests ask what they do."""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from structlog.testing import capture_logs

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.oauth.clients.secrets import PEPPER_VERSION, conceal, make_secret
from flatbed.tenants.oauth.grants.redeeming import secrets
from flatbed.tenants.people.sessions.service import USE as SESSION
from tests.oauth.house import House

VERIFIER = "v" * 43
REDIRECT = "https://app.example.org/callback"
LOOPBACK = "http://127.0.0.1/callback"
DAYS_180 = timedelta(days=180)
AT_ONCE = 8
LOCKED_TOO_LONG = "55P03"


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


CHALLENGE = challenge_of(VERIFIER)


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in with one browser."""

    user_id: UUID
    session_id: UUID
    email: str
    cookie: str

    @property
    def sub(self) -> str:
        return encode("usr", self.user_id)


@dataclass(frozen=True)
class Application:
    """An application of people; ``secret`` is empty where it is on a person's device."""

    client_id: str
    secret: str
    redirect_uri: str

    @property
    def id(self) -> UUID:
        return decode("client", self.client_id)

    def proof(self) -> dict[str, Any]:
        """How it signs in at the token endpoint: arguments of a request."""
        return {"auth": (self.client_id, self.secret)} if self.secret else {}

    def form(self, **more: str) -> dict[str, str]:
        return more if self.secret else {"client_id": self.client_id, **more}


@dataclass(frozen=True)
class Standing:
    """A person's place: a membership of an ISV, or one among the staff."""

    tenant_id: UUID | None
    membership_id: UUID | None
    staff_id: UUID | None


@dataclass
class Folk:
    """Makes them in the house's realm."""

    house: House
    rows: Plain
    numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def realm_id(self) -> UUID:
        return decode("realm", self.house.realm.realm_id)

    async def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.rows.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places})", *values.values()
        )

    async def row(self, sql: str, *arguments: Any) -> Mapping[str, Any]:
        """The one row that there is."""
        found = await self.rows.fetchrow(sql, *arguments)
        assert found is not None
        return dict(found)

    async def value(self, sql: str, *arguments: Any) -> Any:
        return await self.rows.fetchval(sql, *arguments)

    async def person(self, *, acr: str = "pwd", auth_at: datetime | None = None) -> Person:
        now = system_now()
        user_id, session_id, cookie = uuid7(), uuid7(), secrets.make()
        email = f"{user_id.hex}@example.org"
        await self.insert(
            "user_account",
            id=user_id,
            email=email,
            name="Kim Doe",
            locale="en",
            password_hash="-",
            password_at=now,
            active=True,
            created_at=now,
            updated_at=now,
        )
        await self.insert(
            "user_session",
            id=session_id,
            user_id=user_id,
            digest=self.house.keyring.mac(SESSION, cookie.encode()),
            acr=acr,
            agent="",
            created_at=now,
            auth_at=auth_at or now,
            seen_at=now,
            expires_at=now + timedelta(hours=12),
        )
        return Person(user_id, session_id, email, cookie)

    async def member(self, person: Person, organization: str, role: str = "owner") -> Standing:
        now, membership_id, tenant_id = system_now(), uuid7(), decode("org", organization)
        await self.insert(
            "membership",
            realm_id=self.realm_id,
            id=membership_id,
            tenant_id=tenant_id,
            user_id=person.user_id,
            email=person.email,
            name="Kim Doe",
            role=role,
            active=True,
            created_at=now,
            updated_at=now,
        )
        return Standing(tenant_id, membership_id, None)

    async def staff(self, person: Person, role: str = "lead") -> Standing:
        made = await self.house.member(role)
        staff_id = decode("staff", made["id"])
        await self.rows.execute(
            "UPDATE staff SET user_id = $1 WHERE id = $2", person.user_id, staff_id
        )
        return Standing(None, None, staff_id)

    async def isv(self) -> str:
        self.numbers[0] += 1
        return str((await self.house.isv(f"isv-{self.numbers[0]}"))["id"])

    async def application(
        self,
        *,
        kind: str = "web",
        organization: str | None = None,
        scopes: Collection[str] = ("openid", "profile", "email", "offline_access", "usage:read"),
        redirect_uris: Collection[str] | None = None,
    ) -> Application:
        now, client_id, native = system_now(), uuid7(), kind == "native"
        uris = list(redirect_uris or ([LOOPBACK] if native else [REDIRECT]))
        await self.insert(
            "oauth_client",
            realm_id=self.realm_id,
            id=client_id,
            name="Partner Desk",
            kind=kind,
            owner_kind="isv" if organization else "agency",
            tenant_id=decode("org", organization) if organization else None,
            scopes=list(scopes),
            active=True,
            token_endpoint_auth_method="none" if native else "client_secret_basic",
            redirect_uris=uris,
            created_at=now,
            updated_at=now,
        )
        secret = "" if native else await self.secret_of(client_id, organization)
        return Application(encode("client", client_id), secret, uris[0])

    async def secret_of(self, client_id: UUID, organization: str | None = None) -> str:
        secret = make_secret()
        await self.insert(
            "client_secret",
            realm_id=self.realm_id,
            id=uuid7(),
            tenant_id=decode("org", organization) if organization else None,
            oauth_client_id=client_id,
            digest=conceal(self.house.keyring, secret).digest,
            pepper_version=PEPPER_VERSION,
            last_four=secret[-4:],
            label="test",
            created_at=system_now(),
        )
        return secret

    async def grant(
        self,
        application: Application,
        person: Person,
        standing: Standing,
        *,
        scopes: Collection[str] = ("openid", "offline_access", "usage:read"),
        ends_in: timedelta = DAYS_180,
        acr: str = "pwd",
    ) -> UUID:
        now, grant_id = system_now(), uuid7()
        await self.insert(
            "oauth_grant",
            realm_id=self.realm_id,
            id=grant_id,
            oauth_client_id=application.id,
            user_id=person.user_id,
            tenant_id=standing.tenant_id,
            membership_id=standing.membership_id,
            staff_id=standing.staff_id,
            session_id=person.session_id,
            scopes=list(scopes),
            acr=acr,
            auth_at=now,
            created_at=now,
            ends_at=now + ends_in,
        )
        return grant_id

    async def code(
        self,
        application: Application,
        person: Person,
        grant_id: UUID,
        *,
        lives: timedelta = timedelta(seconds=60),
        nonce: str | None = None,
        challenge: str = CHALLENGE,
    ) -> str:
        code = secrets.make()
        await self.insert(
            "authorization_code",
            digest=secrets.digest(self.house.keyring, secrets.CODE, code),
            grant_id=grant_id,
            oauth_client_id=application.id,
            session_id=person.session_id,
            redirect_uri=application.redirect_uri,
            challenge=challenge,
            nonce=nonce,
            resource=None,
            expires_at=system_now() + lives,
        )
        return code

    async def refresh_token(
        self,
        application: Application,
        grant_id: UUID,
        *,
        idle: timedelta = timedelta(days=30),
        ends: timedelta = DAYS_180,
    ) -> str:
        now, token = system_now(), secrets.make()
        await self.insert(
            "refresh_token",
            digest=secrets.digest(self.house.keyring, secrets.REFRESH, token),
            grant_id=grant_id,
            oauth_client_id=application.id,
            issued_at=now,
            idle_until=now + idle,
            ends_at=now + ends,
        )
        return token

    async def revoked(self, grant_id: UUID) -> str | None:
        """Why the grant ended, None while it goes on."""
        found: str | None = await self.value(
            "SELECT revoke_reason FROM oauth_grant WHERE id = $1", grant_id
        )
        return found

    async def post(
        self, path: str, application: Application, form: Mapping[str, str]
    ) -> httpx.Response:
        """A request of the application, which signs in its own way."""
        return await self.house.http.post(
            path, data=application.form(**form), **application.proof()
        )

    async def redeem(self, application: Application, code: str, **changed: str) -> httpx.Response:
        """A token request for the code, right but for what a test changes (empty: left out)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": application.redirect_uri,
            "code_verifier": VERIFIER,
        }
        return await self.post("/oauth/token", application, form | changed)

    async def refresh(self, application: Application, token: str, **more: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return await self.post("/oauth/token", application, form | more)

    async def at_once(self, send: Callable[[], Awaitable[httpx.Response]]) -> list[httpx.Response]:
        """Eight of them at the same time, each until it is decided.

        Where the machine stands still for longer than a lock may take, who waits for one is told
        so, and nothing was changed: he sends the request again, once. A deadlock is no such thing.
        """

        async def decided() -> httpx.Response:
            reply = await send()
            if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                assert reply.json()["code"] == "unavailable"
                reply = await send()
            return reply

        with capture_logs() as lines:
            replies = await asyncio.gather(*(decided() for _ in range(AT_ONCE)))
        failed = {one["sqlstate"] for one in lines if one["event"] == "database_error"}
        assert failed <= {LOCKED_TOO_LONG}
        return replies

    async def whoami(self, token: str) -> httpx.Response:
        """A request that any good token of a person with `openid` may make."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self.house.http.get("/oauth/userinfo", headers=headers)
