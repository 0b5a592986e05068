"""What the tables of the ledger refuse, and how its periods lie."""

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from sqlalchemy.exc import ProgrammingError

from flatbed.billing.facade import Basis, accept_usage
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import BERLIN, NOON, World


class TestPeriodsInTheDatabase:
    async def test_months_without_usage_leave_no_gap(self, world: World, isv: UUID) -> None:
        """Invariant 7: periods partition time."""
        await world.meter(isv)
        await world.meter(isv, occurred_at=datetime(2026, 11, 5, tzinfo=UTC))
        rows = await world.admin.fetch(
            "SELECT * FROM period WHERE tenant_id = $1 ORDER BY starts_at", isv
        )
        assert len(rows) == 9
        for before, after in pairwise(rows):
            assert before["ends_at"] == after["starts_at"] == after["previous_ends_at"]
        local = [row["starts_at"].astimezone(BERLIN) for row in rows]
        assert [(at.month, at.day, at.hour) for at in local] == [(m, 1, 0) for m in range(3, 12)]

    async def test_an_entry_of_a_closed_period_goes_to_the_oldest_open_one(
        self, world: World, isv: UUID
    ) -> None:
        march = await world.meter(isv)
        april = await world.meter(isv, occurred_at=datetime(2026, 4, 5, tzinfo=UTC))
        await world.meter(isv, occurred_at=datetime(2026, 5, 5, tzinfo=UTC))
        await world.admin.execute(
            "UPDATE period SET status = 'closed' WHERE tenant_id = $1 AND id = $2",
            isv,
            march.period_id,
        )
        late = await world.meter(isv, occurred_at=NOON)
        assert late.period_id == april.period_id
        await world.admin.execute("UPDATE period SET status = 'closed' WHERE tenant_id = $1", isv)
        later = await world.meter(isv, occurred_at=NOON)
        assert later.period_id not in {march.period_id, april.period_id}
        assert await world.count("period", isv) == 4

    async def test_what_is_accepted_later_opens_its_month_in_the_isvs_own_zone(
        self, world: World
    ) -> None:
        isv, zone = await world.isv(zone="Pacific/Auckland"), ZoneInfo("Pacific/Auckland")
        entry = await world.meter(isv, zone=zone)
        async with world.at(isv, datetime(2026, 4, 10, tzinfo=UTC)) as session:
            await accept_usage(session, entry.entry_id, basis=Basis.PERSON, actor="x")
        ends = await world.admin.fetch(
            "SELECT ends_at FROM period WHERE tenant_id = $1 ORDER BY starts_at", isv
        )
        assert [row["ends_at"] for row in ends] == [
            datetime(2026, 3, 31, 11, tzinfo=UTC),
            datetime(2026, 4, 30, 12, tzinfo=UTC),
        ]

    async def test_the_database_refuses_a_gap_and_an_overlap(self, world: World, isv: UUID) -> None:
        await world.meter(isv)
        insert = (
            "INSERT INTO period (tenant_id, id, starts_at, ends_at, previous_ends_at, status)"
            " VALUES ($1, $2, $3, $4, $5, 'open')"
        )
        may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await world.admin.execute(insert, isv, uuid7(), may, june, may)
        with pytest.raises(asyncpg.UniqueViolationError):
            await world.admin.execute(insert, isv, uuid7(), may, june, None)
        end = await world.admin.fetchval("SELECT ends_at FROM period WHERE tenant_id = $1", isv)
        await world.meter(isv, occurred_at=datetime(2026, 4, 5, tzinfo=UTC))
        with pytest.raises(asyncpg.ExclusionViolationError):
            await world.admin.execute(insert, isv, uuid7(), end, june, end)


class TestAppendOnly:
    @pytest.mark.parametrize("table", ["usage_entry", "usage_decision"])
    @pytest.mark.parametrize(
        "statement",
        ["UPDATE {} SET actor = '', hash = ''", "DELETE FROM {}", "TRUNCATE {} CASCADE"],
    )
    async def test_the_program_may_not_change_what_is_written(
        self, world: World, isv: UUID, table: str, statement: str
    ) -> None:
        sql = statement.format(table)
        if table == "usage_entry":
            sql = sql.replace("actor = '', ", "")
        else:
            sql = sql.replace(", hash = ''", "")
        await world.meter(isv)
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with world.at(isv) as session:
                await (await session.connection()).exec_driver_sql(sql)

    @pytest.mark.parametrize(
        "statement", ["UPDATE usage_entry SET amount = 0", "DELETE FROM usage_entry"]
    )
    async def test_the_owner_is_stopped_by_a_trigger(
        self, world: World, isv: UUID, owner_connection: Plain, statement: str
    ) -> None:
        await world.meter(isv)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner_connection.execute(statement)
        assert await world.count("usage_entry", isv) == 1
