"""Every operation of the OpenAPI document × every principal × every place that takes an id.

A foreign id answers exactly like a missing one, and the victim's rows do not change. The real
role, committed rows, real tokens. An operation or a slot without a sample fails the build.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import HunterBinding, OperationPlane
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from tests.api.support import Client, World, new_world
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
from tests.isolation.principals import (
    KINDS,
    Principal,
    allowed,
    both,
    expired,
    hunters,
    of_agency,
    of_isv,
    revoked,
)
from tests.isolation.samples import BODIES, reaches
from tests.support.postgres import TestDatabase

OPERATIONS = operations()
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
    other: Estate
    members: list[Principal]
    hunters: list[Principal]
    staff: list[Principal]
    strange_members: list[Principal]
    strange_hunters: list[Principal]
    foreign_staff: list[Principal]
    ended: dict[str, list[Client]]

    @property
    def everybody(self) -> list[Principal]:
        """All who have to do with the victim."""
        return [*self.members, *self.hunters, *self.staff]


@pytest_asyncio.fixture
async def scene(database: TestDatabase) -> AsyncIterator[Scene]:
    async with new_world(database) as world, new_world(database) as elsewhere:
        victim = await settle(world, domain="victim.example")
        stranger = await settle(world, domain="stranger.example")
        other = await settle(elsewhere, domain="other.example")
        abroad = await elsewhere.staff("hunter")
        yield Scene(
            world,
            victim,
            stranger,
            other,
            await of_isv(world, victim.isv),
            await hunters(world, victim),
            await of_agency(world),
            await of_isv(world, stranger.isv),
            await hunters(world, stranger),
            [*await of_agency(elsewhere), *await both(elsewhere, abroad)],
            {
                "anonymous": [Client(world.http, "", "", frozenset())],
                "expired": await expired(world, victim),
                "revoked": await revoked(world, victim),
            },
        )


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


def _plane(operation: Operation) -> OperationPlane:
    return PERMISSIONS[operation.id].plane


async def _closed(scene: Scene, tally: Tally, operation: Operation) -> None:
    """Without a good token, without the scope, and not of an allowed role: nothing opens."""
    ids, isv = scene.victim.ids, scene.victim.isv
    path, body = path_of(operation, ids), bodies_of(operation, ids)[0]
    for kind, clients in scene.ended.items():
        for client in clients:
            answer = await send(client, operation, path, body)
            tally.note(kind, operation, answer.status_code == 401, answer)
    permission = PERMISSIONS[operation.id]
    for one in scene.everybody:
        tenant = None if one.role.of_isv or one.role is Role.HUNTER else isv.id
        if one.role not in permission.roles:
            answer = await send(one.client, operation, path, body, tenant=tenant)
            fine = answer.status_code == 403 and answer.json()["code"] == "forbidden"
            tally.note("role", operation, fine, answer)
        else:
            narrow = await one.narrowed(min(one.client.scopes - set(permission.scopes)))
            answer = await send(narrow, operation, path, body, tenant=tenant)
            fine = answer.status_code == 403 and answer.json()["code"] == "insufficient-scope"
            tally.note("scope", operation, fine, answer)
        tally.met(operation, one.kind)


async def _foreign(
    tally: Tally,
    kind: str,
    operation: Operation,
    slot: Slot,
    attackers: Sequence[Client],
    own: dict[str, str],
    value: str,
) -> None:
    """A foreign id in a slot of each attacker's own request, beside a missing one.

    The answers to the missing one are those of the first attacker as long as they match. Where
    the code is the same for all operations, two attackers try each: the first and one by turns.
    """
    if slot.where in _OF_THE_GATE and len(attackers) > TWO:
        turn = OPERATIONS.index(operation) % (len(attackers) - 1)
        attackers = [attackers[0], attackers[1 + turn]]
    absent = GARBAGE if slot.where == "cursor" else missing(slot.prefix)
    nobodys: list[httpx.Response] = []
    for client in attackers:
        theirs = await plant(client, operation, slot, own, value)
        if not nobodys or not all(map(same, theirs, nobodys)):
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
    plane, permission = _plane(operation), PERMISSIONS[operation.id]
    staff = allowed(permission.roles, scene.staff)
    elsewhere = scene.other.isv.id
    for slot in operation.slots:
        value = cursor if slot.where == "cursor" else victim[slot.prefix]
        if value is None:
            continue
        if plane is not _AGENCY:
            clients = allowed(permission.roles, scene.strange_members)
            await _foreign(tally, "other ISV", operation, slot, clients, stranger, value)
        if permission.hunter in _BOUND and slot.where in {"path", "body"}:
            clients = allowed(permission.roles, scene.strange_hunters)
            await _foreign(tally, "hunter", operation, slot, clients, stranger, value)
        if plane is not _AGENCY and slot.where != "header" and slot.prefix not in _AGENCY_WIDE:
            clients = [one.acting_for(scene.stranger.isv.id) for one in staff]
            await _foreign(tally, "other ISV's staff", operation, slot, clients, stranger, value)
        roles = permission.roles - (set() if slot.where in {"path", "cursor"} else {Role.HUNTER})
        clients = allowed(roles, scene.foreign_staff)
        if plane is not _AGENCY:
            clients = [one.acting_for(elsewhere) for one in clients]
        kind = "other realm's staff"
        await _foreign(tally, kind, operation, slot, clients, scene.other.ids, value)


_AGENCY = OperationPlane.AGENCY
_BOUND = {HunterBinding.CANDIDATE, HunterBinding.CAMPAIGN}
TWO = 2
_OF_THE_GATE = {"header", "cursor"}
_AGENCY_WIDE = {"staff"}
"""Ids of the realm's own plane: the same for each of its ISVs."""


async def _cursor(scene: Scene, operation: Operation) -> str | None:
    """A real cursor of the victim's own list, if it has a second page."""
    if not operation.of("cursor"):
        return None
    roles = PERMISSIONS[operation.id].roles
    isv = Role.ISV_CLIENT in roles
    client = scene.victim.isv.client if isv else allowed(roles, [*scene.staff, *scene.hunters])[0]
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
        assert tally.cases["anonymous"] == len(OPERATIONS)
        assert tally.cases["expired"] == tally.cases["revoked"] == 2 * len(OPERATIONS)
        everybody = {(one.id, kind) for one in OPERATIONS for kind in KINDS}
        assert tally.principals == everybody, everybody ^ tally.principals
        assert {role for role, _ in KINDS} == set(Role)
        for kind, least in LEAST.items():
            assert tally.cases[kind] >= least, (kind, tally.cases)
        assert tally.cases.total() >= 4900, tally.cases


LEAST = {
    "role": 1350,
    "scope": 930,
    "other ISV path": 210,
    "other ISV query": 50,
    "other ISV header": 180,
    "other ISV body": 50,
    "other ISV cursor": 44,
    "hunter path": 60,
    "hunter body": 20,
    "other ISV's staff path": 300,
    "other ISV's staff query": 55,
    "other ISV's staff body": 50,
    "other ISV's staff cursor": 44,
    "other realm's staff path": 430,
    "other realm's staff header": 200,
    "other realm's staff query": 85,
    "other realm's staff cursor": 60,
    "other realm's staff body": 85,
}
"""How many cases of each kind must have run: a matrix that shrinks is noticed."""
