"""What a transaction sees, tried with the program's own role on committed rows.

One table of each kind stands for all: the catalogue test shows that a kind's policies are the
same everywhere.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from flatbed.tenants.kit.database.context import CandidateRange, Context, Plane
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.ids import uuid7
from tests.support.postgres import TestDatabase

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = asyncpg.InsufficientPrivilegeError
DEADLINE = (
    "INSERT INTO deadline (tenant_id, id, candidate_id, kind, subject_id, due_at)"
    " VALUES ($1, $2, $3, 'accept', $3, $4)"
)


class Two:
    """Two tenants in one realm, each with two candidates that have a deadline."""

    def __init__(self) -> None:
        self.realm, self.tenant, self.other = uuid7(), uuid7(), uuid7()
        self.first, self.second, self.foreign = uuid7(), uuid7(), uuid7()

    def context(self, **fields: Any) -> Context:
        given = {"realm_id": self.realm, "tenant_id": self.tenant}
        return Context(**(given | {"candidates": CandidateRange.whole()} | fields))


@asynccontextmanager
async def bound(connection: Plain, context: Context | None) -> AsyncIterator[Plain]:
    """Run a transaction in this context, and commit it."""
    async with connection.transaction():
        if context is not None:
            await connection.execute(context.statements())
        yield connection


@pytest_asyncio.fixture
async def app(database: TestDatabase) -> AsyncIterator[Plain]:
    connection = await connect(database.app_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def two(app: Plain) -> Two:
    two = Two()
    rows = [
        (two.tenant, two.first),
        (two.tenant, two.second),
        (two.other, two.foreign),
    ]
    for tenant, candidate in rows:
        async with bound(app, two.context(tenant_id=tenant)):
            await app.execute(DEADLINE, tenant, uuid7(), candidate, NOW)
    async with bound(app, two.context()):
        await app.execute(
            "INSERT INTO audit_entry VALUES ($1, 1, $2, $3, 'a', 'b', 'c', 'd', '{}', 'r', '', '')",
            two.tenant,
            uuid7(),
            NOW,
        )
    return two


async def candidates(connection: Plain) -> set[UUID]:
    return {row["candidate_id"] for row in await connection.fetch("SELECT * FROM deadline")}


class TestTenants:
    async def test_a_tenant_sees_its_own_rows_and_no_others(self, app: Plain, two: Two) -> None:
        async with bound(app, two.context()):
            assert await candidates(app) == {two.first, two.second}
        async with bound(app, two.context(tenant_id=two.other)):
            assert await candidates(app) == {two.foreign}

    @pytest.mark.parametrize("plane", list(Plane))
    async def test_without_a_tenant_there_are_no_rows(
        self, app: Plain, two: Two, plane: Plane
    ) -> None:
        async with bound(app, two.context(tenant_id=None, plane=plane)):
            assert await candidates(app) == set()

    @pytest.mark.usefixtures("two")
    async def test_without_any_context_there_are_no_rows(self, app: Plain) -> None:
        async with bound(app, None):
            assert await candidates(app) == set()

    async def test_a_row_of_another_tenant_cannot_be_written_nor_changed(
        self, app: Plain, two: Two
    ) -> None:
        with pytest.raises(REFUSED):
            async with bound(app, two.context()):
                await app.execute(DEADLINE, two.other, uuid7(), uuid7(), NOW)
        async with bound(app, two.context()):
            done = await app.execute(
                "UPDATE deadline SET done_at = due_at WHERE candidate_id = $1", two.foreign
            )
        assert done == "UPDATE 0"
        with pytest.raises(REFUSED):
            async with bound(app, two.context()):
                await app.execute("UPDATE deadline SET tenant_id = $1", two.other)


class TestHunters:
    async def test_a_hunter_sees_the_candidate_he_is_bound_to_alone(
        self, app: Plain, two: Two
    ) -> None:
        async with bound(app, two.context(candidates=CandidateRange.one(two.second))):
            assert await candidates(app) == {two.second}

    @pytest.mark.parametrize("none", [None, CandidateRange.none()])
    async def test_a_hunter_without_a_candidate_sees_none(
        self, app: Plain, two: Two, none: CandidateRange | None
    ) -> None:
        async with bound(app, two.context(candidates=none)):
            assert await candidates(app) == set()

    async def test_a_hunter_cannot_write_to_another_candidate(self, app: Plain, two: Two) -> None:
        with pytest.raises(REFUSED):
            async with bound(app, two.context(candidates=CandidateRange.one(two.second))):
                await app.execute(DEADLINE, two.tenant, uuid7(), two.first, NOW)

    async def test_a_closed_table_is_closed_to_every_hunter(self, app: Plain, two: Two) -> None:
        count = "SELECT count(*) FROM audit_entry"
        async with bound(app, two.context()):
            assert await app.fetchval(count) == 1
        for narrow in (CandidateRange.one(two.first), CandidateRange.none(), None):
            async with bound(app, two.context(candidates=narrow)):
                assert await app.fetchval(count) == 0


def agency(two: Two) -> Context:
    return two.context(plane=Plane.AGENCY, tenant_id=None, candidates=None)


async def open_realm(app: Plain, two: Two) -> None:
    async with bound(app, agency(two)):
        await app.execute(
            "INSERT INTO realm (id, kind, slug, name, created_at)"
            " VALUES ($1, 'sandbox', $2, 'R', $3)",
            two.realm,
            str(two.realm),
            NOW,
        )
        await app.execute(
            "INSERT INTO organization (realm_id, id, slug, name, country, time_zone, currency,"
            " status, created_at, updated_at)"
            " VALUES ($1, $2, 'o', 'O', 'DE', 'Europe/Berlin', 'EUR', 'active', $3, $3)",
            two.realm,
            two.tenant,
            NOW,
        )


class TestPlanes:
    async def test_the_agency_plane_is_seen_in_its_realm_and_when_held(
        self, app: Plain, two: Two
    ) -> None:
        await open_realm(app, two)
        await self._sees(app, agency(two), 1)
        await self._sees(app, two.context(plane=Plane.AGENCY, realm_id=uuid7(), tenant_id=None), 0)
        await self._sees(app, two.context(tenant_id=two.other), 0)

    async def test_a_tenant_reads_its_own_organization_but_cannot_change_it(
        self, app: Plain, two: Two
    ) -> None:
        await open_realm(app, two)
        await self._sees(app, two.context(), 1)
        async with bound(app, two.context()):
            assert await app.execute("UPDATE organization SET name = 'X'") == "UPDATE 0"

    async def test_only_the_agency_plane_moves_the_clock_of_its_realm(
        self, app: Plain, two: Two
    ) -> None:
        await open_realm(app, two)
        move = "UPDATE realm SET clock_offset_us = clock_offset_us + 1"
        for plane in (Plane.NONE, Plane.LOGIN, Plane.WORKER):
            async with bound(app, two.context(plane=plane)):
                assert await app.execute(move) == "UPDATE 0"
        async with bound(app, agency(two)):
            assert await app.execute(move) == "UPDATE 1"

    async def test_signing_keys_are_seen_in_the_login_plane_alone(
        self, app: Plain, two: Two
    ) -> None:
        insert = (
            "INSERT INTO signing_key (kid, public_jwk, private_box, state, created_at)"
            " VALUES ($1, '{}', NULL, 'retired', $2)"
        )
        async with bound(app, Context(plane=Plane.LOGIN)):
            await app.execute(insert, str(uuid7()), NOW)
            assert await app.fetchval("SELECT count(*) FROM signing_key") > 0
        for plane in (Plane.NONE, Plane.AGENCY, Plane.WORKER):
            async with bound(app, two.context(plane=plane)):
                assert await app.fetchval("SELECT count(*) FROM signing_key") == 0
            with pytest.raises(REFUSED):
                async with bound(app, two.context(plane=plane)):
                    await app.execute(insert, str(uuid7()), NOW)

    async def test_a_tenant_wakes_itself_only_and_the_worker_alone_sees_it(
        self, app: Plain, two: Two
    ) -> None:
        def wake(
            context: Context, tenant: UUID | None
        ) -> tuple[AbstractAsyncContextManager[Plain], tuple[Any, ...]]:
            return bound(app, context), (uuid7(), two.realm, tenant, NOW)

        insert = "INSERT INTO wakeup VALUES ($1, $2, $3, 'seal', $4)"
        for context, tenant in ((two.context(), two.tenant), (agency(two), None)):
            transaction, row = wake(context, tenant)
            async with transaction:
                await app.execute(insert, *row)
                assert await app.fetchval("SELECT count(*) FROM wakeup") == 0
        for tenant in (two.other, None):
            transaction, row = wake(two.context(), tenant)
            with pytest.raises(REFUSED):
                async with transaction:
                    await app.execute(insert, *row)
        async with bound(app, Context(plane=Plane.WORKER)):
            rows = await app.fetch("DELETE FROM wakeup WHERE realm_id = $1 RETURNING *", two.realm)
        assert {row["tenant_id"] for row in rows} == {two.tenant, None}

    @staticmethod
    async def _sees(app: Plain, context: Context, organizations: int) -> None:
        async with bound(app, context):
            assert await app.fetchval("SELECT count(*) FROM organization") == organizations
