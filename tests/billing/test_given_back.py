"""What the guarantee did, as usage shows it."""

import csv
import io
from typing import Any
from uuid import UUID

import pytest

from flatbed.billing.documents.languages import Language
from flatbed.billing.usage.reports import export
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import Format, GroupBy
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.ids import encode, uuid7
from tests.billing.statements.books import MARCH_CLOSES, Books, fill_in_seller
from tests.billing.test_reports import APRIL, KEYRING, UNKNOWN, Reader
from tests.billing.world import NOON, PRICE, World


class TestGuarantee:
    """What the guarantee did is seen in usage: a credit at its unit, a replacement by its link."""

    async def test_credits_and_replacements_stand_at_their_units(
        self, world: World, isv: UUID
    ) -> None:
        await fill_in_seller(world)
        books, campaign, other = Books(world, isv), uuid7(), uuid7()
        lost = (await books.unit(accepted=NOON, campaign_ref=campaign)).entry_id
        voided = (await books.unit(accepted=NOON, campaign_ref=campaign)).entry_id
        left = (await books.unit(accepted=NOON, campaign_ref=other)).entry_id
        await books.close(MARCH_CLOSES)
        for entry, percent in ((lost, 50), (lost, 25), (voided, 50), (left, 25)):
            await books.credit(entry, percent, at=APRIL)
        await books.void(voided, at=APRIL)
        made = await books.unit(at=APRIL, campaign_ref=campaign, replaces_id=lost)
        shown = await Reader(world, isv).usage()
        lines = {line.entry_id: line for line in shown.data}
        assert {id_: line.credited for id_, line in lines.items()} == {
            lost: PRICE * 3 // 4,
            voided: PRICE // 2,
            left: PRICE // 4,
            made.entry_id: 0,
        }
        replaced = {line.replaces_entry_id for line in shown.data} - {None}
        assert (replaced, lines[made.entry_id].replaces_entry_id) == ({lost}, lost)
        # All money of the voided one went back: it is in no sum of what is billed.
        assert {group.key: group.credited for group in shown.groups} == {
            encode("camp", campaign): PRICE * 3 // 4,
            encode("camp", other): PRICE // 4,
        }
        [total] = shown.totals
        assert (total.billed.amount, total.credited) == (2 * PRICE, PRICE)

    async def test_filters_narrow_what_was_given_back_too(self, world: World, isv: UUID) -> None:
        await fill_in_seller(world)
        books, campaign = Books(world, isv), uuid7()
        entry = (await books.unit(accepted=NOON, campaign_ref=campaign)).entry_id
        await books.unit()
        await books.close(MARCH_CLOSES)
        await books.credit(entry, 50, at=APRIL)
        reader = Reader(world, isv)

        async def credited(**filters: Any) -> list[int]:
            return [total.credited for total in (await reader.usage(**filters)).totals]

        for within in ({}, {"state": UsageState.BILLED}, {"campaign_ref": campaign}):
            assert await credited(**within) == [PRICE // 2]
        assert await credited(state=UsageState.PENDING) == [0]
        assert await credited(campaign_ref=uuid7()) == await credited(occurred_from=APRIL) == []
        stranger = await Reader(world, await world.isv()).usage()
        assert stranger.totals == []

    @pytest.mark.parametrize("format_", [Format.XLSX, Format.PDF])
    async def test_files_hold_them_as_well(self, world: World, isv: UUID, format_: Format) -> None:
        await fill_in_seller(world)
        books = Books(world, isv)
        entry = (await books.unit(accepted=NOON)).entry_id
        await books.close(MARCH_CLOSES)
        await books.credit(entry, 50, at=APRIL)
        await books.unit(at=APRIL, replaces_id=entry)
        async with world.reading(isv) as session:
            work = await export.as_document(
                session,
                UNKNOWN,
                Filters(),
                wanted=format_,
                language=Language.EN,
                group_by=GroupBy.CAMPAIGN,
                public_url="https://api.example",
            )
            table = await export.as_table(session, KEYRING, Filters())
        assert work()
        first, second = csv.DictReader(io.StringIO(table().decode(), newline=""))
        assert (first["credited"], first["replaces_entry_id"]) == (str(PRICE // 2), "")
        assert (second["credited"], second["replaces_entry_id"]) == ("0", first["entry_id"])
