"""POST /v1/sandbox/clock: forward only, in a sandbox only, and answered when all is done."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select

from flatbed.app.sandbox.router import router
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditEntry,
    AuditEntry,
    Deadline,
    Realm,
    Wakeup,
)
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.deadlines import DeadlineHandlers, Swept, schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.sweep import sweep_realm
from tests.support.kernel_app import KernelApp, kernel_app
from tests.support.world import World

DAY = 86_400


@dataclass
class Diary:
    """What the handlers of these tests did, in order."""

    lines: list[tuple[str, datetime]] = field(default_factory=list)

    async def remind(self, session: TenantSession, deadline: Deadline) -> None:
        self.lines.append(("remind", session.now()))
        mutation(session, "candidate.reminded", "cand", deadline.candidate_id)
        await set_deadline(session, "accept", session.now() + timedelta(days=20))

    async def accept(self, session: TenantSession, deadline: Deadline) -> None:
        self.lines.append(("accept", session.now()))
        mutation(session, "candidate.accepted", "cand", deadline.candidate_id)


async def set_deadline(session: TenantSession, kind: str, due_at: datetime) -> None:
    await schedule(session, candidate_id=uuid7(), kind=kind, subject_id=uuid7(), due_at=due_at)


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest_asyncio.fixture
async def app(world: World, diary: Diary) -> AsyncIterator[KernelApp]:
    handlers = {"remind": diary.remind, "accept": diary.accept}
    async with kernel_app(world, router, handlers=handlers) as made:
        yield made


@pytest_asyncio.fixture
async def client(app: KernelApp) -> AsyncIterator[httpx.AsyncClient]:
    async with app.client() as made:
        yield made


async def offset(world: World, realm_id: UUID | None = None) -> timedelta:
    async with world.agency(realm_id) as session:
        realm = await session.get_one(Realm, realm_id or world.realm_id)
        return timedelta(microseconds=realm.clock_offset_us)


async def jobs(world: World, connection: Plain) -> int:
    """The jobs that wait to sweep the realm."""
    payloads = await connection.fetch(
        "SELECT convert_from(payload, 'UTF8') AS ids FROM pgqueuer WHERE entrypoint = 'sweep'"
    )
    return sum(str(world.realm_id) in row["ids"] for row in payloads)


async def advance(
    client: httpx.AsyncClient, body: dict[str, object], key: str | None = None
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/v1/sandbox/clock", json=body, headers=headers)


class TestAdvance:
    async def test_the_clock_moves_by_seconds(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        answer = await advance(client, {"advance_seconds": DAY})
        assert answer.status_code == 200
        assert await offset(world) == timedelta(days=1)
        moved = datetime.fromisoformat(answer.json()["now"]) - system_now()
        assert timedelta(hours=23, minutes=59) < moved <= timedelta(days=1)

    async def test_the_clock_moves_to_an_instant(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        wanted = system_now() + timedelta(days=3)
        answer = await advance(client, {"to": wanted.isoformat()})
        assert datetime.fromisoformat(answer.json()["now"]) == wanted
        assert timedelta(days=2, hours=23, minutes=59) < await offset(world) < timedelta(days=3)

    async def test_concurrent_moves_add_up(self, client: httpx.AsyncClient, world: World) -> None:
        answers = await asyncio.gather(
            *(advance(client, {"advance_seconds": DAY}) for _ in range(6))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert await offset(world) == timedelta(days=6)

    async def test_it_is_audited_in_the_agencys_trail_and_a_job_is_left_behind(
        self, client: httpx.AsyncClient, world: World, admin_connection: Plain
    ) -> None:
        await advance(client, {"advance_seconds": DAY})
        async with world.agency() as session:
            (entry,) = (await session.scalars(select(AgencyAuditEntry))).all()
        assert entry.action == "realm.clock_advanced"
        assert entry.object_id.startswith("realm_")
        assert entry.detail == {"microseconds": DAY * 1_000_000}
        assert await jobs(world, admin_connection) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"advance_seconds": 0},
            {"advance_seconds": -5},
            {"advance_seconds": 11 * 366 * DAY},
            {"advance_seconds": 1.5},
            {"advance_seconds": DAY, "to": "2199-01-01T00:00:00Z"},
            {"to": "2020-01-01T00:00:00Z"},
            {"to": "2201-01-01T00:00:00Z"},
            {"to": "2199-01-01T00:00:00"},
            {"advance_seconds": DAY, "backward": True},
        ],
    )
    async def test_only_forward_by_one_of_both_and_not_too_far(
        self, client: httpx.AsyncClient, world: World, body: dict[str, object]
    ) -> None:
        assert (await advance(client, body)).status_code == 422
        assert await offset(world) == timedelta()

    async def test_the_live_realm_has_no_clock_to_move(self, app: KernelApp, world: World) -> None:
        live = uuid7()
        await world.open_realm(live, "live")
        async with app.client(realm_id=live) as client:
            answer = await advance(client, {"advance_seconds": DAY}, "key")
        assert (answer.status_code, answer.json()["code"]) == (409, "not-a-sandbox")
        assert await offset(world, live) == timedelta()

    async def test_another_realm_is_not_moved(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        other = uuid7()
        await world.open_realm(other)
        await advance(client, {"advance_seconds": DAY})
        assert await offset(world, other) == timedelta()


class TestSweep:
    async def test_ninety_days_in_one_call_happen_in_order_before_the_answer(
        self, client: httpx.AsyncClient, world: World, diary: Diary
    ) -> None:
        start = system_now()
        async with world.tenant() as session:
            for day in (40, 10, 95):
                await set_deadline(session, "remind", start + timedelta(days=day))
        answer = await advance(client, {"advance_seconds": 90 * DAY})
        assert answer.json()["swept"] == 4
        expected = [("remind", 10), ("accept", 30), ("remind", 40), ("accept", 60)]
        assert diary.lines == [(kind, start + timedelta(days=day)) for kind, day in expected]
        async with world.reading() as reading:
            ordered = select(AuditEntry.at).order_by(AuditEntry.sequence)
            instants = (await reading.scalars(ordered)).all()
        assert instants == [at for _, at in diary.lines]
        async with world.worker() as worker:
            due = Wakeup.due_at <= start + timedelta(days=90)
            statement = select(func.count()).where(Wakeup.realm_id == world.realm_id, due)
            assert await worker.scalar(statement) == 0

    async def test_concurrent_moves_handle_each_deadline_once(
        self, client: httpx.AsyncClient, world: World, diary: Diary
    ) -> None:
        start = system_now()
        async with world.tenant() as session:
            for day in range(1, 13):
                await set_deadline(session, "accept", start + timedelta(days=day))
        answers = await asyncio.gather(
            *(advance(client, {"advance_seconds": 6 * DAY}) for _ in range(2))
        )
        assert sum(answer.json()["swept"] for answer in answers) == 12
        assert [at for _, at in diary.lines] == [
            start + timedelta(days=day) for day in range(1, 13)
        ]

    async def test_of_many_moves_at_once_two_sweep_and_the_others_leave_it_to_the_job(
        self,
        app: KernelApp,
        world: World,
        diary: Diary,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        held, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def slow(database: Database, handlers: DeadlineHandlers, realm_id: UUID) -> Swept:
            held.release()
            await go_on.wait()
            return await sweep_realm(database, handlers, realm_id)

        async with world.tenant() as session:
            for day in range(1, 6):
                await set_deadline(session, "accept", system_now() + timedelta(days=day))
        monkeypatch.setattr("flatbed.app.sandbox.service.sweep_realm", slow)
        async with app.client() as client:
            moves = [
                asyncio.create_task(advance(client, {"advance_seconds": DAY})) for _ in range(2)
            ]
            for _ in moves:
                await held.acquire()
            for key in ("key", "key", None, None):
                answer = await asyncio.wait_for(advance(client, {"advance_seconds": DAY}, key), 10)
                assert (answer.status_code, answer.json()["swept"]) == (200, 0)
            assert diary.lines == []
            assert held.locked(), "a third request began to sweep"
            assert await jobs(world, admin_connection) == 5
            go_on.set()
            answers = await asyncio.gather(*moves)
            assert sum(answer.json()["swept"] for answer in answers) == 5
            assert len(diary.lines) == 5
            # The places are free again.
            async with world.tenant() as session:
                await set_deadline(session, "accept", system_now())
            again = await advance(client, {"advance_seconds": DAY})
            assert again.json()["swept"] == 1

    async def test_a_sweep_that_fails_gives_its_place_back(
        self,
        client: httpx.AsyncClient,
        world: World,
        diary: Diary,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def crash(*_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr("flatbed.app.sandbox.service.sweep_realm", crash)
            for _ in range(3):
                assert (await advance(client, {"advance_seconds": 1})).status_code == 500
        async with world.tenant() as session:
            await set_deadline(session, "accept", system_now())
        assert (await advance(client, {"advance_seconds": 1})).json()["swept"] == 1
        assert len(diary.lines) == 1


class TestIdempotency:
    async def test_the_same_key_moves_the_clock_once_and_answers_alike(
        self, client: httpx.AsyncClient, world: World, diary: Diary
    ) -> None:
        async with world.tenant() as session:
            await set_deadline(session, "accept", system_now() + timedelta(hours=1))
        first = await advance(client, {"advance_seconds": DAY}, "key")
        again = await advance(client, {"advance_seconds": DAY}, "key")
        assert first.json()["swept"] == 1
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        assert await offset(world) == timedelta(days=1)
        assert len(diary.lines) == 1

    async def test_a_replay_finishes_what_a_crash_after_the_commit_left(
        self,
        client: httpx.AsyncClient,
        world: World,
        diary: Diary,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async with world.tenant() as session:
            await set_deadline(session, "accept", system_now() + timedelta(hours=1))

        async def crash(*_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr("flatbed.app.sandbox.service.sweep_realm", crash)
            broken = await advance(client, {"advance_seconds": DAY}, "key")
        assert broken.status_code == 500
        assert diary.lines == []
        again = await advance(client, {"advance_seconds": DAY}, "key")
        assert again.status_code == 200
        assert await offset(world) == timedelta(days=1)
        assert len(diary.lines) == 1
