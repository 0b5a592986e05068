"""Many wait, many look for room, many submit and withdraw at once: in order, never over a cap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from flatbed.app.campaigns.orders.room import ADMISSION_JOB
from flatbed.app.candidates.models import Candidate
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.waiting import admission
from flatbed.app.qualifications.waiting.tasks import admit_waiting
from flatbed.billing.usage.models import CapCounter, UsageEntry
from flatbed.tenants.kit.ids import decode
from tests.api.support import World, new_world
from tests.qualifications.factory import submit
from tests.qualifications.stock import stock
from tests.qualifications.test_concurrency import at_once, findings
from tests.qualifications.waiting.line import Line, full
from tests.support.postgres import TestDatabase

WAITING = 12
ROOM = 5
WORKERS = 6


@pytest_asyncio.fixture
async def crowded(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


def job(line: Line) -> Callable[[], Awaitable[None]]:
    """A worker's look at the line."""
    world = line.site.world
    ids = {
        "realm_id": world.realm_id,
        "tenant_id": line.site.isv.tenant_id,
        "campaign_id": decode("camp", line.site.campaign["id"]),
    }
    return lambda: admit_waiting(world.program.database, ids)


async def admitted_in_order(line: Line) -> int:
    """How many were admitted: the first of the line, in its order, and nobody after them."""
    rows = await line.rows()
    states = [one.status for one in rows if one.status != "withdrawn"]
    number = states.count("admitted")
    assert states == ["admitted"] * number + ["waiting"] * (len(states) - number)
    born = {one.id: one for one in await line.site.rows(Qualification)}
    entries = {one.id: one.sequence for one in await line.site.rows(UsageEntry)}
    sequences = [
        entries[born[one.qualification_id].entry_id]
        for one in rows
        if one.qualification_id is not None
    ]
    assert sequences == sorted(sequences)
    assert await line.counted() == states.count("waiting")
    return number


async def consistent(line: Line, live: int) -> None:
    """Candidates, counters and ledger agree that so many units live."""
    holding = await line.site.rows(Candidate, Candidate.entry_id.is_not(None))
    assert len(holding) == live
    counters = await line.site.rows(CapCounter)
    assert {one.units for one in counters} == {live}
    assert not await findings(line.site)


class TestWorkersAtOnce:
    @pytest.mark.timeout(300)
    async def test_exactly_as_many_as_there_is_room_for_are_admitted_in_order(
        self, crowded: World
    ) -> None:
        """First come, first served; caps hold under concurrency."""
        line = await full(crowded, waiting=WAITING, quantity=40)
        await line.change(caps={"units_total": 1 + ROOM})
        await asyncio.gather(*(job(line)() for _ in range(WORKERS)))
        assert await admitted_in_order(line) == ROOM
        await consistent(line, 1 + ROOM)

    @pytest.mark.timeout(300)
    async def test_with_voids_submissions_and_exits_at_once_nobody_overtakes(
        self, crowded: World
    ) -> None:
        """A fresh submission queues behind who waits, whatever makes room meanwhile."""
        line = await full(crowded, waiting=6, quantity=60, caps={"units_total": 1})
        await line.change(caps={"units_total": 3})
        await job(line)()
        assert await admitted_in_order(line) == 2
        held = line.held[0]
        await held.answered()
        fresh = await stock(line.site, 6)
        leaver = line.waiting[3]
        etag = await leaver.version()

        async def work() -> httpx.Response:
            await job(line)()
            return httpx.Response(200, json={})

        def submission(worked: Any) -> Callable[[], Awaitable[httpx.Response]]:
            return lambda: submit(worked, key=f"s-{worked.id}")

        def void() -> Awaitable[httpx.Response]:
            body = {"decision": "voided", "reason": "It holds."}
            return line.site.lead.post(f"{held.path}/decision", body, key="void")

        def leave() -> Awaitable[httpx.Response]:
            body = {"to": "exited", "reason": "insolvency"}
            return line.site.hunter.post(
                f"{leaver.path}/transitions", body, version=etag, key="leave"
            )

        answers = await at_once(
            [work, void, leave, work, *(submission(one) for one in fresh), work, work]
        )

        assert {one.status_code for one in answers} <= {200, 201, 202, 412}
        await job(line)()
        assert await admitted_in_order(line) == 3
        await consistent(line, 3)

    async def test_the_isvs_opt_in_and_the_job_meet_once(self, crowded: World) -> None:
        line = await full(crowded, waiting=1, quantity=9)
        (row,) = await line.rows()
        await line.change(caps={"units_total": 2})
        answers = await asyncio.gather(
            line.opt_in(row), job(line)(), line.opt_in(row), job(line)(), line.opt_in(row)
        )
        told = [one.status_code for one in answers if isinstance(one, httpx.Response)]
        assert sorted(told)[1:] == [409, 409]
        assert await admitted_in_order(line) == 1
        await consistent(line, 2)


class TestJob:
    async def test_each_is_committed_by_itself_and_a_repeat_goes_on(
        self, crowded: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job must be idempotent and safe to crash anywhere."""
        line = await full(crowded, waiting=3, quantity=9)
        await line.change(caps={"units_total": 4})
        steps, real = 0, admission.step

        async def step(*args: Any) -> bool:
            nonlocal steps
            steps += 1
            done = await real(*args)
            if steps == 2:
                raise ConnectionError
            return done

        monkeypatch.setattr(admission, "step", step)
        with pytest.raises(ConnectionError):
            await job(line)()
        assert await line.states() == ["admitted", "waiting", "waiting"]
        monkeypatch.undo()
        await job(line)()
        assert await line.states() == ["admitted"] * 3
        await job(line)()
        await consistent(line, 4)

    async def test_it_is_asked_for_by_whoever_makes_room_and_is_bound(self, crowded: World) -> None:
        assert ADMISSION_JOB in crowded.program.jobs
        ids = {
            "realm_id": crowded.realm_id,
            "tenant_id": (await crowded.isv()).tenant_id,
            "candidate_id": crowded.realm_id,
        }
        await admit_waiting(crowded.program.database, ids)
