"""Every operation of the OpenAPI document × every principal × every place that takes an id.

A foreign id answers exactly like a missing one, and the victim's rows do not change. The real
role, committed rows, real tokens. An operation or a slot without a sample fails the build.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import HunterBinding, OperationPlane
from flatbed.tenants.access.principal import STAFF_ROLES, Role
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from flatbed.tenants.oauth.repository import owned_in_realm
from flatbed.tenants.oauth.tokens import Minter
from tests.api.support import BASE_URL, Client, World, new_world
from tests.isolation.attack import (
    GARBAGE,
    Tally,
    bodies_of,
    missing,
    path_of,
    plant,
    same,
    send,
)
from tests.isolation.document import Operation, Slot, operations
from tests.isolation.estate import Estate, settle
from tests.isolation.samples import BODIES, reaches
from tests.support.postgres import TestDatabase

OPERATIONS = operations()
STAFF = sorted(STAFF_ROLES)
CHANGING = {"access_log", "client_secret", "wakeup"}
"""Written by admitting a request or by sealing, not by what it does."""


class TestDocument:
    """What the matrix is made from."""

    def test_every_operation_has_a_line_in_the_permission_table_and_the_other_way_round(
        self,
    ) -> None:
        assert {o.id for o in OPERATIONS} == set(PERMISSIONS.rows)
        assert len(OPERATIONS) > 90

    def test_every_operation_with_a_body_has_a_sample(self) -> None:
        assert {o.id for o in OPERATIONS if o.has_body} == set(BODIES)

    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
    def test_every_id_slot_of_a_body_is_reached_by_a_sample(self, operation: Operation) -> None:
        ids = dict.fromkeys(PREFIXES, "x")
        bodies = bodies_of(operation, ids)
        for slot in operation.of("body"):
            assert any(reaches(body, slot.name) for body in bodies), slot


PREFIXES = {slot.prefix for operation in OPERATIONS for slot in operation.slots} | {"prog"}


@dataclass
class Scene:
    """The victim, a stranger in the same realm, and another realm with people of its own."""

    world: World
    victim: Estate
    stranger: Estate
    elsewhere: World
    other: Estate
    staff: dict[Role, Client]
    foreign_staff: dict[Role, Client]
    expired: Client


@pytest_asyncio.fixture
async def scene(database: TestDatabase) -> AsyncIterator[Scene]:
    async with new_world(database) as world, new_world(database) as elsewhere:
        victim = await settle(world, domain="victim.example")
        stranger = await settle(world, domain="stranger.example")
        other = await settle(elsewhere, domain="other.example")
        yield Scene(
            world,
            victim,
            stranger,
            elsewhere,
            other,
            await _people(world),
            await _people(elsewhere),
            await _expired(world, victim),
        )


async def _people(world: World) -> dict[Role, Client]:
    people = {role: (await world.staff(role.value)).client for role in STAFF}
    return {**people, Role.AGENCY_CLIENT: world.admin}


async def _expired(world: World, estate: Estate) -> Client:
    """The victim's own client with a token that ran out."""
    program, client = world.program, estate.isv.client
    async with program.database.agency_read(
        realm_id=world.realm_id, caller=_caller(), clock=Clock()
    ) as session:
        owned = await owned_in_realm(session, decode("client", client.client_id))
    standing = program.oauth.standings.of(owned)
    assert standing is not None
    minter = Minter(BASE_URL, lambda: system_now() - timedelta(hours=1))
    token = minter.mint(await program.oauth.keys.active(), standing, client.scopes)
    return Client(client.http, client.client_id, client.secret, client.scopes, token)


def _caller() -> Caller:
    return Caller("system:test", "")


async def _rows(database: TestDatabase, scene: Scene) -> dict[str, str]:
    """A digest of every row of the victim, and of the victim's realm's agency rows, by table."""
    connection = await connect(database.backup_url)
    try:
        tables = await connection.fetch(
            "SELECT table_name, array_agg(column_name::text) AS names"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name IN ('tenant_id', 'realm_id') GROUP BY table_name"
        )
        found = {}
        for row in tables:
            table = row["table_name"]
            if table in CHANGING:
                continue
            tenant = "tenant_id" in row["names"]
            owner = decode("org", scene.victim.isv.id) if tenant else scene.world.realm_id
            found[table] = await connection.fetchval(
                f"SELECT count(*) || md5(string_agg(t::text, ',' ORDER BY t::text))"
                f' FROM "{table}" t WHERE {"tenant_id" if tenant else "realm_id"} = $1',
                owner,
            )
        return found
    finally:
        await connection.close()


def _allowed(operation: Operation, people: dict[Role, Client]) -> list[tuple[Role, Client]]:
    roles = PERMISSIONS[operation.id].roles
    return [(role, client) for role, client in people.items() if role in roles]


def _plane(operation: Operation) -> OperationPlane:
    return PERMISSIONS[operation.id].plane


async def _closed(scene: Scene, tally: Tally, operation: Operation) -> None:
    """Anonymous, expired, without the scope, and not of an allowed role: nothing opens."""
    ids, isv = scene.victim.ids, scene.victim.isv
    path, body = path_of(operation, ids), bodies_of(operation, ids)[0]
    anonymous = Client(scene.world.http, "", "", frozenset())
    for kind, client in (("anonymous", anonymous), ("expired", scene.expired)):
        answer = await send(client, operation, path, body)
        tally.note(kind, operation, answer.status_code == 401, answer)
    people = {Role.ISV_CLIENT: isv.client, Role.HUNTER: scene.victim.hunter.client, **scene.staff}
    people[Role.HUNTER] = scene.victim.hunter.client
    permission = PERMISSIONS[operation.id]
    for role, client in people.items():
        tenant = None if role in {Role.ISV_CLIENT, Role.HUNTER} else isv.id
        if role not in permission.roles:
            answer = await send(client, operation, path, body, tenant=tenant)
            tally.note("role", operation, answer.status_code == 403, answer)
        elif others := client.scopes - set(permission.scopes):
            narrow = Client(client.http, client.client_id, client.secret, client.scopes)
            await narrow.sign_in(min(others))
            answer = await send(narrow, operation, path, body, tenant=tenant)
            fine = answer.status_code == 403 and answer.json()["code"] == "insufficient-scope"
            tally.note("scope", operation, fine, answer)


