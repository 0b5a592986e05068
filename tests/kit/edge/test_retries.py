"""A request is run again where that is safe and of use, whole, and never otherwise."""

import asyncio

import httpx
import pytest
from sqlalchemy import func, select, text

from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.kit.edge.scripted import Script, effects, fail, failing, play, unavailable
from tests.support.world import World


class TestConflicts:
    @pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
    async def test_what_fails_twice_succeeds_the_third_time_with_one_effect(
        self, client: httpx.AsyncClient, script: Script, world: World, sqlstate: str
    ) -> None:
        script.step = failing(sqlstate, 2)
        answer = await play(client, key="key")
        assert answer.status_code == 201
        assert script.total == 3
        assert await effects(world) == 1
        again = await play(client, key="key")
        assert again.headers["idempotent-replayed"] == "true"
        assert await effects(world) == 1

    async def test_what_always_fails_is_tried_three_times(
        self, client: httpx.AsyncClient, script: Script, world: World
    ) -> None:
        script.step = failing("40001", 99)
        unavailable(await play(client))
        assert script.total == 3
        assert await effects(world) == 0

    @pytest.mark.parametrize("sqlstate", ["55P03", "57014"])
    async def test_a_lock_or_statement_that_took_too_long_is_not_tried_again(
        self, client: httpx.AsyncClient, script: Script, sqlstate: str
    ) -> None:
        script.step = failing(sqlstate, 1)
        unavailable(await play(client))
        assert script.total == 1

    async def test_each_run_starts_as_the_first_one_did(
        self, client: httpx.AsyncClient, script: Script
    ) -> None:
        script.step = failing("40001", 2)
        answer = await play(client)
        assert {seen[0] for seen in script.seen} == {answer.headers["x-request-id"]}
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert len(script.seen) == 3
        assert all(seen[1:] == script.seen[0][1:] for seen in script.seen)
        assert "left_by_a_run" not in script.seen[0][1] | script.seen[0][2]

    async def test_a_deadlock_ends_with_both_done_once(
        self, client: httpx.AsyncClient, script: Script, world: World
    ) -> None:
        both, begun, held = asyncio.Event(), 0, 0
        numbers = [uuid7().int % 2**62 for _ in range(2)]

        async def lock(session: TenantSession, number: int) -> None:
            await session.execute(select(func.pg_advisory_xact_lock(number)))

        async def step(session: TenantSession, run: int) -> None:
            nonlocal begun, held
            order = numbers if begun % 2 == 0 else numbers[::-1]
            begun += 1
            await lock(session, order[0])
            held += 1
            if held == 2:
                both.set()
            if run == 1:
                await both.wait()
            await lock(session, order[1])

        script.step = step
        answers = await asyncio.gather(play(client, "one"), play(client, "two"))
        assert [answer.status_code for answer in answers] == [201, 201]
        assert script.total >= 3, "there was no deadlock"
        assert await effects(world) == 2


class TestMigration:
    async def test_a_statement_that_a_migration_has_outdated_is_prepared_anew(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        """Beside a program that runs: its connections have the old plan."""
        table = f"changing_{uuid7().hex[-12:]}"
        await admin_connection.execute(f"CREATE TABLE {table} (number integer)")
        await admin_connection.execute(f"GRANT SELECT ON {table} TO flatbed_app")

        async def step(session: TenantSession, run: int) -> None:
            del run
            await session.execute(text(f"SELECT number FROM {table}"))

        try:
            script.step = step
            # Until each connection that serves us has prepared it.
            before = 12
            for number in range(before):
                assert (await play(client, f"before-{number}")).status_code == 201
            await admin_connection.execute(f"ALTER TABLE {table} ALTER number TYPE bigint")
            answer = await play(client, "after")
        finally:
            await admin_connection.execute(f"DROP TABLE {table}")
        assert answer.status_code == 201, answer.text
        assert script.runs["after"] == 2
        assert await effects(world) == before + 1


class TestAfterCommit:
    async def test_what_follows_a_commit_is_not_run_again(
        self, client: httpx.AsyncClient, script: Script, world: World
    ) -> None:
        calls = 0

        async def after() -> None:
            nonlocal calls
            calls += 1
            async with world.tenant() as session:
                await fail(session, "40001")

        script.after = after
        answer = await play(client)
        # Not `unavailable`: the request has taken effect.
        assert (answer.status_code, answer.json()["code"]) == (503, "outcome-unknown")
        assert (script.total, calls) == (1, 1)
        assert await effects(world) == 1
