"""/v1/staff."""

from typing import Any

import pytest

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.oauth.house import House

PATH = "/v1/staff"
KIM = {"name": "Kim Doe", "email": "kim.doe@example.org", "role": "hunter"}


class TestCreate:
    async def test_a_staff_member_is_taken_on(self, house: House) -> None:
        reply = await house.call("POST", PATH, KIM)
        made = reply.json()
        assert reply.status_code == 201
        assert reply.headers["location"] == f"{PATH}/{made['id']}"
        assert {name: made[name] for name in KIM} == KIM
        assert made["active"] is True
        read = await house.call("GET", f"{PATH}/{made['id']}")
        assert read.json() == made
        assert read.headers["etag"] == '"1"'

    async def test_an_address_is_unique_whatever_its_case(self, house: House) -> None:
        made = await house.made(PATH, {**KIM, "email": "Kim.Doe@Example.org"})
        assert made["email"] == "kim.doe@example.org"
        reply = await house.call("POST", PATH, {**KIM, "email": "KIM.DOE@example.org"})
        assert (reply.status_code, reply.json()["code"]) == (409, "email-taken")

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("email", "kim"),
            ("email", "kim@"),
            ("email", "a" * 250 + "@example.org"),
            ("role", "boss"),
            ("role", "isv_client"),
            ("name", ""),
            ("active", False),
        ],
    )
    async def test_a_wrong_member_is_named(self, house: House, member: str, value: Any) -> None:
        reply = await house.call("POST", PATH, {**KIM, member: value})
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] == f"/{member}"

    async def test_neither_audit_nor_error_repeats_a_name_or_an_address(
        self, house: House, admin_connection: Plain
    ) -> None:
        await house.made(PATH, KIM)
        reply = await house.call("POST", PATH, KIM)
        rows = await admin_connection.fetch(
            "SELECT * FROM agency_audit_pending WHERE realm_id = $1",
            decode("realm", house.realm.realm_id),
        )
        kept = str([dict(row) for row in rows]) + reply.text
        assert "staff.created" in kept
        assert "kim" not in kept.lower()


class TestUpdate:
    async def test_it_changes_what_is_named(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, KIM))['id']}"
        change = {"role": "lead", "active": False, "email": "K.Doe@example.org"}
        reply = await house.change(path, change)
        assert reply.status_code == 200
        assert reply.headers["etag"] == '"2"'
        found = reply.json()
        assert (found["role"], found["active"]) == ("lead", False)
        assert found["email"] == "k.doe@example.org"
        assert found["name"] == KIM["name"]

    async def test_his_own_address_is_not_taken(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, KIM))['id']}"
        reply = await house.change(path, {"email": KIM["email"], "name": "Kim Roe"})
        assert (reply.status_code, reply.json()["name"]) == (200, "Kim Roe")

    async def test_another_ones_address_is(self, house: House) -> None:
        await house.made(PATH, KIM)
        path = f"{PATH}/{(await house.member('lead'))['id']}"
        reply = await house.change(path, {"email": KIM["email"]})
        assert (reply.status_code, reply.json()["code"]) == (409, "email-taken")

    async def test_it_needs_the_version_that_is_stored(self, house: House) -> None:
        path = f"{PATH}/{(await house.made(PATH, KIM))['id']}"
        assert (await house.call("PATCH", path, {"active": False})).status_code == 428
        stale = {"If-Match": '"2"'}
        assert (
            await house.call("PATCH", path, {"active": False}, headers=stale)
        ).status_code == 412

    @pytest.mark.parametrize("change", [{"role": None}, {"email": "x"}, {"id": "staff_x"}])
    async def test_a_wrong_body_is_refused(self, house: House, change: dict[str, Any]) -> None:
        path = f"{PATH}/{(await house.made(PATH, KIM))['id']}"
        assert (await house.change(path, change)).status_code == 422


class TestList:
    async def test_it_can_be_of_one_role(self, house: House) -> None:
        hunter = await house.member("hunter")
        await house.member("lead")
        data = (await house.call("GET", f"{PATH}?role=hunter")).json()["data"]
        assert [row["id"] for row in data] == [hunter["id"]]
        assert len((await house.call("GET", PATH)).json()["data"]) == 2
        assert (await house.call("GET", f"{PATH}?role=boss")).status_code == 422


class TestRead:
    async def test_missing_and_malformed_ids_answer_alike(self, house: House) -> None:
        for text in (encode("staff", uuid7()), "nonsense"):
            assert (await house.call("GET", f"{PATH}/{text}")).status_code == 404


class TestPermission:
    @pytest.mark.parametrize("role", ["hunter", "finance", "compliance"])
    async def test_a_hunter_cannot_list_staff_nor_anybody_without_the_right(
        self, house: House, role: str
    ) -> None:
        client = await house.staff_client(role, "pipeline:read")
        assert (await house.call("GET", PATH, by=client)).status_code == 403

    async def test_a_lead_reads_and_does_not_write(self, house: House) -> None:
        client = await house.staff_client("lead", "tenants:manage")
        assert (await house.call("GET", PATH, by=client)).status_code == 200
        assert (await house.call("POST", PATH, KIM, by=client)).status_code == 403
