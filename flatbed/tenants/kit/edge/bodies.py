"""Request bodies: read whole before anything else happens, and refused where readers disagree.

A bare route would take a repeated member, UTF-16 or NaN, and answer deep nesting with an error of
its own.
"""

import asyncio
import json
import math
from typing import Final, NoReturn

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flatbed.tenants.kit.http import Show, render
from flatbed.tenants.kit.problems import (
    BodyTimeoutError,
    BodyTooLargeError,
    HeadersTooLargeError,
    MalformedError,
    Problem,
    TargetTooLongError,
    UnavailableError,
)

LARGEST: Final = 1_000_000
"""Bytes."""
DEEPEST: Final = 32
MOST_PARTS: Final = 50_000
"""Commas and brackets of a document: reading a megabyte of them would keep everybody waiting."""
MOST_HELD: Final = 64 * LARGEST
"""Bytes of all bodies that a process holds at once: connections are many, memory is not."""
SECONDS: Final = 10.0
LONGEST_TARGET: Final = 32_768
"""Bytes of path and query: the server's parser sets no limit, and decoding a megabyte of them
keeps everybody waiting."""
LARGEST_HEADERS: Final = 65_536
"""Bytes of all names and values."""
CLOSE: Final = {"Connection": "close"}
"""With what is refused unread: the server would take the rest in, and throw it away."""


class BodyLayer:
    """Pure ASGI, inside the layer that numbers requests.

    Args:
        app: the application.
        largest: bytes of a body at most.
        seconds: how long a client may take to send one.
        most_held: bytes of all bodies that are read or worked on at once.
        refuse: answers what is refused for its body.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        largest: int = LARGEST,
        seconds: float = SECONDS,
        most_held: int = MOST_HELD,
        refuse: Show = render,
    ) -> None:
        self.app = app
        self._largest = largest
        self._seconds = seconds
        self._free = most_held
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        try:
            await self._serve(scope, receive, send, body)
        finally:
            self._free += len(body)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, body: bytearray) -> None:
        try:
            check_head(scope)
            async with asyncio.timeout(self._seconds):
                await self._read(scope, receive, body)
            if body and "json" in Headers(scope=scope).get("content-type", "").lower():
                check_json(bytes(body))
        except ClientDisconnect:
            return
        except TimeoutError:
            await self._refuse(BodyTimeoutError(headers=CLOSE), Request(scope))(
                scope, receive, send
            )
            return
        except (TargetTooLongError, HeadersTooLargeError) as problem:
            # Whatever else answers would look into what is too long to be looked into.
            await render(problem, Request(scope))(scope, receive, send)
            return
        except Problem as problem:
            await self._refuse(problem, Request(scope))(scope, receive, send)
            return
        pending: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return pending.pop() if pending else await receive()

        await self.app(scope, again, send)

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> None:
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._largest:
            raise BodyTooLargeError(headers=CLOSE)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            if len(body) + len(part) > self._largest:
                raise BodyTooLargeError(headers=CLOSE)
            if len(part) > self._free:
                raise UnavailableError(headers=CLOSE)
            self._free -= len(part)
            body += part
            if not message.get("more_body", False):
                return


def check_head(scope: Scope) -> None:
    """Refuse what stands before the body and is longer than anything of ours.

    Raises:
        TargetTooLongError: path and query.
        HeadersTooLargeError: all headers together.
    """
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > LONGEST_TARGET:
        raise TargetTooLongError(headers=CLOSE)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
        raise HeadersTooLargeError(headers=CLOSE)


def check_json(body: bytes) -> None:
    """Refuse what is not one JSON document that every reader reads alike.

    Raises:
        MalformedError: no JSON, not UTF-8, a member twice, a number that is none, nested deeper
            than 32, or of more than 50,000 parts.
    """
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MOST_PARTS:
        raise MalformedError
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_once, parse_constant=_refused, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise MalformedError from None
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST + 1:
            raise MalformedError
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError
    return members


def _refused(_: str) -> NoReturn:
    raise MalformedError


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedError
    return number
