"""The invariants see what they are for: each is broken on purpose and must say so."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.exporting import collect_invoice
from flatbed.billing.statements.closing import close
from flatbed.billing.statements.repository.closing import open_periods
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from tests.api.support import World
from tests.billing.statements.closed import PROFILE
from tests.candidates.factory import Site, site
from tests.faults import invariants
from tests.faults.acts import Stage
from tests.faults.repeated import ActError
from tests.qualifications.factory import qualify
from tests.qualifications.guarantee.claims import FOUND, accepted, claim, reported
from tests.qualifications.stock import stock
from tests.qualifications.waiting.line import full
from tests.support.postgres import TestDatabase

UNGUARDED: Final = """
SET LOCAL session_replication_role = replica;
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT conrelid::regclass AS owner, conname FROM pg_constraint
        WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'public'::regnamespace
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.owner, one.conname); END LOOP;
END $$
"""
"""The database itself would refuse most of it: no triggers, no foreign keys, no checks."""
MINE: Final = "WHERE tenant_id = '{tenant}'"


def copied(table: str, changes: str = "") -> str:
    """Double the tenant's rows, changed so."""
    more = f", {changes}" if changes else ""
    return (
        f"CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM {table} {MINE};"
        f" UPDATE copied SET id = gen_random_uuid(){more};"
        f" INSERT INTO {table} SELECT * FROM copied"
    )


BREAKS: Final[Mapping[str, str]] = {
    "a source is metered once": "DROP INDEX usage_entry_source_key;"
    + copied("usage_entry", "sequence = sequence + 100, unit_key = unit_key || '2'"),
    "a unit is live once": copied(
        "usage_entry",
        "sequence = sequence + 100, generation = generation + 1, source_id = gen_random_uuid()",
    ),
    "an entry is reversed once": (
        "ALTER TABLE usage_entry DROP CONSTRAINT usage_entry_tenant_id_reverses_id_key;"
        + copied(
            "usage_entry",
            "sequence = sequence + 100, kind = 'reversal', units = -1, amount = 0,"
            " reverses_id = (SELECT id FROM usage_entry WHERE tenant_id = '{tenant}' LIMIT 1)",
        )
    ),
    "a live entry is named by one candidate": f"UPDATE candidate SET entry_id = NULL {MINE}",
    "a candidate names a live entry": f"UPDATE candidate SET entry_id = gen_random_uuid() {MINE}",
    "a candidate who holds a unit is qualified": (
        f"UPDATE candidate SET stage = 'targeted' {MINE}"
    ),
    "a qualification that stands has a live entry, a voided one has none": (
        f"UPDATE qualification SET entry_id = gen_random_uuid() {MINE}"
    ),
    "an entry has its qualification": (
        f"UPDATE usage_entry SET source_id = gen_random_uuid() {MINE}"
    ),
    "ledger and qualification agree on what was decided": f"DELETE FROM usage_decision {MINE}",
    "a decision is taken once": copied("usage_decision"),
    "a campaign counts what was accepted, and is filled by it": (
        f"UPDATE campaign SET accepted_count = accepted_count + 1 {MINE}"
    ),
    "caps count the live units": f"UPDATE cap_counter SET units = units + 1 {MINE}",
    "a closed period has its statement, an open one none": (
        f"UPDATE period SET status = 'open' {MINE}"
    ),
    "a statement is the sum of its lines": f"UPDATE statement SET units = units + 1 {MINE}",
    "invoices ask for what the lines say": f"UPDATE invoice SET net = net + 1 {MINE}",
    "money that was billed is in the ledger": (
        f"UPDATE statement_line SET amount = amount + 1 {MINE}"
    ),
    "what an earlier period held is billed, held, cancelled or written off": (
        f"DELETE FROM statement_rest {MINE}"
    ),
    "invoice numbers have no gap": (
        "UPDATE invoice_series SET last_number = last_number + 1 WHERE realm_id ="
        " (SELECT realm_id FROM organization WHERE id = '{tenant}')"
    ),
    "what is asked for is at Stripe": f"DELETE FROM collection {MINE}",
    "the head names the last entry": f"UPDATE ledger_head SET sequence = sequence + 1 {MINE}",
    "a candidate stands where his last transition led": (
        f"UPDATE transition SET to_stage = 'targeted' {MINE}"
    ),
    "a found candidate has one assignment, one card and one link": (
        f"DELETE FROM assignment {MINE} AND kind = 'candidate'"
    ),
    "a mutation has its audit row and its event": f"DELETE FROM event_pending {MINE}",
    "a row that is written once is audited once": copied("audit_pending"),
    "what is billed, decided or ordered is in the audit": (
        f"DELETE FROM audit_pending {MINE}; DELETE FROM event_pending {MINE}"
    ),
    "what waits for the ISV has its deadline": f"DELETE FROM deadline {MINE}",
    "what is decided has no deadline": (
        f"UPDATE deadline SET done_at = NULL {MINE} AND kind = 'qualification.acceptance'"
    ),
    "a line counts who waits": f"UPDATE waiting_line SET waiting = waiting + 1 {MINE}",
    "who waits over a cap is in planning, unbilled, and has its deadline": (
        f"DELETE FROM deadline {MINE} AND kind = 'waiting.expiry'"
    ),
    "who waits no more has no deadline": (
        f"UPDATE waiting_qualification SET status = 'expired' {MINE}"
    ),
    "who replaces a paid unit costs nothing, and both name each other": (
        f"UPDATE qualification SET replaces_id = NULL {MINE}"
    ),
    "a unit for nothing has its case": (
        f"UPDATE guarantee_case SET status = 'open' {MINE} AND status = 'replaced'"
    ),
    "a credit is that of one case": copied(
        "usage_entry",
        "sequence = sequence + 100, kind = 'credit', units = 0, amount = -1, credits_id = id",
    ),
    "what is owed has its deadline": f"DELETE FROM deadline {MINE} AND kind = 'guarantee.remedy'",
    "a free ride is billed by its own unit": f"DELETE FROM free_ride {MINE}",
    "an open dispute waits for its answer": f"DELETE FROM deadline {MINE}",
    "a dispute's card says what it is": f"DELETE FROM dispute_card {MINE}",
    "no deadline has failed": f"UPDATE deadline SET attempts = 1 {MINE}",
    "no job has died": "UPDATE pgqueuer SET status = 'failed'",
    "no job is stuck": "UPDATE pgqueuer SET execute_after = now() - interval '1 day'",
    "one key signs": "DELETE FROM signing_key",
}
"""What is done to the rows; undone afterwards."""


