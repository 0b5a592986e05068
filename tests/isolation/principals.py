"""Everybody of the permission table: clients, members of an ISV, staff as people and by client."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from flatbed.tenants.access.principal import MEMBER_ROLES, STAFF_ROLES, Role
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.oauth.grants.models import Grant
from flatbed.tenants.oauth.repository import owned_in_realm
from flatbed.tenants.oauth.tokens import Minter
from tests.api.support import BASE_URL, Client, Isv, Person, Staff, World
from tests.isolation.estate import Estate
from tests.support.people import CALLER

BY_ISVS_APPLICATION = {Role.ISV_OWNER, Role.ISV_FINANCE}
"""The other members sign in to the agency's application, which serves every ISV."""
KINDS = frozenset(
    {(Role.ISV_CLIENT, False), (Role.AGENCY_CLIENT, False)}
    | {(role, True) for role in MEMBER_ROLES}
    | {(role, person) for role in STAFF_ROLES for person in (True, False)}
)
"""Every principal: its role, and whether it is a person."""


@dataclass(frozen=True)
class Principal:
    """One who calls, with a good token for all that his role can use."""

    role: Role
    client: Client
    _narrow: dict[str, Client] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[Role, bool]:
        """Its role, and whether it is a person."""
        return self.role, isinstance(self.client, Person)

    async def narrowed(self, scope: str) -> Client:
        """The same with a token for this scope alone."""
        if scope not in self._narrow:
            self._narrow[scope] = await self.client.narrowed(scope)
        return self._narrow[scope]


async def of_isv(world: World, isv: Isv) -> list[Principal]:
    """The ISV's client and a member in each role."""
    found = [Principal(Role.ISV_CLIENT, isv.client)]
    for role in sorted(MEMBER_ROLES):
        application = await world.application(isv if role in BY_ISVS_APPLICATION else None)
        word = role.removeprefix("isv_")
        found.append(Principal(role, await world.member(isv, word, application=application)))
    return found


async def of_agency(world: World) -> list[Principal]:
    """The agency's client and its staff but the hunters, each by his client and as a person."""
    found = [Principal(Role.AGENCY_CLIENT, world.admin)]
    for role in sorted(STAFF_ROLES - {Role.HUNTER}):
        found += await both(world, await world.staff(role.value))
    return found


async def hunters(world: World, estate: Estate) -> list[Principal]:
    """The ISV's hunter by his client and as a person."""
    return await both(world, estate.hunter)


async def both(world: World, staff: Staff) -> list[Principal]:
    """The staff member by his client and as a person."""
    role = Role(staff.role)
    return [Principal(role, staff.client), Principal(role, await world.person(staff))]


def allowed(roles: frozenset[Role], principals: Sequence[Principal]) -> list[Client]:
    """The clients of those whose role is one of these."""
    return [one.client for one in principals if one.role in roles]


async def expired(world: World, estate: Estate) -> list[Client]:
    """The ISV's own client and its owner with tokens that ran out."""
    program, client = world.program, estate.isv.client
    minter = Minter(BASE_URL, lambda: system_now() - timedelta(hours=1))
    async with program.database.agency_read(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        owned = await owned_in_realm(session, decode("client", client.client_id))
    standing = program.oauth.lendings.standings.of(owned)
    assert standing is not None
    machine = await client.narrowed()
    machine.token = minter.mint(await program.oauth.keys.active(), standing, client.scopes)
    owner = await world.member(estate.isv, "owner")
    owner.token, _ = await world.people.token(owner.lender, minter=minter)
    return [machine, owner]


async def revoked(world: World, estate: Estate) -> list[Client]:
    """An owner and an administrator whose grants were revoked."""
    people = [
        await world.member(estate.isv, "owner"),
        await world.person(await world.staff("admin")),
    ]
    for one in people:
        await revoke(world, one.lender.grant_id)
    return list(people)


async def revoke(world: World, grant_id: UUID) -> None:
    """End the grant."""
    async with world.people.agency() as session:
        grant = await session.get_one(Grant, (world.realm_id, grant_id))
        grant.revoked_at, grant.revoke_reason = system_now(), "person"
