"""Usage by state, in sums and as lines."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.campaigns.orders.bindings import KnownCampaigns
from flatbed.billing.documents.languages import Language
from flatbed.billing.facade import (
    Basis,
    accept_usage,
    confirm_usage,
    dispute_usage,
    reverse_usage,
    state_of,
    unit_key,
    withdraw_usage_dispute,
)
from flatbed.billing.usage.errors import ExportTooLargeError
from flatbed.billing.usage.reports import export
from flatbed.billing.usage.reports.document import Facts
from flatbed.billing.usage.reports.page import page
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import Format, GroupBy, UsagePage
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidCursorError
from tests.billing.statements.books import MARCH_CLOSES, Books, fill_in_seller
from tests.billing.world import BERLIN, NOON, PRICE, World

KEYRING = Keyring(b"k" * 32)
UNKNOWN = KnownCampaigns()
"""The campaigns of these tests are ids alone: there are none in the database."""
APRIL = datetime(2026, 4, 10, 12, tzinfo=UTC)


class Reader:
    """One tenant's reports."""

    def __init__(self, world: World, isv: UUID) -> None:
        self.world, self.isv = world, isv

    async def usage(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        group_by: GroupBy = GroupBy.CAMPAIGN,
        **filters: Any,
    ) -> UsagePage:
        cursors = Cursors(KEYRING, {"owner": self.isv, **filters})
        async with self.world.reading(self.isv) as session:
            return await page(
                session,
                KEYRING,
                UNKNOWN,
                cursors,
                cursor=cursor,
                limit=limit,
                filters=Filters(**filters),
                group_by=group_by,
            )


async def one_of_each(world: World, isv: UUID, **changes: Any) -> dict[str, UUID]:
    """A pending, a disputed, an accepted, a confirmed and a reversed entry."""
    names = ("pending", "disputed", "accepted", "confirmed", "reversed")
    made = {name: (await world.meter(isv, **changes)).entry_id for name in names}
    async with world.at(isv, changes.get("occurred_at", NOON) + timedelta(days=1)) as session:
        await dispute_usage(session, made["disputed"], actor="x")
        await accept_usage(session, made["accepted"], basis=Basis.SILENCE, actor="x")
        await dispute_usage(session, made["confirmed"], actor="x")
        await reverse_usage(session, made["reversed"], reason="x", zone=BERLIN)
    async with world.at(isv, changes.get("occurred_at", NOON) + timedelta(days=2)) as session:
        await confirm_usage(session, made["confirmed"], actor="x")
    return made


def ids(lines: Sequence[Any]) -> list[UUID]:
    return [line.entry_id for line in lines]


