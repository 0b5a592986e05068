"""What a campaign learns from acceptances and voids."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from flatbed.app.campaigns.orders.progress import (
    campaign_of,
    count_accepted,
    note_acceptance,
    note_void_of_accepted,
)
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import EventPending
from flatbed.tenants.kit.ids import decode, uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.campaigns.world import World


async def accepted(world: World, campaign_id: UUID) -> str:
    """One acceptance in a transaction of its own."""
    async with world.session() as session:
        return await note_acceptance(session, campaign_id)


async def voided(world: World, campaign_id: UUID) -> str:
    """One void of an accepted unit in a transaction of its own."""
    async with world.session() as session:
        return await note_void_of_accepted(session, campaign_id)


class TestNoteAcceptance:
    @pytest.mark.parametrize("state", ["running", "paused"])
    async def test_the_last_one_fills_the_campaign(self, world: World, state: str) -> None:
        """`filled` when accepted = quantity."""
        campaign = await world.campaign(state, quantity=2)
        campaign_id = decode("camp", campaign["id"])
        await world.pass_time(days=3)
        assert [await accepted(world, campaign_id) for _ in range(2)] == [state, "filled"]
        filled = await world.isv.read(f"/v1/campaigns/{campaign['id']}")
        assert (filled["accepted_count"], filled["ended_at"]) == (2, "2026-03-05T09:00:00Z")
        async with world.session() as session:
            types = (await session.scalars(select(EventPending.type))).all()
            assert await count_accepted(session, campaign_id) == 2
        assert types.count("campaign.filled") == 1

    async def test_at_once_each_counts_once(self, world: World) -> None:
        campaign = await world.campaign("running", quantity=4)
        campaign_id = decode("camp", campaign["id"])
        states = await asyncio.gather(*(accepted(world, campaign_id) for _ in range(4)))
        assert sorted(states) == ["filled", "running", "running", "running"]

    @pytest.mark.parametrize("state", ["closed", "cancelled"])
    async def test_an_ended_campaign_counts_on_and_stays_ended(
        self, world: World, state: str
    ) -> None:
        """The ISV may cancel, and cancelling never loses a metered unit."""
        campaign = await world.campaign("running", quantity=1)
        who, action = (world.lead, "close") if state == "closed" else (world.isv, "cancel")
        await who.made(f"/v1/campaigns/{campaign['id']}/{action}")
        assert await accepted(world, decode("camp", campaign["id"])) == state
        after = await world.isv.read(f"/v1/campaigns/{campaign['id']}")
        assert (after["status"], after["accepted_count"]) == (state, 1)

    async def test_a_filled_one_is_moved_by_nobody(self, world: World) -> None:
        campaign = await world.campaign("running", quantity=1)
        await accepted(world, decode("camp", campaign["id"]))
        path = f"/v1/campaigns/{campaign['id']}"
        answers = [
            await world.isv.post(f"{path}/cancel"),
            await world.isv.post(f"{path}/pause"),
            await world.isv.post(f"{path}/resume"),
            await world.lead.post(f"{path}/close"),
            await world.lead.post(f"{path}/start"),
            await world.isv.post(f"{path}/order"),
        ]
        assert {(a.status_code, a.json()["state"]) for a in answers} == {(409, "filled")}

    async def test_a_foreign_campaign_is_missing(self, world: World) -> None:
        with pytest.raises(NotFoundError):
            await accepted(world, uuid7())


class TestNoteVoidOfAccepted:
    async def test_a_filled_campaign_that_lacks_one_runs_again(self, world: World) -> None:
        campaign = await world.campaign("running", quantity=1)
        campaign_id = decode("camp", campaign["id"])
        await accepted(world, campaign_id)
        assert await voided(world, campaign_id) == "running"
        after = await world.isv.read(f"/v1/campaigns/{campaign['id']}")
        assert (after["accepted_count"], after["ended_at"]) == (0, None)
        assert await accepted(world, campaign_id) == "filled"

    async def test_one_accepted_beyond_the_quantity_leaves_it_filled(self, world: World) -> None:
        campaign = await world.campaign("running", quantity=1)
        campaign_id = decode("camp", campaign["id"])
        for _ in range(2):
            await accepted(world, campaign_id)
        assert await voided(world, campaign_id) == "filled"

    async def test_elsewhere_only_the_count_changes(self, world: World) -> None:
        campaign = await world.campaign("running", quantity=3)
        campaign_id = decode("camp", campaign["id"])
        await accepted(world, campaign_id)
        assert await voided(world, campaign_id) == "running"


class TestCampaignOf:
    async def test_a_draft_has_current_criteria_and_nothing_frozen(self, world: World) -> None:
        draft = await world.draft(caps={"money_total": 900_000})
        async with world.session() as session:
            view = await campaign_of(session, decode("camp", draft["id"]))
        assert (view.rubric, view.unit_price, view.price_list_id) == (None, None, None)
        assert [one.is_hard for one in view.criteria] == [True, False]
        assert (view.cap_money_total, view.cap_units_total) == (900_000, None)
        assert view.countries == ("AT", "CH", "DE")

    async def test_a_running_one_has_its_frozen_rubric(self, world: World) -> None:
        campaign = await world.campaign("running", fit_floor=70)
        async with world.session() as session:
            view = await campaign_of(session, decode("camp", campaign["id"]))
        assert view.rubric is not None
        assert view.rubric.fit_floor == view.fit_floor == 70
        assert view.started_at is not None

    async def test_a_foreign_campaign_is_missing(self, world: World) -> None:
        async with world.session() as session:
            with pytest.raises(NotFoundError):
                await campaign_of(session, uuid7())


class TestChange:
    async def test_a_late_sweep_never_moves_the_last_change_back(self, world: World) -> None:
        """`updated_after` must find it, though silence accepted at an earlier instant."""
        campaign = await world.campaign("running", quantity=2)
        before = campaign["updated_at"]
        async with world.session() as session:
            session.clock = Clock().at(session.now() - timedelta(days=30))
            await note_acceptance(session, decode("camp", campaign["id"]))
        assert (await world.isv.read(f"/v1/campaigns/{campaign['id']}"))["updated_at"] == before
