"""Metering: one entry per unit, in the transaction that qualified it."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from flatbed.billing.facade import (
    AlreadyBilledError,
    AlreadyReplacedError,
    Basis,
    Caps,
    RecordedUsage,
    Tier,
    UsageState,
    UsageStateError,
    accept_usage,
    billed_before,
    confirm_usage,
    dispute_usage,
    record_usage,
    reverse_usage,
    state_of,
    verify_ledger,
)
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.billing.world import BERLIN, PRICE, World, request


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

        async def fail_after_metering() -> None:
            async with world.at(isv) as session:
                await record_usage(session, wanted)
                raise Abandoned

        with pytest.raises(Abandoned):
            await fail_after_metering()
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
            with pytest.raises(IntegrityError, match=r"usage_entry_(unit|source)_key"):
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


class TestReplacement:
    """A unit that replaces another under the guarantee costs nothing and reserves nothing."""

    async def taken(self, world: World, isv: UUID, **changes: Any) -> RecordedUsage:
        entry = await world.meter(isv, **changes)
        async with world.at(isv) as session:
            await accept_usage(session, entry.entry_id, basis=Basis.PERSON, actor="x")
        return entry

    async def test_it_is_recorded_at_zero_also_where_every_cap_is_met(
        self, world: World, isv: UUID
    ) -> None:
        """A replacement recorded at price 0."""
        campaign, caps = uuid7(), Caps(units_total=1, money_month=PRICE)
        tiers = (Tier(2, 2 * PRICE),)
        entry = await self.taken(world, isv, campaign_ref=campaign, caps=caps)
        before = await world.counters(isv, campaign)
        made = await world.meter(
            isv, campaign_ref=campaign, caps=caps, tiers=tiers, replaces_id=entry.entry_id
        )
        assert (made.amount, made.generation) == (0, 1)
        assert await world.counters(isv, campaign) == before
        async with world.at(isv) as session:
            await reverse_usage(session, made.entry_id, reason="dispute", zone=BERLIN)
            assert await verify_ledger(session) == []
        assert await world.counters(isv, campaign) == before

    async def test_only_a_unit_that_was_taken_is_replaced_and_once(
        self, world: World, isv: UUID
    ) -> None:
        pending = await world.meter(isv)
        with pytest.raises(UsageStateError) as refusal:
            await world.meter(isv, replaces_id=pending.entry_id)
        assert refusal.value.extra == {"state": "pending"}
        with pytest.raises(NotFoundError):
            await world.meter(isv, replaces_id=uuid7())
        entry = await self.taken(world, isv)

        async def replace() -> bool:
            try:
                await world.meter(isv, replaces_id=entry.entry_id)
            except AlreadyReplacedError:
                return False
            return True

        made = await asyncio.gather(*(replace() for _ in range(6)))
        assert sum(made) == 1

    async def test_a_voided_replacement_leaves_its_place_to_another(
        self, world: World, isv: UUID
    ) -> None:
        entry = await self.taken(world, isv)
        first = await world.meter(isv, replaces_id=entry.entry_id)
        async with world.at(isv) as session:
            await reverse_usage(session, first.entry_id, reason="dispute", zone=BERLIN)
        assert (await world.meter(isv, replaces_id=entry.entry_id)).amount == 0

    async def test_the_same_company_group_is_no_replacement_of_itself(
        self, world: World, isv: UUID
    ) -> None:
        keys = request().unit_keys
        entry = await self.taken(world, isv, unit_keys=keys)
        with pytest.raises(AlreadyBilledError):
            await world.meter(isv, unit_keys=keys, replaces_id=entry.entry_id)


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
