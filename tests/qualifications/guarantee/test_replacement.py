"""The campaign's next unit takes the place of the one that did not last."""

import asyncio
from datetime import timedelta

from flatbed.app.candidates.models import Candidate
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.repository import qualified_entries
from flatbed.billing.facade import verify_ledger
from flatbed.billing.usage.decisions import write_off
from flatbed.billing.usage.models import UsageEntry
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode, uuid7
from tests.api.support import World
from tests.candidates.factory import CALLER, Site, site
from tests.qualifications.factory import Qualified, instant, qualified, qualify
from tests.qualifications.guarantee.claims import (
    Claim,
    accepted,
    campaign_of,
    claim,
    confirmed,
    report,
    withdrawn,
)
from tests.qualifications.stock import stock
from tests.qualifications.test_disputes import refused
from tests.qualifications.waiting.line import Line, admissions

PRICE = 450_000


async def next_unit(place: Site) -> Qualified:
    """The next candidate of the campaign qualifies."""
    (worked,) = await stock(place)
    return await qualify(worked)


async def prices(place: Site) -> list[int]:
    """What each unit costs at most, in the order of the ledger."""
    rows = await place.rows(UsageEntry, UsageEntry.kind == "qualified")
    return [row.amount for row in sorted(rows, key=lambda row: row.sequence)]


async def is_sound(place: Site) -> bool:
    """Whether chain, counters and candidates agree with the ledger."""
    async with place.world.program.database.tenant(
        realm_id=place.world.realm_id,
        tenant_id=place.isv.tenant_id,
        caller=CALLER,
        clock=Clock(),
    ) as session:
        return not await verify_ledger(session, expected=qualified_entries)


class TestWithdrawal:
    """Partner-caused withdrawal gives a replacement recorded at price 0."""

    async def test_the_next_unit_costs_nothing_and_both_name_each_other(self, world: World) -> None:
        """Partner-caused withdrawal gives a replacement recorded at price 0."""
        one = await confirmed(world, quantity=1)
        made = await next_unit(one.site)
        shown = await made.read()
        assert (shown["unit_price"], shown["replaces_id"]) == (0, one.unit.id)
        case = await one.read()
        assert (case["status"], case["replacement_id"]) == ("replaced", made.id)
        assert await prices(one.site) == [PRICE, 0]
        old, new = sorted(
            await one.site.rows(UsageEntry, UsageEntry.kind == "qualified"),
            key=lambda row: row.sequence,
        )
        assert (new.replaces_id, old.replaces_id) == (old.id, None)
        (event,) = await made.events("guarantee_case.replaced")
        assert event["replacement_id"] == made.id
        assert await is_sound(one.site)

    async def test_the_campaign_is_filled_again_by_its_acceptance(self, world: World) -> None:
        one = await confirmed(world, quantity=1)
        made = await next_unit(one.site)
        await made.accept()
        campaign = await campaign_of(made)
        assert (campaign["accepted_count"], campaign["status"]) == (1, "filled")

    async def test_it_needs_no_room_under_the_caps(self, world: World) -> None:
        one = await confirmed(world, quantity=1, caps={"units_total": 1, "money_total": PRICE})
        made = await next_unit(one.site)
        assert (await made.read())["unit_price"] == 0
        assert await is_sound(one.site)

    async def test_one_case_is_made_good_by_one_unit(self, world: World) -> None:
        one = await confirmed(world, quantity=5)
        first, second = await next_unit(one.site), await next_unit(one.site)
        assert (await first.read())["unit_price"] == 0
        other = await second.read()
        assert (other["unit_price"], other["replaces_id"]) == (PRICE, None)

    async def test_of_two_at_once_one_is_free(self, world: World) -> None:
        one = await confirmed(world, quantity=9)
        made = await asyncio.gather(*(qualify(worked) for worked in await stock(one.site, 3)))
        free = [unit for unit in made if (await unit.read())["unit_price"] == 0]
        assert [unit.id for unit in free] == [(await one.read())["replacement_id"]]
        assert await is_sound(one.site)

    async def test_two_cases_are_made_good_by_two_units_at_once(self, world: World) -> None:
        place = await site(world, quantity=9)
        units = await accepted(place, 2)
        claims = [await (await claim(one)).confirmed() for one in units]
        made = await asyncio.gather(*(qualify(worked) for worked in await stock(place, 3)))
        free = {unit.id for unit in made if (await unit.read())["unit_price"] == 0}
        assert free == {(await one.read())["replacement_id"] for one in claims}
        assert len(free) == 2

    async def test_before_a_lead_has_confirmed_it_nothing_is_owed(self, world: World) -> None:
        one = await withdrawn(world)
        made = await next_unit(one.site)
        assert (await made.read())["unit_price"] == PRICE
        assert await one.status() == "reported"

    async def test_another_campaign_owes_nothing(self, world: World) -> None:
        one = await confirmed(world)
        made = await next_unit(await site(world, isv=one.site.isv))
        assert (await made.read())["unit_price"] == PRICE
        assert await one.status() == "open"

    async def test_after_ninety_days_it_is_too_late(self, world: World) -> None:
        one = await confirmed(world, quantity=5)
        await one.site.advance(days=90)
        made = await next_unit(one.site)
        assert (await made.read())["unit_price"] == PRICE
        assert await one.status() == "due"

    async def test_in_the_moment_before_the_sweep_it_is_too_late_all_the_same(
        self, world: World
    ) -> None:
        one = await confirmed(world)
        campaign, nobody = decode("camp", one.site.campaign["id"]), uuid7()
        end = instant((await one.read())["replace_by"])
        for at, is_owed in ((end - timedelta(microseconds=1), True), (end, False)):
            async with world.program.database.tenant(
                realm_id=world.realm_id,
                tenant_id=one.site.isv.tenant_id,
                caller=CALLER,
                clock=Clock().at(at),
            ) as session:
                owed = await cases.next_owed(session, campaign, nobody)
                assert (owed is not None) == is_owed

    async def test_while_a_dispute_comes_first_nothing_is_replaced(self, world: World) -> None:
        one = await confirmed(world, quantity=5)
        await one.unit.dispute(fraud=True)
        made = await next_unit(one.site)
        assert (await made.read())["unit_price"] == PRICE
        assert await one.status() == "held"

    async def test_what_was_written_off_was_never_paid(self, world: World) -> None:
        one = await confirmed(world, quantity=5)
        entry = decode("use", (await one.unit.read())["entry_id"])
        async with world.program.database.tenant(
            realm_id=world.realm_id,
            tenant_id=one.site.isv.tenant_id,
            caller=CALLER,
            clock=Clock().at(one.site.now()),
        ) as session:
            await write_off(session, entry, actor="staff:x", reason="goodwill")
        made = await next_unit(one.site)
        assert (await made.read())["unit_price"] == PRICE
        await one.site.advance(days=91)
        assert await one.status() == "lapsed"

    async def test_who_waits_over_a_cap_is_the_replacement(self, world: World) -> None:
        place = await site(world, quantity=9, caps={"units_total": 1})
        (unit,) = await accepted(place)
        line = Line(place)
        await line.join(2)
        await place.advance(days=1)
        one = await (await claim(unit)).confirmed()
        await admissions(world)
        assert await line.states() == ["admitted", "waiting"]
        listed = await place.isv.client.read(f"{line.waiting[0].path}/qualifications")
        (made,) = listed["data"]
        assert (made["unit_price"], made["replaces_id"]) == (0, unit.id)
        assert (await one.read())["replacement_id"] == made["id"]


