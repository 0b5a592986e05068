"""A closed month in an ISV's books, for tests that come over HTTP."""

from dataclasses import dataclass
from typing import Any

from flatbed.billing.facade import Basis, RecordedUsage, accept_usage, record_usage
from flatbed.billing.statements.closing import close
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import encode
from tests.api.support import Isv, World
from tests.billing.statements.books import MARCH_CLOSES
from tests.billing.world import CALLER, NOON, request

PROFILE = {
    "legal_name": "Agentur GmbH",
    "address": {
        "line1": "Werkstraße 1",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    },
    "email": "billing@agency.example",
    "vat_id": "DE999999999",
    "iban": "DE89 3704 0044 0532 0130 00",
}


@dataclass(frozen=True)
class ClosedMonth:
    """March, closed, with one billed and one held unit: ids as the API shows them."""

    period: str
    statement: str
    invoice: str
    billed: str
    held: str


async def march(world: World, isv: Isv) -> RecordedUsage:
    """One pending unit of March, whose grace is long over."""
    async with world.program.database.tenant(
        realm_id=world.realm_id,
        tenant_id=isv.tenant_id,
        caller=CALLER,
        clock=Clock(instant=NOON),
    ) as session:
        return await record_usage(session, request())


async def closed_month(world: World, isv: Isv, **unit: Any) -> ClosedMonth:
    """Bill one unit of March and hold another."""
    finance = (await world.staff("finance")).client
    answer = await finance.request("PUT", "/v1/billing-profile", json=PROFILE, version=0)
    # Another ISV of the realm may have been billed before.
    assert answer.status_code in {200, 412}, answer.text
    named: dict[str, Any] = {
        "realm_id": world.realm_id,
        "tenant_id": isv.tenant_id,
        "caller": CALLER,
    }
    database = world.program.database
    async with database.tenant(**named, clock=Clock(instant=NOON)) as session:
        billed = await record_usage(session, request(**unit))
        await accept_usage(session, billed.entry_id, basis=Basis.PERSON, actor="x")
        held = await record_usage(session, request(**unit))
    async with database.tenant(**named, clock=Clock(instant=MARCH_CLOSES)) as session:
        [statement] = await close(session, billed.period_id)
    shown = await isv.client.read(f"/v1/statements/{encode('stmt', statement)}")
    return ClosedMonth(
        encode("per", billed.period_id),
        shown["id"],
        shown["invoices"][0]["id"],
        encode("use", billed.entry_id),
        encode("use", held.entry_id),
    )
