"""``flatbed verify`` on a ledger and an audit log that the owner has meddled with."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from flatbed.app.cli.main import app
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.sealing import seal_tenant
from tests.api.support import SECRET, World
from tests.candidates.factory import site
from tests.qualifications.factory import Qualified, qualify
from tests.qualifications.stock import stock
from tests.support.postgres import TestDatabase

TABLES = ("usage_entry", "audit_entry", "candidate", "qualification")
EDITED = "UPDATE usage_entry SET amount = 1 WHERE tenant_id = $1 AND sequence = 2"
MOVED = "UPDATE usage_entry SET sequence = $3 WHERE tenant_id = $1 AND sequence = $2"
UNNAMED = (
    "UPDATE candidate SET entry_id = NULL, stage = 'business_planning'"
    " WHERE tenant_id = $1 AND id = $2"
)
FORGOTTEN = "DELETE FROM qualification WHERE tenant_id = $1 AND id = $2"
DELETED = "DELETE FROM usage_entry WHERE tenant_id = $1 AND sequence = 3"


async def verify(database: TestDatabase, what: str, tenant: str) -> list[dict[str, Any]]:
    """Run the command on one ISV; what it found, by its exit code.

    Other tests of this database leave forged ledgers behind: they are not ours.
    """
    words = ["verify", what, "--organization", tenant, "--json"]
    env = {"FLATBED_DATABASE_URL": database.app_url, "FLATBED_SECRET_KEY": SECRET}
    done = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
    answer = json.loads(done.stdout)
    assert done.exit_code == (1 if answer["findings"] else 0), done.output
    assert answer["checked"] == 1
    found: list[dict[str, Any]] = answer["findings"]
    assert all(one["of"] == tenant for one in found)
    return found


@asynccontextmanager
async def meddling(owner: Plain) -> AsyncIterator[Plain]:
    """As `flatbed_owner`, with the triggers off and row security lifted."""
    async with owner.transaction():
        for table in TABLES:
            await owner.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield owner
        await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            await owner.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def qualified(world: World) -> list[Qualified]:
    """Three units of one tenant."""
    ready = await stock(await site(world), 3)
    return [await qualify(one) for one in ready]


class TestVerifyLedger:
    @pytest.mark.parametrize("how", ["edited", "deleted at its end", "swapped"])
    async def test_a_ledger_that_was_meddled_with_is_found(
        self, world: World, database: TestDatabase, owner_connection: Plain, how: str
    ) -> None:
        """Editing, deleting (the last one too) or swapping an entry as owner is found."""
        units = await qualified(world)
        isv = units[0].site.isv
        assert await verify(database, "ledger", isv.id) == []
        async with meddling(owner_connection) as owner:
            if how == "edited":
                await owner.execute(EDITED, isv.tenant_id)
            elif how == "swapped":
                for old, new in ((1, 9), (2, 1), (9, 2)):
                    await owner.execute(MOVED, isv.tenant_id, old, new)
            else:
                await owner.execute(UNNAMED, isv.tenant_id, units[2].worked.uuid)
                await owner.execute(FORGOTTEN, isv.tenant_id, decode("qual", units[2].id))
                await owner.execute(DELETED, isv.tenant_id)
        assert await verify(database, "ledger", isv.id)


class TestVerifyAudit:
    async def test_an_audit_log_that_was_edited_is_found(
        self, world: World, database: TestDatabase, owner_connection: Plain
    ) -> None:
        isv = (await site(world)).isv
        await seal_tenant(world.program.database, world.realm_id, isv.tenant_id)
        assert await verify(database, "audit", isv.id) == []
        async with meddling(owner_connection) as owner:
            await owner.execute(
                "UPDATE audit_entry SET actor = 'nobody' WHERE tenant_id = $1 AND sequence = 1",
                isv.tenant_id,
            )
        assert await verify(database, "audit", isv.id) == [
            {"of": isv.id, "kind": "edited", "sequence": 1}
        ]
