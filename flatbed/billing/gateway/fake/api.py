"""One request to the fake's API: faults, key, idempotency, validation, operation, answer."""

import asyncio
import hmac
from collections import deque
from dataclasses import dataclass
from typing import Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.events import tick
from flatbed.billing.gateway.fake.faults import Fault, FaultKind, Faults
from flatbed.billing.gateway.fake.forms import Params, Tree, decode
from flatbed.billing.gateway.fake.idempotency import Answer, Keys
from flatbed.billing.gateway.fake.refusals import ApiError, internal, invalid
from flatbed.billing.gateway.fake.routes import Route, match
from flatbed.billing.gateway.fake.store import Obj
from flatbed.billing.gateway.fake.validation import Finding, Validator

REMEMBERED: Final = 10_000
"""Requests whose heads are kept for tests."""
EXPANDABLE: Final = {
    "customer": "customer",
    "default_payment_method": "payment_method",
    "payment_method": "payment_method",
    "setup_intent": "setup_intent",
}


class Dropped(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str | None:
        """Its idempotency key; only a POST has one."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back."""

    status: int
    body: Obj
    headers: dict[str, str]


class Api:
    """The API of one account.

    Args:
        account: its state.
        key: the secret key that requests must bear.
        validator: the document that requests and answers are held against.
    """

    def __init__(self, account: Account, key: str, validator: Validator | None) -> None:
        self.account = account
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=REMEMBERED)
        self.findings: list[tuple[str, Finding]] = []
        """What did not fit the document, with the request's method and path: ours to mend."""
        self._keys = Keys(account)
        self._key = key
        self._validator = validator

    def knows(self, authorization: str) -> bool:
        """Whether a request bears the key."""
        return hmac.compare_digest(authorization.encode(), f"Bearer {self._key}".encode())

    async def respond(self, request: Request) -> Reply:
        """Answer a request.

        Raises:
            Dropped: it gets no answer.
        """
        self.requests.append(request)
        fault = self.faults.take(request.method, request.path)
        if fault is not None and fault.kind is FaultKind.DROP_BEFORE:
            raise Dropped
        headers = {"Request-Id": self.account.mint("request")}
        if fault is not None and fault.kind is FaultKind.LIMITED:
            return _limited(fault, headers)
        try:
            answer = await self._answer(request, fault, headers)
        except ApiError as refusal:
            answer = Answer(refusal.status, refusal.body())
        self._judge(request, answer)
        self.account.store.flush()
        if fault is not None and fault.kind is FaultKind.DROP_AFTER:
            raise Dropped
        return Reply(answer.status, answer.body, headers)

    async def _answer(
        self, request: Request, fault: Fault | None, headers: dict[str, str]
    ) -> Answer:
        if not self.knows(request.headers.get("authorization", "")):
            raise ApiError(401, "Invalid API Key provided")
        found = match(request.method, request.path)
        if found is None:
            raise ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        params = decode(request.body if request.method == "POST" else request.query.encode())
        key = request.key
        if key is None:
            await _delay(fault)
            return self._act(*found, request, params, fault)
        with self._keys.running(key):
            await _delay(fault)
            kept = self._keys.replay(key, request.method, request.path, params)
            if kept is not None:
                headers["Idempotent-Replayed"] = "true"
                return kept
            answer = self._act(*found, request, params, fault)
            if answer.status >= 500:  # noqa: PLR2004 - the class of its own failures
                headers["Stripe-Should-Retry"] = "false"
            if answer.keeps:
                self._keys.keep(key, request.method, request.path, params, answer)
            return answer

    def _act(
        self,
        route: Route,
        ids: tuple[str, ...],
        request: Request,
        params: Tree,
        fault: Fault | None,
    ) -> Answer:
        """Do the operation as a whole or not at all."""
        account = self.account
        account.request = {"id": None, "idempotency_key": request.key}
        tick(account)
        account.store.flush()
        try:
            if fault is not None and fault.kind is FaultKind.ERROR_BEFORE:
                raise internal()
            self._valid(route, request, params)
            done = route.handler(account, ids, Params(params))
            body = self._expanded(done, Params(params).texts("expand"))
            if fault is not None and fault.kind is FaultKind.ERROR_AFTER:
                return Answer(500, internal().body())
        except ApiError as refusal:
            if not refusal.keeps:
                account.store.take_back()
            return Answer(refusal.status, refusal.body(), keeps=refusal.began)
        finally:
            account.request = None
        return Answer(200, body)

    def _valid(self, route: Route, request: Request, params: Tree) -> None:
        if self._validator is None:
            return
        finding = self._validator.request(route.method, route.template, params)
        if finding is not None:
            self.findings.append((f"{request.method} {request.path}", finding))
            raise invalid(finding.param, f"{finding.message}: {finding.param}", finding.code)

    def _judge(self, request: Request, answer: Answer) -> None:
        found = match(request.method, request.path)
        if self._validator is None or found is None:
            return
        template = found[0].template
        for finding in self._validator.answer(request.method, template, answer.status, answer.body):
            self.findings.append((f"answer of {request.method} {request.path}", finding))

    def _expanded(self, body: Obj, asked: list[str]) -> Obj:
        for name in asked:
            if name not in EXPANDABLE or name not in body:
                raise invalid("expand", f"This property cannot be expanded ({name}).")
            if body[name] is not None:
                body = {**body, name: self.account.find(EXPANDABLE[name], body[name])}
        return body


async def _delay(fault: Fault | None) -> None:
    if fault is not None and fault.kind is FaultKind.DELAY:
        await asyncio.sleep(fault.delay_ms / 1_000)


def _limited(fault: Fault, headers: dict[str, str]) -> Reply:
    if fault.seconds is not None:
        headers["Retry-After"] = str(fault.seconds)
    refusal = ApiError(429, "Request rate limit exceeded.", code="rate_limit")
    return Reply(429, refusal.body(), headers)
