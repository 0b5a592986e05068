"""A realm with tenants, for tests that need the kernel but no program around it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest_asyncio

from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import (
    AgencySession,
    Caller,
    TenantReadSession,
    TenantSession,
    WorkerSession,
)
from flatbed.tenants.kit.ids import uuid7
from tests.support.engines import opened
from tests.support.postgres import TestDatabase

CALLER = Caller("client:test", "req_test")
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """One sandbox realm of its own, with two tenants that no other test knows."""

    url: str
    database: Database
    realm_id: UUID
    tenants: Sequence[UUID]

    def tenant(
        self,
        tenant_id: UUID | None = None,
        *,
        clock: Clock | None = None,
        candidates: CandidateRange | None = None,
    ) -> AbstractAsyncContextManager[TenantSession]:
        return self.database.tenant(
            realm_id=self.realm_id,
            tenant_id=tenant_id or self.tenants[0],
            caller=CALLER,
            clock=clock or Clock(),
            candidates=candidates,
        )

    def reading(
        self, tenant_id: UUID | None = None, *, candidates: CandidateRange | None = None
    ) -> AbstractAsyncContextManager[TenantReadSession]:
        return self.database.tenant_read(
            realm_id=self.realm_id,
            tenant_id=tenant_id or self.tenants[0],
            caller=CALLER,
            clock=Clock(),
            candidates=candidates,
        )

    def agency(self, realm_id: UUID | None = None) -> AbstractAsyncContextManager[AgencySession]:
        return self.database.agency(
            realm_id=realm_id or self.realm_id, caller=CALLER, clock=Clock()
        )

    def worker(self) -> AbstractAsyncContextManager[WorkerSession]:
        return self.database.worker(caller=CALLER)

    async def open_realm(self, realm_id: UUID, kind: str = "sandbox") -> None:
        async with self.agency(realm_id) as session:
            session.add(
                Realm(
                    id=realm_id,
                    kind=kind,
                    slug=f"realm-{realm_id.hex}",
                    name="A realm",
                    clock_offset_us=0,
                    created_at=system_now(),
                )
            )

    async def advance(self, by: timedelta) -> None:
        """Move the realm's clock as the sandbox's endpoint does, without a sweep."""
        async with self.agency() as session:
            realm = await session.get_one(Realm, self.realm_id)
            realm.clock_offset_us += by // timedelta(microseconds=1)


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with opened(database.app_url, pool_size=20, pool_timeout=20) as found:
        made = World(database.app_url, found, uuid7(), (uuid7(), uuid7()))
        await made.open_realm(made.realm_id)
        yield made
    await asyncio.sleep(0)