class TestReplacement:
    """A replacement is a unit as any other: it may be disputed, and withdraw too."""

    async def test_voided_it_leaves_the_case_open_again(self, world: World) -> None:
        one = await confirmed(world, quantity=1)
        first = await next_unit(one.site)
        await first.answered()
        assert (await first.decide("voided")).status_code == 200
        case = await one.read()
        assert (case["status"], case["replacement_id"], case["ended_at"]) == ("open", None, None)
        second = await next_unit(one.site)
        assert (await second.read())["replaces_id"] == one.unit.id
        assert await prices(one.site) == [PRICE, 0, 0]
        assert await is_sound(one.site)

    async def test_decided_to_be_replaced_it_leaves_one_case_and_no_second(
        self, world: World
    ) -> None:
        one = await confirmed(world, quantity=3)
        first = await next_unit(one.site)
        await first.answered()
        assert (await first.decide("replaced")).status_code == 200
        assert await one.status() == "open"
        assert (await first.read())["guarantee_case"] is None
        second, third = await next_unit(one.site), await next_unit(one.site)
        assert (await second.read())["replaces_id"] == one.unit.id
        assert (await third.read())["replaces_id"] is None
        assert await prices(one.site) == [PRICE, 0, 0, PRICE]
        assert await is_sound(one.site)

    async def test_its_hunter_is_not_told_whose_place_it_took(self, world: World) -> None:
        one = await confirmed(world, quantity=1)
        made = await next_unit(one.site)
        listed = await one.site.hunter.read(f"{made.worked.path}/qualifications")
        (shown,) = listed["data"]
        assert (shown["id"], shown["replaces_id"], shown["unit_price"]) == (made.id, None, None)
        (again,) = (await one.site.lead.read(f"{made.worked.path}/qualifications"))["data"]
        assert again["replaces_id"] == one.unit.id

    async def test_what_it_made_good_is_not_disputed_any_more(self, world: World) -> None:
        one = await confirmed(world)
        await next_unit(one.site)
        assert refused(await one.unit.dispute(fraud=True)) == (409, "guarantee-used")
        at = one.site.now() - timedelta(days=9)
        await one.unit.worked.touch(
            "push", one.site.lead, side="agency", occurred_at=at.isoformat()
        )
        assert (await one.unit.read())["reviews"] == []

    async def test_it_is_guaranteed_too_and_its_own_replacement_is_free(self, world: World) -> None:
        one = await confirmed(world, quantity=1)
        first = await next_unit(one.site)
        await first.accept()
        await one.site.advance(days=40)
        again = await (await claim(first)).confirmed()
        assert (await again.read())["percent"] == 50
        second = await next_unit(one.site)
        shown = await second.read()
        assert (shown["unit_price"], shown["replaces_id"]) == (0, first.id)
        assert await prices(one.site) == [PRICE, 0, 0]
        assert await is_sound(one.site)

    async def test_who_was_replaced_is_not_reported_again(self, world: World) -> None:
        one = await confirmed(world)
        await next_unit(one.site)
        assert refused(await report(one.unit)) == (409, "guarantee-case-exists")