@dataclass
class Scene:
    """A tenant with one of each: found, pending, accepted, disputed and waiting over a cap.

    And a partner who was replaced, one who is still to be, and one whom the ISV contracted.
    """

    site: Site
    admin: Plain

    @property
    def realms(self) -> list[UUID]:
        return [self.site.world.realm_id]

    async def broken(self, statements: str, *names: str) -> list[str]:
        """What is found after these statements, which are then undone."""
        change = self.admin.transaction()
        await change.start()
        try:
            await self.admin.execute(UNGUARDED)
            await self.admin.execute(statements.format(tenant=self.site.isv.tenant_id))
            return await invariants.state(self.admin, self.realms, *names)
        finally:
            await change.rollback()


@pytest_asyncio.fixture
async def scene(world: World, admin_connection: Plain) -> Scene:
    found = await site(world, quantity=9)
    await found.found()
    one, two, _ = [await qualify(worked) for worked in await stock(found, 3)]
    assert (await one.accept()).status_code == 200
    await two.disputed()
    await full(world, waiting=1, isv=found.isv)
    await _made_good(found)
    await _close(found)
    collector = Collector(world.program.database, None)
    for row in await admin_connection.fetch(
        "SELECT id FROM invoice WHERE tenant_id = $1", found.isv.tenant_id
    ):
        await collect_invoice(collector, world.realm_id, found.isv.tenant_id, row["id"])
    return Scene(found, admin_connection)


async def _made_good(found: Site) -> None:
    (first,) = await accepted(found)
    await (await claim(first)).confirmed()
    (worked, ridden) = await stock(found, 2)
    await qualify(worked)
    (second,) = await accepted(found)
    await (await claim(second)).confirmed()
    ride = await reported(ridden)
    await found.lead.made(f"{ride}/decision", FOUND)


