"""A reply is lost: whoever asks again with the same key gets the first result; one effect.

What one effect is, is measured: the same operation, undisturbed, adds so many rows to each table.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from flatbed.app.wiring import build
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import new_world
from tests.candidates.factory import Site, site
from tests.faults.operations import OPERATIONS, Shot, difference, effects
from tests.faults.proxy import COMMIT, COMMITTED, Cut, Proxy, Rule, Way, proxying, proxying_url
from tests.faults.server import listening
from tests.support.postgres import TestDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEGIN = b"BEGIN"
SECOND = 2
"""The first transaction of a request admits it, the second is its effect."""
SECONDS = 20
PAUSE = 0.05


@dataclass(frozen=True)
class Fault:
    """A cut in the effect's transaction, and whether the effect stands then."""

    way: Way
    pattern: bytes
    cut: Cut
    effect: bool
    passing: int = 0

    def rule(self) -> Rule:
        return Rule(self.way, self.pattern, self.cut, at=SECOND, passing=self.passing)


COMMIT_FAULTS = {
    "commit lost, reset": Fault(Way.UP, COMMIT, Cut.RESET, effect=False),
    "commit lost, closed": Fault(Way.UP, COMMIT, Cut.CLOSE, effect=False),
    "commit torn": Fault(Way.UP, COMMIT, Cut.CLOSE, effect=False, passing=8),
    "answer lost, reset": Fault(Way.DOWN, COMMITTED, Cut.RESET, effect=True),
    "answer lost, closed": Fault(Way.DOWN, COMMITTED, Cut.CLOSE, effect=True),
    "answer torn": Fault(Way.DOWN, COMMITTED, Cut.CLOSE, effect=True, passing=6),
}
WITHOUT_KEY = ("commit lost, reset", "commit torn", "answer lost, closed", "answer torn")
DYING = ("create_candidate", "submit_qualification", "advance_clock", "create_oauth_client")
HOLES = {
    "commit swallowed": Fault(Way.UP, COMMIT, Cut.HOLE, effect=False),
    "answer swallowed": Fault(Way.DOWN, COMMITTED, Cut.HOLE, effect=True),
}
FAULTS_OF_HTTP = {
    "request lost": (Rule(Way.UP, b"POST "), False),
    "request torn": (Rule(Way.UP, b"POST ", Cut.CLOSE, passing=40), False),
    "answer lost, reset": (Rule(Way.DOWN, b"HTTP/1.1 "), True),
    "answer lost, closed": (Rule(Way.DOWN, b"HTTP/1.1 ", Cut.CLOSE), True),
    "head torn": (Rule(Way.DOWN, b"HTTP/1.1 ", Cut.CLOSE, passing=30), True),
    "body torn": (Rule(Way.DOWN, b"\r\n\r\n", Cut.CLOSE, passing=9), True),
}


@dataclass
class Stage:
    """A running campaign whose program reaches the database through a proxy."""

    site: Site
    proxy: Proxy
    plain: Plain
    """Past the proxy, as superuser."""
    once: dict[str, int]
    """One effect of the operation that was measured last."""

    async def measure(self, name: str) -> Shot:
        """Send the operation, undisturbed; a fresh one.

        Its second run is measured: the first of a month also opens the ledger's period.
        """
        assert (await (await OPERATIONS[name](self.site)).send()).is_success
        shot, before = await OPERATIONS[name](self.site), await effects(self.plain)
        answer = await shot.send(str(uuid7()))
        assert answer.status_code in {200, 201}, answer.text
        self.once = difference(await effects(self.plain), before)
        assert self.once.get("audit", 0) >= 1, f"{name}: {self.once}"
        return await OPERATIONS[name](self.site)

    async def stored(self, key: str) -> dict[str, Any]:
        """What is stored under the key."""
        rows = await self.plain.fetch(
            "SELECT status, headers, body FROM idempotency_key WHERE key = $1 UNION ALL"
            " SELECT status, headers, body FROM agency_idempotency_key WHERE key = $1",
            key,
        )
        assert len(rows) == 1
        return dict(rows[0])

    async def asserts_replay(self, shot: Shot, key: str, case: str) -> httpx.Response:
        """Asked again, twice: the stored reply, to the letter."""
        answers = [await shot.send(key) for _ in range(2)]
        stored = await self.stored(key)
        for answer in answers:
            assert answer.headers.get("idempotent-replayed") == "true", case
            assert (answer.status_code, answer.text) == (stored["status"], stored["body"]), case
            for name, value in json.loads(stored["headers"]).items():
                assert answer.headers[name] == value, case
        return answers[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(database: TestDatabase) -> AsyncIterator[Stage]:
    plain = await connect(database.admin_url)
    async with (
        proxying_url(database.app_url) as proxy,
        new_world(replace(database, app_url=proxy.url(database.app_url))) as world,
    ):
        yield Stage(await site(world, quantity=1_000), proxy, plain, {})
    await plain.close()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared: Stage) -> Stage:
    """The one of all tests here, whole again."""
    shared.proxy.clear()
    shared.proxy.heal()
    shared.proxy.counts.clear()
    shared.proxy.refusing = False
    return shared


