"""One request to Stripe, with everything that may happen to it on the way.

What the library does not do by itself: retry at all unless it is told to, wait after 429, stop
asking a server that is down, end in time, and keep texts and keys out of its errors. Answers are
read as JSON from ``raw_request_async``: the library's objects are no dicts, and its own fetch of
an event's object leaks a parameter into the query.
"""

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import stripe

from flatbed.billing.gateway.errors import (
    GatewayConflict,
    GatewayDenied,
    GatewayError,
    GatewayMissing,
    GatewayRefused,
    GatewayUnavailable,
)
from flatbed.billing.gateway.port import LONGEST_KEY
from flatbed.billing.gateway.reading import Data
from flatbed.billing.gateway.rules import backoff
from flatbed.billing.gateway.rules.breaker import Breaker
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.gateway.views import Body

# Otherwise the library sends what machine this is, and an id that it writes into the home folder.
stripe.enable_telemetry = False
# It logs Stripe's messages and, below that, whole bodies: names, addresses, half a key.
logging.getLogger("stripe").setLevel(logging.CRITICAL)

CODE: Final = re.compile(r"(?!(sk|rk|whsec)_)[a-z0-9_]{1,64}")
PARAMETER: Final = re.compile(r"[A-Za-z0-9_\[\].-]{1,100}")
REQUEST: Final = re.compile(r"req_[A-Za-z0-9]{1,64}")
KEY: Final = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}")
_DENIED, _MISSING, _CONFLICT, _LIMITED = (401, 403), 404, 409, 429
_REFUSALS: Final = range(400, 500)
_MS: Final = 1_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def _sleep_ms(milliseconds: int) -> None:
    await asyncio.sleep(milliseconds / _MS)


@dataclass(frozen=True, slots=True)
class Machinery:
    """What a test of time replaces: a clock, sleep and chance, in whole milliseconds."""

    now_ms: Callable[[], int] = _monotonic_ms
    sleep_ms: Callable[[int], Awaitable[None]] = _sleep_ms
    roll: Callable[[int], int] = field(default_factory=lambda: random.SystemRandom().randrange)