class TestUsage:
    async def test_units_and_money_stand_by_state_campaign_and_currency(
        self, world: World, isv: UUID
    ) -> None:
        """Invariant 10: no arithmetic across currencies."""
        campaign = uuid7()
        await one_of_each(world, isv, campaign_ref=campaign)
        await world.meter(isv, campaign_ref=campaign, currency="CHF", unit_price=7)
        page = await Reader(world, isv).usage()
        assert [(group.key, group.currency) for group in page.groups] == [
            (encode("camp", campaign), "CHF"),
            (encode("camp", campaign), "EUR"),
        ]
        francs, euros = page.totals
        assert (francs.pending.units, francs.pending.amount, francs.accepted.units) == (1, 7, 0)
        assert (euros.pending.units, euros.disputed.units, euros.cancelled.units) == (1, 1, 1)
        assert (euros.accepted.units, euros.accepted.amount) == (2, 2 * PRICE)
        assert page.time_zone == "Europe/Berlin"

    async def test_a_line_leads_to_its_dossier(self, world: World, isv: UUID) -> None:
        source, programme, group, campaign = uuid7(), uuid7(), uuid7(), uuid7()
        key = unit_key(programme, group)
        entry = await world.meter(
            isv, source_id=source, unit_keys=(key,), campaign_ref=campaign, programme_ref=programme
        )
        (line,) = (await Reader(world, isv).usage()).data
        qualification = encode("qual", source)
        assert line.entry_id == entry.entry_id
        assert line.qualification_id == qualification
        assert line.dossier == f"/v1/qualifications/{qualification}"
        assert line.dossier_hash == "e" * 64
        assert line.hash == entry.hash
        assert (line.campaign_id, line.amount, line.generation) == (campaign, PRICE, 1)
        assert line.state is UsageState.PENDING
        assert not line.late
        # The company group is a registry id that no tenant may read.
        text = line.model_dump_json()
        assert str(group) not in text
        assert group.hex not in text
        assert len(line.unit_key) == 64

    async def test_equal_units_of_two_tenants_do_not_look_equal(
        self, world: World, isv: UUID
    ) -> None:
        other, key = await world.isv(), unit_key(uuid7(), uuid7())
        await world.meter(isv, unit_keys=(key,))
        await world.meter(other, unit_keys=(key,))
        (one,) = (await Reader(world, isv).usage()).data
        (two,) = (await Reader(world, other).usage()).data
        assert one.unit_key != two.unit_key

    async def test_months_and_days_are_local(self, world: World, isv: UUID) -> None:
        await world.meter(isv, occurred_at=datetime(2026, 3, 31, 21, 59, tzinfo=UTC))
        await world.meter(isv, occurred_at=datetime(2026, 3, 31, 22, 0, tzinfo=UTC))
        reader = Reader(world, isv)
        months = await reader.usage(group_by=GroupBy.MONTH)
        days = await reader.usage(group_by=GroupBy.DAY)
        assert [group.key for group in months.groups] == ["2026-03", "2026-04"]
        assert [group.key for group in days.groups] == ["2026-03-31", "2026-04-01"]
        assert all(group.pending.units == 1 for group in [*months.groups, *days.groups])

    async def test_filters_narrow_lines_and_sums_alike(self, world: World, isv: UUID) -> None:
        campaign = uuid7()
        made = await one_of_each(world, isv, campaign_ref=campaign)
        other = await world.meter(isv, occurred_at=APRIL)
        reader = Reader(world, isv)
        disputed = await reader.usage(state=UsageState.DISPUTED)
        assert ids(disputed.data) == [made["disputed"]]
        assert [total.disputed.units for total in disputed.totals] == [1]
        assert len((await reader.usage(campaign_ref=campaign)).data) == 5
        assert ids((await reader.usage(occurred_from=APRIL)).data) == [other.entry_id]
        assert len((await reader.usage(occurred_to=APRIL)).data) == 5
        assert (await reader.usage(campaign_ref=uuid7())).data == []

    async def test_pages_hold_every_line_once(self, world: World, isv: UUID) -> None:
        made = [(await world.meter(isv)).entry_id for _ in range(5)]
        reader, seen, cursor = Reader(world, isv), [], None
        for size in (2, 2, 1):
            page = await reader.usage(cursor=cursor, limit=2)
            assert len(page.data) == size
            assert page.totals[0].pending.units == 5
            assert (page.forecast is not None) == (cursor is None)
            seen += ids(page.data)
            cursor = page.next_cursor
        assert cursor is None
        assert seen == made

    async def test_a_cursor_of_another_filter_is_refused(self, world: World, isv: UUID) -> None:
        for _ in range(2):
            await world.meter(isv)
        reader = Reader(world, isv)
        page = await reader.usage(limit=1)
        with pytest.raises(InvalidCursorError):
            await reader.usage(limit=1, cursor=page.next_cursor, state=UsageState.PENDING)

    async def test_another_tenant_reads_nothing_of_it(self, world: World, isv: UUID) -> None:
        """Invariant 13: no line names another tenant's entry."""
        await one_of_each(world, isv)
        other = Reader(world, await world.isv())
        page = await other.usage()
        assert (page.data, page.groups, page.totals) == ([], [], [])

    async def test_an_entry_before_its_period_is_labelled_late(
        self, world: World, isv: UUID
    ) -> None:
        await world.meter(isv, occurred_at=APRIL)
        late = await world.meter(isv, occurred_at=NOON)
        page = await Reader(world, isv).usage()
        first, second = page.data
        assert (first.entry_id, first.late, second.late) == (late.entry_id, True, False)


