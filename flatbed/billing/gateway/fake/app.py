"""The fake Stripe as an ASGI application: API, control plane and pages."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from starlette.requests import Request as Incoming
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.api import Api, Dropped, Request
from flatbed.billing.gateway.fake.control import Control
from flatbed.billing.gateway.fake.pages import page
from flatbed.billing.gateway.fake.refusals import ApiError
from flatbed.billing.gateway.fake.store import Store
from flatbed.billing.gateway.fake.validation import Validator
from flatbed.billing.gateway.fake.webhooks import Endpoint, Webhooks
from flatbed.tenants.kit.clock import system_now

CONTROL: Final = "/_fake/"
DROP: Final = "flatbed.drop"
"""In the scope where the server lets us cut the connection: see `server`."""
KEY: Final = "sk_test_fake"
WEBHOOK_SECRET: Final = "whsec_fake_stripe"  # noqa: S105 - the fake's, which guards nothing
PAUSE_S: Final = 1
"""Between two rounds of deliveries."""


class FakeStripe:
    """A Stripe account of our own.

    Args:
        key: the secret key that requests must bear.
        endpoint: where webhooks are delivered; None: nowhere.
        validator: the document that requests are held against.
        state: the file that remembers it; None: it is forgotten.
        seed: what ids and disorder are made from; None: chance.
        public_url: where its pages are.
        wall: the system's time.
    """

    def __init__(
        self,
        *,
        key: str = KEY,
        endpoint: Endpoint | None = None,
        validator: Validator | None = None,
        state: Path | None = None,
        seed: str | None = None,
        public_url: str = "https://stripe.test",
        wall: Callable[[], datetime] = system_now,
    ) -> None:
        self.store = Store(state)
        self.account = Account(self.store, public_url, seed, wall)
        self.webhooks = Webhooks(self.account, endpoint)
        self.api = Api(self.account, key, validator)
        self.control = Control(self.api, self.webhooks)

    def close(self) -> None:
        """Let the state file go."""
        self.store.close()

    async def keep_delivering(self) -> None:
        """Deliver webhooks, and let time act, until cancelled."""
        while True:
            self.control.advance(0)
            await self.webhooks.deliver()
            await asyncio.sleep(PAUSE_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        incoming = Incoming(scope, receive)
        try:
            response = await self._response(incoming)
        except Dropped:
            drop: Callable[[], None] | None = scope.get(DROP)
            if drop is None:
                raise
            drop()
            # Until the server knows that the client is gone; else it would answer for us.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await response(scope, receive, send)

    async def _response(self, incoming: Incoming) -> Response:
        request = Request(
            method=incoming.method,
            path=incoming.scope["raw_path"].decode("ascii").partition("?")[0],
            query=incoming.url.query,
            headers=dict(incoming.headers),
            # Somebody else's server: what the edge forbids a client may well reach Stripe.
            body=await incoming.body(),
        )
        try:
            if request.path.startswith("/v1/"):
                reply = await self.api.respond(request)
                return JSONResponse(reply.body, reply.status, reply.headers)
            if request.path.startswith(CONTROL):
                return await self._controlled(request)
            status, html, then = page(self.control, self.account, request.method, request.path)
        except ApiError as refusal:
            return JSONResponse(refusal.body(), refusal.status)
        return RedirectResponse(then, status) if then else HTMLResponse(html, status)

    async def _controlled(self, request: Request) -> Response:
        if not self.api.knows(request.headers.get("authorization", "")):
            raise ApiError(401, "Invalid API Key provided")
        given: object = {}
        with suppress(ValueError):
            given = json.loads(request.body or b"{}")
        if request.method != "POST" or not isinstance(given, dict):
            raise ApiError(400, "POST a JSON object")
        verb = request.path.removeprefix(CONTROL)
        return JSONResponse(await self.control.perform(verb, given))
