"""Tying a tenant's own company row to the registry."""

import asyncio
from datetime import date
from uuid import UUID

from sqlalchemy import select

from flatbed.app.registry import service
from flatbed.app.registry.models import Company, RegistryFact
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.api.support import Isv, World
from tests.registry.rooms import CALLER, COMPANIES, firm, registrar, trail


async def link(world: World, isv: Isv, domain: str, own: UUID | None = None) -> UUID:
    async with world.program.database.agency(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        return await service.link(
            session,
            tenant_id=isv.tenant_id,
            tenant_company_id=own or uuid7(),
            domain=domain,
            name="Systemhaus",
            country="DE",
        )


class TestLink:
    async def test_an_unknown_domain_enters_the_registry(self, world: World) -> None:
        isv = await world.isv()
        domain = firm()["domain"]
        company_id = await link(world, isv, domain)
        read = await (await registrar(world)).read(f"{COMPANIES}/{encode('co', company_id)}")
        assert (read["domain"], read["name"], read["country"]) == (domain, "Systemhaus", "DE")
        assert [e.action for e in await trail(world, read["id"])] == ["company.created"]

    async def test_a_known_company_is_taken_and_not_changed(self, world: World) -> None:
        made = await (await registrar(world)).made(COMPANIES, firm(country="AT"))
        company_id = await link(world, await world.isv(), made["domain"])
        assert encode("co", company_id) == made["id"]
        assert await (await registrar(world)).read(f"{COMPANIES}/{made['id']}") == made

    async def test_tenants_that_meet_a_new_domain_at_once_share_one_company(
        self, world: World
    ) -> None:
        isvs = [await world.isv() for _ in range(4)]
        domain = firm()["domain"]
        found = await asyncio.gather(*(link(world, isv, domain) for isv in isvs))
        assert len(set(found)) == 1
        created = [e.action for e in await trail(world, encode("co", found[0]))]
        assert created == ["company.created"]

    async def test_a_link_is_read_by_its_own_tenant_alone(self, world: World) -> None:
        mine, other = await world.isv(), await world.isv()
        own = uuid7()
        company_id = await link(world, mine, firm()["domain"], own)
        async with world.program.database.agency_read(
            realm_id=world.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            assert await service.linked(session, mine.tenant_id, own) == company_id
            assert await service.linked(session, other.tenant_id, own) is None
        async with world.program.database.tenant_read(
            realm_id=world.realm_id, tenant_id=mine.tenant_id, caller=CALLER, clock=Clock()
        ) as tenant:
            assert list(await tenant.scalars(select(Company))) == []


class TestPublishFact:
    async def test_a_public_fact_is_kept_with_its_source(self, world: World) -> None:
        made = await (await registrar(world)).made(COMPANIES, firm())
        async with world.program.database.agency(
            realm_id=world.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            await service.publish_fact(
                session,
                decode("co", made["id"]),
                attribute="employees",
                statement="It employs 140.",
                value=140,
                source_kind="press",
                source_url="https://press.example/1",
                observed_on=date(2026, 1, 5),
            )
            fact = (await session.scalars(select(RegistryFact))).one()
        assert (fact.statement, fact.value, fact.source_kind) == ("It employs 140.", 140, "press")
        entry = (await trail(world, made["id"]))[-1]
        assert entry.action == "registry_fact.created"
        assert "140" not in str(entry.detail)
