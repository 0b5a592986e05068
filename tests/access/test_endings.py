"""A person's token at the very next request after what it rests on has ended."""

from collections.abc import Mapping

import httpx
import pytest

from flatbed.tenants.kit.database.urls import Plain
from tests.access.endings import MEMBERS, STAFFS, end
from tests.api.support import METADATA, Person, World

CHALLENGE = f'Bearer error="invalid_token", {METADATA}'
CAMPAIGNS, STAFF, OFFERINGS = "/v1/campaigns", "/v1/staff", "/v1/offerings"
OFFERING = {"name": "DMS", "programmes": [{"code": "dach", "countries": ["DE"]}]}


def refused(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 401
        and answer.json()["code"] == "invalid-token"
        and answer.headers["www-authenticate"] == CHALLENGE
    )


async def move(connection: Plain, table: str, one: Person, user: object) -> None:
    """Give the person's place to another one."""
    statement = f"UPDATE {table} SET user_id = $2 WHERE id = $1"
    assert await connection.execute(statement, one.lender.place_id, user) == "UPDATE 1"


async def become(connection: Plain, table: str, one: Person, role: str) -> None:
    """Change the role of his place."""
    statement = f"UPDATE {table} SET role = $2 WHERE id = $1"
    assert await connection.execute(statement, one.lender.place_id, role) == "UPDATE 1"


class TestMembers:
    @pytest.mark.parametrize("own", [True, False], ids=["ISV's application", "agency's"])
    async def test_whatever_ends_it_is_felt_at_once_and_by_nobody_else(
        self, world: World, admin_connection: Plain, own: bool
    ) -> None:
        witness = await world.member(await world.isv(), "viewer")
        passed = await self._through(world, admin_connection, MEMBERS, own)
        assert not passed, passed
        assert (await witness.get(CAMPAIGNS)).status_code == 200

    @staticmethod
    async def _through(
        world: World, connection: Plain, endings: Mapping[str, str], own: bool
    ) -> list[str]:
        passed = []
        for name, ending in endings.items():
            isv = await world.isv()
            owner = None if own else await world.people.application()
            one = await world.member(isv, "owner", application=owner)
            assert (await one.get(CAMPAIGNS)).status_code == 200, name
            await end(connection, one, ending)
            if not refused(await one.get(CAMPAIGNS)):
                passed.append(name)
        return passed

    async def test_a_membership_given_to_another_is_not_lent_by_the_first(
        self, world: World, admin_connection: Plain
    ) -> None:
        one = await world.member(await world.isv(), "owner")
        await move(admin_connection, "membership", one, await world.people.user())
        assert refused(await one.get(CAMPAIGNS))

    async def test_who_becomes_a_viewer_writes_no_more_and_who_becomes_a_manager_does(
        self, world: World, admin_connection: Plain
    ) -> None:
        """The token is the same; its role is a hint and its scopes are the most it can have."""
        one = await world.member(await world.isv(), "manager")
        assert (await one.post(OFFERINGS, OFFERING)).status_code == 201
        await become(admin_connection, "membership", one, "viewer")
        answer = await one.post(OFFERINGS, OFFERING)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert (await one.get(OFFERINGS)).status_code == 200
        await become(admin_connection, "membership", one, "manager")
        assert (await one.post(OFFERINGS, OFFERING)).status_code == 201

    async def test_who_becomes_an_owner_gets_no_more_than_he_lent_as_a_viewer(
        self, world: World, admin_connection: Plain
    ) -> None:
        one = await world.member(await world.isv(), "viewer")
        await become(admin_connection, "membership", one, "owner")
        answer = await one.post(OFFERINGS, OFFERING)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient-scope")

    async def test_a_place_at_another_isv_is_another_place(
        self, world: World, admin_connection: Plain
    ) -> None:
        """The same person, the same application: one grant's end is not the other's."""
        first, second, people = await world.isv(), await world.isv(), world.people
        one = await world.member(first, "owner", application=await world.application())
        lender = await people.lend(
            one.lender.client_id,
            one.lender.user_id,
            tenant_id=second.tenant_id,
            membership_id=await people.membership(second.tenant_id, "owner", one.lender.user_id),
        )
        there = await world.signed_in(lender)
        await one.made(OFFERINGS, OFFERING)
        assert (await there.read(OFFERINGS))["data"] == []
        await end(admin_connection, one, MEMBERS["the membership is inactive"])
        assert refused(await one.get(OFFERINGS))
        assert (await there.get(OFFERINGS)).status_code == 200


class TestStaff:
    async def test_whatever_ends_it_is_felt_at_once_and_by_nobody_else(
        self, world: World, admin_connection: Plain
    ) -> None:
        witness = await world.person(await world.staff("lead"))
        passed = []
        for name, ending in STAFFS.items():
            staff = await world.staff("admin", new=True)
            one = await world.person(staff, application=await world.people.application())
            assert (await one.get(STAFF)).status_code == 200, name
            await end(admin_connection, one, ending)
            if not refused(await one.get(STAFF)):
                passed.append(name)
        assert not passed, passed
        assert (await witness.get(STAFF)).status_code == 200

    async def test_a_place_given_to_another_is_not_lent_by_the_first(
        self, world: World, admin_connection: Plain
    ) -> None:
        one = await world.person(await world.staff("admin", new=True))
        await move(admin_connection, "staff", one, await world.people.user())
        assert refused(await one.get(STAFF))

    async def test_deactivated_over_the_api_he_and_his_own_client_are_out(
        self, world: World
    ) -> None:
        staff = await world.staff("lead", new=True)
        one = await world.person(staff)
        for client in (one, staff.client):
            assert (await client.get(STAFF)).status_code == 200
        answer = await world.admin.patch(f"{STAFF}/{staff.id}", {"active": False}, version=2)
        assert answer.status_code == 200, answer.text
        for client in (one, staff.client):
            assert refused(await client.get(STAFF))

    async def test_who_becomes_a_hunter_has_no_list_any_more(
        self, world: World, admin_connection: Plain
    ) -> None:
        one = await world.person(await world.staff("lead", new=True))
        assert (await one.get("/v1/companies")).status_code == 200
        await become(admin_connection, "staff", one, "hunter")
        assert (await one.get("/v1/companies")).status_code == 403

    async def test_suspending_an_isv_is_over_the_api_felt_by_its_members_at_once(
        self, world: World
    ) -> None:
        isv = await world.isv()
        members = [await world.member(isv, role) for role in ("owner", "viewer")]
        version = (await world.admin.get(f"/v1/organizations/{isv.id}")).headers["etag"]
        body = {"status": "suspended"}
        path = f"/v1/organizations/{isv.id}"
        assert (await world.admin.patch(path, body, version=version)).status_code == 200
        for client in (*members, isv.client):
            assert refused(await client.get(CAMPAIGNS))
