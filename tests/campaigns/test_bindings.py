"""What billing's reports learn of a campaign."""

from typing import Any
from uuid import UUID

import pytest

from flatbed.app.campaigns.orders.bindings import KnownCampaigns
from flatbed.app.campaigns.orders.progress import note_acceptance
from flatbed.billing.facade import CampaignFacts, Caps
from flatbed.tenants.kit.ids import decode, uuid7
from tests.campaigns.world import CALLER, World


async def facts(world: World, campaign: dict[str, Any]) -> CampaignFacts:
    campaign_id = decode("camp", campaign["id"])
    async with world.session() as session:
        found = await KnownCampaigns().facts(session, [campaign_id, uuid7()])
    assert list(found) == [campaign_id]
    return found[campaign_id]


class TestFacts:
    async def test_no_more_than_the_quantity_is_metered_unless_the_campaign_goes_on(
        self, world: World
    ) -> None:
        plain = await world.campaign("running", quantity=3)
        capped = await world.campaign("running", quantity=3, caps={"units_total": 2})
        going_on = await world.campaign("running", quantity=3, continue_after_fill=True)
        assert (await facts(world, plain)).caps == Caps(units_total=3)
        assert (await facts(world, capped)).caps == Caps(units_total=2)
        assert (await facts(world, going_on)).caps == Caps()

    async def test_the_name_and_every_cap_are_told(self, world: World) -> None:
        caps = {"units_month": 1, "money_total": 900_000, "money_month": 450_000}
        found = await facts(world, await world.campaign("running", name="Spring", caps=caps))
        assert found.name == "Spring"
        assert found.caps == Caps(3, 1, 900_000, 450_000)

    @pytest.mark.parametrize(
        ("state", "takes"),
        [("running", True), ("paused", False), ("closed", False), ("ordered", False)],
    )
    async def test_only_a_running_campaign_takes_units(
        self, world: World, state: str, takes: bool
    ) -> None:
        assert (await facts(world, await world.campaign(state))).takes_units is takes

    @pytest.mark.parametrize("going_on", [True, False])
    async def test_a_filled_one_takes_units_where_the_isv_lets_it_go_on(
        self, world: World, going_on: bool
    ) -> None:
        campaign = await world.campaign("running", quantity=1, continue_after_fill=going_on)
        async with world.session() as session:
            await note_acceptance(session, decode("camp", campaign["id"]))
        assert (await facts(world, campaign)).takes_units is going_on

    async def test_another_isvs_campaign_is_not_known(self, world: World) -> None:
        campaign = await world.campaign("running")
        campaign_id: UUID = decode("camp", campaign["id"])
        stranger = await world.other_isv()
        tenant_id = world.ports.principals[stranger.token].tenant_id
        assert tenant_id is not None
        async with world.database.tenant_read(
            realm_id=world.realm_id,
            tenant_id=tenant_id,
            caller=CALLER,
            clock=world.ports.clock,
        ) as session:
            assert await KnownCampaigns().facts(session, [campaign_id]) == {}
