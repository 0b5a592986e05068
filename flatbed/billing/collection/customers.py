"""The ISV's customer at Stripe: made once, kept up to date."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.collection.collector import CALLER, Collector
from flatbed.billing.collection.steps import all_of
from flatbed.billing.gateway.errors import GatewayMissing
from flatbed.billing.gateway.port import Gateway
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7

ROUNDS: Final = 10
"""How often a tax id may come and go in a day; what is missing then is added the next time."""


@dataclass(frozen=True, slots=True)
class Customers:
    """Brings an ISV's data to Stripe.

    ``known`` is its customer there, None before the first; ``caller`` is who wants it there.
    """

    collector: Collector
    realm_id: UUID
    tenant_id: UUID
    known: str | None
    body: Mapping[str, Any]
    tax_ids: Sequence[Mapping[str, Any]]
    caller: Caller = CALLER

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
        if self.known is None:
            made = await gateway.create_customer(self.body, key)
            failpoint(Failpoint.CUSTOMER_CREATED)
            customer = await self._keep(made.id)
        else:
            customer = self.known
            # A key of its own: under the body's, a change back within a day would be replayed.
            await gateway.update_customer(customer, self.body, f"{key}:{uuid7().hex}")
        await self._agree_on_tax_ids(gateway, customer)
        return customer

    async def _keep(self, made: str) -> str:
        async with self.collector.tenant(self.realm_id, self.tenant_id, self.caller) as session:
            noted = await accounts.keep_customer(session, made)
            if noted is None:
                fields = {"fields": ["customer"]}
                mutation(session, "billing_account.updated", "org", self.tenant_id, fields)
            return noted or made

    async def _agree_on_tax_ids(self, gateway: Gateway, customer: str) -> None:
        """Add what is missing, and take away what the ISV no longer has."""
        wanted = {(one["type"], one["value"]) for one in self.tax_ids}
        there = await _tax_ids(gateway, customer)
        gone: dict[tuple[str, str], list[str]] = defaultdict(list)
        for _ in range(ROUNDS):
            missing = sorted(wanted - there.keys())
            for one in missing:
                # Two at once have the same key. Within a day of its removal Stripe repeats what it
                # had made, which is gone: then the next key names that too.
                key = ":".join((customer, *one, *gone[one]))
                gone[one].append((await gateway.create_tax_id(customer, *one, key)).id)
            if not missing:
                break
            there = await _tax_ids(gateway, customer)
        for one in sorted(there.keys() - wanted):
            try:
                await gateway.delete_tax_id(customer, there[one])
            except GatewayMissing:
                continue


async def _tax_ids(gateway: Gateway, customer: str) -> dict[tuple[str, str], str]:
    return {(one.kind, one.value): one.id for one in await all_of(gateway.list_tax_ids(customer))}
