"""People and applications in the house's realm."""

from dataclasses import dataclass
from uuid import UUID

import pytest_asyncio

from flatbed.tenants.kit.database.urls import Plain
from tests.oauth.grants.folk import Application, Folk, Person, Standing
from tests.oauth.house import House


@dataclass(frozen=True)
class Case:
    """An application, a person and what he granted it."""

    folk: Folk
    application: Application
    person: Person
    standing: Standing
    organization: str
    grant_id: UUID

    async def code(self) -> str:
        return await self.folk.code(self.application, self.person, self.grant_id)

    async def refresh_token(self) -> str:
        return await self.folk.refresh_token(self.application, self.grant_id)


async def new_case(folk: Folk, kind: str, role: str = "owner") -> Case:
    organization = await folk.isv()
    application = await folk.application(kind=kind, organization=organization)
    person = await folk.person()
    standing = await folk.member(person, organization, role)
    grant_id = await folk.grant(application, person, standing)
    return Case(folk, application, person, standing, organization, grant_id)


@pytest_asyncio.fixture
async def folk(house: House, admin_connection: Plain) -> Folk:
    return Folk(house, admin_connection)


@pytest_asyncio.fixture
async def web(folk: Folk) -> Case:
    return await new_case(folk, "web")


@pytest_asyncio.fixture
async def native(folk: Folk) -> Case:
    return await new_case(folk, "native")
