"""A closing that something overtakes between its look ahead and its locks."""

from uuid import UUID

import pytest

from flatbed.billing.facade import Tier
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import UnavailableError
from tests.billing.statements.books import APRIL, MARCH_CLOSES, Books, later

TIERS = (Tier(2, 60),)


class TestAcceptedMeanwhile:
    async def test_it_is_tried_again_though_no_counter_changes(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who meters in the campaign holds its counter, and reserves by the ranks of before."""
        unit = await books.unit(tiers=TIERS)
        real = ledger.lock_all_counters

        async def overtaken(session: TenantSession, wanted: set[tuple[UUID, str]]) -> object:
            if not wanted:
                await books.accept(unit.entry_id, at=later(1))
            return await real(session, wanted)

        monkeypatch.setattr(ledger, "lock_all_counters", overtaken)
        with pytest.raises(UnavailableError):
            await books.close(MARCH_CLOSES)
        [statement] = await books.close(MARCH_CLOSES)
        assert statement.units == 1

    async def test_the_next_unit_reserves_by_what_is_billed(self, books: Books) -> None:
        campaign = uuid7()
        await books.unit(accepted=later(1), campaign_ref=campaign, unit_price=100, tiers=TIERS)
        await books.close(MARCH_CLOSES)
        following = await books.unit(at=APRIL, campaign_ref=campaign, unit_price=100, tiers=TIERS)
        assert following.amount == 60
