"""Periods close by themselves: a job sets the deadline, the sweep closes at its instant."""

from datetime import timedelta

from flatbed.billing.statements.closing import GRACE
from flatbed.billing.statements.tasks import DEADLINES, schedule_closings
from flatbed.tenants.kit.deadlines import sweep_tenant
from tests.billing.statements.books import APRIL, MARCH_CLOSES, Books, fill_in_seller, later
from tests.billing.world import World


async def due(books: Books) -> list[str]:
    rows = await books.world.admin.fetch(
        "SELECT due_at FROM deadline WHERE tenant_id = $1 AND kind = 'close_period'"
        " AND done_at IS NULL ORDER BY due_at",
        books.isv,
    )
    return [row["due_at"].isoformat() for row in rows]


async def sweep(books: Books, days: int) -> int:
    swept = await sweep_tenant(
        books.world.database, DEADLINES, books.world.realm_id, books.isv, later(days)
    )
    assert swept.failed == 0
    return swept.handled


async def schedule(books: Books) -> None:
    await schedule_closings(books.world.database, books.world.realm_id, books.isv)


class TestSchedule:
    async def test_opening_a_period_asks_for_its_deadline(self, books: Books) -> None:
        await books.unit()
        await books.unit()
        assert await books.world.jobs("schedule_closing", books.isv) == 1
        await schedule(books)
        await schedule(books)
        assert await due(books) == [MARCH_CLOSES.isoformat()]
        assert timedelta(days=5) == GRACE

    async def test_a_month_without_usage_has_its_own(self, books: Books) -> None:
        await books.unit()
        await books.unit(at=APRIL + timedelta(days=40))
        await schedule(books)
        assert len(await due(books)) == 3


class TestCloseDue:
    async def test_it_closes_at_its_own_instant_however_late_it_comes(self, books: Books) -> None:
        await books.unit(accepted=later(1))
        await books.unit(accepted=APRIL + timedelta(days=60))
        await schedule(books)
        assert await sweep(books, 200) >= 1
        rows = await books.world.admin.fetch(
            "SELECT closed_at, units, closed_by FROM statement WHERE tenant_id = $1"
            " ORDER BY number",
            books.isv,
        )
        assert rows[0]["closed_at"] == MARCH_CLOSES
        assert (rows[0]["units"], rows[0]["closed_by"]) == (1, "system:sweep")

    async def test_what_is_blocked_is_tried_again_the_next_day_and_said(self, world: World) -> None:
        books = Books(world, await world.isv())
        await books.unit(accepted=later(1))
        await schedule(books)
        assert await sweep(books, 29) == 3
        assert await world.count("statement", books.isv) == 0
        told = await world.admin.fetch(
            "SELECT data FROM event_pending WHERE tenant_id = $1"
            " AND type = 'period.closing_blocked'",
            books.isv,
        )
        assert len(told) == 3
        await fill_in_seller(world)
        assert await sweep(books, 30) == 1
        assert await world.count("statement", books.isv) == 1

    async def test_what_is_blocked_has_the_books_compared_each_time(self, world: World) -> None:
        """A finding that was settled meanwhile must not block the next try."""
        books = Books(world, await world.isv())
        await books.unit(accepted=later(1))
        await schedule(books)
        assert await sweep(books, 27) == 1
        assert await world.jobs("reconcile", books.isv) == 1
        assert await sweep(books, 28) == 1
        assert await world.jobs("reconcile", books.isv) == 2
        await fill_in_seller(world)
        assert await sweep(books, 29) == 1
        assert await world.count("statement", books.isv) == 1
        assert await world.jobs("reconcile", books.isv) == 2

    async def test_a_period_that_was_closed_by_hand_is_left(self, books: Books) -> None:
        await books.unit(accepted=later(1))
        await schedule(books)
        await books.close(MARCH_CLOSES)
        assert await sweep(books, 60) == 1
        assert await books.world.count("statement", books.isv) == 1
