"""Two hundred qualifications at once over five tenants, repeated under the same keys."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from flatbed.app.candidates.models import Candidate, WaitingQualification
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.repository import qualified_entries
from flatbed.billing.facade import verify_ledger
from flatbed.billing.usage.models import CapCounter, UsageEntry
from flatbed.tenants.kit.clock import Clock
from tests.api.support import World, new_world
from tests.candidates.factory import CALLER, Site, Worked, site
from tests.qualifications.factory import submit
from tests.qualifications.stock import stock
from tests.support.postgres import TestDatabase

TENANTS = 5
EACH = 40
CAPPED_AT = 25
SENDERS = 16
"""Requests under way at once: more than the pool has connections."""
BUSY = {"idempotency-in-progress"}


@pytest_asyncio.fixture
async def crowded(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


async def persist(send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Repeat under the same key until it is answered, as a client would after a lost reply."""
    for attempt in range(60):
        answer = await send()
        if answer.status_code != 503 and answer.json().get("code") not in BUSY:
            return answer
        await asyncio.sleep(0.05 * (1 + attempt % 5))
    pytest.fail("never answered")


async def at_once(jobs: list[Callable[[], Awaitable[httpx.Response]]]) -> list[httpx.Response]:
    gate = asyncio.Semaphore(SENDERS)

    async def one(job: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        async with gate:
            return await persist(job)

    return await asyncio.gather(*(one(job) for job in jobs))


def submission(worked: Worked) -> Callable[[], Awaitable[httpx.Response]]:
    return lambda: submit(worked, key=f"qualify-{worked.id}")


async def findings(place: Site) -> list[Any]:
    async with place.world.program.database.tenant(
        realm_id=place.world.realm_id,
        tenant_id=place.isv.tenant_id,
        caller=CALLER,
        clock=Clock(),
    ) as session:
        return await verify_ledger(session, expected=qualified_entries)


class TestTwoHundredAtOnce:
    @pytest.mark.timeout(300)
    async def test_the_ledger_is_the_qualified_candidates_each_once_and_no_cap_is_exceeded(
        self, crowded: World
    ) -> None:
        """1 qualified candidate ⇔ exactly one qualified entry; caps hold under concurrency."""
        places = [await site(crowded, quantity=EACH) for _ in range(TENANTS - 1)]
        capped = await site(crowded, quantity=EACH, caps={"units_total": CAPPED_AT})
        places.append(capped)
        everyone = [worked for place in places for worked in await stock(place, EACH)]
        assert len(everyone) == TENANTS * EACH == 200
        jobs = [submission(worked) for worked in everyone for _ in (1, 2)]
        random.Random(7).shuffle(jobs)

        answers = await at_once(jobs)

        assert {answer.status_code for answer in answers} == {201, 202}
        waiting = [one.json() for one in answers if one.status_code == 202]
        assert {one["status"] for one in waiting} == {"waiting"}
        assert len(waiting) == 2 * (EACH - CAPPED_AT)
        assert len(await capped.rows(WaitingQualification)) == EACH - CAPPED_AT
        replayed = [one for one in answers if "idempotent-replayed" in one.headers]
        assert len(replayed) == len(everyone)
        for place in places:
            await self.check(place, CAPPED_AT if place is capped else EACH)

    async def check(self, place: Site, wanted: int) -> None:
        entries = await place.rows(UsageEntry)
        assert len(entries) == wanted
        assert [one.sequence for one in sorted(entries, key=lambda one: one.sequence)] == list(
            range(1, wanted + 1)
        )
        assert {one.kind for one in entries} == {"qualified"}
        holding = await place.rows(Candidate, Candidate.entry_id.is_not(None))
        assert {one.stage for one in holding} == {"qualified"}
        assert {one.entry_id for one in holding} == {one.id for one in entries}
        qualifications = await place.rows(Qualification)
        assert {one.entry_id for one in qualifications} == {one.id for one in entries}
        assert {one.id for one in qualifications} == {one.source_id for one in entries}
        left = await place.rows(Candidate, Candidate.stage == "business_planning")
        assert len(left) == EACH - wanted
        counters = await place.rows(CapCounter)
        assert counters
        assert {one.units for one in counters} == {wanted}
        assert not await findings(place)


class TestDecisionsAtOnce:
    async def test_acceptances_fill_the_campaign_exactly(self, crowded: World) -> None:
        place = await site(crowded, quantity=6, continue_after_fill=True)
        made = [(await submit(one)).json()["id"] for one in await stock(place, 8)]

        def acceptance(id_: str) -> Callable[[], Awaitable[httpx.Response]]:
            path = f"/v1/qualifications/{id_}/acceptance"
            return lambda: place.isv.client.post(path, key=f"accept-{id_}")

        answers = await at_once([acceptance(id_) for id_ in made for _ in (1, 2)])

        assert {answer.status_code for answer in answers} == {200}
        campaign = await place.isv.client.read(place.path)
        assert (campaign["accepted_count"], campaign["status"]) == (8, "filled")
        assert not await findings(place)

    async def test_voids_and_submissions_at_a_cap_never_exceed_it(self, crowded: World) -> None:
        """Caps are reserved under a lock; a void makes room."""
        place = await site(crowded, caps={"units_total": 3})
        first, rest = (await stock(place, 3)), await stock(place, 6)
        held = [(await submit(one)).json()["id"] for one in first]
        for id_ in held:
            body = {
                "criterion": "qualified.msi",
                "statement": "No.",
                "evidence": [{"kind": "document", "description": "A letter."}],
            }
            await place.isv.client.made(f"/v1/qualifications/{id_}/disputes", body)
            await place.lead.made(f"/v1/qualifications/{id_}/answer", {"statement": "Yes."})

        def void(id_: str) -> Callable[[], Awaitable[httpx.Response]]:
            body = {"decision": "voided", "reason": "It holds."}
            path = f"/v1/qualifications/{id_}/decision"
            return lambda: place.lead.post(path, body, key=f"void-{id_}")

        answers = await at_once(
            [void(id_) for id_ in held] + [submission(one) for one in rest for _ in (1, 2)]
        )

        assert [one.status_code for one in answers[: len(held)]] == [200] * len(held)
        live = await place.rows(Candidate, Candidate.entry_id.is_not(None))
        assert len(live) <= 3
        (total,) = await place.rows(CapCounter, CapCounter.bucket == "total")
        assert total.units == len(live)
        assert not await findings(place)
