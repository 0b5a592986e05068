"""Metering: one entry per unit, in the transaction that qualified it."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from flatbed.billing.facade import (
    AlreadyBilledError,
    Basis,
    CapReachedError,
    Caps,
    UsageState,
    UsageStateError,
    accept_usage,
    billed_before,
    confirm_usage,
    dispute_usage,
    record_usage,
    reverse_usage,
    state_of,
)
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.billing.world import BERLIN, NOON, PRICE, World, request


class Abandoned(Exception):
    """What ends a transaction in a test."""


class TestRecordUsage:
    async def test_an_entry_is_chained_to_the_one_before_and_named_by_the_head(
        self, world: World, isv: UUID
    ) -> None:
        first = await world.meter(isv)
        second = await world.meter(isv)
        rows = await world.admin.fetch(
            "SELECT * FROM usage_entry WHERE tenant_id = $1 ORDER BY sequence", isv
        )
        head = await world.admin.fetchrow("SELECT * FROM ledger_head WHERE tenant_id = $1", isv)
        assert [row["sequence"] for row in rows] == [1, 2]
        assert rows[0]["previous_hash"] == "0" * 64
        assert rows[1]["previous_hash"] == first.hash == rows[0]["hash"]
        assert head is not None
        assert (head["sequence"], head["hash"]) == (2, second.hash)
        assert head["open_period_id"] == second.period_id
        assert (rows[1]["units"], rows[1]["amount"], rows[1]["currency"]) == (1, PRICE, "EUR")
        assert first.generation == second.generation == 1

    async def test_what_a_transaction_metered_goes_with_it(self, world: World, isv: UUID) -> None:
        """Qualifying is ONE transaction: a meter that writes outside it is caught here."""
        wanted = request()
        with pytest.raises(Abandoned):
            async with world.at(isv) as session:
                await record_usage(session, wanted)
                raise Abandoned
        for table in ("usage_entry", "period", "cap_counter", "ledger_head", "event_pending"):
            assert await world.count(table, isv) == 0, table
        assert await world.jobs("anchor", isv) == 0

    async def test_it_is_audited_published_and_anchored_with_its_entry(
        self, world: World, isv: UUID
    ) -> None:
        await world.meter(isv)
        actions = await world.admin.fetch(
            "SELECT action FROM audit_pending WHERE tenant_id = $1", isv
        )
        assert [row["action"] for row in actions] == ["usage.recorded"]
        assert await world.count("event_pending", isv) == 1
        assert await world.jobs("anchor", isv) == 1

    async def test_a_unit_that_stands_is_not_metered_again(self, world: World, isv: UUID) -> None:
        """Invariant 2: at most one live entry per unit key."""
        keys = request().unit_keys
        await world.meter(isv, unit_keys=keys)
        with pytest.raises(AlreadyBilledError):
            await world.meter(isv, unit_keys=keys)
        assert await world.count("usage_entry", isv) == 1

    async def test_the_keys_of_merged_groups_count_as_one(self, world: World, isv: UUID) -> None:
        (old,), (new,) = request().unit_keys, request().unit_keys
        entry = await world.meter(isv, unit_keys=(old,))
        with pytest.raises(AlreadyBilledError):
            await world.meter(isv, unit_keys=(new, old))
        async with world.at(isv) as session:
            await reverse_usage(session, entry.entry_id, reason="dispute", zone=BERLIN)
        again = await world.meter(isv, unit_keys=(new, old))
        assert again.generation == 2
        async with world.reading(isv) as session:
            assert await billed_before(session, (old, new))
            assert not await billed_before(session, (old,))

    async def test_a_voided_unit_gets_the_next_generation(self, world: World, isv: UUID) -> None:
        keys = request().unit_keys
        for generation in (1, 2, 3):
            entry = await world.meter(isv, unit_keys=keys)
            assert entry.generation == generation
            async with world.at(isv) as session:
                await reverse_usage(session, entry.entry_id, reason="dispute", zone=BERLIN)

    async def test_another_tenants_units_are_out_of_sight(self, world: World, isv: UUID) -> None:
        keys = request().unit_keys
        await world.meter(isv, unit_keys=keys)
        other = await world.isv()
        async with world.reading(other) as session:
            assert not await billed_before(session, keys)
        entry = await world.meter(other, unit_keys=keys)
        assert (entry.sequence, entry.generation) == (1, 1)
        assert await world.count("usage_entry", isv) == 1

    async def test_the_database_refuses_a_second_entry_of_a_unit_or_source(
        self, world: World, isv: UUID
    ) -> None:
        """A missing unique index is caught here: the rule is passed by, the index is not."""
        entry = await world.meter(isv)
        async with world.reading(isv) as session:
            content = await ledger.find_entry(session, entry.entry_id)
        assert content is not None
        for same in ("unit_key", "source_id"):
            other = {"unit_key": "another", "source_id": uuid7()}
            copy = {**content, **other, same: content[same], "id": uuid7(), "sequence": 2}
            with pytest.raises(IntegrityError, match="usage_entry_(unit|source)_key"):
                async with world.at(isv) as session:
                    await ledger.add_entry(session, copy, entry.hash, "f" * 64)

    async def test_one_source_is_metered_once_even_under_another_key(
        self, world: World, isv: UUID
    ) -> None:
        wanted = request()
        await world.meter(isv, source_id=wanted.source_id)
        with pytest.raises(IntegrityError, match="usage_entry_source_key"):
            await world.meter(isv, source_id=wanted.source_id)
        assert await world.count("usage_entry", isv) == 1


class TestCaps:
    @pytest.mark.parametrize(
        ("caps", "cap", "limit", "used"),
        [
            (Caps(units_total=2), "units_total", 2, 2),
            (Caps(units_month=2), "units_month", 2, 2),
            (Caps(money_total=2 * PRICE + 1), "money_total", 2 * PRICE + 1, 2 * PRICE),
            (Caps(money_month=3 * PRICE - 1), "money_month", 3 * PRICE - 1, 2 * PRICE),
        ],
    )
    async def test_at_a_cap_the_answer_names_it_and_nothing_changes(
        self, world: World, isv: UUID, caps: Caps, cap: str, limit: int, used: int
    ) -> None:
        """At a cap 409 `cap-reached` and nothing changed."""
        campaign = uuid7()
        for _ in range(2):
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        before = await world.counters(isv, campaign)
        with pytest.raises(CapReachedError) as refusal:
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        assert refusal.value.status == 409
        assert refusal.value.extra == {"caps": [{"cap": cap, "limit": limit, "used": used}]}
        assert await world.counters(isv, campaign) == before
        assert before == {"total": (2, 2 * PRICE), "2026-03": (2, 2 * PRICE)}
        assert await world.count("usage_entry", isv) == 2

    async def test_a_refused_unit_does_not_bar_another_campaign(
        self, world: World, isv: UUID
    ) -> None:
        with pytest.raises(CapReachedError):
            await world.meter(isv, caps=Caps(units_total=0))
        await world.meter(isv, caps=Caps(units_total=1))

    async def test_a_month_begins_at_the_tenants_midnight(self, world: World, isv: UUID) -> None:
        campaign, caps = uuid7(), Caps(units_month=1)
        late_march = datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC)
        april = datetime(2026, 3, 31, 22, 0, 0, tzinfo=UTC)
        first = await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=late_march)
        second = await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=april)
        with pytest.raises(CapReachedError):
            await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=april)
        assert first.period_id != second.period_id
        assert await world.counters(isv, campaign) == {
            "total": (2, 2 * PRICE),
            "2026-03": (1, PRICE),
            "2026-04": (1, PRICE),
        }

    async def test_a_reversal_makes_room_in_all_and_in_the_month_that_was_reserved(
        self, world: World, isv: UUID
    ) -> None:
        campaign, caps = uuid7(), Caps(units_total=1, units_month=1)
        entry = await world.meter(isv, campaign_ref=campaign, caps=caps)
        may = datetime(2026, 5, 2, 9, tzinfo=UTC)
        async with world.at(isv, may) as session:
            # The zone has changed meanwhile: the month is the one that was written.
            await reverse_usage(session, entry.entry_id, reason="review", zone=BERLIN)
        assert await world.counters(isv, campaign) == {"total": (0, 0), "2026-03": (0, 0)}
        await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=may)

    async def test_40_at_once_over_three_tenants_never_exceed_a_cap(self, world: World) -> None:
        """Invariants 8 and 14, and must-be-shown 4 at a small scale."""
        caps = {0: Caps(units_total=5), 1: Caps(money_month=3 * PRICE), 2: Caps()}
        tenants = [await world.isv() for _ in caps]
        campaigns = [uuid7() for _ in caps]

        async def one(number: int) -> bool:
            which = number % 3
            try:
                await world.meter(tenants[which], campaign_ref=campaigns[which], caps=caps[which])
            except CapReachedError:
                return False
            return True

        made = await asyncio.gather(*(one(number) for number in range(40)))
        assert sum(made) == 5 + 3 + 13
        for tenant, campaign, units in zip(tenants, campaigns, (5, 3, 13), strict=True):
            assert await world.count("usage_entry", tenant) == units
            assert await world.counters(tenant, campaign) == {
                "total": (units, units * PRICE),
                "2026-03": (units, units * PRICE),
            }
            sequences = await world.admin.fetchval(
                "SELECT array_agg(sequence ORDER BY sequence) FROM usage_entry"
                " WHERE tenant_id = $1",
                tenant,
            )
            assert sequences == list(range(1, units + 1))
            assert await world.count("period", tenant) == 1

    async def test_20_at_once_for_one_unit_meter_it_once(self, world: World, isv: UUID) -> None:
        keys = request().unit_keys
        results = await asyncio.gather(
            *(world.meter(isv, unit_keys=keys) for _ in range(20)), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, AlreadyBilledError)]
        assert len(refused) == 19
        assert await world.count("usage_entry", isv) == 1


class TestReverseUsage:
    async def test_it_repeats_the_unit_and_takes_one_back_for_no_money(
        self, world: World, isv: UUID
    ) -> None:
        """A reversal's money is what was billed, 0 if nothing was."""
        entry = await world.meter(isv)
        async with world.at(isv) as session:
            reversal = await reverse_usage(session, entry.entry_id, reason="dispute", zone=BERLIN)
        rows = await world.admin.fetch(
            "SELECT * FROM usage_entry WHERE tenant_id = $1 ORDER BY sequence", isv
        )
        original, back = rows
        assert (back["kind"], back["units"], back["amount"]) == ("reversal", -1, 0)
        assert back["reverses_id"] == original["id"] == entry.entry_id
        for same in ("unit_key", "generation", "source", "source_id", "campaign_ref", "month"):
            assert back[same] == original[same]
        assert reversal.sequence == 2

    async def test_a_second_reversal_is_refused(self, world: World, isv: UUID) -> None:
        """Invariant 2: one reversal per entry, net 0 or 1."""
        entry = await world.meter(isv)

        async def void() -> None:
            async with world.at(isv) as session:
                await reverse_usage(session, entry.entry_id, reason="dispute", zone=BERLIN)

        results = await asyncio.gather(*(void() for _ in range(5)), return_exceptions=True)
        assert sum(result is None for result in results) == 1
        assert all(isinstance(one, UsageStateError) for one in results if one is not None)
        net = await world.admin.fetchval(
            "SELECT sum(units) FROM usage_entry WHERE tenant_id = $1", isv
        )
        assert net == 0

    async def test_a_reversal_cannot_be_reversed(self, world: World, isv: UUID) -> None:
        entry = await world.meter(isv)
        async with world.at(isv) as session:
            back = await reverse_usage(session, entry.entry_id, reason="dispute", zone=BERLIN)
        with pytest.raises(NotFoundError):
            async with world.at(isv) as session:
                await reverse_usage(session, back.entry_id, reason="dispute", zone=BERLIN)

    async def test_another_tenants_entry_is_as_if_missing(self, world: World, isv: UUID) -> None:
        entry = await world.meter(isv)
        other = await world.isv()
        for entry_id in (entry.entry_id, uuid7()):
            with pytest.raises(NotFoundError):
                async with world.at(other) as session:
                    await reverse_usage(session, entry_id, reason="dispute", zone=BERLIN)
        assert await world.count("usage_entry", isv) == 1