class TestGroups:
    async def test_units_are_summed_by_programme_country_and_hunter(
        self, world: World, isv: UUID
    ) -> None:
        programme, hunter = uuid7(), uuid7()
        for country, agent in (("DE", hunter), ("AT", hunter), ("DE", None), (None, None)):
            await world.meter(isv, programme_ref=programme, country=country, agent_ref=agent)
        other = uuid7()
        await world.meter(isv, programme_ref=other, country="DE", currency="CHF", unit_price=7)
        reader = Reader(world, isv)

        async def units(group_by: GroupBy) -> list[tuple[str | None, str, int]]:
            groups = (await reader.usage(group_by=group_by)).groups
            return [(one.key, one.currency, one.pending.units) for one in groups]

        assert await units(GroupBy.COUNTRY) == [
            ("AT", "EUR", 1),
            ("DE", "CHF", 1),
            ("DE", "EUR", 2),
            (None, "EUR", 1),
        ]
        assert await units(GroupBy.PROGRAMME) == [
            (encode("prog", programme), "EUR", 4),
            (encode("prog", other), "CHF", 1),
        ]
        assert await units(GroupBy.HUNTER) == [
            (encode("staff", hunter), "EUR", 2),
            (None, "CHF", 1),
            (None, "EUR", 2),
        ]

    @pytest.mark.parametrize("group_by", list(GroupBy))
    async def test_groups_of_each_kind_sum_up_to_the_totals(
        self, world: World, isv: UUID, group_by: GroupBy
    ) -> None:
        await one_of_each(world, isv, country="DE", agent_ref=uuid7())
        await one_of_each(world, isv, currency="CHF", unit_price=7, occurred_at=APRIL)
        page = await Reader(world, isv).usage(group_by=group_by)
        assert len(page.totals) == 2
        for total in page.totals:
            of = [one for one in page.groups if one.currency == total.currency]
            for state in UsageState:
                tallies = [getattr(one, state.value) for one in of]
                assert getattr(total, state.value).units == sum(one.units for one in tallies)
                assert getattr(total, state.value).amount == sum(one.amount for one in tallies)


class TestStates:
    async def test_lines_sums_and_the_rule_tell_every_state_alike(
        self, world: World, isv: UUID
    ) -> None:
        """Three ways to say it: a look-up a line, a join over all, and the decisions in order."""
        await fill_in_seller(world)
        books = Books(world, isv)
        billed = [(await books.unit(accepted=NOON)).entry_id for _ in range(2)]
        await books.close(MARCH_CLOSES)
        await books.void(billed[0], at=APRIL)
        made = await one_of_each(world, isv, occurred_at=APRIL)
        late = APRIL + timedelta(days=3)
        for _ in range(2):
            await books.write_off((await books.unit(at=APRIL)).entry_id, at=late)
        withdrawn = (await books.unit(at=APRIL)).entry_id
        await books.dispute(withdrawn, at=APRIL)
        async with world.at(isv, late) as session:
            await withdraw_usage_dispute(session, withdrawn, actor="x")
        shown = (await Reader(world, isv).usage()).data
        async with world.reading(isv, late) as session:
            for line in shown:
                assert line.state is await state_of(session, line.entry_id)
        counted = Counter(line.state for line in shown)
        assert counted == {
            UsageState.PENDING: 2,
            UsageState.DISPUTED: 1,
            UsageState.ACCEPTED: 2,
            UsageState.BILLED: 1,
            UsageState.REVERSED: 1,
            UsageState.CANCELLED: 1,
            UsageState.WRITTEN_OFF: 2,
        }
        assert len(made) == 5
        for state in UsageState:
            page = await Reader(world, isv).usage(state=state)
            [total] = page.totals
            assert getattr(total, state.value).units == len(page.data) == counted[state]


class TestExport:
    async def test_the_table_holds_every_line(self, world: World, isv: UUID) -> None:
        made = await one_of_each(world, isv)
        async with world.reading(isv) as session:
            text = (await export.as_table(session, KEYRING, Filters()))().decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert {row["entry_id"] for row in rows} == {encode("use", one) for one in made.values()}
        assert [row["amount"] for row in rows] == [str(PRICE)] * 5
        assert rows[0]["dossier"].startswith("/v1/qualifications/qual_")
        assert text.splitlines()[0].startswith("entry_id,unit_key,generation,")

    async def test_a_file_of_what_is_past_expects_nothing(
        self, world: World, isv: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Facts] = []
        monkeypatch.setattr(export, "usage_xlsx", lambda _: b"")
        monkeypatch.setattr(export, "document", made.append)
        await world.meter(isv)
        for until in (APRIL, APRIL + timedelta(microseconds=1), None):
            async with world.reading(isv, APRIL) as session:
                work = await export.as_document(
                    session,
                    UNKNOWN,
                    Filters(occurred_to=until),
                    wanted=Format.XLSX,
                    language=Language.EN,
                    group_by=GroupBy.CAMPAIGN,
                    public_url="https://api.example",
                )
            work()
        assert [one.forecast is not None for one in made] == [False, True, True]

    async def test_an_export_is_bounded(
        self, world: World, isv: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(export.MOST, Format.CSV, 1)
        await world.meter(isv)
        async with world.reading(isv) as session:
            work = await export.as_table(session, KEYRING, Filters())
        assert len(work().splitlines()) == 2
        await world.meter(isv)
        async with world.reading(isv) as session:
            with pytest.raises(ExportTooLargeError) as refused:
                await export.as_table(session, KEYRING, Filters())
        assert refused.value.extra == {"most": 1}
