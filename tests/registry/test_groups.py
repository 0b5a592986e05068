"""/v1/company-groups, and what billing is told about a company's group."""

import asyncio
from uuid import UUID

from flatbed.app.registry import service
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode
from tests.api.support import Client, World
from tests.registry.rooms import CALLER, COMPANIES, GROUPS, firm, group, registrar, trail

MISSING = "grp_01h455vb4pex5vsknk084sn02q"


async def merge(by: Client, one: str, into: str) -> int:
    answer = await by.post(f"{GROUPS}/{one}/merge", {"into": into})
    return answer.status_code


async def company(by: Client, group_id: str | None = None) -> UUID:
    made = await by.made(COMPANIES, firm(group_id=group_id))
    return decode("co", made["id"])


async def refs(world: World, company_id: UUID) -> tuple[UUID, ...]:
    async with world.program.database.agency_read(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        return await service.billing_refs(session, company_id)


class TestCreateCompanyGroup:
    async def test_a_group_is_made(self, world: World) -> None:
        lead = await registrar(world)
        made = await lead.made(GROUPS, {"name": "Nord group"})
        assert (made["name"], made["merged_into_id"]) == ("Nord group", None)
        assert [one.action for one in await trail(world, made["id"])] == ["company_group.created"]

    async def test_a_blank_name_is_refused(self, world: World) -> None:
        answer = await (await registrar(world)).post(GROUPS, {"name": "  "})
        assert answer.json()["errors"][0]["pointer"] == "/name"


class TestListCompanyGroups:
    async def test_pages_come_oldest_first_and_hold_no_other_realms(
        self, world: World, second: World
    ) -> None:
        lead = await registrar(world)
        await group(await registrar(second))
        made = [await group(lead) for _ in range(3)]
        first = await lead.read(GROUPS, params={"limit": 2})
        rest = await lead.read(GROUPS, params={"limit": 2, "cursor": first["next_cursor"]})
        assert [one["id"] for one in (*first["data"], *rest["data"])] == made
        assert (first["has_more"], rest["has_more"]) == (True, False)


class TestMergeCompanyGroup:
    async def test_another_group_goes_on(self, world: World) -> None:
        lead = await registrar(world)
        one, other = await group(lead), await group(lead)
        merged = await lead.made(f"{GROUPS}/{one}/merge", {"into": other})
        assert merged["merged_into_id"] == other
        assert [e.action for e in await trail(world, one)][-1] == "company_group.merged"

    async def test_a_group_is_merged_once_and_never_in_a_circle(self, world: World) -> None:
        lead = await registrar(world)
        one, two, three = [await group(lead) for _ in range(3)]
        assert await merge(lead, one, one) == 409
        assert await merge(lead, one, two) == 200
        assert await merge(lead, one, three) == 409
        assert await merge(lead, two, one) == 409
        assert await merge(lead, two, three) == 200
        assert await merge(lead, three, one) == 409

    async def test_merges_at_once_close_no_circle(self, world: World) -> None:
        lead = await registrar(world)
        for _ in range(4):
            a, b, c, d = [await group(lead) for _ in range(4)]
            assert await merge(lead, b, c) == 200
            assert await merge(lead, d, a) == 200
            answers = await asyncio.gather(merge(lead, a, b), merge(lead, c, d))
            assert sorted(answers) == [200, 409]

    async def test_a_missing_or_foreign_group_is_not_found(
        self, world: World, second: World
    ) -> None:
        lead = await registrar(world)
        mine, foreign = await group(lead), await group(await registrar(second))
        answers = [
            await lead.post(f"{GROUPS}/{mine}/merge", {"into": into}) for into in (MISSING, foreign)
        ]
        assert [one.json()["errors"] for one in answers] == [
            [{"pointer": "/into", "code": "reference-not-found", "message": "No such group."}]
        ] * 2
        assert await merge(lead, MISSING, mine) == 404
        assert await merge(lead, foreign, mine) == 404

    async def test_an_integration_of_the_agency_may_not(self, world: World) -> None:
        client = await world.client({"kind": "agency"}, Role.AGENCY_CLIENT)
        assert await merge(client, await group(client), await group(client)) == 403


class TestBillingRefs:
    async def test_a_company_alone_is_its_own_group(self, world: World) -> None:
        alone = await company(await registrar(world))
        assert await refs(world, alone) == (alone,)

    async def test_a_company_is_billed_as_its_group_and_its_members_are_asked_too(
        self, world: World
    ) -> None:
        lead = await registrar(world)
        one = await group(lead)
        members = [await company(lead, one), await company(lead, one)]
        await company(lead)
        first, *others = await refs(world, members[0])
        assert first == decode("grp", one)
        assert sorted(others) == sorted(members)

    async def test_what_was_merged_is_asked_under_every_name(self, world: World) -> None:
        lead = await registrar(world)
        old, middle, new, stranger = [await group(lead) for _ in range(4)]
        inside = await company(lead, old)
        beside = await company(lead, new)
        await company(lead, stranger)
        assert await merge(lead, old, middle) == 200
        assert await merge(lead, middle, new) == 200
        for member in (inside, beside):
            first, *others = await refs(world, member)
            assert first == decode("grp", new)
            assert sorted(others) == sorted(
                [decode("grp", old), decode("grp", middle), inside, beside]
            )
