"""The story's people: invited by mail, signed in on our pages, acting through their applications.

The ISV's owner uses a web application of the ISV, which keeps a secret; the hunter a native one of
the agency, which cannot. Both ask by authorization code and PKCE, and stay by refresh tokens.
"""

import asyncio
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from flatbed.app.demo.browser import Browser, Page
from flatbed.app.demo.cast import Cast, Isv, Staff
from flatbed.app.demo.client import JSON, Client, DemoError, Stay, request
from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import OFFLINE, OPENID, SIGNALS

WEB: Final = "Channel desk"
NATIVE: Final = "Hunter's app"
WEB_REDIRECT: Final = "https://desk.example.com/callback"
NATIVE_REDIRECT: Final = "http://127.0.0.1/callback"
RUNNING_REDIRECT: Final = "http://127.0.0.1:51004/callback"
"""A native application listens on whatever port is free; it is registered without one."""
MAIL_SECONDS: Final = 60
POLL_SECONDS: Final = 0.1
_LINK: Final = re.compile(r"^https?://\S+/invitations/\S+", re.MULTILINE)


@dataclass(frozen=True)
class Account:
    """A person who can sign in."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Application:
    """A registered application; ``redirect`` is where it listens when it runs."""

    client_id: str
    secret: str | None = field(repr=False)
    redirect: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Desk:
    """Opens accounts and signs people in at one server, whose mails are written to a folder."""

    http: httpx.AsyncClient
    origin: str
    outbox: Path

    async def join(self, email: str, name: str) -> Account:
        """Accept the invitation that was mailed to the address, with a new password.

        Raises:
            DemoError: no mail came, or the pages did not go on.
        """
        browser = Browser(self.http, self.origin)
        page = await browser.visit(await self._invitation(email))
        password = secrets.token_urlsafe(18)
        typed = {"name": name, "new": password}
        _arrived(await browser.send(page, page.form_with("new"), typed), "/account")
        return Account(email, password)

    async def sign_in(self, name: str, account: Account, app: Application, owner: JSON) -> Client:
        """Sign in, let the application act, and return it with its tokens.

        Raises:
            DemoError: a page, or the authorization server, did not go on.
        """
        browser, verifier, state = Browser(self.http, self.origin), _random(), _random()
        query = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": app.redirect,
            "scope": " ".join(app.scopes),
            "state": state,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        page = await browser.visit(f"/oauth/authorize?{urlencode(query)}")
        sign_in = page.form_with("password")
        typed = {"email": account.email, "password": account.password}
        page = await browser.send(page, sign_in, typed)
        if not page.url.startswith(app.redirect):  # asked for the first time
            page = await browser.send(
                page, page.form_with("decision"), {}, button=("decision", "allow")
            )
        code = _code(page, app, state, self.origin)
        stay = Stay(await self._redeem(app, code, verifier))
        secret = app.secret or ""
        client = Client(self.http, name, app.client_id, secret, owner, app.scopes, stay=stay)
        client.token.value = str(stay.tokens["access_token"])
        return client

    async def _redeem(self, app: Application, code: str, verifier: str) -> JSON:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect,
            "code_verifier": verifier,
        }
        auth = (app.client_id, app.secret) if app.secret else None
        if auth is None:
            form["client_id"] = app.client_id
        sent: dict[str, Any] = {"data": form} | ({"auth": auth} if auth else {})
        answer = await request(self.http, "POST", "/oauth/token", **sent)
        return Client.succeeded(answer, "POST", "/oauth/token")

    async def _invitation(self, email: str) -> str:
        for _ in range(int(MAIL_SECONDS / POLL_SECONDS)):
            for file in sorted(self.outbox.glob("*.eml"), reverse=True):
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                found = _LINK.search(str(mail.get_content()))
                if email in str(mail["To"]) and found:
                    return urlsplit(found[0]).path
            await asyncio.sleep(POLL_SECONDS)
        raise DemoError(
            f"no invitation to {email} in {self.outbox}: the demo reads mails there, so the worker"
            " must write them there"
        )


async def invite(cast: Cast, isv: Isv, hunter: Staff, desk: Desk) -> JSON:
    """Register both applications, invite owner and hunter, and let them accept.

    Returns what ``var/demo.json`` keeps of them.
    """
    web = await _application(
        cast,
        WEB,
        {"kind": "isv", "organization_id": isv.id},
        kind="web",
        redirect=WEB_REDIRECT,
        scopes=PERMISSIONS.scopes_of(Role.ISV_OWNER) - {SIGNALS},
    )
    native = await _application(
        cast,
        NATIVE,
        {"kind": "agency"},
        kind="native",
        redirect=NATIVE_REDIRECT,
        scopes=PERMISSIONS.scopes_of(Role.HUNTER) - {SIGNALS},
    )
    email = f"owner@{isv.slug}-{cast.realm[-8:]}.example"
    member = {"name": f"Owner of {isv.name}", "email": email, "role": "owner"}
    await cast.admin.at(isv.id).post("/v1/members", member)
    await cast.admin.post(f"/v1/staff/{hunter.id}/invitation")
    found = await cast.admin.get(f"/v1/staff/{hunter.id}")
    owner, hunting = await asyncio.gather(
        desk.join(email, member["name"]), desk.join(str(found["email"]), hunter.name)
    )
    return {
        "owner": {"email": owner.email, "password": owner.password, "application": web},
        "hunter": {"email": hunting.email, "password": hunting.password, "application": native},
    }


async def signed_in(desk: Desk, found: JSON, name: str, owner: JSON) -> Client:
    """The person of ``var/demo.json``, signed in by his application."""
    app = found["application"]
    application = Application(
        app["client_id"], app["client_secret"], app["redirect"], tuple(app["scopes"])
    )
    return await desk.sign_in(name, Account(found["email"], found["password"]), application, owner)


async def _application(
    cast: Cast, name: str, owner: JSON, *, kind: str, redirect: str, scopes: Collection[str]
) -> JSON:
    body = {
        "name": name,
        "owner": owner,
        "kind": kind,
        "redirect_uris": [redirect],
        "scopes": sorted({*scopes, OPENID, OFFLINE}),
    }
    made = await cast.admin.post("/v1/oauth-clients", body)
    return {
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
        "redirect": RUNNING_REDIRECT if kind == "native" else redirect,
        "scopes": made["scopes"],
    }


def _code(page: Page, app: Application, state: str, issuer: str) -> str:
    answered = dict(parse_qsl(urlsplit(page.url).query))
    if not page.url.startswith(app.redirect) or "code" not in answered:
        path, error = urlsplit(page.url).path, answered.get("error", page.status)
        raise DemoError(f"no code came back from the authorization endpoint: {path} ({error})")
    if answered.get("state") != state or answered.get("iss") != issuer:
        raise DemoError("the authorization response is not the answer to this request")
    return answered["code"]


def _arrived(page: Page, path: str) -> None:
    if urlsplit(page.url).path != path:
        raise DemoError(f"the page {urlsplit(page.url).path} ({page.status}) did not go on")


def _random() -> str:
    return secrets.token_urlsafe(32)


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
