"""As many requests at work as there are connections; the others wait in order of arrival, shortly.

Both connection pools let newcomers barge in, which turns a burst into a lottery with a long tail.
Here a permit that comes free is handed to whoever has waited longest, and a newcomer who finds
somebody waiting stands behind him.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flatbed.tenants.kit.http import Show, render
from flatbed.tenants.kit.problems import UnavailableError

SECONDS: Final = 0.25


class Admission:
    """The permits of one process.

    Args:
        permits: as many as the request pool has connections.
        seconds: how long a request waits for one at most.

    Attributes:
        shed_total: requests that were refused after waiting.
    """

    def __init__(self, permits: int, *, seconds: float = SECONDS) -> None:
        self.permits = permits
        self.seconds = seconds
        self.shed_total = 0
        self._free = permits
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def running(self) -> int:
        """Requests that hold a permit."""
        return self.permits - self._free

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        return len(self._waiters)

    def take(self) -> bool:
        """A permit at once, if one is free: then nobody waits, since waiters are served first."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def queue(self) -> asyncio.Future[None]:
        """Stand in line. The future is done when a permit is handed over.

        Whoever calls it must end with `give_back` if the future has a result, else `leave`.
        """
        place = asyncio.get_running_loop().create_future()
        self._waiters.append(place)
        return place

    def leave(self, place: asyncio.Future[None]) -> None:
        """Step out of the line; a permit that was just handed over goes to the next."""
        if place.done():
            self.give_back()
        else:
            self._waiters.remove(place)
            place.cancel()

    def give_back(self) -> None:
        """Hand a permit to the first in line, else keep it."""
        if self._waiters:
            self._waiters.popleft().set_result(None)
        else:
            self._free += 1


class AdmissionLayer:
    """Pure ASGI, inside the layer that reads bodies: a slow sender holds no permit.

    A permit is given back when the response starts: its transaction is committed by then, and a
    slow reader holds none either.

    Args:
        app: the application.
        admission: None: ``app.state.admission`` of the application that serves the request.
        free: paths that need no database; one that ends in a slash stands for all below it.
        refuse: answers a request that found no permit in time.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        admission: Admission | None = None,
        free: Collection[str] = (),
        refuse: Show = render,
    ) -> None:
        self.app = app
        self._admission = admission
        self._refuse = refuse
        self._free = frozenset(free)
        self._free_below = tuple(path for path in free if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, in its turn."""
        if scope["type"] != "http" or self._is_free(scope["path"]):
            await self.app(scope, receive, send)
            return
        admission: Admission = self._admission or scope["app"].state.admission
        client = _Client(receive)
        if not admission.take() and not await _in_turn(admission, client):
            if not client.is_gone:
                admission.shed_total += 1
                await self._refuse(UnavailableError(), Request(scope))(scope, receive, send)
            return
        holds = True

        def give_back() -> None:
            nonlocal holds
            if holds:
                holds = False
                admission.give_back()

        async def started(message: Message) -> None:
            if message["type"] == "http.response.start":
                give_back()
            await send(message)

        try:
            await self.app(scope, client.receive, started)
        finally:
            give_back()

    def _is_free(self, path: str) -> bool:
        return path in self._free or path.startswith(self._free_below)


class _Client:
    """The request's messages, which may be looked at before the application reads them."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen: deque[Message] = deque()
        self.is_gone = False

    async def receive(self) -> Message:
        return self._seen.popleft() if self._seen else await self._receive()

    async def leaves(self) -> None:
        """Return when the client has gone away."""
        while not self.is_gone:
            message = await self._receive()
            self._seen.append(message)
            self.is_gone = message["type"] == "http.disconnect"


async def _in_turn(admission: Admission, client: _Client) -> bool:
    """Wait for a permit. False: none came in time, or the client has gone."""
    place = admission.queue()
    leaving = asyncio.ensure_future(client.leaves())
    leaving.add_done_callback(_heard)
    admitted = False
    try:
        await asyncio.wait(
            {place, leaving}, timeout=admission.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        admitted = place.done() and not client.is_gone
        return admitted
    finally:
        # Nothing is awaited from here on: a cancellation would lose the permit.
        leaving.cancel()
        if not admitted:
            admission.leave(place)


def _heard(leaving: asyncio.Future[None]) -> None:
    """Whatever the server said to the last look, the application hears when it looks itself."""
    if not leaving.cancelled():
        leaving.exception()
