"""Foreign ids after their owners have just used them: what a process remembers tells nobody."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest_asyncio

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import OperationPlane
from flatbed.tenants.access.principal import Role
from tests.api.support import Client, World, new_world
from tests.isolation.attack import bodies_of, missing, path_of, same
from tests.isolation.document import Operation, operations
from tests.isolation.estate import Estate, settle
from tests.support.postgres import TestDatabase

# An ISV has one billing account: nobody can name another's.
CONDITIONAL = [one for one in operations() if one.conditional and one.of("path")]
CAMPAIGNS = "/v1/campaigns"
STALE = ("1", "2", "77")
"""Versions that a stranger tries: the stored one, it is hoped, and others."""


@dataclass
class Scene:
    """A victim, a stranger beside it, and another realm."""

    world: World
    elsewhere: World
    victim: Estate
    stranger: Estate
    other: Estate


@pytest_asyncio.fixture
async def scene(database: TestDatabase) -> AsyncIterator[Scene]:
    async with new_world(database) as world, new_world(database) as elsewhere:
        yield Scene(
            world,
            elsewhere,
            await settle(world, domain="victim.example"),
            await settle(world, domain="stranger.example"),
            await settle(elsewhere, domain="other.example"),
        )


async def _client(world: World, estate: Estate, operation: Operation) -> Client:
    """One who may do it, for the estate where it is a tenant's."""
    permission = PERMISSIONS[operation.id]
    if Role.ISV_CLIENT in permission.roles and permission.plane is not OperationPlane.AGENCY:
        return estate.isv.client
    role = min(role.value for role in permission.roles if role != Role.AGENCY_CLIENT)
    staff = await world.staff("lead" if Role.LEAD in permission.roles else role)
    return staff.client if permission.plane is OperationPlane.AGENCY else staff.at(estate.isv)


async def _try(
    client: Client, operation: Operation, path: str, body: object, version: str
) -> httpx.Response:
    return await client.request(operation.method, path, json=body, version=f'"{version}"')


class TestVersions:
    async def test_a_stale_version_of_a_foreign_row_answers_like_one_of_a_missing_row(
        self, scene: Scene
    ) -> None:
        stale = 0
        for operation in CONDITIONAL:
            agency = PERMISSIONS[operation.id].plane is OperationPlane.AGENCY
            owner = await _client(scene.world, scene.victim, operation)
            home, own = (scene.elsewhere, scene.other) if agency else (scene.world, scene.stranger)
            attacker = await _client(home, own, operation)
            path = path_of(operation, scene.victim.ids)
            body = bodies_of(operation, scene.victim.ids)[0]
            warm = await _try(owner, operation, path, body, "77")
            assert warm.status_code in {409, 412}, f"{operation.id}: {warm.text}"
            stale += warm.status_code == 412
            last = operation.of("path")[-1]
            nobody = path_of(
                operation, scene.victim.ids | own.ids, **{last.name: missing(last.prefix)}
            )
            for version in STALE:
                theirs = await _try(attacker, operation, path, body, version)
                nobodys = await _try(attacker, operation, nobody, body, version)
                assert theirs.status_code == 404, f"{operation.id} {version}: {theirs.text}"
                assert same(theirs, nobodys), f"{operation.id} {version}"
        assert len(CONDITIONAL) >= 8
        assert stale >= len(CONDITIONAL) - 2


class TestIsvs:
    async def test_an_isv_that_its_own_staff_has_just_named_is_none_elsewhere(
        self, database: TestDatabase
    ) -> None:
        async with new_world(database) as world, new_world(database) as elsewhere:
            isvs = [await world.isv(), await world.isv()]
            for role in ("lead", "finance", "compliance", "admin"):
                own = (await world.staff(role)).client
                strange = (await elsewhere.staff(role)).client
                nobodys = await strange.acting_for(missing("org")).get(CAMPAIGNS)
                assert nobodys.status_code == 404
                for isv in isvs:
                    assert (await own.acting_for(isv.id).get(CAMPAIGNS)).status_code == 200
                    assert same(await strange.acting_for(isv.id).get(CAMPAIGNS), nobodys)