class TestDecisions:
    async def test_silence_or_a_person_accepts_a_pending_unit(
        self, world: World, isv: UUID
    ) -> None:
        entry = await world.meter(isv)
        async with world.at(isv) as session:
            assert await state_of(session, entry.entry_id) is UsageState.PENDING
            await accept_usage(session, entry.entry_id, basis=Basis.SILENCE, actor="system:x")
            assert await state_of(session, entry.entry_id) is UsageState.ACCEPTED

    async def test_a_disputed_unit_is_confirmed_by_the_decision(
        self, world: World, isv: UUID
    ) -> None:
        entry = await world.meter(isv)
        async with world.at(isv) as session:
            await dispute_usage(session, entry.entry_id, actor="client:x")
            assert await state_of(session, entry.entry_id) is UsageState.DISPUTED
            with pytest.raises(UsageStateError) as refusal:
                await accept_usage(session, entry.entry_id, basis=Basis.SILENCE, actor="x")
            assert refusal.value.extra == {"state": "disputed"}
        async with world.at(isv, datetime(2026, 3, 20, tzinfo=UTC)) as session:
            await confirm_usage(session, entry.entry_id, actor="staff:x")
            assert await state_of(session, entry.entry_id) is UsageState.ACCEPTED

    async def test_what_is_reversed_or_accepted_is_decided_no_more(
        self, world: World, isv: UUID
    ) -> None:
        accepted, voided = await world.meter(isv), await world.meter(isv)
        async with world.at(isv) as session:
            await accept_usage(session, accepted.entry_id, basis=Basis.PERSON, actor="x")
            await reverse_usage(session, voided.entry_id, reason="dispute", zone=BERLIN)
            for entry_id in (accepted.entry_id, voided.entry_id):
                with pytest.raises(UsageStateError):
                    await dispute_usage(session, entry_id, actor="x")
                with pytest.raises(UsageStateError):
                    await confirm_usage(session, entry_id, actor="x")

    async def test_another_tenants_entry_cannot_be_decided(self, world: World, isv: UUID) -> None:
        entry = await world.meter(isv)
        other = await world.isv()
        with pytest.raises(NotFoundError):
            async with world.at(other) as session:
                await accept_usage(session, entry.entry_id, basis=Basis.PERSON, actor="x")
        assert await world.count("usage_decision", isv) == 0


class TestPeriodsInTheDatabase:
    async def test_months_without_usage_leave_no_gap(self, world: World, isv: UUID) -> None:
        """Invariant 7: periods partition time."""
        await world.meter(isv)
        await world.meter(isv, occurred_at=datetime(2026, 11, 5, tzinfo=UTC))
        rows = await world.admin.fetch(
            "SELECT * FROM period WHERE tenant_id = $1 ORDER BY starts_at", isv
        )
        assert len(rows) == 9
        for before, after in zip(rows, rows[1:], strict=False):
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