@pytest.mark.parametrize("operation", OPERATIONS)
class TestCommit:
    async def test_the_same_key_gets_the_first_result_and_there_is_one_effect(
        self, stage: Stage, operation: str
    ) -> None:
        shot = await stage.measure(operation)
        for case, fault in COMMIT_FAULTS.items():
            key, before, rule = str(uuid7()), await effects(stage.plain), fault.rule()
            stage.proxy.set(rule)
            first = await shot.send(key)
            assert rule.done, case
            assert first.status_code == 503, f"{case}: {first.text}"
            assert first.json()["code"] == "outcome-unknown", case
            left = difference(await effects(stage.plain), before)
            if fault.effect:
                assert left == stage.once, case
            else:
                assert left == {}, case
                # It ran again since nothing had happened.
                again = await shot.send(key)
                assert again.status_code in {200, 201}, f"{case}: {again.text}"
                assert "idempotent-replayed" not in again.headers, case
            await stage.asserts_replay(shot, key, case)
            assert difference(await effects(stage.plain), before) == stage.once, case
            shot = await OPERATIONS[operation](stage.site)
        assert sum(stage.proxy.counts[cut] for cut in Cut) == len(COMMIT_FAULTS)

    async def test_without_a_key_the_program_never_doubles_it(
        self, stage: Stage, operation: str
    ) -> None:
        shot = await stage.measure(operation)
        once = {name: rows for name, rows in stage.once.items() if "idempotency" not in name}
        for case in WITHOUT_KEY:
            fault = COMMIT_FAULTS[case]
            before, rule = await effects(stage.plain), fault.rule()
            stage.proxy.set(rule)
            first = await shot.send()
            assert rule.done, case
            assert first.status_code == 503, f"{case}: {first.text}"
            left = difference(await effects(stage.plain), before)
            assert left == (once if fault.effect else {}), case
            shot = await OPERATIONS[operation](stage.site)
        assert sum(stage.proxy.counts[cut] for cut in Cut) == len(WITHOUT_KEY)


class TestBegin:
    @pytest.mark.parametrize("operation", DYING)
    async def test_a_connection_that_dies_before_the_work_costs_at_most_a_repetition(
        self, stage: Stage, operation: str
    ) -> None:
        shot = await stage.measure(operation)
        for at in (1, SECOND):
            key, before = str(uuid7()), await effects(stage.plain)
            rule = stage.proxy.set(Rule(Way.UP, BEGIN, at=at))
            first = await shot.send(key)
            assert rule.done
            assert first.status_code in {200, 201, 503}, f"BEGIN {at}: {first.text}"
            if first.status_code == 503:
                assert difference(await effects(stage.plain), before) == {}
                assert (await shot.send(key)).status_code in {200, 201}
            await stage.asserts_replay(shot, key, f"BEGIN {at}")
            assert difference(await effects(stage.plain), before) == stage.once
            shot = await OPERATIONS[operation](stage.site)


