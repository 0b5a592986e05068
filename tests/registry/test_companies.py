"""/v1/companies."""

import asyncio
from typing import Any

import pytest

from tests.api.support import World
from tests.registry.rooms import COMPANIES, firm, group, registrar, trail

MISSING = "co_01h455vb4pex5vsknk084sn02q"
NO_GROUP = "grp_01h455vb4pex5vsknk084sn02q"


class TestCreateCompany:
    async def test_a_company_is_entered_under_its_registrable_domain(self, world: World) -> None:
        lead = await registrar(world)
        body = firm(country="DE", industry="IT", employees=140, revenue=9_000_000_00)
        domain = body["domain"]
        sent = {**body, "domain": f"https://www.{domain.upper()}/imprint", "metadata": {"a": 1}}
        answer = await lead.post(COMPANIES, sent)
        made = answer.json()
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"{COMPANIES}/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert {name: made[name] for name in body} == body
        assert made["metadata"] == {"a": 1}
        assert await lead.read(f"{COMPANIES}/{made['id']}") == made

    async def test_a_domain_names_one_company(self, world: World) -> None:
        lead = await registrar(world)
        body = firm()
        await lead.made(COMPANIES, body)
        answer = await lead.post(COMPANIES, {**body, "domain": f"shop.{body['domain']}"})
        assert (answer.status_code, answer.json()["code"]) == (409, "domain-taken")
        assert body["domain"] not in answer.text

    async def test_of_two_entered_at_once_one_is_kept(self, world: World) -> None:
        lead = await registrar(world)
        body = firm()
        answers = await asyncio.gather(*(lead.post(COMPANIES, body) for _ in range(3)))
        assert sorted(one.status_code for one in answers) == [201, 409, 409]
        codes = {one.json().get("code") for one in answers if one.status_code == 409}
        assert codes == {"domain-taken"}

    async def test_another_realm_has_its_own_company_of_the_domain(
        self, world: World, second: World
    ) -> None:
        body = firm()
        mine = await (await registrar(world)).made(COMPANIES, body)
        theirs = await registrar(second)
        assert (await theirs.made(COMPANIES, body))["id"] != mine["id"]
        assert (await theirs.get(f"{COMPANIES}/{mine['id']}")).status_code == 404

    async def test_the_audit_holds_the_deed_and_no_name(self, world: World) -> None:
        made = await (await registrar(world)).made(COMPANIES, firm())
        [entry] = await trail(world, made["id"])
        assert entry.action == "company.created"
        assert made["name"] not in str(entry.detail)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("name", " "),
            ("name", "x" * 201),
            ("name", "nul\x00"),
            ("domain", "localhost"),
            ("domain", "co.uk"),
            ("country", "XX"),
            ("employees", -1),
            ("employees", 10**30),
            ("revenue", 2**53),
            ("revenue", 1.5),
            ("attributes", {"a": "\x00"}),
            ("metadata", {"a": "x" * 9000}),
            ("group_id", "grp_x"),
            ("group_id", NO_GROUP),
            ("surprise", 1),
        ],
    )
    async def test_a_wrong_member_is_named_and_never_repeated(
        self, world: World, member: str, value: Any
    ) -> None:
        answer = await (await registrar(world)).post(COMPANIES, {**firm(), member: value})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == f"/{member}"

    async def test_a_key_sent_twice_enters_the_company_once(self, world: World) -> None:
        lead = await registrar(world)
        body = firm()
        first = await lead.post(COMPANIES, body, key="one")
        again = await lead.post(COMPANIES, body, key="one")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"

    async def test_neither_an_isv_nor_a_hunter_may(self, world: World) -> None:
        isv = await world.isv()
        hunter = await world.staff("hunter")
        for client in (isv.client, hunter.client):
            assert (await client.post(COMPANIES, firm())).status_code == 403
            assert (await client.get(COMPANIES)).status_code == 403


