"""Sessions: bound or refused, committed or rolled back, never left behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool
from starlette.types import Message, Receive, Scope, Send

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.connection import (
    BoundConnection,
    ContextMissingError,
    TransactionAbortedError,
)
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditPending,
    AuditPending,
    Deadline,
    IdempotencyKey,
)
from flatbed.tenants.kit.database.session import (
    PlaneSession,
)
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.deadlines import schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.support.kernel_app import KernelApp, kernel_app
from tests.support.postgres import TestDatabase
from tests.support.world import CALLER, World


@pytest_asyncio.fixture
async def app(world: World) -> AsyncIterator[KernelApp]:
    async with kernel_app(world) as made:
        yield made


async def count(session: PlaneSession, table: type = AuditPending) -> int:
    return await session.scalar(select(func.count()).select_from(table)) or 0


async def pending(world: World) -> int:
    async with world.reading() as session:
        return await count(session)


async def left_open(admin: Plain) -> int:
    """Connections of the program that are still in a transaction, in the test's own database."""
    return int(
        await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'flatbed' AND state <> 'idle'"
        )
    )


class TestContext:
    async def test_a_connection_without_a_context_refuses_to_begin(self, world: World) -> None:
        with pytest.raises(ContextMissingError):
            async with world.database.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def test_a_connection_that_was_used_before_refuses_too(self, world: World) -> None:
        async with world.tenant() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        with pytest.raises(ContextMissingError):
            async with world.database.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def test_without_context_the_database_shows_no_rows(
        self, world: World, database: TestDatabase
    ) -> None:
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())
        async with world.agency() as session:
            record(session, "thing.made", "staff", uuid7())
        bare = await connect(database.app_url)
        try:
            for table in ("audit_pending", "agency_audit_pending", "realm", "wakeup"):
                assert await bare.fetchval(f"SELECT count(*) FROM {table}") == 0
        finally:
            await bare.close()

    async def test_a_context_ends_with_its_transaction(self, world: World) -> None:
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())
            assert await count(session) == 1
        async with world.tenant(world.tenants[1]) as session:
            assert await count(session) == 0
        async with world.worker() as session:
            names = ("tenant_id", "realm_id", "candidate_from", "candidate_to")
            for name in names:
                found = await session.scalar(
                    text(f"SELECT current_setting('flatbed.{name}', true)")
                )
                assert found == ""

    async def test_a_tenant_can_write_no_row_of_another(self, world: World) -> None:
        with pytest.raises(SQLAlchemyError, match="row-level security"):
            async with world.tenant() as session:
                session.add(
                    IdempotencyKey(
                        tenant_id=world.tenants[1],
                        client_id=uuid7(),
                        key="k",
                        fingerprint="f",
                        created_at=system_now(),
                    )
                )

    async def test_a_read_session_cannot_write(self, world: World) -> None:
        with pytest.raises(SQLAlchemyError, match="read-only"):
            async with world.reading() as session:
                await session.execute(text("DELETE FROM audit_pending"))

    async def test_a_hunters_range_holds_one_candidate(self, world: World) -> None:
        mine, other = uuid7(), uuid7()
        async with world.tenant() as session:
            for candidate_id in (mine, other):
                await schedule(
                    session,
                    candidate_id=candidate_id,
                    kind="note",
                    subject_id=uuid7(),
                    due_at=session.now(),
                )

        async def seen(candidates: CandidateRange | None) -> set[UUID]:
            async with world.reading(candidates=candidates) as session:
                return set((await session.scalars(select(Deadline.candidate_id))).all())

        assert await seen(CandidateRange.one(mine)) == {mine}
        assert await seen(CandidateRange.none()) == set()
        assert await seen(None) == {mine, other}
        with pytest.raises(SQLAlchemyError, match="row-level security"):
            async with world.tenant(candidates=CandidateRange.one(mine)) as session:
                await schedule(
                    session,
                    candidate_id=other,
                    kind="mine",
                    subject_id=uuid7(),
                    due_at=session.now(),
                )