class _Http(stripe.HTTPXClient):
    """The library's HTTPX client, on another transport where one is given.

    Its own request hands the form to httpx in a way that is deprecated, and takes any error, a
    mistake in the program too, for one of the network, which it then tries again.
    """

    def __init__(
        self,
        settings: StripeSettings,
        machinery: Machinery,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        timeout = httpx.Timeout(settings.answer_seconds, connect=settings.connect_seconds)
        super().__init__(timeout=timeout)
        self._machinery = machinery
        self._wait = timeout
        if transport is not None:
            self._client_async = httpx.AsyncClient(transport=transport)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request."""
        try:
            answer = await self._client_async.request(
                method, url, headers=headers, content=post_data, timeout=self._wait
            )
        except httpx.RequestError as error:
            self._handle_request_error(error)
        return answer.content, answer.status_code, answer.headers

    def sleep_async(self, secs: Any) -> Awaitable[None]:  # noqa: ANN401 - a number of the library's own kind
        """Wait between the library's own retries."""
        return self._machinery.sleep_ms(int(secs * _MS))

    async def end(self) -> None:
        """Close the connections."""
        await self._client_async.aclose()


class Calls:
    """Sends requests, one after the other or at once.

    Args:
        settings: they hold a key.
        transport: another way than the network.
        machinery: time and chance.
    """

    def __init__(
        self,
        settings: StripeSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        machinery: Machinery | None = None,
    ) -> None:
        if settings.key is None:
            raise ValueError("no key")
        self._machinery = machinery or Machinery()
        self._http = _Http(settings, self._machinery, transport)
        self._seconds = settings.total_seconds
        self.breaker = Breaker(self._machinery.now_ms)
        self._stripe = stripe.StripeClient(
            settings.key.get_secret_value(),
            stripe_version=settings.api_version,
            base_addresses={"api": settings.base_url},
            max_network_retries=settings.retries,
            http_client=self._http,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.end()

    async def call(
        self, method: str, path: str, params: Body | None = None, key: str | None = None
    ) -> Data:
        """Send a request and return the JSON of its 2xx answer.

        Raises:
            GatewayError: one of its kinds; neither text nor cause are kept.
        """
        permit = self.breaker.admit()
        if permit is None:
            wait = -(-self.breaker.wait_ms() // _MS)
            raise GatewayUnavailable("circuit-open", in_doubt=False, retry_after_s=wait)
        try:
            outcome = await self._in_time(method, path, params, key)
        except BaseException:
            self.breaker.abandoned(permit)
            raise
        # A stored failure says nothing about the server as it is now.
        if isinstance(outcome, GatewayUnavailable) and not outcome.is_stored:
            self.breaker.failed(permit)
        else:
            self.breaker.succeeded(permit)
        # Raised here and not where it was caught: as its context it would carry the request.
        if isinstance(outcome, GatewayError):
            raise outcome
        return outcome

    async def _in_time(
        self, method: str, path: str, params: Body | None, key: str | None
    ) -> Data | GatewayError:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._patiently(method, path, params, key)
        except TimeoutError:
            return GatewayUnavailable("timeout", in_doubt=True)

    async def _patiently(
        self, method: str, path: str, params: Body | None, key: str | None
    ) -> Data | GatewayError:
        tries = 0
        while True:
            tries += 1
            outcome, retry_after = await self._once(method, path, params, key)
            if retry_after is None:
                return outcome
            wait = backoff.wait_ms(tries, retry_after, self._machinery.roll)
            if wait is None:
                return outcome
            await self._machinery.sleep_ms(wait)

    async def _once(
        self, method: str, path: str, params: Body | None, key: str | None
    ) -> tuple[Data | GatewayError, str | None]:
        """The outcome and, after 429 only, what ``Retry-After`` says (perhaps nothing)."""
        options: dict[str, Any] = {} if key is None else {"idempotency_key": _usable(key)}
        try:
            answer = await self._stripe.raw_request_async(method, path, **(params or {}), **options)
        except stripe.StripeError as error:
            headers: Mapping[str, str] = error.headers or {}
            after = headers.get("retry-after", "") if _is_limit(error) else None
            return _translated(error, after), after
        data = answer.data
        if not isinstance(data, Mapping):
            return GatewayUnavailable("unreadable", in_doubt=True), None
        return data, None


def _usable(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError("an idempotency key has 1 to 255 visible ASCII characters")
    return key


def _is_limit(error: stripe.StripeError) -> bool:
    return error.http_status == _LIMITED or isinstance(error, stripe.RateLimitError)


def _translated(error: stripe.StripeError, retry_after: str | None) -> GatewayError:
    """The library's error as ours, by what the caller can do."""
    status = error.http_status
    request = _matching(REQUEST, error.request_id)
    code = _matching(CODE, _member(error, "code")) or _matching(CODE, _member(error, "type"))
    if retry_after is not None:
        wait = backoff.seconds(retry_after) or None
        return GatewayUnavailable(
            code or "rate-limit", in_doubt=False, retry_after_s=wait, request_ref=request
        )
    if status == _CONFLICT:
        return GatewayConflict(code or "conflict", is_running=True, request_ref=request)
    if isinstance(error, stripe.IdempotencyError):
        return GatewayConflict(code or "idempotency", is_running=False, request_ref=request)
    if status is not None and status in _REFUSALS:
        kind: type[GatewayRefused] = GatewayRefused
        if status in _DENIED:
            kind = GatewayDenied
        elif status == _MISSING:
            kind = GatewayMissing
        param = _matching(PARAMETER, _member(error, "param"))
        return kind(code or "refused", status=status, param=param, request_ref=request)
    stored = (error.headers or {}).get("idempotent-replayed") == "true"
    known = "network" if status is None else f"http-{status}"
    return GatewayUnavailable(known, in_doubt=True, is_stored=stored, request_ref=request)


def _member(error: stripe.StripeError, name: str) -> object:
    """A member of the error as Stripe sent it."""
    body = error.json_body
    described = body.get("error") if isinstance(body, Mapping) else None
    return described.get(name) if isinstance(described, Mapping) else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