class TestListCompanies:
    async def test_pages_follow_the_last_change(self, world: World) -> None:
        lead = await registrar(world)
        made = [(await lead.made(COMPANIES, firm()))["id"] for _ in range(3)]
        changed = await lead.patch(f"{COMPANIES}/{made[0]}", {"employees": 3}, version=1)
        assert changed.status_code == 200
        seen: list[str] = []
        cursor = None
        while True:
            params: dict[str, Any] = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            page = await lead.read(COMPANIES, params=params)
            seen += [one["id"] for one in page["data"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert cursor is None
        assert seen == [made[1], made[2], made[0]]

    async def test_domain_and_reference_narrow_it(self, world: World) -> None:
        lead = await registrar(world)
        wanted = await lead.made(COMPANIES, firm(external_ref="crm-7"))
        await lead.made(COMPANIES, firm())
        for params in ({"domain": f"www.{wanted['domain']}"}, {"external_ref": "crm-7"}):
            page = await lead.read(COMPANIES, params=params)
            assert [one["id"] for one in page["data"]] == [wanted["id"]]
        assert (await lead.get(COMPANIES, params={"domain": "localhost"})).status_code == 422

    async def test_a_cursor_is_bound_to_its_filters_and_realm(
        self, world: World, second: World
    ) -> None:
        lead = await registrar(world)
        for _ in range(2):
            await lead.made(COMPANIES, firm(external_ref="same"))
        params = {"limit": 1, "external_ref": "same"}
        cursor = (await lead.read(COMPANIES, params=params))["next_cursor"]
        for client, more in (
            (lead, {}),
            (lead, {"external_ref": "other"}),
            (await registrar(second), {"external_ref": "same"}),
        ):
            answer = await client.get(COMPANIES, params={"cursor": cursor, **more})
            assert answer.status_code == 400
            assert answer.json()["code"] == "invalid-cursor"


class TestGetCompany:
    async def test_a_missing_and_a_malformed_id_are_answered_alike(self, world: World) -> None:
        lead = await registrar(world)
        answers = [await lead.get(f"{COMPANIES}/{id_}") for id_ in (MISSING, "co_x", "x")]
        bodies = [{**one.json(), "request_id": ""} for one in answers]
        assert [one.status_code for one in answers] == [404, 404, 404]
        assert bodies[0] == bodies[1] == bodies[2]


class TestUpdateCompany:
    async def test_what_is_named_changes_and_the_rest_stays(self, world: World) -> None:
        lead = await registrar(world)
        made = await lead.made(COMPANIES, firm(country="DE", employees=9, external_ref="r"))
        body = {"name": "Neu", "employees": None, "attributes": {"b": 2}, "metadata": {"c": 3}}
        answer = await lead.patch(f"{COMPANIES}/{made['id']}", body, version=1)
        changed = answer.json()
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] == '"2"'
        assert changed == {**made, **body, "updated_at": changed["updated_at"]}
        entry = (await trail(world, made["id"]))[-1]
        assert entry.action == "company.updated"
        assert entry.detail == {"fields": ["attributes", "employees", "metadata", "name"]}

    @pytest.mark.parametrize("member", ["name", "attributes", "metadata"])
    async def test_what_cannot_be_null_is_refused_as_null(self, world: World, member: str) -> None:
        lead = await registrar(world)
        made = await lead.made(COMPANIES, firm())
        answer = await lead.patch(f"{COMPANIES}/{made['id']}", {member: None}, version=1)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{member}"

    async def test_the_domain_never_changes(self, world: World) -> None:
        lead = await registrar(world)
        made = await lead.made(COMPANIES, firm())
        answer = await lead.patch(f"{COMPANIES}/{made['id']}", firm(), version=1)
        assert answer.status_code == 422

    async def test_it_needs_the_version_that_is_stored(self, world: World) -> None:
        lead = await registrar(world)
        path = f"{COMPANIES}/{(await lead.made(COMPANIES, firm()))['id']}"
        assert (await lead.patch(path, {"name": "a"})).status_code == 428
        for stale in (2, 0, '"1", "2"', 'W/"1"', "*", "1", '""', '"99999999999"'):
            answer = await lead.patch(path, {"name": "a"}, version=stale)
            assert answer.status_code == 412, stale
        assert (await lead.patch(path, {"name": "a"}, version=1)).status_code == 200

    async def test_a_company_joins_a_group_and_follows_its_merges(self, world: World) -> None:
        lead = await registrar(world)
        path = f"{COMPANIES}/{(await lead.made(COMPANIES, firm()))['id']}"
        one, other = await group(lead), await group(lead)
        assert (await lead.patch(path, {"group_id": one}, version=1)).status_code == 200
        await lead.made(f"/v1/company-groups/{one}/merge", {"into": other})
        moved = await lead.patch(path, {"group_id": other}, version=2)
        assert moved.json()["group_id"] == other

    async def test_a_company_does_not_leave_the_group_it_may_have_been_billed_with(
        self, world: World
    ) -> None:
        """A unit is "not billed before in (tenant, programme, company group)"."""
        lead = await registrar(world)
        one, other = await group(lead), await group(lead)
        path = f"{COMPANIES}/{(await lead.made(COMPANIES, firm(group_id=one)))['id']}"
        for elsewhere in (None, other):
            answer = await lead.patch(path, {"group_id": elsewhere}, version=1)
            assert (answer.status_code, answer.json()["code"]) == (409, "group-kept")
        assert (await lead.read(path))["group_id"] == one
