"""Short words for what the registry's tests make and read."""

from itertools import count
from typing import Any

from sqlalchemy import select

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import AgencyAuditEntry, AgencyAuditPending
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Client, World

CALLER = Caller("system:test", "req_test")
COMPANIES = "/v1/companies"
GROUPS = "/v1/company-groups"
_numbers = count(1)


def firm(**more: Any) -> dict[str, Any]:
    """A company of its own domain."""
    domain = f"firm-{next(_numbers)}-{uuid7().hex[-10:]}.example"
    return {"name": "Nordhessen Systemhaus", "domain": domain, **more}


async def registrar(world: World) -> Client:
    """A lead's client: he keeps the registry."""
    return (await world.staff("lead")).client


async def group(by: Client, name: str = "Nord group") -> str:
    """A new group's id."""
    made = await by.made(GROUPS, {"name": name})
    return str(made["id"])


async def trail(world: World, object_id: str) -> list[Any]:
    """What the agency's audit says of an object, in order, sealed or not."""
    async with world.program.database.agency(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        found: list[Any] = []
        for table in (AgencyAuditEntry, AgencyAuditPending):
            found += await session.scalars(select(table).where(table.object_id == object_id))
    return sorted(found, key=lambda one: (one.at, one.id))