async def _foreign(
    tally: Tally,
    kind: str,
    operation: Operation,
    slot: Slot,
    client: Client,
    own: dict[str, str],
    value: str,
) -> None:
    """A foreign id in a slot of the attacker's own request, beside a missing one."""
    absent = GARBAGE if slot.where == "cursor" else missing(slot.prefix)
    theirs = await plant(client, operation, slot, own, value)
    nobodys = await plant(client, operation, slot, own, absent)
    for one, other in zip(theirs, nobodys, strict=True):
        fine = same(one, other)
        if slot.where in {"path", "header"}:
            fine = fine and one.status_code == 404
        elif slot.where == "query" and one.status_code == 200:
            fine = fine and not one.json().get("data") and not one.json().get("lines")
        else:
            fine = fine and 400 <= one.status_code < 500
        tally.note(f"{kind} {slot.where}", operation, fine, one, other)


async def _strangers(scene: Scene, tally: Tally, operation: Operation) -> None:
    """Another ISV, another ISV's hunter, staff acting for another ISV, staff of another realm."""
    victim, stranger = scene.victim.ids, scene.stranger.ids
    cursor = await _cursor(scene, operation)
    plane = _plane(operation)
    for slot in operation.slots:
        value = cursor if slot.where == "cursor" else victim[slot.prefix]
        if value is None:
            continue
        if Role.ISV_CLIENT in PERMISSIONS[operation.id].roles and plane is not _AGENCY:
            client = scene.stranger.isv.client
            await _foreign(tally, "other ISV", operation, slot, client, stranger, value)
        if PERMISSIONS[operation.id].hunter in _BOUND and slot.where in {"path", "body"}:
            client = scene.stranger.hunter.client
            await _foreign(tally, "hunter", operation, slot, client, stranger, value)
        for role, client in _allowed(operation, scene.staff):
            if role is Role.HUNTER or plane is not OperationPlane.TENANT:
                continue
            if slot.where == "header" or slot.prefix in _AGENCY_WIDE:
                continue
            acting = client.acting_for(scene.stranger.isv.id)
            await _foreign(tally, "other ISV's staff", operation, slot, acting, stranger, value)
        for role, client in _allowed(operation, scene.foreign_staff):
            if role is Role.HUNTER and slot.where != "path":
                continue
            acting = client if plane is _AGENCY else client.acting_for(scene.other.isv.id)
            kind = "other realm's staff"
            await _foreign(tally, kind, operation, slot, acting, scene.other.ids, value)


_AGENCY = OperationPlane.AGENCY
_BOUND = {HunterBinding.CANDIDATE, HunterBinding.CAMPAIGN}
_AGENCY_WIDE = {"staff"}
"""Ids of the realm's own plane: the same for each of its ISVs."""


async def _cursor(scene: Scene, operation: Operation) -> str | None:
    """A real cursor of the victim's own list, if it has a second page."""
    if not operation.of("cursor"):
        return None
    permission = PERMISSIONS[operation.id]
    isv = Role.ISV_CLIENT in permission.roles
    client = scene.victim.isv.client if isv else _allowed(operation, scene.staff)[0][1]
    path = path_of(operation, scene.victim.ids)
    answer = await client.get(path, params={"limit": 1})
    assert answer.status_code == 200, f"{operation.id}: {answer.text}"
    found: str | None = answer.json()["next_cursor"]
    return found


class TestMatrix:
    """The whole of it, once."""

    @pytest.mark.timeout(400)
    async def test_a_foreign_id_answers_like_a_missing_one_and_the_victims_rows_stay(
        self, scene: Scene, database: TestDatabase
    ) -> None:
        tally = Tally()
        await seal_tenant(
            scene.world.program.database, scene.world.realm_id, scene.victim.isv.tenant_id
        )
        await seal_agency(scene.world.program.database, scene.world.realm_id)
        before = await _rows(database, scene)
        for operation in OPERATIONS:
            await _closed(scene, tally, operation)
            await _strangers(scene, tally, operation)
        after = await _rows(database, scene)
        assert not tally.wrong, "\n".join(tally.wrong)
        assert before == after
        assert sum(v is not None for v in before.values()) > 30
        assert tally.cases["anonymous"] == tally.cases["expired"] == len(OPERATIONS)
        for kind, least in LEAST.items():
            assert tally.cases[kind] >= least, (kind, tally.cases)
        assert tally.cases.total() >= 1500, tally.cases


LEAST = {
    "role": 330,
    "scope": 290,
    "other ISV path": 35,
    "other ISV query": 7,
    "other ISV header": 45,
    "other ISV body": 14,
    "other ISV cursor": 13,
    "hunter path": 25,
    "hunter body": 10,
    "other ISV's staff path": 90,
    "other ISV's staff query": 20,
    "other ISV's staff body": 15,
    "other realm's staff path": 170,
    "other realm's staff header": 130,
    "other realm's staff cursor": 40,
    "other realm's staff body": 20,
}
"""How many cases of each kind must have run: a matrix that shrinks is noticed."""
