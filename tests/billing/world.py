"""A realm with ISVs in a real database, and short words for what the tests do there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.facade import Caps, RecordedUsage, UsageRequest, record_usage, unit_key
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import (
    AgencySession,
    Caller,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PRICE = 450_000
CALLER = Caller("system:test", "req-test")


def request(**changes: Any) -> UsageRequest:
    """A unit of a campaign of its own, without caps."""
    programme = changes.pop("programme_ref", uuid7())
    return replace(
        UsageRequest(
            source="qual",
            source_id=uuid7(),
            campaign_ref=uuid7(),
            programme_ref=programme,
            price_ref=uuid7(),
            unit_keys=(unit_key(programme, uuid7()),),
            unit_price=PRICE,
            currency="EUR",
            caps=Caps(),
            evidence_hash="e" * 64,
            occurred_at=NOON,
            zone=BERLIN,
        ),
        **changes,
    )


@dataclass
class World:
    """One realm; every test makes its own, so that what it commits disturbs no other."""

    database: Database
    admin: Plain
    realm_id: UUID = field(default_factory=uuid7)

    async def begin(self) -> None:
        """Write the realm."""
        await self.admin.execute(
            "INSERT INTO realm (id, kind, slug, name, created_at)"
            " VALUES ($1, 'sandbox', $2, 'Test', now())",
            self.realm_id,
            str(self.realm_id),
        )

    async def isv(self, *, zone: str = "Europe/Berlin") -> UUID:
        """An ISV; its id is the tenant's."""
        tenant_id = uuid7()
        await self.admin.execute(
            "INSERT INTO organization (realm_id, id, slug, name, country, time_zone, currency,"
            " status, created_at, updated_at)"
            " VALUES ($1, $2, $3, 'ISV', 'DE', $4, 'EUR', 'active', now(), now())",
            self.realm_id,
            tenant_id,
            str(tenant_id),
            zone,
        )
        return tenant_id

    @asynccontextmanager
    async def at(self, tenant_id: UUID, now: datetime = NOON) -> AsyncIterator[TenantSession]:
        """A transaction of the tenant, committed at the end of the block."""
        async with self.database.tenant(
            realm_id=self.realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock(instant=now)
        ) as session:
            yield session

    @asynccontextmanager
    async def reading(
        self, tenant_id: UUID, now: datetime = NOON
    ) -> AsyncIterator[TenantReadSession]:
        """A transaction of the tenant that cannot write."""
        async with self.database.tenant_read(
            realm_id=self.realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock(instant=now)
        ) as session:
            yield session

    @asynccontextmanager
    async def agency(self, now: datetime = NOON) -> AsyncIterator[AgencySession]:
        """A transaction in the agency plane."""
        async with self.database.agency(
            realm_id=self.realm_id, caller=CALLER, clock=Clock(instant=now)
        ) as session:
            yield session

    async def meter(self, tenant_id: UUID, **changes: Any) -> RecordedUsage:
        """Meter one unit in a transaction of its own, at the instant it occurred."""
        wanted = request(**changes)
        async with self.at(tenant_id, wanted.occurred_at) as session:
            return await record_usage(session, wanted)

    async def counters(self, tenant_id: UUID, campaign_ref: UUID) -> dict[str, tuple[int, int]]:
        """Units and money by bucket."""
        rows = await self.admin.fetch(
            "SELECT bucket, units, amount FROM cap_counter"
            " WHERE tenant_id = $1 AND campaign_ref = $2",
            tenant_id,
            campaign_ref,
        )
        return {row["bucket"]: (row["units"], row["amount"]) for row in rows}

    async def count(self, table: str, tenant_id: UUID) -> int:
        """Rows of the tenant in a table."""
        found = await self.admin.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant_id
        )
        return int(found)

    async def jobs(self, name: str, tenant_id: UUID) -> int:
        """Jobs of this name that wait for the tenant."""
        found = await self.admin.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1"
            " AND convert_from(payload, 'UTF8')::jsonb ->> 'tenant_id' = $2",
            name,
            str(tenant_id),
        )
        return int(found)
