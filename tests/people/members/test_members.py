"""/v1/members: who belongs to an ISV."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import World
from tests.people.door import fresh_address

PATH = "/v1/members"
ROLES = ("owner", "manager", "finance", "viewer")


def person(**more: Any) -> dict[str, Any]:
    return {"name": "Kim Doe", "email": fresh_address(), "role": "viewer", **more}


class TestCreate:
    async def test_a_person_is_invited(self, world: World) -> None:
        isv, body = await world.isv(), person(role="manager")
        answer = await isv.client.post(PATH, body)
        made = answer.json()
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"{PATH}/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert {name: made[name] for name in body} == body
        assert (made["active"], made["signed_up"]) == (True, False)
        lasts = datetime.fromisoformat(made["invitation"]["expires_at"]) - system_now()
        assert timedelta(days=6, hours=23) < lasts <= timedelta(days=7)
        assert await isv.client.read(f"{PATH}/{made['id']}") == made

    async def test_row_invitation_and_mail_come_together_or_not_at_all(
        self, world: World, admin_connection: Plain
    ) -> None:
        isv, body = await world.isv(), person()
        await isv.client.made(PATH, body)
        count = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'send_invitation'"
        before = await admin_connection.fetchval(count)
        assert (await isv.client.post(PATH, body)).status_code == 409
        assert await admin_connection.fetchval(count) == before
        invitations = "SELECT count(*) FROM invitation WHERE email = $1"
        assert await admin_connection.fetchval(invitations, body["email"]) == 1

    async def test_agency_staff_invite_for_the_isv_that_they_name(self, world: World) -> None:
        isv = await world.isv()
        made = await world.admin.acting_for(isv.id).made(PATH, person(role="owner"))
        assert (await isv.client.read(f"{PATH}/{made['id']}"))["role"] == "owner"
        assert (await world.admin.post(PATH, person())).json()["code"] == "tenant-required"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("Kim.Doe@Isv.Example", "kim.doe@ISV.example"),
            ("kim@bücher.example", "kim@xn--bcher-kva.example"),
            ("kim@bücher.example", "KIM@BÜCHER.example"),
            ("jose\u0301@isv.example", "jos\u00e9@isv.example"),
        ],
    )
    async def test_an_address_is_one_members_in_whatever_spelling(
        self, world: World, first: str, second: str
    ) -> None:
        isv = await world.isv()
        await isv.client.made(PATH, person(email=first))
        answer = await isv.client.post(PATH, person(email=second))
        assert (answer.status_code, answer.json()["code"]) == (409, "member-email-taken")

    @pytest.mark.parametrize("other", ["k\u0456m@isv.example", "kim@\u0456sv.example"])
    async def test_letters_that_look_alike_are_two_addresses(
        self, world: World, other: str
    ) -> None:
        isv = await world.isv()
        await isv.client.made(PATH, person(email="kim@isv.example"))
        made = await isv.client.made(PATH, person(email=other))
        assert made["email"] == other

    async def test_another_isv_may_invite_the_same_person(self, world: World) -> None:
        body = person()
        for isv in (await world.isv(), await world.isv()):
            await isv.client.made(PATH, body)

    async def test_of_many_at_once_one_is_made(self, world: World) -> None:
        isv, body = await world.isv(), person()
        answers = await asyncio.gather(*(isv.client.post(PATH, body) for _ in range(5)))
        assert sorted(one.status_code for one in answers) == [201, 409, 409, 409, 409]
        assert {o.json()["code"] for o in answers if o.status_code == 409} == {"member-email-taken"}

    async def test_repeated_under_its_key_it_invites_once(
        self, world: World, admin_connection: Plain
    ) -> None:
        isv, body = await world.isv(), person()
        first = await isv.client.post(PATH, body, key="k")
        again = await isv.client.post(PATH, body, key="k")
        assert again.json() == first.json()
        count = "SELECT count(*) FROM invitation WHERE email = $1"
        assert await admin_connection.fetchval(count, body["email"]) == 1

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("email", "kim"),
            ("email", "kim@"),
            ("email", "kim@isv.example\nBcc: x@y.example"),
            ("email", "a" * 250 + "@isv.example"),
            ("email", "Kim <kim@isv.example>, lee@isv.example"),
            ("role", "isv_owner"),
            ("role", "admin"),
            ("role", "Owner"),
            ("name", ""),
            ("active", True),
            ("user_id", "usr_x"),
        ],
    )
    async def test_a_wrong_member_is_named(self, world: World, member: str, value: Any) -> None:
        answer = await (await world.isv()).client.post(PATH, person(**{member: value}))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{member}"

    async def test_neither_audit_nor_event_nor_error_repeats_a_name_or_an_address(
        self, world: World, admin_connection: Plain
    ) -> None:
        isv, body = await world.isv(), person(name="Kimberley", email="kimberley@isv.example")
        await isv.client.made(PATH, body)
        kept = (await isv.client.post(PATH, body)).text
        for table in ("audit_pending", "audit_entry", "event_pending", "event"):
            query = f"SELECT * FROM {table} WHERE tenant_id = $1"
            kept += str([dict(row) for row in await admin_connection.fetch(query, isv.tenant_id)])
        jobs = await admin_connection.fetch("SELECT payload FROM pgqueuer")
        kept += str([bytes(row["payload"] or b"") for row in jobs])
        assert "member.invited" in kept
        assert "kimberley" not in kept.lower()


class TestList:
    async def test_it_is_by_last_change_and_can_be_of_one_role(self, world: World) -> None:
        isv = await world.isv()
        made = [await isv.client.made(PATH, person(role=role)) for role in ROLES]
        etag = '"1"'
        path = f"{PATH}/{made[0]['id']}"
        await isv.client.patch(path, {"name": "Changed"}, version=etag)
        data = (await isv.client.read(PATH))["data"]
        assert [one["id"] for one in data] == [one["id"] for one in (*made[1:], made[0])]
        data = (await isv.client.read(PATH, params={"role": "finance"}))["data"]
        assert [one["id"] for one in data] == [made[2]["id"]]

    async def test_another_isvs_members_are_not_in_it(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        await other.client.made(PATH, person())
        assert (await isv.client.read(PATH))["data"] == []

    async def test_its_pages_follow_each_other(self, world: World) -> None:
        isv = await world.isv()
        made = [await isv.client.made(PATH, person()) for _ in range(3)]
        page = await isv.client.read(PATH, params={"limit": 2})
        more = {"limit": 2, "cursor": page["next_cursor"]}
        rest = await isv.client.read(PATH, params=more)
        assert [o["id"] for o in page["data"] + rest["data"]] == [o["id"] for o in made]
        assert (page["has_more"], rest["has_more"]) == (True, False)

    async def test_an_invitation_that_expired_is_not_shown(
        self, world: World, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        made = await isv.client.made(PATH, person())
        await admin_connection.execute(
            "UPDATE invitation SET expires_at = now() - interval '1 second' WHERE email = $1",
            made["email"],
        )
        (shown,) = (await isv.client.read(PATH))["data"]
        assert shown["invitation"] is None


class TestGet:
    async def test_missing_malformed_and_foreign_ids_answer_alike(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        foreign = (await other.client.made(PATH, person()))["id"]
        for id_ in (foreign, encode("mem", uuid7()), foreign.replace("mem_", "staff_"), "nonsense"):
            assert (await isv.client.get(f"{PATH}/{id_}")).status_code == 404

    async def test_a_manager_reads_and_changes_nothing(self, world: World) -> None:
        isv = await world.isv()
        manager = await world.member(isv, "manager")
        made = await isv.client.made(PATH, person())
        assert (await manager.read(f"{PATH}/{made['id']}"))["id"] == made["id"]
        answer = await manager.patch(f"{PATH}/{made['id']}", {"role": "owner"}, version=1)
        assert answer.status_code == 403
        assert (await manager.post(PATH, person())).status_code == 403

    @pytest.mark.parametrize("role", ["finance", "viewer"])
    async def test_who_has_no_business_with_it_sees_nobody(self, world: World, role: str) -> None:
        reader = await world.member(await world.isv(), role)
        assert (await reader.get(PATH)).status_code == 403


class TestUpdate:
    async def test_it_changes_what_is_named(self, world: World) -> None:
        isv = await world.isv()
        made = await isv.client.made(PATH, person())
        path = f"{PATH}/{made['id']}"
        answer = await isv.client.patch(path, {"name": "K. Doe", "role": "manager"}, version=1)
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert (answer.json()["name"], answer.json()["role"]) == ("K. Doe", "manager")
        assert (await isv.client.patch(path, {"name": "x"})).status_code == 428
        assert (await isv.client.patch(path, {"name": "x"}, version=1)).status_code == 412

    @pytest.mark.parametrize(
        "change", [{"email": "x@y.example"}, {"role": None}, {"active": "no"}, {"user_id": None}]
    )
    async def test_what_cannot_change_is_refused(self, world: World, change: Any) -> None:
        isv = await world.isv()
        path = f"{PATH}/{(await isv.client.made(PATH, person()))['id']}"
        assert (await isv.client.patch(path, change, version=1)).status_code == 422

    async def test_another_isvs_member_is_not_there(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        path = f"{PATH}/{(await other.client.made(PATH, person()))['id']}"
        before = await other.client.read(path)
        assert (await isv.client.patch(path, {"active": False}, version=1)).status_code == 404
        assert await other.client.read(path) == before

    @pytest.mark.parametrize("change", [{"role": "viewer"}, {"active": False}])
    async def test_nobody_changes_his_own_role_or_switches_himself_off(
        self, world: World, change: dict[str, Any]
    ) -> None:
        isv = await world.isv()
        owner, _ = await world.member(isv, "owner"), await world.member(isv, "owner")
        path = f"{PATH}/{encode('mem', owner.lender.place_id)}"
        answer = await owner.patch(path, change, version=1)
        assert answer.status_code == 403
        assert answer.json()["code"] == "own-membership"
        assert (await owner.patch(path, {"name": "New", "role": "owner"}, version=1)).is_success

    async def test_an_owner_changes_another_one(self, world: World) -> None:
        isv = await world.isv()
        owner, other = await world.member(isv, "owner"), await world.member(isv, "owner")
        path = f"{PATH}/{encode('mem', other.lender.place_id)}"
        assert (await owner.patch(path, {"role": "viewer"}, version=1)).is_success
        assert (await other.get(PATH)).status_code == 403

    async def test_what_changes_a_standing_asks_who_signed_in_long_ago_to_do_so_anew(
        self, world: World
    ) -> None:
        isv = await world.isv()
        ago = system_now() - timedelta(minutes=16)
        owner = await world.member(isv, "owner", authenticated_at=ago)
        answer = await owner.post(PATH, person())
        assert (answer.status_code, answer.json()["code"]) == (401, "step-up-required")
