"""Ordering and the moves of a campaign, over HTTP."""

import asyncio

import pytest
from sqlalchemy import select

from flatbed.app.campaigns.method import Rubric
from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.database.kernel_tables import AuditPending, EventPending
from flatbed.tenants.kit.ids import decode, encode
from tests.campaigns.world import PRICE, World, missing


class TestOrderCampaign:
    async def test_it_freezes_price_profile_version_and_rubric(self, world: World) -> None:
        """The rubric (numbers above) is frozen on the campaign when it is ordered."""
        draft = await world.draft(fit_floor=65, revenue_floor=2_000_000)
        price_list = await world.price()
        ordered = await world.isv.made(f"/v1/campaigns/{draft['id']}/order")
        profile = await world.isv.read(f"/v1/profiles/{draft['profile_id']}")
        assert ordered["status"] == "ordered"
        assert ordered["unit_price"] == PRICE
        assert ordered["price_list_id"] == encode("price", price_list)
        assert ordered["profile_version_id"] == profile["current"]["id"]
        assert ordered["ordered_at"] == "2026-03-02T09:00:00Z"
        rubric = Rubric.from_json(ordered["rubric"])
        assert rubric == Rubric(fit_floor=65, revenue_floor=2_000_000, currency="EUR")

    async def test_a_later_price_and_profile_change_nothing(self, world: World) -> None:
        """Unit price …, frozen at order. A new IPP version never stops a campaign."""
        campaign = await world.campaign("running")
        await world.price(999_999, number=2**24)
        await world.isv.made(f"/v1/profiles/{campaign['profile_id']}/versions", {})
        assert await world.isv.read(f"/v1/campaigns/{campaign['id']}") == campaign
        async with world.session() as session:
            view = await campaign_of(session, decode("camp", campaign["id"]))
        assert [one.key for one in view.criteria] == ["size", "fame"]
        assert (view.unit_price, view.status) == (PRICE, "running")

    async def test_the_price_is_that_of_the_campaigns_currency(self, world: World) -> None:
        draft = await world.draft()
        await world.price(1, currency="CHF")
        answer = await world.isv.post(f"/v1/campaigns/{draft['id']}/order")
        assert (answer.status_code, answer.json()["code"]) == (409, "no-price")
        assert await world.isv.read(f"/v1/campaigns/{draft['id']}") == draft

    async def test_another_price_than_the_expected_is_refused(self, world: World) -> None:
        draft = await world.draft()
        await world.price()
        path = f"/v1/campaigns/{draft['id']}/order"
        answer = await world.isv.post(path, {"expected_unit_price": PRICE - 1})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "price-changed")
        assert (problem["unit_price"], problem["currency"]) == (PRICE, "EUR")
        assert await world.isv.read(f"/v1/campaigns/{draft['id']}") == draft
        ordered = await world.isv.made(path, {"expected_unit_price": PRICE})
        assert ordered["status"] == "ordered"

    async def test_validate_only_shows_what_would_be_frozen_and_changes_nothing(
        self, world: World
    ) -> None:
        draft = await world.draft()
        await world.price()
        path = f"/v1/campaigns/{draft['id']}/order"
        answer = await world.isv.post(path, params={"validate_only": True})
        assert await world.isv.read(f"/v1/campaigns/{draft['id']}") == draft
        ordered = await world.isv.made(path)
        ordered["updated_at"] = draft["updated_at"]
        assert answer.json() == ordered
        assert "etag" not in answer.headers

    async def test_validate_only_is_refused_where_the_order_would_be(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.draft())['id']}/order"
        answer = await world.isv.post(path, params={"validate_only": True})
        assert answer.json()["code"] == "no-price"

    async def test_an_archived_offering_is_not_ordered(self, world: World) -> None:
        draft = await world.draft()
        await world.price()
        await world.isv.patch(f"/v1/offerings/{draft['offering_id']}", {"archived": True})
        answer = await world.isv.post(f"/v1/campaigns/{draft['id']}/order")
        assert answer.json()["code"] == "offering-archived"

    async def test_the_same_key_orders_once(self, world: World) -> None:
        draft = await world.draft()
        await world.price()
        path = f"/v1/campaigns/{draft['id']}/order"
        first = await world.isv.post(path, key="k")
        second = await world.isv.post(path, key="k")
        assert (first.status_code, second.json()) == (200, first.json())

    async def test_of_two_orders_at_once_one_is_told_the_state(self, world: World) -> None:
        draft = await world.draft()
        await world.price()
        path = f"/v1/campaigns/{draft['id']}/order"
        answers = await asyncio.gather(world.isv.post(path), world.isv.post(path))
        assert sorted(a.status_code for a in answers) == [200, 409]

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        draft = await world.draft()
        await world.price()
        await world.isv.patch(f"/v1/campaigns/{draft['id']}", {"quantity": 500})
        answer = await world.isv.post(f"/v1/campaigns/{draft['id']}/order", etag='"1"')
        assert answer.status_code == 412

    async def test_it_is_audited_with_figures_only(self, world: World) -> None:
        campaign = await world.campaign("ordered")
        async with world.session() as session:
            rows = (await session.scalars(select(AuditPending))).all()
            events = (await session.scalars(select(EventPending))).all()
        (ordered,) = [row for row in rows if row.action == "campaign.ordered"]
        (event,) = [row for row in events if row.type == "campaign.ordered"]
        assert ordered.object_id == event.object_id == campaign["id"]
        assert ordered.detail == event.data
        assert ordered.detail == {
            "from": "draft",
            "to": "ordered",
            "quantity": 3,
            "unit_price": PRICE,
            "currency": "EUR",
            "rubric_version": campaign["rubric"]["version"],
        }


