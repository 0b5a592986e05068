"""A request id, one log line a request, and no exception that leaves unanswered."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import render, shown
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.logging import trail
from flatbed.tenants.kit.problems import InternalError, OutcomeUnknownError, Problem

log = structlog.get_logger(__name__)


class RequestLayer:
    """Pure ASGI: a ``BaseHTTPMiddleware`` would cost more than most of our endpoints."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = encode("req", uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        failpoint(Failpoint.REQUEST_RECEIVED)
        status: int | None = None

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)
            if message["type"] == "http.response.start":
                failpoint(Failpoint.RESPONSE_STARTED)

        try:
            await self.app(scope, receive, numbered)
            failpoint(Failpoint.RESPONSE_ENDED)
        except asyncio.CancelledError:
            # The server stops and will not wait any longer; a COMMIT may be under way.
            if status is None:
                with suppress(Exception):
                    await _answer(OutcomeUnknownError(), scope)(scope, receive, numbered)
            raise
        except Exception as error:  # noqa: BLE001 - the last place where it can be answered
            log.error("unhandled", **trail(error))  # noqa: TRY400 - its text may hold values
            if status is None:
                await _answer(InternalError(), scope)(scope, receive, numbered)
        finally:
            log.info("request", **_line(scope), status=status, seconds=_since(started))


def _answer(problem: Problem, scope: Scope) -> Response:
    request = Request(scope)
    try:
        return shown(problem, request)
    except Exception as error:  # noqa: BLE001 - perhaps showing is what failed in the first place
        log.error("unshown", **trail(error))  # noqa: TRY400 - its text may hold values
        return render(problem, request)


def _line(scope: Scope) -> dict[str, Any]:
    route = scope.get("route")
    return {"method": scope["method"], "route": getattr(route, "path", None)}


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
