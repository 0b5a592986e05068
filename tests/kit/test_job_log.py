"""The log of the jobs: the worker deletes of it what has had its time."""

from datetime import timedelta

import pytest

from flatbed.app.worker import purge_job_log
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs import housekeeping
from tests.kit.test_worker import until, working
from tests.support.world import World

pytestmark = pytest.mark.own_database


class TestPurgeJobLog:
    async def test_old_rows_that_were_counted_go_in_batches_and_a_held_job_keeps_its_own(
        self, world: World, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "PURGED_AT_ONCE", 2)
        job, held = f"job-{uuid7()}", 987_654_321
        days = housekeeping.LIFETIME.days
        await admin_connection.execute(
            "INSERT INTO pgqueuer (id, priority, status, entrypoint, created, updated)"
            " VALUES ($1, 0, 'failed', $2, NOW(), NOW())",
            held,
            job,
        )
        rows = [
            *((-number, days + 1, True, "old") for number in range(1, 6)),
            (-6, days - 1, True, "young"),
            (-7, days + 1, False, "uncounted"),
            (held, days + 1, True, "held"),
        ]
        for job_id, age, aggregated, word in rows:
            await admin_connection.execute(
                "INSERT INTO pgqueuer_log"
                " (job_id, status, priority, entrypoint, created, aggregated)"
                " VALUES ($1, 'successful', 0, $2, NOW() - $3::interval, $4)",
                job_id,
                f"{job} {word}",
                timedelta(days=age),
                aggregated,
            )
        try:
            async with working(world, {}):

                async def gone() -> bool:
                    return "old" not in await _logged(admin_connection, job)

                await until(gone)
            assert await _logged(admin_connection, job) == ["held", "uncounted", "young"]
            await admin_connection.execute("DELETE FROM pgqueuer WHERE id = $1", held)
            await purge_job_log(world.database)
            assert await _logged(admin_connection, job) == ["uncounted", "young"]
        finally:
            await admin_connection.execute("DELETE FROM pgqueuer WHERE id = $1", held)


async def _logged(connection: Plain, job: str) -> list[str]:
    found = await connection.fetch(
        "SELECT DISTINCT split_part(entrypoint, ' ', 2) AS word FROM pgqueuer_log"
        " WHERE starts_with(entrypoint, $1) ORDER BY word",
        job,
    )
    return [row["word"] for row in found]