STATES = ("draft", "ordered", "running", "paused", "closed", "cancelled")
TARGETS = {
    ("draft", "order"): "ordered",
    ("ordered", "start"): "running",
    ("running", "pause"): "paused",
    ("paused", "resume"): "running",
    ("running", "close"): "closed",
    ("paused", "close"): "closed",
    **{(state, "cancel"): "cancelled" for state in ("draft", "ordered", "running", "paused")},
}
ISV = {Role.ISV_CLIENT, Role.ISV_OWNER, Role.ISV_MANAGER}
WHO: dict[str, set[Role]] = {
    "order": ISV,
    "start": {Role.LEAD},
    "pause": ISV | {Role.LEAD},
    "resume": ISV | {Role.LEAD},
    "cancel": ISV,
    "close": {Role.LEAD},
}


class TestMoves:
    @pytest.mark.parametrize("state", STATES)
    async def test_each_action_of_each_principal_does_what_the_table_says(
        self, world: World, state: str
    ) -> None:
        campaign = await world.campaign(state)
        path = f"/v1/campaigns/{campaign['id']}"
        if state == "draft":
            await world.price()
        refused = 0
        for action, allowed in WHO.items():
            for role in (*Role,):
                if role in allowed and (state, action) in TARGETS:
                    continue
                answer = await world.client(role).post(f"{path}/{action}")
                if role in allowed:
                    assert (answer.status_code, answer.json()["code"]) == (409, "campaign-state")
                    assert answer.json()["state"] == state
                else:
                    assert answer.status_code == 403, (action, role)
                refused += 1
        done = {(action, role) for action, roles in WHO.items() for role in roles}
        open_ = [pair for pair in done if (state, pair[0]) in TARGETS]
        assert refused == len(WHO) * len(Role) - len(open_)
        assert await world.isv.read(path) == campaign

    @pytest.mark.parametrize(("state", "action"), TARGETS)
    async def test_an_allowed_action_moves_it(self, world: World, state: str, action: str) -> None:
        campaign = await world.campaign(state)
        await world.price(number=2**25)
        for role in WHO[action]:
            moved = campaign if role is next(iter(WHO[action])) else await world.campaign(state)
            answer = await world.client(role).post(f"/v1/campaigns/{moved['id']}/{action}")
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == TARGETS[state, action]

    async def test_start_and_end_are_dated_by_the_realms_clock(self, world: World) -> None:
        campaign = await world.campaign("ordered")
        path = f"/v1/campaigns/{campaign['id']}"
        await world.pass_time(days=1)
        assert (await world.lead.made(f"{path}/start"))["started_at"] == "2026-03-03T09:00:00Z"
        await world.isv.made(f"{path}/pause")
        await world.pass_time(days=1)
        resumed = await world.isv.made(f"{path}/resume")
        assert resumed["started_at"] == "2026-03-03T09:00:00Z"
        assert (await world.isv.made(f"{path}/cancel"))["ended_at"] == "2026-03-04T09:00:00Z"

    async def test_the_same_key_moves_once(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.campaign('running'))['id']}/pause"
        first = await world.isv.post(path, key="k")
        second = await world.isv.post(path, key="k")
        assert (first.status_code, second.json()) == (200, first.json())

    @pytest.mark.parametrize("action", WHO)
    async def test_a_foreign_campaign_answers_like_a_missing_one(
        self, world: World, action: str
    ) -> None:
        campaign = await world.campaign("ordered")
        other = await world.other_isv()
        who = other
        if Role.ISV_CLIENT not in WHO[action]:
            tenant_id = world.ports.principals[other.token].tenant_id
            assert tenant_id is not None
            world.lead.tenant = encode("org", tenant_id)
            who = world.lead
        foreign = await who.post(f"/v1/campaigns/{campaign['id']}/{action}")
        nothing = await who.post(f"/v1/campaigns/{missing('camp')}/{action}")
        assert foreign.status_code == 404
        assert foreign.json() | {"request_id": ""} == nothing.json() | {"request_id": ""}

    @pytest.mark.parametrize("action", ["pause", "cancel"])
    async def test_a_stale_version_is_refused_where_one_is_named(
        self, world: World, action: str
    ) -> None:
        path = f"/v1/campaigns/{(await world.campaign('running'))['id']}"
        assert (await world.isv.post(f"{path}/{action}", etag='"1"')).status_code == 412
        now = (await world.isv.get(path)).headers["etag"]
        assert (await world.isv.post(f"{path}/{action}", etag=now)).status_code == 200
