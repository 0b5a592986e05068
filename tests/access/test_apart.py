"""Two people at one application: what each does is his own, and stands under his name."""

from typing import Any

import pytest_asyncio

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Isv, Person, World
from tests.candidates.factory import Site, site, source

OFFERINGS, COMPANIES = "/v1/offerings", "/v1/companies"
KEY = "8c1f3c7e-one-key-for-all"


def offering(name: str) -> dict[str, Any]:
    return {"name": name, "programmes": [{"code": "dach", "countries": ["DE"]}]}


def company(name: str) -> dict[str, str]:
    return {"name": name, "domain": f"d-{uuid7().hex[-12:]}.example"}


@pytest_asyncio.fixture
async def isv(world: World) -> Isv:
    return await world.isv()


async def actors(connection: Plain, table: str, object_id: str) -> set[str]:
    """Who stands in the audit of an object, sealed or not."""
    rows = await connection.fetch(
        f"SELECT actor FROM {table}_pending WHERE object_id = $1"
        f" UNION SELECT actor FROM {table}_entry WHERE object_id = $1",
        object_id,
    )
    return {row["actor"] for row in rows}


class TestKeys:
    async def test_the_idempotency_keys_of_two_people_and_a_machine_do_not_meet(
        self, world: World, isv: Isv
    ) -> None:
        first, second = await world.member(isv, "owner"), await world.member(isv, "manager")
        assert first.client_id == second.client_id
        made = {}
        for name, client in (("one", first), ("two", second), ("three", isv.client)):
            answer = await client.post(OFFERINGS, offering(name), key=KEY)
            assert answer.status_code == 201, answer.text
            assert "idempotent-replayed" not in answer.headers
            made[name] = answer.json()["id"]
        for name, client in (("one", first), ("two", second), ("three", isv.client)):
            again = await client.post(OFFERINGS, offering(name), key=KEY)
            assert again.headers["idempotent-replayed"] == "true"
            assert again.json()["id"] == made[name]
        assert len(set(made.values())) == 3

    async def test_a_person_who_signs_in_again_keeps_his_keys_and_at_another_application_not(
        self, world: World, isv: Isv
    ) -> None:
        one = await world.member(isv, "owner")
        made = await one.made(OFFERINGS, offering("one"), key=KEY)
        later = await one.anew(system_now())
        again = await later.post(OFFERINGS, offering("one"), key=KEY)
        assert (again.status_code, again.json()["id"]) == (201, made["id"])
        elsewhere = await world.people.lend(
            await world.application(),
            one.lender.user_id,
            tenant_id=isv.tenant_id,
            membership_id=one.lender.place_id,
        )
        other = await world.signed_in(elsewhere)
        assert (await other.made(OFFERINGS, offering("one"), key=KEY))["id"] != made["id"]

    async def test_two_people_of_the_agency_do_not_meet_either(self, world: World) -> None:
        people = [await world.person(await world.staff("admin", new=True)) for _ in range(2)]
        made = [
            await one.made(COMPANIES, company(str(number)), key=KEY)
            for number, one in enumerate(people)
        ]
        assert made[0]["id"] != made[1]["id"]


class TestNames:
    async def test_a_member_acts_under_the_id_of_his_membership(
        self, world: World, isv: Isv, admin_connection: Plain
    ) -> None:
        one = await world.member(isv, "manager")
        made = await one.made(OFFERINGS, offering("DMS"))
        assert one.actor.startswith("member:mem_")
        assert await actors(admin_connection, "audit", made["id"]) == {one.actor}

    async def test_a_staff_member_has_one_name_as_a_person_and_by_his_own_client(
        self, world: World, admin_connection: Plain
    ) -> None:
        staff = await world.staff("compliance", new=True)
        one = await world.person(staff)
        assert one.actor == f"staff:{staff.id}"
        for client in (one, staff.client):
            made = await client.made(COMPANIES, company("Firm"))
            assert await actors(admin_connection, "agency_audit", made["id"]) == {one.actor}

    async def test_staff_who_look_at_an_isv_are_noted_and_its_members_are_not(
        self, world: World, isv: Isv, admin_connection: Plain
    ) -> None:
        lead = await world.person(await world.staff("lead"))
        member = await world.member(isv, "viewer")
        await member.read(OFFERINGS)
        await lead.acting_for(isv.id).read(OFFERINGS)
        rows = await admin_connection.fetch(
            "SELECT actor FROM access_log WHERE tenant_id = $1", isv.tenant_id
        )
        assert [row["actor"] for row in rows] == [lead.actor]


class TestHunters:
    @staticmethod
    async def _two(place: Site) -> list[Person]:
        """Two hunters of the campaign at the agency's one application."""
        world, other = place.world, await place.world.staff("hunter", new=True)
        await source(place, other)
        return [await world.person(place.hunter_staff), await world.person(other)]

    async def test_a_person_works_what_is_assigned_to_him_and_sees_no_more(
        self, world: World
    ) -> None:
        place = await site(world)
        first, second = await self._two(place)
        mine, theirs = await place.found(first), await place.found(second)
        for one, hunter, stranger in ((mine, first, second), (theirs, second, first)):
            assert (await one.read(hunter))["id"] == one.id
            assert (await stranger.get(one.path)).status_code == 404
            assert (await stranger.get(f"{one.path}/contacts")).status_code == 404
        queue = await first.read("/v1/me/queue")
        assert [one["candidate_id"] for one in queue["data"]] == [mine.id]

    async def test_the_references_of_two_people_do_not_meet(self, world: World) -> None:
        """Else the one would learn what the other calls what he may not see."""
        place = await site(world)
        for hunter in await self._two(place):
            found = await place.found(hunter)
            touch = {
                "side": "partner",
                "class": "P1",
                "channel": "email",
                "occurred_at": found.made["created_at"],
                "external_ref": "mail-1",
            }
            answer = await hunter.post(f"{found.path}/touchpoints", touch)
            assert answer.status_code == 201, answer.text
            again = await hunter.post(f"{found.path}/touchpoints", touch)
            assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