async def _close(found: Site) -> None:
    """Bill the accepted one and hold the others, in the month after."""
    finance = (await found.world.staff("finance")).client
    await finance.request("PUT", "/v1/billing-profile", json=PROFILE, version=0)
    async with found.world.program.database.tenant(
        realm_id=found.world.realm_id,
        tenant_id=found.isv.tenant_id,
        caller=invariants.CALLER,
        clock=Clock(instant=found.now() + timedelta(days=40)),
    ) as session:
        [period] = await open_periods(session)
        await close(session, period.id)


class TestState:
    def test_each_has_a_way_to_break_it(self) -> None:
        assert BREAKS.keys() == invariants.STATE.keys()

    async def test_each_holds_of_good_rows_and_not_of_bad_ones(self, scene: Scene) -> None:
        assert await invariants.state(scene.admin, scene.realms) == []
        unseen = [name for name, sql in BREAKS.items() if not await scene.broken(sql, name)]
        assert unseen == []
        assert await invariants.state(scene.admin, scene.realms) == []


class TestWaiting:
    async def test_it_names_all_that_waits_for_the_worker(self, scene: Scene) -> None:
        change = scene.admin.transaction()
        await change.start()
        await scene.admin.execute("UPDATE deadline SET due_at = now() - interval '1 minute'")
        await scene.admin.execute("UPDATE campaign SET cap_units_total = NULL")
        found = await invariants.waiting(scene.admin, scene.realms)
        await change.rollback()
        assert [one.partition(":")[0] for one in found] == list(invariants.WAITING)


class TestIdle:
    async def test_a_session_left_in_a_transaction_is_seen(
        self, database: TestDatabase, admin_connection: Plain
    ) -> None:
        assert await invariants.idle(admin_connection) == []
        left = await asyncpg.connect(
            database.app_url, server_settings={"application_name": "flatbed"}
        )
        await left.execute("BEGIN")
        await asyncio.sleep(1.1)
        assert len(await invariants.idle(admin_connection)) == 1
        await left.close()


class TestChains:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE usage_entry SET amount = amount + 1 WHERE tenant_id = '{tenant}'",
            "UPDATE audit_entry SET action = 'x.y' WHERE tenant_id = '{tenant}'",
            "UPDATE agency_audit_entry SET action = 'x.y' WHERE realm_id = '{realm}'",
        ],
    )
    async def test_an_edited_row_is_found(self, scene: Scene, statement: str) -> None:
        world, tenant = scene.site.world, scene.site.isv.tenant_id
        await seal_tenant(world.program.database, world.realm_id, tenant)
        await seal_agency(world.program.database, world.realm_id)
        look = (world.program, scene.admin, scene.realms)
        assert await invariants.chains(*look) == []
        # This realm is nobody else's: it may stay broken.
        statement = statement.format(tenant=tenant, realm=world.realm_id)
        async with scene.admin.transaction():
            await scene.admin.execute("SET LOCAL session_replication_role = replica")
            await scene.admin.execute(statement)
        assert await invariants.chains(*look) != []

    async def test_a_head_without_a_line_in_the_anchor_file_is_found(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        program = scene.site.world.program
        settings = program.settings.model_copy(update={"anchor_file": tmp_path / "anchors"})
        found = await invariants.anchored(
            replace(program, settings=settings), scene.admin, scene.realms
        )
        assert len(found) == 1


class TestActs:
    async def test_a_lost_effect_and_a_second_one_are_seen(self, scene: Scene) -> None:
        (act,) = await Stage(scene.site).touches(1)
        assert await act.check(scene.admin) != []
        assert await act.attempt()
        assert await act.attempt()
        assert await act.check(scene.admin) == []
        twice = replace(act, effect=f"SELECT 2 * ({act.effect})")
        assert await twice.check(scene.admin) != []
        lost = "DELETE FROM touchpoint WHERE candidate_id = $1 AND text = $2"
        await scene.admin.execute(lost, *act.args)
        found = await act.check(scene.admin)
        assert [one.partition(":")[0] for one in found] == ["touch", "touch"]

    async def test_another_answer_than_the_first_is_seen(self, scene: Scene) -> None:
        (act,) = await Stage(scene.site).candidates(1)
        assert await act.attempt()
        act.first = (201, {"id": "another"})
        with pytest.raises(ActError):
            await act.attempt()
