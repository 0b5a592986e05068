"""Acceptance by the ISV, by silence, and the reminders before."""

from datetime import timedelta

import pytest

from flatbed.app.qualifications import acceptance
from flatbed.app.qualifications.errors import QualificationStateError
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import Event, EventPending
from flatbed.tenants.kit.ids import decode, uuid7
from tests.api.support import World
from tests.candidates.factory import CALLER, site
from tests.qualifications.factory import CALENDAR, instant, qualified, qualify
from tests.qualifications.stock import stock


class TestAccept:
    async def test_it_makes_the_unit_billable_and_counts_it(self, world: World) -> None:
        """An entry is metered at qualification and becomes billable by acceptance."""
        one = await qualified(world)
        answer = await one.accept(version=1)
        assert answer.status_code == 200, answer.text
        made = answer.json()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "person")
        assert made["accepted_by"] == f"client:{one.site.isv.client.client_id}"
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        campaign = await one.site.isv.client.read(one.site.path)
        assert campaign["accepted_count"] == 1
        assert not await one.site.open_deadlines(one.worked.id)
        (event,) = await one.events("qualification.accepted")
        assert event["basis"] == "person"

    async def test_the_last_of_the_quantity_fills_the_campaign(self, world: World) -> None:
        """`filled` when accepted = quantity."""
        one = await qualified(world, quantity=1)
        await one.accept()
        assert (await one.site.isv.client.read(one.site.path))["status"] == "filled"

    async def test_cancelling_the_campaign_loses_no_metered_unit(self, world: World) -> None:
        """Cancelling never loses a metered unit."""
        one = await qualified(world)
        await one.site.isv.client.made(f"{one.site.path}/cancel")
        assert [line["state"] for line in await one.entries()] == ["pending"]
        assert (await one.accept()).json()["status"] == "accepted"
        campaign = await one.site.isv.client.read(one.site.path)
        assert (campaign["accepted_count"], campaign["status"]) == (1, "cancelled")

    async def test_it_happens_once(self, world: World) -> None:
        one = await qualified(world)
        assert (await one.accept(key="a")).status_code == 200
        assert (await one.accept(key="a")).status_code == 200
        again = await one.accept()
        assert (again.status_code, again.json()["code"]) == (409, "qualification-state")
        assert again.json()["state"] == "accepted"
        campaign = await one.site.isv.client.read(one.site.path)
        assert campaign["accepted_count"] == 1

    async def test_what_is_disputed_or_voided_is_not_accepted(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        assert (await one.accept()).json()["state"] == "disputed"
        await one.decide("voided")
        assert (await one.accept()).json()["state"] == "voided"

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        one = await qualified(world)
        assert (await one.accept(version=7)).status_code == 412

    async def test_only_its_isv_accepts(self, world: World) -> None:
        one = await qualified(world)
        path = f"{one.path}/acceptance"
        assert (await one.site.lead.post(path)).status_code == 403
        other = await world.isv()
        foreign = await other.client.post(path)
        missing = await other.client.post(
            "/v1/qualifications/qual_01000000000000000000000000/acceptance"
        )
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json()["detail"] == missing.json()["detail"]
        assert (await one.read())["status"] == "pending"


class TestSilence:
    async def test_silence_accepts_at_the_end_of_the_tenth_business_day(self, world: World) -> None:
        """Silence accepts."""
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        await one.until(term - timedelta(minutes=5))
        assert (await one.read())["status"] == "pending"
        await one.until(term)
        made = await one.read()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "silence")
        assert instant(made["accepted_at"]) == term
        assert made["accepted_by"] == "system:sweep"
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        campaign = await one.site.isv.client.read(one.site.path)
        assert campaign["accepted_count"] == 1

    async def test_each_is_accepted_at_its_own_instant_when_the_clock_leaps(
        self, world: World
    ) -> None:
        place = await site(world)
        first, second = await stock(place, 2)
        one = await qualify(first)
        await place.advance(days=4)
        two = await qualify(second)
        await place.advance(days=60)
        for made in (await one.read(), await two.read()):
            assert made["accepted_at"] == made["accept_by"]
        assert (await one.read())["accept_by"] < (await two.read())["accept_by"]

    async def test_in_the_moment_before_the_sweep_the_term_is_over_all_the_same(
        self, world: World
    ) -> None:
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        principal = Principal(
            role=Role.ISV_CLIENT,
            client_id=uuid7(),
            realm_id=world.realm_id,
            tenant_id=one.site.isv.tenant_id,
            staff_id=None,
            scopes=frozenset(),
            clock=Clock().at(term),
            sandbox=True,
        )
        with pytest.raises(QualificationStateError):
            async with world.program.database.tenant(
                realm_id=world.realm_id,
                tenant_id=one.site.isv.tenant_id,
                caller=CALLER,
                clock=principal.clock,
            ) as session:
                await acceptance.accept(session, principal, decode("qual", one.id), None)


class TestReminders:
    async def test_they_come_on_day_five_and_day_eight(self, world: World) -> None:
        """Reminders on day 5 and 8."""
        one = await qualified(world)
        start = instant((await one.read())["qualified_at"])
        await one.until(CALENDAR.begin_of(5, start) - timedelta(minutes=5))
        kind = "qualification.acceptance_reminder"
        assert not await one.events(kind)
        await one.until(CALENDAR.begin_of(8, start))
        assert [event["day"] for event in await one.events(kind)] == [5, 8]
        rows = [
            *await one.site.rows(Event, Event.type == kind),
            *await one.site.rows(EventPending, EventPending.type == kind),
        ]
        assert sorted(row.at for row in rows) == [
            CALENDAR.begin_of(5, start),
            CALENDAR.begin_of(8, start),
        ]

    async def test_nobody_is_reminded_of_what_is_decided(self, world: World) -> None:
        one = await qualified(world)
        await one.accept()
        await one.site.advance(days=30)
        assert not await one.events("qualification.acceptance_reminder")


class TestLists:
    async def test_they_are_filtered_by_status_campaign_and_change(self, world: World) -> None:
        place = await site(world)
        first, second = await stock(place, 2)
        one, two = await qualify(first), await qualify(second)
        await place.advance(hours=1)
        between = place.now().isoformat()
        await place.advance(hours=1)
        await one.accept()

        async def ids(**params: str) -> list[str]:
            listed = await place.isv.client.read("/v1/qualifications", params=params)
            assert all("dossier" not in row for row in listed["data"])
            return [row["id"] for row in listed["data"]]

        assert await ids() == [two.id, one.id]
        assert await ids(status="accepted") == [one.id]
        assert await ids(updated_after=between) == [one.id]
        assert await ids(campaign_id=place.campaign["id"]) == [two.id, one.id]
        other = await world.isv()
        assert not (await other.client.read("/v1/qualifications"))["data"]

    async def test_a_page_leads_to_the_next(self, world: World) -> None:
        place = await site(world)
        made = {(await qualify(one)).id for one in await stock(place, 3)}
        client, seen, cursor = place.isv.client, [], None
        while True:
            params = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
            page = await client.read("/v1/qualifications", params=params)
            seen += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert (len(seen), set(seen)) == (3, made)
