"""The ISV's customer at Stripe: made once, kept up to date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.collection.steps import all_of
from flatbed.billing.gateway.port import Gateway
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.realms import realm_clock

CALLER: Final = Caller("system:collection", request_id="")


@dataclass(frozen=True, slots=True)
class Customers:
    """Brings an ISV's data to Stripe. ``known`` is its customer there, None before the first."""

    database: Database
    realm_id: UUID
    tenant_id: UUID
    known: str | None
    body: Mapping[str, Any]
    tax_ids: Sequence[Mapping[str, Any]]

    @property
    def metadata(self) -> dict[str, str]:
        """What says at Stripe whose an object is."""
        return {"realm_id": str(self.realm_id), "tenant_id": str(self.tenant_id)}

    async def ensure(self, gateway: Gateway) -> str:
        """The customer at Stripe with the present data, made if there is none.

        Two at once, or one after a crash, get the same customer by the same key; where Stripe
        has forgotten the key, a customer without invoices is left there.

        Raises:
            GatewayError: Stripe cannot be asked now, or refuses the data.
        """
        key = f"customer:{self.tenant_id}:{digest(dict(self.body))[:16]}"
        customer = self.known
        if customer is None:
            made = await gateway.create_customer(self.body, key)
            failpoint(Failpoint.CUSTOMER_CREATED)
            async with self.database.tenant(
                realm_id=self.realm_id, tenant_id=self.tenant_id, caller=CALLER, clock=Clock()
            ) as session:
                session.clock = await realm_clock(session)
                customer = await accounts.keep_customer(session, made.id)
        else:
            await gateway.update_customer(customer, self.body, f"{key}:update")
        there = {(one.kind, one.value) for one in await all_of(gateway.list_tax_ids(customer))}
        for one in self.tax_ids:
            if (one["type"], one["value"]) not in there:
                tax_key = f"{customer}:{one['type']}:{one['value']}"
                await gateway.create_tax_id(customer, one["type"], one["value"], tax_key)
        return customer
