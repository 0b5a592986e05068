"""Admission: in order of arrival, never a permit lost, and a quick no when there is none."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest_asyncio
from starlette.types import Message, Receive, Scope, Send

from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.edge.admission import Admission, AdmissionLayer
from tests.api.support import serving, settings_for
from tests.support.postgres import TestDatabase

PERMITS = 10
SEED = 20261122


class Served:
    """An application that notes who is served, and works until it is told to stop."""

    def __init__(self, work: Callable[[str], Awaitable[None]]) -> None:
        self.order: list[str] = []
        self.bodies: list[bytes] = []
        self.at_once = self.most = 0
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"]
        self.order.append(name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            self.bodies.append((await receive()).get("body", b""))
            await self._work(name)
        finally:
            self.at_once -= 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Visitor:
    """One request as a server would bring it; its client may leave."""

    def __init__(self, name: str, body: bytes = b"") -> None:
        self.scope: Scope = {"type": "http", "path": name, "method": "GET", "headers": []}
        self.sent: list[Message] = []
        self._messages: list[Message] = [{"type": "http.request", "body": body}]
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def visit(self, layer: AdmissionLayer) -> asyncio.Task[None]:
        return asyncio.create_task(layer(self.scope, self.receive, self.send))

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def all_permits(admission: Admission) -> int:
    """How many can be taken now: a lost one is missing, one given back twice is too many."""
    taken = 0
    while admission.take():
        taken += 1
    return taken


class TestOrder:
    async def test_waiters_are_served_in_order_of_arrival(self) -> None:
        admission = Admission(3, seconds=10)
        rng = random.Random(SEED)

        async def work(_: str) -> None:
            await asyncio.sleep(rng.uniform(0, 0.002))

        app = Served(work)
        layer = AdmissionLayer(app, admission=admission)
        names = [f"/{number}" for number in range(200)]
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate(names):
                visitor = Visitor(name)
                group.create_task(layer(visitor.scope, visitor.receive, visitor.send))
                if number % 20 == 0:
                    await asyncio.sleep(0.001)
        assert app.order == names
        assert app.most == 3
        assert all_permits(admission) == 3

    async def test_a_newcomer_does_not_overtake_whoever_was_just_handed_the_permit(self) -> None:
        admission = Admission(1)
        assert admission.take()
        place = admission.queue()
        admission.give_back()
        # The waiter's task has not run yet; the permit is his all the same.
        assert not admission.take()
        assert place.done()
        assert admission.running == 1

    async def test_the_body_arrives_whole_after_a_wait(self) -> None:
        gate = asyncio.Event()

        async def work(_: str) -> None:
            await gate.wait()

        app = Served(work)
        layer = AdmissionLayer(app, admission=Admission(1, seconds=10))
        first, second = Visitor("/1", b"one"), Visitor("/2", b"two")
        tasks = [first.visit(layer), second.visit(layer)]
        await settle()
        assert app.bodies == [b"one"]
        gate.set()
        await asyncio.gather(*tasks)
        assert app.bodies == [b"one", b"two"]


class TestPermits:
    async def test_a_thousand_random_cancellations_lose_no_permit(self) -> None:
        rng = random.Random(SEED)
        admission = Admission(4, seconds=0.004)

        async def work(_: str) -> None:
            await asyncio.sleep(rng.uniform(0, 0.01))
            if rng.random() < 0.1:
                raise RuntimeError

        layer = AdmissionLayer(Served(work), admission=admission)
        tasks, visitors = [], []
        for number in range(1000):
            visitor = Visitor(f"/{number}")
            visitors.append(visitor)
            tasks.append(visitor.visit(layer))
            if number % 8 == 0:
                await asyncio.sleep(rng.uniform(0, 0.002))
            if rng.random() < 0.5:
                rng.choice(tasks[-12:]).cancel()
            if rng.random() < 0.2:
                rng.choice(visitors[-12:]).leave()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled = sum(isinstance(result, asyncio.CancelledError) for result in results)
        served = sum(visitor.status == 204 for visitor in visitors)
        shed = sum(visitor.status == 503 for visitor in visitors)
        assert min(cancelled, served, shed) > 20, (SEED, cancelled, served, shed)
        assert admission.shed_total >= shed
        assert (admission.running, admission.waiting) == (0, 0)
        assert all_permits(admission) == 4

    async def test_a_permit_that_reaches_a_cancelled_waiter_goes_to_the_next(self) -> None:
        admission = Admission(1)
        assert admission.take()
        first, second = admission.queue(), admission.queue()
        admission.give_back()
        admission.leave(first)
        assert second.done()
        admission.give_back()
        assert all_permits(admission) == 1

    async def test_a_client_that_leaves_while_waiting_costs_nothing(self) -> None:
        admission = Admission(1, seconds=10)
        assert admission.take()

        async def work(_: str) -> None:
            return

        app = Served(work)
        layer = AdmissionLayer(app, admission=admission)
        gone, stays = Visitor("/gone"), Visitor("/stays")
        tasks = [gone.visit(layer), stays.visit(layer)]
        await settle()
        assert admission.waiting == 2
        gone.leave()
        await settle()
        assert tasks[0].done()
        assert admission.waiting == 1
        admission.give_back()
        await asyncio.gather(*tasks)
        assert app.order == ["/stays"]
        assert gone.sent == []
        assert admission.shed_total == 0
        assert all_permits(admission) == 1

    async def test_a_slow_reader_holds_no_permit(self) -> None:
        admission, stalled = Admission(1), asyncio.Event()

        async def work(_: str) -> None:
            return

        layer = AdmissionLayer(Served(work), admission=admission)
        visitor = Visitor("/slow")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                stalled.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(layer(visitor.scope, visitor.receive, send))
        await stalled.wait()
        assert admission.running == 0
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert all_permits(admission) == 1

    async def test_who_waits_too_long_is_told_when_to_come_back(self) -> None:
        admission = Admission(1, seconds=0.05)
        assert admission.take()

        async def work(_: str) -> None:
            return

        visitor = Visitor("/late")
        await visitor.visit(AdmissionLayer(Served(work), admission=admission))
        assert visitor.status == 503
        assert (b"retry-after", b"1") in visitor.sent[0]["headers"]
        assert b'"unavailable"' in visitor.sent[1]["body"]
        assert admission.shed_total == 1
        assert admission.waiting == 0


@pytest_asyncio.fixture
async def program(database: TestDatabase) -> Program:
    settings = settings_for(database).model_copy(update={"admission_seconds": 0.25})
    return build(settings)


@pytest_asyncio.fixture
async def http(program: Program) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(program) as made:
        yield made


class TestProgram:
    async def test_a_full_pool_refuses_in_a_quarter_of_a_second_and_stays_observable(
        self, program: Program, http: httpx.AsyncClient
    ) -> None:
        assert all_permits(program.admission) == PERMITS
        form: dict[str, Any] = {"grant_type": "client_credentials"}
        started = time.perf_counter()
        shed = await http.post("/oauth/token", data=form, auth=("a", "b"))
        waited = time.perf_counter() - started
        assert shed.status_code == 503
        assert shed.headers["retry-after"] == "1"
        assert shed.json()["code"] == "unavailable"
        assert shed.json()["request_id"] == shed.headers["x-request-id"]
        assert 0.24 < waited < 0.8
        for path in ("/healthz", "/readyz", "/openapi.json", "/problems/unavailable"):
            assert (await http.get(path)).status_code == 200, path
        assert program.admission.shed_total == 1
        program.admission.give_back()
        answer = await http.post("/oauth/token", data=form, auth=("a", "b"))
        assert answer.status_code == 401

    async def test_every_request_gives_its_permit_back(
        self, program: Program, http: httpx.AsyncClient
    ) -> None:
        for path in ("/oauth/jwks", "/v1/campaigns", "/nowhere"):
            _ = await http.get(path)
        assert (await http.post("/oauth/token", content=b"\xff")).status_code >= 400
        assert program.admission.running == 0
        assert all_permits(program.admission) == PERMITS
