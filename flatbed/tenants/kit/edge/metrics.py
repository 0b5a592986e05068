"""Requests counted, and the page that says what was counted.

The page is for the deployment's own Prometheus: with a token it asks for it, without one it
answers the machine itself. For everybody else it does not exist.
"""

import hmac
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flatbed.tenants.kit.edge.admission import Admission
from flatbed.tenants.kit.http import render
from flatbed.tenants.kit.metrics import DURATION, IN_FLIGHT, REQUESTS, page
from flatbed.tenants.kit.problems import MethodNotAllowedError, NotFoundError

NO_ROUTE: Final = "none"
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER: Final = "other"
"""Methods are the client's words: what is none of these must not become a label."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
UNANSWERED: Final = "none"
"""The client went away before there was an answer."""

_Children = tuple[Counter, Histogram]


class MetricsLayer:
    """Pure ASGI, outside the layer that answers exceptions."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._known: dict[tuple[str, str, str], _Children] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = UNANSWERED

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        started = time.perf_counter()
        IN_FLIGHT.inc()
        try:
            await self.app(scope, receive, seen)
        finally:
            IN_FLIGHT.dec()
            method = scope["method"] if scope["method"] in METHODS else OTHER
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            requests, duration = self._children(method, route, status)
            requests.inc()
            duration.observe(time.perf_counter() - started)

    def _children(self, method: str, route: str, status: str) -> _Children:
        labels = (method, route, status)
        found = self._known.get(labels)
        if found is None:
            found = (REQUESTS.labels(method, route, status), DURATION.labels(method, route))
            self._known[labels] = found
        return found


class AdmissionCollector(Collector):
    """Who is at work, who waits and who was sent away, read when somebody asks."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def collect(self) -> Iterable[Metric]:
        """Two gauges and a counter."""
        found = self._admission
        yield GaugeMetricFamily(
            "flatbed_admission_running", "Requests that hold a permit.", found.running
        )
        yield GaugeMetricFamily(
            "flatbed_admission_waiting", "Requests that wait for a permit.", found.waiting
        )
        yield CounterMetricFamily(
            "flatbed_admission_shed",
            "Requests refused since no permit came free in time.",
            found.shed_total,
        )


class MetricsPage:
    """The page as an ASGI application of its own, and what is logged and counted as its route.

    Args:
        token: what a Bearer must present now; None: only the machine itself is answered.
        collectors: what is shown beside the process's own figures.
    """

    path: Final = "/metrics"

    def __init__(
        self, token: Callable[[], str | None], collectors: Callable[[], Sequence[Collector]]
    ) -> None:
        self._token = token
        self._collectors = collectors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say what an unknown path says."""
        scope["route"] = self
        request = Request(scope)
        if not may_read(request, self._token()):
            answer = render(NotFoundError(), request)
        elif request.method != "GET":
            answer = render(MethodNotAllowedError(headers={"Allow": "GET"}), request)
        else:
            answer = Response(page(*self._collectors()), media_type=CONTENT_TYPE_LATEST)
        await answer(scope, receive, send)


def may_read(request: Request, token: str | None) -> bool:
    """Whether this caller is shown the figures."""
    headers = request.headers
    if token is not None:
        sent = headers.getlist("authorization")
        scheme, _, value = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        right = hmac.compare_digest(value.encode(), token.encode())
        return right and scheme.lower() == "bearer"
    return _is_loopback(request) and not _was_forwarded(request)


def _is_loopback(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _was_forwarded(request: Request) -> bool:
    """Whether a proxy on this machine hands on somebody else's request.

    One that says nothing of it mostly keeps the name that the client asked for.
    """
    return request.url.hostname not in LOOPBACK or any(
        name in {"forwarded", "via", "x-real-ip"} or name.startswith("x-forwarded-")
        for name in request.headers
    )
