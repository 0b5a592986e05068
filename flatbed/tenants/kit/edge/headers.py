"""Security headers on every response, unless it set another value on purpose.

The answers of an API are data: nothing may store, frame, sniff or run them. Strict-Transport-
Security is sent always, since the program does not know whether TLS ends before it; browsers
ignore it over plain HTTP.
"""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=63072000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
CLOSE: Final = (b"connection", b"close")


class HeaderLayer:
    """Pure ASGI, the outermost layer: also what the others answer themselves passes it.

    Args:
        app: the application.
        leaving: whether the process is about to stop; clients are then told to connect anew,
            which brings them to another one.
    """

    def __init__(self, app: ASGIApp, *, leaving: Callable[[], bool] = lambda: False) -> None:
        self.app = app
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = list(message.get("headers", ()))
                present = {name.lower() for name, _ in found}
                wanted = (*HEADERS, CLOSE) if self._leaving() else HEADERS
                found += [header for header in wanted if header[0] not in present]
                message["headers"] = found
            await send(message)

        await self.app(scope, receive, secured)
