"""Who collects: the gateway, and the transactions in which its answers are written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.billing.gateway.port import Gateway
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, TenantReadSession, TenantSession
from flatbed.tenants.kit.realms import LIVE, find_realm, realm_clock

CALLER: Final = Caller("system:collection", request_id="")


@dataclass(frozen=True, slots=True)
class Collector:
    """Where invoices are collected; ``gateway`` is None without a key.

    A live key serves live realms only, a test key sandboxes only: no test ever moves money.
    """

    database: Database
    gateway: Gateway | None
    is_live: bool = False

    @asynccontextmanager
    async def tenant(
        self, realm_id: UUID, tenant_id: UUID, caller: Caller = CALLER
    ) -> AsyncIterator[TenantSession]:
        """A transaction of an ISV at its realm's present time; Stripe is never asked inside."""
        async with self.database.tenant(
            realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
        ) as session:
            session.clock = await realm_clock(session)
            yield session

    async def serves(self, session: TenantReadSession) -> bool:
        """Whether the transaction's realm is collected with this key."""
        if self.gateway is None:
            return False
        realm = await find_realm(session, session.realm_id)
        return realm is not None and (realm.kind == LIVE) == self.is_live
