"""``flatbed billing reconcile``: the books of one ISV, with Stripe there and without."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from flatbed.app.cli.main import app
from flatbed.billing.accounts.repository import keep_customer
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import SECRET, Isv, World
from tests.billing.world import CALLER
from tests.support.postgres import TestDatabase

KEY = "sk_test_of_nobody"


@dataclass(frozen=True)
class Desk:
    """An ISV that is a customer at Stripe, and the command on its books."""

    database: TestDatabase
    admin: Plain
    isv: Isv

    async def reconcile(self, *words: str, **stripe: str) -> Result:
        """Run the command on the ISV."""
        env = {"FLATBED_DATABASE_URL": self.database.app_url, "FLATBED_SECRET_KEY": SECRET}
        env |= {f"FLATBED_STRIPE_{name.upper()}": value for name, value in stripe.items()}
        told = ["billing", "reconcile", "--organization", self.isv.id, *words]
        return await asyncio.to_thread(CliRunner().invoke, app, told, env=env)

    async def runs(self) -> int:
        """Comparisons that came to an end."""
        found = await self.admin.fetchval(
            "SELECT count(*) FROM reconciliation WHERE tenant_id = $1", self.isv.tenant_id
        )
        return int(found)


@pytest_asyncio.fixture
async def desk(world: World, database: TestDatabase, admin_connection: Plain) -> Desk:
    isv = await world.isv()
    async with world.program.database.tenant(
        realm_id=world.realm_id, tenant_id=isv.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        await keep_customer(session, "cus_1")
    return Desk(database, admin_connection, isv)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


class TestReconcile:
    async def test_without_a_key_ledger_and_statements_alone_are_compared(self, desk: Desk) -> None:
        done = await desk.reconcile("--json")
        assert done.exit_code == 0, done.output
        assert f'"organizations": {{"{desk.isv.id}": 0}}' in done.stdout
        assert await desk.runs() == 1

    async def test_a_stripe_that_cannot_be_reached_is_told_in_one_line(
        self, desk: Desk, nobody: str
    ) -> None:
        done = await desk.reconcile(key=KEY, base_url=nobody, retries="0")
        assert done.exit_code == 3
        assert done.stderr.startswith("the payment provider did not answer as needed (")
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.rstrip().endswith(desk.isv.id)
        assert done.stdout.split() == ["checked:", "0", "findings:", "0"]
        assert "Traceback" not in done.output
        assert KEY not in done.output
        assert await desk.runs() == 0
