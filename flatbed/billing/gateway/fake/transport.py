"""The way to a fake in the same process, with its dropped connections as a network has them."""

import httpx

from flatbed.billing.gateway.fake.api import Dropped
from flatbed.billing.gateway.fake.app import FakeStripe


class InProcess(httpx.AsyncBaseTransport):
    """Requests to the fake without a socket."""

    def __init__(self, fake: FakeStripe) -> None:
        self._inner = httpx.ASGITransport(fake)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        try:
            return await self._inner.handle_async_request(request)
        except Dropped:
            raise httpx.RemoteProtocolError("disconnected without an answer") from None
