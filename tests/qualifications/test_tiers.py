"""Graduated prices are frozen with the order, and metered as they were frozen."""

from typing import Any

from flatbed.billing.facade import Tier, tiers_from_json
from flatbed.billing.usage.models import UsageEntry
from tests.api.support import World
from tests.candidates.factory import Site, site
from tests.qualifications.factory import qualify
from tests.qualifications.stock import stock

TIERS = [{"from_unit": 2, "unit_price": 400_000}, {"from_unit": 5, "unit_price": 350_000}]
PRICED = {"name": "tiered", "currency": "EUR", "unit_price": 450_000, "tiers": TIERS}


async def ordered(world: World) -> tuple[Site, dict[str, Any]]:
    """A site, and another campaign of it that was ordered under the tiered list."""
    place = await site(world)
    finance = (await world.staff("finance")).client
    price = await finance.made("/v1/price-lists", PRICED)
    like = {name: place.campaign[name] for name in ("offering_id", "profile_id", "revenue_floor")}
    draft = {**like, "name": "Autumn", "programme": "dach", "quantity": 3}
    made = await place.isv.client.made("/v1/campaigns", draft)
    shown = await place.isv.client.made(
        f"/v1/campaigns/{made['id']}/order", params={"validate_only": "true"}
    )
    assert (shown["price_list_id"], shown["price_tiers"]) == (price["id"], TIERS)
    await place.isv.client.made(f"/v1/campaigns/{made['id']}/order")
    running = await place.lead.made(f"/v1/campaigns/{made['id']}/start")
    return Site(world, place.isv, place.lead_staff, place.hunter_staff, running), price


class TestOrder:
    async def test_it_freezes_the_tiers_and_a_later_list_changes_nothing(
        self, world: World
    ) -> None:
        """Unit price with optional graduated tiers, frozen at order."""
        place, price = await ordered(world)
        assert place.campaign["price_tiers"] == TIERS
        finance = (await world.staff("finance")).client
        retired = await finance.patch(
            f"/v1/price-lists/{price['id']}", {"active": False}, version=1
        )
        assert retired.status_code == 200
        await finance.made("/v1/price-lists", {**PRICED, "tiers": [], "unit_price": 1})
        after = await place.isv.client.read(place.path)
        assert after == place.campaign
        (worked,) = await stock(place)
        await qualify(worked)
        (entry,) = await place.rows(UsageEntry)
        assert tiers_from_json(entry.tiers)[-2:] == (Tier(2, 400_000), Tier(5, 350_000))
        assert entry.amount == 450_000

    async def test_a_hunter_sees_none_of_them(self, world: World) -> None:
        place, _ = await ordered(world)
        body = {
            "kind": "sourcing",
            "staff_id": place.hunter_staff.id,
            "campaign_id": place.campaign["id"],
        }
        await place.lead.made("/v1/assignments", body)
        seen = await place.hunter.read(place.path)
        assert (seen["unit_price"], seen["price_tiers"]) == (None, None)
