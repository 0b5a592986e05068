"""A person who lets applications in on our pages, whatever library the applications are made of."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

import pytest_asyncio

from flatbed.app.demo.browser import Browser
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.oauth.grants.redeeming import secrets
from flatbed.tenants.people.accounts.repository import add_account
from tests.api.support import Isv
from tests.oauth.signing import new_key, public
from tests.people.door import fresh_address
from tests.people.pages.conftest import CALLER, PASSWORD
from tests.support.served import Served

NAME: Final = "Ada Person"
SCOPES: Final = ("openid", "profile", "email", "offline_access", "members:read")
SCOPE: Final = " ".join(SCOPES)
CONFIDENTIAL: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
PUBLIC: Final = "none"
METHODS: Final = (*CONFIDENTIAL, PUBLIC)
GRACE_IS_OVER: Final = 21
"""Seconds after a refresh token's first use."""
_WEB: Final = "https://desk.example.com/callback"
_NATIVE: Final = "http://127.0.0.1/callback"
_RUNNING: Final = "http://127.0.0.1:51004/callback"
"""Where the native application listens; it is registered without a port."""


@dataclass(frozen=True)
class Desk:
    """The owner of an ISV and the ISV's applications."""

    served: Served
    isv: Isv
    user_id: UUID
    email: str
    rows: Plain

    @property
    def url(self) -> str:
        """The issuer."""
        return self.served.url

    @property
    def sub(self) -> str:
        return encode("usr", self.user_id)

    async def application(self, method: str) -> dict[str, Any]:
        """What a new one is given to work with: a web application, or a native one by ``none``."""
        native, keyed, key = method == PUBLIC, method == "private_key_jwt", new_key()
        made = await self.served.world.admin.made(
            "/v1/oauth-clients",
            {
                "name": "An independent application",
                "owner": {"kind": "isv", "organization_id": self.isv.id},
                "kind": "native" if native else "web",
                "redirect_uris": [_NATIVE if native else _WEB],
                "scopes": SCOPES,
                "token_endpoint_auth_method": method,
                **({"jwks": {"keys": [public(key)]}} if keyed else {}),
            },
        )
        proof = {"jwk": key.as_dict(private=True)} if keyed else {"secret": made["client_secret"]}
        return {
            "issuer": self.url,
            "algorithm": "oidc",
            "client_id": made["client_id"],
            "method": method,
            "redirect_uri": _RUNNING if native else _WEB,
            "scope": SCOPE,
            **({} if native else proof),
        }

    @property
    def service(self) -> dict[str, Any]:
        """The ISV's own service, which may ask what its native applications' tokens are worth."""
        client = self.isv.client
        return {
            "issuer": self.url,
            "client_id": client.client_id,
            "method": "client_secret_basic",
            "secret": client.secret,
        }

    async def lets_in(self, url: str, decision: str = "allow") -> str:
        """Sign in with a fresh browser, decide, and say where the application gets its answer."""
        browser = Browser(self.served.world.http, self.url)
        page = await browser.visit(url)
        form = page.form_with("password")
        page = await browser.send(page, form, {"email": self.email, "password": PASSWORD})
        if page.url.startswith(self.url):  # asked for the first time
            form = page.form_with("decision")
            page = await browser.send(page, form, {}, button=("decision", decision))
        assert not page.url.startswith(self.url), page.text
        return page.url

    async def is_let_in(self, token: str) -> bool:
        """Whether the API shows the ISV's members, of whom he is the only one."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.served.world.http.get("/v1/members", headers=headers)
        return answer.status_code == 200 and len(answer.json()["data"]) == 1

    async def age(self, token: str) -> None:
        """Let the grace of a used refresh token lie in the past."""
        keyring = self.served.world.program.keyring
        done = await self.rows.execute(
            "UPDATE refresh_token SET first_used_at = first_used_at - make_interval(secs => $2)"
            " WHERE digest = $1 AND first_used_at IS NOT NULL",
            secrets.digest(keyring, secrets.REFRESH, token),
            GRACE_IS_OVER,
        )
        assert done == "UPDATE 1"


def with_parameter(url: str, name: str, value: str) -> str:
    """The callback, as somebody who wants to mix servers or answers up would send it."""
    parts = urlsplit(url)
    told = dict(parse_qsl(parts.query, strict_parsing=True))
    assert name in told
    return urlunsplit(parts._replace(query=urlencode(told | {name: value})))


@pytest_asyncio.fixture
async def desk(served: Served, admin_connection: Plain) -> Desk:
    world, email = served.world, fresh_address()
    hashed = await world.program.people.passwords.hash(PASSWORD)
    async with world.program.database.login(caller=CALLER) as session:
        user_id = await add_account(
            session,
            email=email,
            name=NAME,
            locale="en",
            password_hash=hashed,
            now=system_now(),
        )
    assert user_id is not None
    isv = await world.isv()
    await world.people.membership(isv.tenant_id, "owner", user_id)
    return Desk(served, isv, user_id, email, admin_connection)
