"""The connection below every layer: how much of a request it holds before a layer sees it.

Uvicorn's parser takes a head of any length, and waits for its end for ever. What is too large by
little still reaches ``bodies``, which refuses it with everything that belongs to an answer.
"""

import asyncio
from typing import ClassVar, Final

import structlog
from starlette.requests import Request
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from flatbed.tenants.kit.edge.bodies import CLOSE, LARGEST_HEADERS, LONGEST_TARGET, SECONDS
from flatbed.tenants.kit.edge.headers import HEADERS
from flatbed.tenants.kit.http import render
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import HeadersTooLargeError, Problem, TargetTooLongError

log = structlog.get_logger(__name__)

LONGEST_URL: Final = 2 * LONGEST_TARGET - 1
"""Bytes: httptools takes no longer ones apart, and would have them answered as malformed."""
LARGEST_HEAD: Final = 2 * (LONGEST_TARGET + LARGEST_HEADERS)
"""Bytes of a head that has not ended, and of chunk sizes and trailers without a byte of body. What
arrived together with the end of something else is not counted: one read of the socket."""
MOST_HEADERS: Final = 1_000
"""Of a request, its trailers too. A short one takes twelve times its bytes of memory."""
MOST_WAITING: Final = 100
"""Requests that were sent ahead of their predecessors' answers: one read holds thousands."""


class LimitedProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, with a limit on what stands before and after a body.

    A connection that has not sent a whole head in time is closed; the time begins with the
    connection, later with the first byte of a head. While a client is silent between two requests,
    uvicorn's own timeout counts.
    """

    seconds: ClassVar[float] = SECONDS
    """How long a head may take."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Problem | None = None
        self._is_inside = False
        """Between the end of a head and the end of its message."""
        self._bare = 0
        """Bytes since a head or a message ended, or a piece of body arrived."""
        self._fields = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A client has connected."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something arrived."""
        if self._refusal is not None:
            return  # the answers to earlier requests are still on their way
        self._bare += len(data)
        super().data_received(data)
        if self._bare > LARGEST_HEAD:
            self._refuse(HeadersTooLargeError(headers=CLOSE))
        elif self._bare and not self._is_inside:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """The parser stopped: by itself, or since a callback of ours refused."""
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self._refuse(self._refusal)

    def on_message_begin(self) -> None:
        """A head begins."""
        if len(self.pipeline) >= MOST_WAITING:
            # Never said, since something is being answered; only closed for.
            self._refusal = HeadersTooLargeError(headers=CLOSE)
            raise self._refusal
        super().on_message_begin()
        self._fields = 0
        # The byte itself, which came together with the end of the request before it.
        self._bare = max(self._bare, 1)

    def on_url(self, url: bytes) -> None:
        """A piece of the target arrived."""
        if len(self.url) + len(url) > LONGEST_URL:
            self._refusal = TargetTooLongError(headers=CLOSE)
            raise self._refusal
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer is whole."""
        self._fields += 1
        if self._fields > MOST_HEADERS:
            self._refusal = HeadersTooLargeError(headers=CLOSE)
            raise self._refusal
        # Uvicorn would add a trailer to the headers of a request that has begun (RFC 9110, 6.5.1).
        if not self._is_inside:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._bare = 0
        self._is_inside = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of body arrived."""
        self._bare = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._bare = 0
        self._is_inside = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is sent."""
        super().on_response_complete()
        if self._timer is not None:
            # The next head may have waited for us: it has the whole time again.
            self._stop_waiting()
            self._wait()

    @property
    def _is_answering(self) -> bool:
        # Uvicorn's annotation does not say that there is none before the first request.
        return bool(self.cycle) and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        if self._is_answering:
            # We may be the ones who do not read the rest of a request that was sent ahead.
            self._wait()
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Read no more; answer unless something else is being answered, and close."""
        self._refusal = problem
        self._stop_waiting()
        if self._is_inside:
            self.transport.close()
            return
        if not self._is_answering:
            self._answer(problem)
        self.shutdown()

    def _answer(self, problem: Problem) -> None:
        """Say it as the layers do, none of which this request reaches."""
        request_id = encode("req", uuid7())
        log.info("head_refused", request_id=request_id, status=problem.status, code=problem.code)
        scope = {"type": "http", "state": {"request_id": request_id}}
        response = render(problem, Request(scope))
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            *HEADERS,
            (b"x-request-id", request_id.encode()),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        start = STATUS_LINE[problem.status]
        self.transport.write(b"".join([start, *lines, b"\r\n", bytes(response.body)]))