class TestDispute:
    """Or `replaced`: the unit is voided, and the next one takes its place."""

    async def replaced(self, world: World, **campaign: object) -> Qualified:
        one = await qualified(world, **campaign)
        await one.answered()
        answer = await one.decide("replaced")
        assert answer.status_code == 200, answer.text
        return one

    async def test_the_disputed_unit_is_voided_and_the_next_takes_its_place(
        self, world: World
    ) -> None:
        """Or `replaced`."""
        one = await self.replaced(world, quantity=1)
        made = await one.read()
        assert (made["status"], made["void_reason"]) == ("voided", "replaced")
        (dispute,) = made["disputes"]
        assert (dispute["status"], dispute["decision"]) == ("replaced", "replaced")
        case = made["guarantee_case"]
        assert (case["cause"], case["status"], case["percent"]) == ("dispute", "open", None)
        new = await next_unit(one.site)
        shown = await new.read()
        assert shown["replaces_id"] == one.id
        assert (await one.read())["guarantee_case"]["replacement_id"] == new.id

    async def test_the_isv_pays_once_for_one_good_partner(self, world: World) -> None:
        one = await self.replaced(world, quantity=1, caps={"units_total": 1})
        new = await next_unit(one.site)
        assert (await new.read())["unit_price"] == PRICE
        await new.accept()
        states = {line["state"]: line["amount"] for line in await one.entries()}
        assert states == {"cancelled": PRICE, "accepted": PRICE}
        preview = await one.site.isv.client.read("/v1/statements/preview")
        assert [part["total"] for part in preview["statements"]] == [PRICE]
        assert await is_sound(one.site)

    async def test_the_same_candidate_is_no_replacement_of_himself(self, world: World) -> None:
        one = await self.replaced(world)
        again = await qualify(one.worked)
        assert (await again.read())["replaces_id"] is None
        assert (await one.read())["guarantee_case"]["status"] == "open"

    async def test_what_is_paid_for_is_replaced_first(self, world: World) -> None:
        one = await self.replaced(world, quantity=5)
        (unit,) = await accepted(one.site)
        # That one took the place of the voided one; another is disputed meanwhile.
        (other,) = await stock(one.site)
        two = await qualify(other)
        await two.answered()
        await two.decide("replaced")
        claimed = await (await claim(unit)).confirmed()
        made = await next_unit(one.site)
        assert (await made.read())["replaces_id"] == unit.id
        assert await claimed.status() == "replaced"

    async def test_without_a_replacement_nothing_is_owed(self, world: World) -> None:
        one = await self.replaced(world)
        await one.site.advance(days=91)
        assert (await one.read())["guarantee_case"]["status"] == "lapsed"
        assert [line["state"] for line in await one.entries()] == ["cancelled"]

    async def test_fraud_after_acceptance_is_replaced_at_the_frozen_price(
        self, world: World
    ) -> None:
        (one,) = await accepted(await site(world, quantity=1))
        await one.dispute(fraud=True)
        await one.answer()
        assert (await one.decide("replaced")).status_code == 200
        campaign = await campaign_of(one)
        assert (campaign["accepted_count"], campaign["status"]) == (0, "running")
        new = await next_unit(one.site)
        assert (await new.read())["unit_price"] == PRICE

    async def test_a_review_is_not_replaced(self, world: World) -> None:
        one = await qualified(world)
        at = one.site.now() - timedelta(days=2, hours=1)
        await one.worked.push(occurred_at=at.isoformat())
        assert refused(await one.decide("replaced")) == (422, "invalid-request")


class TestOrder:
    async def test_a_deadline_of_before_does_nothing_to_what_was_replaced(
        self, world: World
    ) -> None:
        one = await confirmed(world, quantity=1)
        made = await next_unit(one.site)
        await made.accept()
        await one.site.advance(days=200)
        assert await one.status() == "replaced"
        (due,) = await one.site.rows(Candidate, Candidate.id == one.unit.worked.uuid)
        assert due.entry_id is not None
        assert cases.REMEDY not in {
            row.kind for row in await one.site.open_deadlines(one.unit.worked.id)
        }

    async def test_a_replacement_voided_after_the_time_gives_the_money_back(
        self, world: World
    ) -> None:
        one: Claim = await confirmed(world, quantity=1)
        first = await next_unit(one.site)
        await first.accept()
        await one.site.advance(days=95)
        await first.dispute(fraud=True)
        await first.answer()
        await first.decide("voided")
        await one.site.advance(minutes=1)
        # Not billed yet, since nobody keeps books here: the credit waits.
        assert await one.status() == "due"
        assert instant((await one.read())["replace_by"]) < one.site.now()
