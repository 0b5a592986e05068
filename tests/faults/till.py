"""The fake Stripe on a port of its own: it outlives whoever is killed beside it."""

import asyncio
import socket
import threading
from dataclasses import dataclass, field

import httpx
import uvicorn
from pydantic import SecretStr

from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.app import KEY, WEBHOOK_SECRET, FakeStripe
from flatbed.billing.gateway.fake.server import configured, serve
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.fake.webhooks import Endpoint, Mischief, poster
from flatbed.billing.gateway.port import SUBSCRIBED
from flatbed.billing.gateway.settings import StripeSettings

HOST = "127.0.0.1"


@dataclass
class Till:
    """Serves in a thread; its webhooks go to the API, some of them twice and in any order."""

    webhook_url: str
    port: int = 0
    fake: FakeStripe | None = None
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _open: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Listen."""
        listener = socket.create_server((HOST, 0), backlog=128)
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
        self._thread.start()
        self._open.wait()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """How the program finds it."""
        return {
            "FLATBED_STRIPE_KEY": KEY,
            "FLATBED_STRIPE_BASE_URL": f"http://{HOST}:{self.port}",
            "FLATBED_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def gateway(self) -> StripeGateway:
        """Another client."""
        return StripeGateway(
            StripeSettings(
                key=SecretStr(KEY),
                base_url=f"http://{HOST}:{self.port}",
                webhook_secret=SecretStr(WEBHOOK_SECRET),
            )
        )

    def findings(self) -> list[str]:
        """Requests that Stripe's own document does not know."""
        if self.fake is None:
            return []
        return [f"stripe: {one}" for one in self.fake.control.status()["findings"]]

    @property
    def refused(self) -> int:
        """How many webhooks did not reach us, and came again."""
        return 0 if self.fake is None else int(self.fake.control.status()["deliveries_refused"])

    def _run(self, listener: socket.socket) -> None:
        asyncio.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            send = poster(client, self.webhook_url)
            endpoint = Endpoint(send, WEBHOOK_SECRET, frozenset(SUBSCRIBED))
            self.fake = FakeStripe(endpoint=endpoint, validator=stripe_document(), seed="till")
            self.fake.control.mischief(Mischief(shuffled=True, doubled_percent=30))
            self._server = uvicorn.Server(configured(self.fake))
            self._open.set()
            with listener:
                await serve(self.fake, listener, self._server)