class TestSnapshot:
    async def test_what_is_committed_between_two_reads_is_in_both_or_in_none(
        self, world: World
    ) -> None:
        async with world.reading() as session:
            assert await count(session) == 0
            async with world.tenant() as writer:
                mutation(writer, "thing.made", "off", uuid7())
            assert await count(session) == 0
        assert await pending(world) == 1

    async def test_the_agencys_reads_are_of_one_snapshot_too(self, world: World) -> None:
        async with world.database.agency_read(
            realm_id=world.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            assert await count(session, AgencyAuditPending) == 0
            async with world.agency() as writer:
                record(writer, "thing.made", "off", uuid7())
                await writer.flush()
                assert await count(writer, AgencyAuditPending) == 1
            assert await count(session, AgencyAuditPending) == 0

    async def test_a_snapshot_begins_with_its_first_statement(self, world: World) -> None:
        async with world.reading() as session:
            async with world.tenant() as writer:
                mutation(writer, "thing.made", "off", uuid7())
            assert await count(session) == 1

    async def test_a_writer_sees_what_was_committed_meanwhile(self, world: World) -> None:
        """As it must, once it has waited for a lock; also on a connection that has read before."""
        database = Database(create_engine(world.url, pool_size=1))
        mine: dict[str, Any] = {
            "realm_id": world.realm_id,
            "tenant_id": world.tenants[0],
            "caller": CALLER,
            "clock": Clock(),
        }
        try:
            async with database.tenant_read(**mine) as session:
                assert await count(session) == 0
            async with database.tenant(**mine) as session:
                assert await count(session) == 0
                async with world.tenant() as writer:
                    mutation(writer, "thing.made", "off", uuid7())
                assert await count(session) == 1
        finally:
            await database.close()


class TestCommit:
    async def test_an_error_rolls_everything_back(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                await session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        assert await pending(world) == 0

    async def test_a_swallowed_database_error_never_becomes_a_commit(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                with pytest.raises(SQLAlchemyError):
                    await session.execute(text("SELECT 1/0"))

        with pytest.raises(TransactionAbortedError):
            await work()
        assert await pending(world) == 0

    async def test_a_swallowed_database_error_never_becomes_a_2xx(self, app: KernelApp) -> None:
        async with app.client(app.world.tenants[0]) as client:
            answer = await client.post("/swallowed", json={"name": "x"})
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal-error"
        assert await pending(app.world) == 0

    async def test_the_response_never_precedes_the_commit(
        self, app: KernelApp, admin_connection: Plain
    ) -> None:
        visible: list[int] = []

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def looking(message: Message) -> None:
                if message["type"] == "http.response.start":
                    visible.append(
                        await admin_connection.fetchval(
                            "SELECT count(*) FROM audit_pending WHERE tenant_id = $1",
                            app.world.tenants[0],
                        )
                    )
                await send(message)

            await inner(scope, receive, looking)

        inner = app.app
        async with app.client(app.world.tenants[0], through=watched) as client:
            answer = await client.post("/things", json={"name": "x"})
        assert answer.status_code == 201
        assert visible == [1]


class TestCancellation:
    @pytest.mark.parametrize("name", ["asleep", "waiting"])
    async def test_a_cancelled_request_leaves_no_connection_in_a_transaction(
        self, app: KernelApp, admin_connection: Plain, name: str
    ) -> None:
        """Once inside a statement, once between two."""
        async with app.client(app.world.tenants[0]) as client:
            request = asyncio.create_task(client.post("/halted", json={"name": name}))
            await asyncio.wait_for(app.halt.arrived.wait(), 10)
            await asyncio.sleep(0.1)
            assert await left_open(admin_connection) == 1
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            for _ in range(50):
                if await left_open(admin_connection) == 0:
                    break
                await asyncio.sleep(0.1)
            assert await left_open(admin_connection) == 0
            assert await pending(app.world) == 0
            answer = await client.post("/things", json={"name": "x"})
            assert answer.status_code == 201
        pool = app.world.database.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0

    async def test_a_rollback_that_is_not_answered_hides_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was raised is told, and the connection goes."""
        pids: list[int] = []

        async def silent(_: PlaneSession) -> None:
            raise TimeoutError

        async def refused() -> None:
            async with world.tenant() as session:
                pids.append(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
                raise NotFoundError

        with monkeypatch.context() as patched:
            patched.setattr(PlaneSession, "rollback", silent)
            with pytest.raises(NotFoundError):
                await refused()
        async with world.tenant() as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) not in pids
        pool = world.database.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0

    async def test_a_cancelled_connection_is_never_used_again(
        self, world: World, admin_connection: Plain
    ) -> None:
        """It may still hold an unread reply for the next user."""
        begun = asyncio.Event()
        pids: list[int] = []

        async def work() -> None:
            async with world.tenant() as session:
                pids.append(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
                begun.set()
                await session.execute(text("SELECT pg_sleep(10)"))

        task = asyncio.create_task(work())
        await asyncio.wait_for(begun.wait(), 10)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
        for _ in range(50):
            if await admin_connection.fetchval(alive, pids[0]) == 0:
                break
            await asyncio.sleep(0.1)
        assert await admin_connection.fetchval(alive, pids[0]) == 0

    async def test_many_cancelled_transactions_do_not_use_the_pool_up(
        self, world: World, admin_connection: Plain
    ) -> None:
        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                await session.flush()
                await session.execute(text("SELECT pg_sleep(10)"))

        for _ in range(3):
            tasks = [asyncio.create_task(work()) for _ in range(15)]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert await pending(world) == 0
        for _ in range(50):
            if await left_open(admin_connection) == 0:
                break
            await asyncio.sleep(0.1)
        assert await left_open(admin_connection) == 0

    @pytest.mark.parametrize("times", [1, 2])
    async def test_a_cancellation_while_a_failure_is_rolled_back_is_heard(
        self, world: World, monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        """And the connection is whole: whoever was to stop stops, and nothing is left."""
        rolling, execute = asyncio.Event(), BoundConnection.execute

        async def slow(self: BoundConnection, query: str, *args: Any, **more: Any) -> str:
            if query.startswith("ROLLBACK"):
                rolling.set()
                await asyncio.sleep(0.1)
            return await execute(self, query, *args, **more)

        async def fail() -> None:
            async with world.tenant() as session:
                await session.execute(text("SELECT 1"))
                raise NotFoundError

        monkeypatch.setattr(BoundConnection, "execute", slow)
        task = asyncio.create_task(fail())
        await asyncio.wait_for(rolling.wait(), 5)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        pool = world.database.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0
        async with world.tenant() as session:
            assert await session.scalar(text("SELECT 1")) == 1
