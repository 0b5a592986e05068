"""Accepting invitations: whoever holds the link, once, and nobody else."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.people.acceptance import Joined, Refused
from flatbed.tenants.people.links import INVITATION, link_token
from tests.api.support import World
from tests.people.door import HASH, Door, fresh_address

MEMBERS = "/v1/members"


async def staff(world: World, role: str = "hunter", **more: Any) -> Any:
    """A staff member who is invited."""
    body = {"name": "Lee Roe", "email": fresh_address(), "role": role, **more}
    made = await world.admin.made("/v1/staff", body)
    await world.admin.made(f"/v1/staff/{made['id']}/invitation")
    return made


async def accounts(admin: Plain, email: str) -> Sequence[Any]:
    return await admin.fetch("SELECT * FROM user_account WHERE email = $1", email)


class TestOpen:
    async def test_the_holder_sees_who_invites_him_as_what(self, world: World, door: Door) -> None:
        isv = await world.isv(name="Northwind Software")
        made = await door.invited(isv, "manager")
        found = await door.open(await door.token(made["email"]))
        assert found is not None
        assert (found.organization, found.of_agency) == ("Northwind Software", False)
        assert (found.role, found.email, found.needs_account) == ("manager", made["email"], True)

    async def test_a_staff_member_sees_the_agency(self, world: World, door: Door) -> None:
        made = await staff(world, "admin")
        found = await door.open(await door.token(made["email"]))
        assert found is not None
        assert (found.organization, found.of_agency, found.role) == ("Test agency", True, "admin")

    async def test_who_has_an_account_is_told_so_and_only_by_his_link(
        self, world: World, door: Door
    ) -> None:
        first, _ = await door.joined(await world.isv())
        await door.invited(await world.isv(), email=first["email"])
        found = await door.open(await door.token(first["email"]))
        assert found is not None
        assert not found.needs_account

    async def test_nothing_opens_for_an_id_without_its_seal_or_a_missing_row(
        self, world: World, door: Door
    ) -> None:
        made = await door.invited(await world.isv())
        token = await door.token(made["email"])
        id_, _, seal = token.partition(".")
        keyring = world.program.keyring
        for text in (
            id_,
            f"{id_}.",
            f"{id_}.{seal[:-1]}",
            link_token(keyring, INVITATION, uuid7()),
        ):
            assert await door.open(text) is None

    async def test_what_is_shown_prints_no_address(self, world: World, door: Door) -> None:
        made = await door.invited(await world.isv())
        found = await door.open(await door.token(made["email"]))
        assert made["email"] not in repr(found)


class TestAcceptNew:
    async def test_a_member_gets_an_account_and_his_place(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        made = await door.invited(isv, "finance")
        joined = await door.enter(await door.token(made["email"]), name="Kim D.")
        assert isinstance(joined, Joined)
        assert (joined.realm_id, joined.tenant_id) == (world.realm_id, isv.tenant_id)
        assert joined.place_id == decode("mem", made["id"])
        (account,) = await accounts(admin_connection, made["email"])
        assert (account["id"], account["name"], account["locale"]) == (
            joined.user_id,
            "Kim D.",
            "de",
        )
        assert (account["password_hash"], account["active"]) == (HASH, True)
        shown = await isv.client.read(f"{MEMBERS}/{made['id']}")
        assert (shown["signed_up"], shown["invitation"]) == (True, None)
        assert shown["name"] == made["name"]

    async def test_a_staff_member_too(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        made = await staff(world)
        assert made["signed_up"] is False
        joined = await door.enter(await door.token(made["email"]))
        assert isinstance(joined, Joined)
        assert (joined.tenant_id, joined.place_id) == (None, decode("staff", made["id"]))
        assert (await world.admin.read(f"/v1/staff/{made['id']}"))["signed_up"] is True
        rows = await admin_connection.fetch(
            "SELECT actor FROM agency_audit_pending WHERE realm_id = $1 AND action = 'staff.joined'"
            " UNION ALL SELECT actor FROM agency_audit_entry"
            " WHERE realm_id = $1 AND action = 'staff.joined'",
            world.realm_id,
        )
        assert [row["actor"] for row in rows] == [f"staff:{made['id']}"]

    async def test_the_isvs_audit_names_the_member_by_id_alone(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        made, joined = await door.joined(isv)
        rows = await admin_connection.fetch(
            "SELECT actor, object_id, detail::text FROM audit_pending"
            " WHERE tenant_id = $1 AND action = 'member.joined'",
            isv.tenant_id,
        )
        assert [tuple(row) for row in rows] == [
            (f"member:{made['id']}", made["id"], '{"role": "viewer"}')
        ]
        assert joined.place_id == decode("mem", made["id"])

    async def test_it_is_good_once(self, world: World, door: Door) -> None:
        made = await door.invited(await world.isv())
        token = await door.token(made["email"])
        assert isinstance(await door.enter(token), Joined)
        assert await door.open(token) is None
        assert await door.enter(token) is Refused.GONE

    async def test_of_eight_at_once_one_enters(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        for _ in range(5):
            made = await door.invited(isv)
            token = await door.token(made["email"])
            found = await asyncio.gather(*(door.enter(token) for _ in range(8)))
            assert sum(isinstance(one, Joined) for one in found) == 1
            assert {one for one in found if isinstance(one, Refused)} <= {
                Refused.GONE,
                Refused.SIGN_IN,
            }
            assert len(await accounts(admin_connection, made["email"])) == 1

    async def test_two_isvs_who_invite_one_address_at_once_make_one_account(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        for _ in range(5):
            email, tokens = fresh_address(), []
            for isv in (await world.isv(), await world.isv()):
                await door.invited(isv, email=email)
                tokens.append(await door.token(email))
            found = await asyncio.gather(*(door.enter(token) for token in tokens))
            assert sorted(isinstance(one, Joined) for one in found) == [False, True]
            assert Refused.SIGN_IN in found
            assert len(await accounts(admin_connection, email)) == 1

    async def test_where_the_address_has_an_account_none_is_made_and_none_is_changed(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        first, _ = await door.joined(await world.isv())
        before = await accounts(admin_connection, first["email"])
        isv = await world.isv()
        second = await door.invited(isv, email=first["email"])
        token = await door.token(first["email"])
        assert await door.enter(token, name="Somebody else") is Refused.SIGN_IN
        assert await accounts(admin_connection, first["email"]) == before
        assert not (await isv.client.read(f"{MEMBERS}/{second['id']}"))["signed_up"]
        assert await door.open(token) is not None

    async def test_it_expires_after_seven_days(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        made = await door.invited(await world.isv())
        token = await door.token(made["email"])
        lasts = await admin_connection.fetchval(
            "SELECT expires_at - created_at FROM invitation WHERE email = $1", made["email"]
        )
        assert lasts.days == 7
        await admin_connection.execute(
            "UPDATE invitation SET expires_at = now() - interval '1 second' WHERE email = $1",
            made["email"],
        )
        assert await door.open(token) is None
        assert await door.enter(token) is Refused.GONE
        assert await accounts(admin_connection, made["email"]) == []

    async def test_a_sandboxs_clock_shuts_no_door(self, world: World, door: Door) -> None:
        made = await door.invited(await world.isv())
        token = await door.token(made["email"])
        await world.advance(days=30)
        assert isinstance(await door.enter(token), Joined)

    async def test_a_suspended_isv_takes_nobody(self, world: World, door: Door) -> None:
        isv = await world.isv()
        token = await door.token((await door.invited(isv))["email"])
        path = f"/v1/organizations/{isv.id}"
        for version, status in ((1, "suspended"), (2, "active")):
            assert (await world.admin.patch(path, {"status": status}, version=version)).is_success
            assert isinstance(await door.enter(token), Joined) is (status == "active")

    async def test_whoever_is_switched_off_meanwhile_does_not_enter(
        self, world: World, door: Door
    ) -> None:
        for _ in range(5):
            isv = await world.isv()
            made = await door.invited(isv)
            token, path = await door.token(made["email"]), f"{MEMBERS}/{made['id']}"
            found, changed = await asyncio.gather(
                door.enter(token), isv.client.patch(path, {"active": False}, version=1)
            )
            shown = await isv.client.read(path)
            if changed.is_success:
                assert found is Refused.GONE
                assert (shown["active"], shown["signed_up"]) == (False, False)
            else:
                assert changed.status_code == 412
                assert isinstance(found, Joined)


class TestAcceptAs:
    async def test_the_person_with_the_address_takes_another_place(
        self, world: World, door: Door
    ) -> None:
        first, inside = await door.joined(await world.isv())
        isv = await world.isv()
        second = await door.invited(isv, "owner", first["email"])
        joined = await door.enter_as(await door.token(first["email"]), inside.user_id)
        assert isinstance(joined, Joined)
        assert joined.user_id == inside.user_id
        assert (await isv.client.read(f"{MEMBERS}/{second['id']}"))["signed_up"]

    async def test_one_with_another_address_does_not(self, world: World, door: Door) -> None:
        """The link was forwarded, or its holder is signed in as somebody else."""
        _, stranger = await door.joined(await world.isv())
        isv = await world.isv()
        made = await door.invited(isv, "owner")
        token = await door.token(made["email"])
        assert await door.enter_as(token, stranger.user_id) is Refused.OTHER_ACCOUNT
        assert await door.enter_as(token, uuid7()) is Refused.OTHER_ACCOUNT
        assert not (await isv.client.read(f"{MEMBERS}/{made['id']}"))["signed_up"]

    async def test_an_address_that_looks_alike_is_another(self, world: World, door: Door) -> None:
        name = uuid7().hex
        mine, other = f"kim{name}@people.example", f"k\u0456m{name}@people.example"
        isv = await world.isv()
        await door.invited(isv, email=other)
        lookalike = await door.enter(await door.token(other))
        assert isinstance(lookalike, Joined)
        await door.invited(isv, "owner", mine)
        found = await door.enter_as(await door.token(mine), lookalike.user_id)
        assert found is Refused.OTHER_ACCOUNT

    async def test_one_whose_account_is_off_does_not(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        first, inside = await door.joined(await world.isv())
        await admin_connection.execute(
            "UPDATE user_account SET active = false WHERE id = $1", inside.user_id
        )
        await door.invited(await world.isv(), email=first["email"])
        token = await door.token(first["email"])
        assert await door.enter_as(token, inside.user_id) is Refused.OTHER_ACCOUNT

    async def test_of_eight_at_once_one_enters(self, world: World, door: Door) -> None:
        first, inside = await door.joined(await world.isv())
        # From the second round on nobody has to wait for a connection to be made.
        for _ in range(5):
            await door.invited(await world.isv(), email=first["email"])
            token = await door.token(first["email"])
            found = await asyncio.gather(
                *(door.enter_as(token, inside.user_id) for _ in range(8)), return_exceptions=True
            )
            assert sum(isinstance(one, Joined) for one in found) == 1
            assert found.count(Refused.GONE) == 7

    async def test_who_is_among_the_staff_already_takes_no_second_place_there(
        self, world: World, door: Door
    ) -> None:
        made = await staff(world)
        inside = await door.enter(await door.token(made["email"]))
        assert isinstance(inside, Joined)
        path, old = f"/v1/staff/{made['id']}", made["email"]
        moved = await world.admin.patch(path, {"email": fresh_address()}, version=2)
        assert moved.is_success, moved.text
        await staff(world, email=old)
        found = await door.enter_as(await door.token(old), inside.user_id)
        assert found is Refused.ALREADY_THERE


class TestStaff:
    async def test_a_hunter_invites_nobody_and_a_foreign_realm_has_no_such_person(
        self, world: World
    ) -> None:
        hunter = await world.staff("hunter")
        path = f"/v1/staff/{hunter.id}/invitation"
        assert (await hunter.client.post(path)).status_code == 403
        for id_ in (encode("staff", uuid7()), "nonsense"):
            assert (await world.admin.post(f"/v1/staff/{id_}/invitation")).status_code == 404

    async def test_invited_anew_the_old_link_opens_nothing(self, world: World, door: Door) -> None:
        made = await staff(world)
        old = await door.token(made["email"])
        await world.admin.made(f"/v1/staff/{made['id']}/invitation")
        assert await door.enter(old) is Refused.GONE
        assert isinstance(await door.enter(await door.token(made["email"])), Joined)
        answer = await world.admin.post(f"/v1/staff/{made['id']}/invitation")
        assert (answer.status_code, answer.json()["code"]) == (409, "already-signed-up")

    async def test_switched_off_he_cannot_enter_nor_be_invited(
        self, world: World, door: Door
    ) -> None:
        made = await staff(world)
        token, path = await door.token(made["email"]), f"/v1/staff/{made['id']}"
        assert (await world.admin.patch(path, {"active": False}, version=1)).is_success
        assert await door.enter(token) is Refused.GONE
        assert (await world.admin.post(f"{path}/invitation")).status_code == 409
        assert (await world.admin.patch(path, {"active": True}, version=2)).is_success
        assert await door.enter(token) is Refused.GONE

    async def test_a_new_address_takes_the_link_from_the_old_one(
        self, world: World, door: Door
    ) -> None:
        made = await staff(world)
        token, path = await door.token(made["email"]), f"/v1/staff/{made['id']}"
        change = {"email": fresh_address()}
        assert (await world.admin.patch(path, change, version=1)).is_success
        assert await door.enter(token) is Refused.GONE

    async def test_a_new_name_takes_it_not(self, world: World, door: Door) -> None:
        made = await staff(world)
        token, path = await door.token(made["email"]), f"/v1/staff/{made['id']}"
        same = {"name": "New", "email": made["email"].upper(), "active": True}
        assert (await world.admin.patch(path, same, version=1)).is_success
        assert isinstance(await door.enter(token), Joined)

    @pytest.mark.parametrize("again", [False, True])
    async def test_switched_off_what_he_lent_ends_for_good(
        self, world: World, *, again: bool
    ) -> None:
        lead = await world.staff("lead", new=True)
        other = await world.person(await world.staff("lead", new=True))
        person, path = await world.person(lead), f"/v1/staff/{lead.id}"
        assert (await person.get("/v1/staff")).status_code == 200
        assert (await world.admin.patch(path, {"active": False}, version=2)).is_success
        if again:
            assert (await world.admin.patch(path, {"active": True}, version=3)).is_success
        assert (await person.get("/v1/staff")).status_code == 401
        assert (await other.get("/v1/staff")).status_code == 200
