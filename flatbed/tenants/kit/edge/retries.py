"""A request that the database asks to repeat, or whose connection was lost, is run again, whole.

Everything of the first run is dropped: its transaction was rolled back, its response is not sent.
What a run leaves that lasts is what it committed; after that there is no other run.
"""

import asyncio
import secrets
from collections import deque
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flatbed.tenants.kit.database import progress
from flatbed.tenants.kit.http import AGAIN, Again
from flatbed.tenants.kit.metrics import RETRIES

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
"""Runs of one request at most, the first included."""
LONGEST_PAUSE: Final = 0.02
"""Seconds before the second run, at most; twice as long before the third."""
_JITTER: Final = secrets.SystemRandom()


class RetryLayer:
    """Pure ASGI, the innermost: the body is read already, the permit is held.

    Serialisation failures and deadlocks are run up to three times, a lost connection twice. The
    request id stays the same. What is left when it still fails is the handler's 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        before = _Before(scope)
        body = _Body(receive)
        used: set[Again] = set()
        for attempt in range(1, ATTEMPTS + 1):
            run = _Run(scope, send, used, is_last=attempt == ATTEMPTS)
            await self.app(scope, body.replay(), run.send)
            if run.again is None:
                return
            used.add(run.again)
            RETRIES.labels(run.again.value).inc()
            before.restore()
            log.info("request_repeated", reason=run.again.value, attempt=attempt)
            # Two that met must not meet again.
            await asyncio.sleep(_JITTER.uniform(0, LONGEST_PAUSE * attempt))


class _Run:
    """One run: its response goes out, unless another run is worth it."""

    def __init__(self, scope: Scope, send: Send, used: set[Again], *, is_last: bool) -> None:
        self._scope = scope
        self._send = send
        self._used = used
        self._is_last = is_last
        self._progress = progress.begin(after_loss=Again.LOST in used)
        self.again: Again | None = None
        """Set when the response is dropped."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.again = self._wanted()
        if self.again is None:
            await self._send(message)

    def _wanted(self) -> Again | None:
        found: Again | None = self._scope.get("state", {}).get(AGAIN)
        if self._is_last or self._progress.permanent:
            return None
        # A second lost connection says that the database is away.
        return None if found is Again.LOST and found in self._used else found


class _Before:
    """What a run finds, so that the next one finds the same.

    Restored in place: the layers around hold the same dictionaries, and read the route there.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._kept = dict(scope)
        self._state: dict[str, Any] = dict(scope.setdefault("state", {}))
        self._log = structlog.contextvars.get_contextvars()

    def restore(self) -> None:
        state = self._scope["state"]
        self._scope.clear()
        self._scope.update(self._kept)
        state.clear()
        state.update(self._state)
        self._scope["state"] = state
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**self._log)


class _Body:
    """The body as it was received, for each run anew; what follows it goes to whoever asks."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen: list[Message] = []

    def replay(self) -> Receive:
        left = deque(self._seen)

        async def receive() -> Message:
            if left:
                return left.popleft()
            message = await self._receive()
            if message["type"] == "http.request":
                self._seen.append(message)
            return message

        return receive