class TestHole:
    @pytest.mark.parametrize("operation", ["submit_qualification", "create_organization"])
    async def test_a_caller_who_gave_up_gets_the_first_result_when_the_network_is_back(
        self, stage: Stage, operation: str
    ) -> None:
        shot = await stage.measure(operation)
        for case, fault in HOLES.items():
            key, before, rule = str(uuid7()), await effects(stage.plain), fault.rule()
            stage.proxy.set(rule)
            asking = asyncio.create_task(shot.send(key))
            await asyncio.wait_for(rule.struck.wait(), SECONDS)
            await asyncio.sleep(PAUSE)
            assert not asking.done(), case
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            if not fault.effect:
                # The server still holds the key for the transaction that it waits for.
                waiting = await shot.send(key)
                assert waiting.status_code in {409, 503}, f"{case}: {waiting.text}"
                assert difference(await effects(stage.plain), before) == {}, case
                stage.proxy.heal()
                await released(stage.plain)
                assert (await shot.send(key)).status_code in {200, 201}, case
            await stage.asserts_replay(shot, key, case)
            assert difference(await effects(stage.plain), before) == stage.once, case
            stage.proxy.heal()
            shot = await OPERATIONS[operation](stage.site)

    @pytest.mark.long
    async def test_a_caller_who_waits_is_told_503_before_he_despairs(self, stage: Stage) -> None:
        shot, key = await stage.measure("create_offering"), str(uuid7())
        before = await effects(stage.plain)
        stage.proxy.set(HOLES["answer swallowed"].rule())
        async with asyncio.timeout(SECONDS):
            first = await shot.send(key)
        assert stage.proxy.counts[Cut.HOLE] == 1
        assert first.status_code == 503, first.text
        await stage.asserts_replay(shot, key, "waited")
        assert difference(await effects(stage.plain), before) == stage.once


class TestPool:
    async def test_connections_that_died_in_the_pool_cost_no_caller_anything(
        self, stage: Stage
    ) -> None:
        reads = [stage.site.isv.client.get("/v1/offerings") for _ in range(5)]
        assert {one.status_code for one in await asyncio.gather(*reads)} == {200}
        for cut in (Cut.RESET, Cut.CLOSE):
            assert stage.proxy.cut_all(cut) >= 2
            shot, before = await OPERATIONS["create_offering"](stage.site), 0
            before = await stage.plain.fetchval("SELECT count(*) FROM offering")
            answer = await shot.send()
            assert answer.status_code == 201, answer.text
            assert await stage.plain.fetchval("SELECT count(*) FROM offering") == before + 1

    async def test_a_server_that_is_down_is_answered_503_and_everything_works_again(
        self, stage: Stage
    ) -> None:
        shot = await OPERATIONS["create_offering"](stage.site)
        stage.proxy.refusing = True
        stage.proxy.cut_all()
        answers = [await shot.send(str(uuid7())) for _ in range(3)]
        assert [one.status_code for one in answers] == [503] * 3
        assert all("retry-after" in one.headers for one in answers)
        assert stage.proxy.counts["refused"] >= 1
        stage.proxy.refusing = False
        assert (await shot.send(str(uuid7()))).status_code == 201


class TestHttp:
    @pytest.mark.parametrize(
        "operation", ["create_candidate", "submit_qualification", "create_oauth_client"]
    )
    async def test_a_client_that_did_not_hear_asks_again_and_gets_the_first_result(
        self, stage: Stage, operation: str
    ) -> None:
        shot = await stage.measure(operation)
        async with (
            listening(build(stage.site.world.program.settings)) as port,
            proxying("127.0.0.1", port) as proxy,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}") as http,
        ):
            for case, (rule, effect) in FAULTS_OF_HTTP.items():
                key, before = str(uuid7()), await effects(stage.plain)
                set_ = proxy.set(replace(rule))
                there = shot.over(http)
                with pytest.raises(httpx.TransportError):
                    await there.send(key)
                assert set_.done, case
                left = difference(await effects(stage.plain), before)
                assert left == (stage.once if effect else {}), case
                if not effect:
                    assert (await there.send(key)).status_code == 201, case
                await stage.asserts_replay(there, key, case)
                assert difference(await effects(stage.plain), before) == stage.once, case
                shot = await OPERATIONS[operation](stage.site)
            assert proxy.counts[Cut.RESET] + proxy.counts[Cut.CLOSE] == len(FAULTS_OF_HTTP)


class TestSecretShownOnce:
    async def test_a_client_whose_secret_was_lost_is_named_by_the_replay_and_can_be_replaced(
        self, stage: Stage
    ) -> None:
        shot, key = await OPERATIONS["create_oauth_client"](stage.site), str(uuid7())
        stage.proxy.set(Rule(Way.DOWN, COMMITTED, at=SECOND))
        first = await shot.send(key)
        assert "client_secret" not in first.json()
        replay = await stage.asserts_replay(shot, key, "lost")
        assert replay.status_code == 201
        assert replay.json()["client_secret"] is None
        assert (await shot.client.get(f"/v1/oauth-clients/{replay.json()['id']}")).is_success
        assert (await shot.client.made(shot.path, shot.body))["client_secret"]


async def released(plain: Plain) -> None:
    """The server has noticed that its clients are gone."""
    for _ in range(100):
        open_ = await plain.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        if not open_:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a transaction is still open")
