"""What ``flatbed demo seed --scale`` writes is as sound as what the API writes."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from rich.console import Console

from flatbed.app.demo.scale.plan import Scale
from flatbed.app.demo.scale.seed import seed
from flatbed.app.demo.teller import Bar, Teller
from flatbed.app.wiring import build
from flatbed.tenants.kit.database.urls import connect
from tests.api.support import settings_for
from tests.cli.shell import Shell, parsed
from tests.conftest import _SUITE
from tests.support.postgres import TestDatabase

CANDIDATES, TENANTS = 1_500, 8
ORDER = ("demo", "seed", "--scale", str(CANDIDATES), "--tenants", str(TENANTS), "--json")
DRAWN = """
SELECT md5(string_agg(concat_ws('|', o.name, c.name, c.domain, c.employees, d.stage, d.status,
                                d.exit_reason, d.external_ref), ';' ORDER BY c.domain))
FROM candidate d
JOIN tenant_company c ON c.tenant_id = d.tenant_id AND c.id = d.company_id
JOIN organization o ON o.id = d.tenant_id
JOIN realm r ON r.id = o.realm_id
WHERE r.id = (SELECT id FROM realm ORDER BY created_at DESC, id DESC LIMIT 1)
"""
COUNTED = """
SELECT (SELECT count(*) FROM candidate), (SELECT count(*) FROM usage_entry),
       (SELECT count(*) FROM audit_entry), (SELECT count(*) FROM organization)
"""

pytestmark = pytest.mark.timeout(300)


class Deployment(Shell):
    """A shell and the database it works on."""

    def __init__(self, database: TestDatabase) -> None:
        super().__init__(database)
        self.database = database


@pytest.fixture
def shell(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A deployment without rows; the logs that a command set up are taken down again."""
    suite = request.config.stash[_SUITE]
    name = f"seeding_{getattr(request.config, 'workerinput', {}).get('workerid', 'main')}"
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield Deployment(suite.database(name))
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)
    suite.drop(name)


def asked(shell: Deployment, sql: str) -> tuple[Any, ...]:
    """The only row of an answer."""

    async def ask() -> tuple[Any, ...]:
        connection = await connect(shell.database.admin_url)
        try:
            row = await connection.fetchrow(sql)
            assert row is not None
            return tuple(row)
        finally:
            await connection.close()

    return asyncio.run(ask())


def assert_sound(shell: Deployment, tenants: int, realms: int) -> None:
    """Neither the ledgers nor the audit logs of the deployment have a finding."""
    ledgers = parsed(shell.run("verify", "ledger", "--json"))
    assert ledgers == {"checked": tenants, "findings": []}
    logs = parsed(shell.run("verify", "audit", "--json"))
    assert logs == {"checked": tenants + realms, "findings": []}


class Interrupted(Exception):
    """What stops a seeding in a test."""


class Impatient(Teller):
    """Stops the seeding when two batches are written."""

    @contextmanager
    def bar(self, text: str, total: int) -> Iterator[Bar]:
        with super().bar(text, total) as bar:
            yield _Stopping(bar)


class _Stopping(Bar):
    def __init__(self, bar: Bar) -> None:
        super().__init__(bar._progress, bar._task)
        self.left = 2

    def step(self, steps: int = 1) -> None:
        super().step(steps)
        self.left -= 1
        if self.left == 0:
            raise Interrupted


class TestSeeding:
    def test_the_command_fills_a_realm_that_verifies_and_draws_the_same_again(
        self, shell: Deployment
    ) -> None:
        first = parsed(shell.run(*ORDER, "--seed", "3"))
        assert first["realm"].startswith("realm_")
        assert first["rows"]["candidate"] == CANDIDATES
        assert asked(shell, COUNTED)[:2] == (CANDIDATES, first["rows"]["usage_entry"])
        assert first["rows"]["usage_entry"] > 20
        assert_sound(shell, TENANTS, 1)
        drawn = asked(shell, DRAWN)
        again = parsed(shell.run(*ORDER, "--seed", "3"))
        assert again["rows"] == first["rows"]
        assert again["realm"] != first["realm"]
        assert asked(shell, DRAWN) == drawn
        other = parsed(shell.run(*ORDER, "--seed", "4"))
        assert other["rows"]["candidate"] == CANDIDATES
        assert asked(shell, DRAWN) != drawn
        assert_sound(shell, 3 * TENANTS, 3)

    def test_what_an_interrupted_seeding_leaves_is_a_smaller_realm(self, shell: Deployment) -> None:
        async def interrupted(database: TestDatabase) -> None:
            program = build(settings_for(database))
            await program.start()
            try:
                order = Scale(CANDIDATES, TENANTS, seed=3, batch=100)
                await seed(program, order, Impatient(Console(quiet=True)))
            finally:
                await program.close()

        with pytest.raises(ExceptionGroup) as stopped:
            asyncio.run(interrupted(shell.database))
        assert stopped.group_contains(Interrupted)
        candidates, units, _, tenants = asked(shell, COUNTED)
        assert 0 < candidates < CANDIDATES
        assert units > 0
        assert tenants == TENANTS
        assert_sound(shell, TENANTS, 1)
