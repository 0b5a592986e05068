"""Members who are switched off, the last owner, and links that are sent anew."""

import asyncio
from typing import Any

import pytest

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.people.acceptance import Refused
from tests.api.support import World
from tests.people.door import Door

PATH = "/v1/members"


class TestDeactivate:
    async def test_what_he_lent_ends_for_good(self, world: World) -> None:
        isv = await world.isv()
        owner, manager = await world.member(isv, "owner"), await world.member(isv, "manager")
        path = f"{PATH}/{encode('mem', manager.lender.place_id)}"
        assert (await manager.get(PATH)).status_code == 200
        assert (await owner.patch(path, {"active": False}, version=1)).is_success
        assert (await manager.get(PATH)).status_code == 401
        assert (await owner.patch(path, {"active": True}, version=2)).is_success
        assert (await manager.get(PATH)).status_code == 401

    async def test_what_was_lent_while_he_was_off_does_not_wake(self, world: World) -> None:
        isv = await world.isv()
        owner, manager = await world.member(isv, "owner"), await world.member(isv, "manager")
        lender, people = manager.lender, world.people
        path = f"{PATH}/{encode('mem', lender.place_id)}"
        assert (await owner.patch(path, {"active": False}, version=1)).is_success
        late = await people.lend(
            lender.client_id,
            lender.user_id,
            tenant_id=lender.tenant_id,
            membership_id=lender.place_id,
        )
        assert (await owner.patch(path, {"active": True}, version=2)).is_success
        manager.token, _ = await people.token(
            await people.lend(
                lender.client_id,
                lender.user_id,
                tenant_id=lender.tenant_id,
                membership_id=lender.place_id,
            )
        )
        assert (await manager.get(PATH)).status_code == 200
        with pytest.raises(AssertionError):
            await people.token(late)

    async def test_grants_of_others_and_of_his_other_places_go_on(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        manager, colleague = (
            await world.member(isv, "manager"),
            await world.member(isv, "manager"),
        )
        elsewhere = await world.member(other, "manager")
        path = f"{PATH}/{encode('mem', manager.lender.place_id)}"
        assert (await isv.client.patch(path, {"active": False}, version=1)).is_success
        assert (await colleague.get(PATH)).status_code == 200
        assert (await elsewhere.get(PATH)).status_code == 200

    async def test_the_invitation_ends_too(self, world: World, door: Door) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        token, path = await door.token(made["email"]), f"{PATH}/{made['id']}"
        for version, active in ((1, False), (2, True)):
            changed = await isv.client.patch(path, {"active": active}, version=version)
            assert changed.json()["invitation"] is None
            assert await door.enter(token) is Refused.GONE

    async def test_a_new_name_ends_nothing(self, world: World, door: Door) -> None:
        isv = await world.isv()
        made, manager = await door.invited(isv), await world.member(isv, "manager")
        path = f"{PATH}/{encode('mem', manager.lender.place_id)}"
        assert (await isv.client.patch(path, {"name": "N", "active": True}, version=1)).is_success
        assert (await manager.get(PATH)).status_code == 200
        path = f"{PATH}/{made['id']}"
        changed = await isv.client.patch(path, {"name": "N", "active": True}, version=1)
        assert changed.json()["invitation"] is not None


class TestLastOwner:
    @pytest.mark.parametrize("change", [{"role": "manager"}, {"active": False}])
    async def test_the_last_one_who_can_sign_in_stays(
        self, world: World, door: Door, change: dict[str, Any]
    ) -> None:
        isv = await world.isv()
        await door.invited(isv, "owner")
        off, _ = await door.joined(isv, "owner")
        path = f"{PATH}/{off['id']}"
        last, _ = await door.joined(isv, "owner")
        assert (await isv.client.patch(path, {"active": False}, version=2)).is_success
        path = f"{PATH}/{last['id']}"
        answer = await isv.client.patch(path, change, version=2)
        assert (answer.status_code, answer.json()["code"]) == (409, "last-owner")
        assert (await isv.client.patch(path, {"name": "New"}, version=2)).is_success

    async def test_one_who_has_not_accepted_is_none_to_keep(self, world: World, door: Door) -> None:
        isv = await world.isv()
        made = await door.invited(isv, "owner")
        changed = await isv.client.patch(f"{PATH}/{made['id']}", {"active": False}, version=1)
        assert changed.is_success

    async def test_of_four_who_go_at_once_one_stays(self, world: World) -> None:
        for _ in range(5):
            isv = await world.isv()
            owners = [await world.member(isv, "owner") for _ in range(4)]
            paths = [f"{PATH}/{encode('mem', one.lender.place_id)}" for one in owners]
            answers = await asyncio.gather(
                *(isv.client.patch(path, {"role": "viewer"}, version=1) for path in paths)
            )
            assert sorted(one.status_code for one in answers) == [200, 200, 200, 409]
            left = (await isv.client.read(PATH, params={"role": "owner"}))["data"]
            assert len(left) == 1


class TestResend:
    async def test_a_new_link_takes_the_place_of_the_old_one(
        self, world: World, door: Door
    ) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        old = await door.token(made["email"])
        answer = await isv.client.post(f"{PATH}/{made['id']}/invitation")
        assert answer.status_code == 201, answer.text
        shown = await isv.client.read(f"{PATH}/{made['id']}")
        assert shown["invitation"] == answer.json()
        assert await door.open(old) is None
        assert await door.enter(old) is Refused.GONE
        assert await door.open(await door.token(made["email"])) is not None

    async def test_of_many_at_once_one_link_is_left(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        path = f"{PATH}/{made['id']}/invitation"
        answers = await asyncio.gather(*(isv.client.post(path) for _ in range(5)))
        assert {one.status_code for one in answers} == {201}
        left = await admin_connection.fetchval(
            "SELECT count(*) FROM invitation WHERE email = $1 AND revoked_at IS NULL",
            made["email"],
        )
        assert left == 1

    async def test_who_has_accepted_is_not_invited_anew(self, world: World, door: Door) -> None:
        isv = await world.isv()
        made, _ = await door.joined(isv)
        answer = await isv.client.post(f"{PATH}/{made['id']}/invitation")
        assert (answer.status_code, answer.json()["code"]) == (409, "already-signed-up")

    async def test_nor_who_is_switched_off(self, world: World, door: Door) -> None:
        isv = await world.isv()
        made = await door.invited(isv)
        path = f"{PATH}/{made['id']}"
        assert (await isv.client.patch(path, {"active": False}, version=1)).is_success
        answer = await isv.client.post(f"{path}/invitation")
        assert (answer.status_code, answer.json()["code"]) == (409, "person-inactive")

    async def test_another_isvs_member_is_not_there(self, world: World, door: Door) -> None:
        isv, other = await world.isv(), await world.isv()
        made = await door.invited(other)
        token = await door.token(made["email"])
        for id_ in (made["id"], encode("mem", uuid7())):
            assert (await isv.client.post(f"{PATH}/{id_}/invitation")).status_code == 404
        assert await door.token(made["email"]) == token
