"""Each rule about tables, row security and errors of the database."""

import pytest

from lints.schema import NothingSwallowed, RowSecurityHolds, TablesByHelper
from lints.source import Rule, SourceFile

SERVICE = "flatbed/app/candidates/service.py"
MIGRATION = "migrations/versions/0099_more.py"
HELPERS = "flatbed/tenants/kit/database/schema.py"


def lines(rule: Rule, text: str, path: str = MIGRATION) -> list[int]:
    """The lines of a file at which a rule finds something."""
    return [finding.line for finding in rule.findings(SourceFile(path, text))]


class TestTablesByHelper:
    @pytest.mark.parametrize(
        "text",
        [
            "op.create_table('note', sa.Column('id', sa.Uuid()))\n",
            "op.execute('CREATE TABLE note (id uuid)')\n",
            "op.execute('CREATE UNLOGGED TABLE note (id uuid)')\n",
            "op.execute(f'CREATE POLICY {name} ON {table} USING (x)')\n",
            "op.execute('DROP POLICY hunter ON candidate')\n",
            "op.execute('ALTER POLICY hunter ON candidate USING (x)')\n",
            "Base.metadata.create_all(engine)\n",
        ],
    )
    def test_a_table_or_policy_made_by_hand_is_found(self, text: str) -> None:
        assert lines(TablesByHelper(), text) == [1]
        assert lines(TablesByHelper(), text, HELPERS) == []

    def test_the_helpers_and_other_ddl_are_left_alone(self) -> None:
        text = (
            '"""No CREATE TABLE by hand."""\n'
            "tenant_table('note', grants='SI')\n"
            "policy('note', 'hunter', using='x')\n"
            "op.add_column('note', sa.Column('b', sa.Text()))\n"
            "op.execute('CREATE INDEX a ON note (tenant_id, b)')\n"
        )
        assert lines(TablesByHelper(), text) == []

    def test_a_test_may_make_a_table_of_its_own(self) -> None:
        assert lines(TablesByHelper(), "sql = 'CREATE TABLE t (id uuid)'\n", "tests/a.py") == []


class TestRowSecurityHolds:
    @pytest.mark.parametrize(
        "sql",
        [
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'select 1'",
            "ALTER TABLE candidate DISABLE ROW LEVEL SECURITY",
            "alter table candidate no force row level security",
            "CREATE POLICY p ON t USING (true)",
            "ALTER POLICY p ON t WITH CHECK ( TRUE )",
            "ALTER ROLE flatbed_app BYPASSRLS",
            "ALTER ROLE flatbed_app WITH SUPERUSER",
            "CREATE VIEW all_candidates AS SELECT * FROM candidate",
            "CREATE OR REPLACE VIEW v WITH (security_barrier) AS SELECT 1",
        ],
    )
    @pytest.mark.parametrize("path", [MIGRATION, SERVICE])
    def test_sql_that_opens_row_security_is_found(self, sql: str, path: str) -> None:
        assert lines(RowSecurityHolds(), f"sql = {sql!r}\n", path) == [1]

    @pytest.mark.parametrize("condition", ["true", "(TRUE)", "1=1"])
    def test_a_policy_that_lets_everybody_through_is_found(self, condition: str) -> None:
        text = f"policy('note', 'all', using='x', check={condition!r})\n"
        assert lines(RowSecurityHolds(), text) == [1]

    @pytest.mark.parametrize(
        "sql",
        [
            "ALTER TABLE candidate FORCE ROW LEVEL SECURITY",
            "ALTER ROLE flatbed_app NOSUPERUSER NOBYPASSRLS",
            "SELECT rolsuper, rolbypassrls FROM pg_roles",
            "CREATE VIEW v WITH (security_invoker = true) AS SELECT 1",
            "CHECK (is_true)",
        ],
    )
    def test_what_keeps_it_and_what_reads_it_are_left_alone(self, sql: str) -> None:
        assert lines(RowSecurityHolds(), f"sql = {sql!r}\n") == []
        assert lines(RowSecurityHolds(), "policy('note', 'mine', using='a = b')\n") == []

    def test_the_helper_for_backfills_may_lift_it(self) -> None:
        text = "sql = f'ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY'\n"
        assert lines(RowSecurityHolds(), text, HELPERS) == []
        assert lines(RowSecurityHolds(), text) == [1]


class TestNothingSwallowed:
    @pytest.mark.parametrize(
        "caught",
        ["IntegrityError", "exc.DBAPIError", "Exception", "BaseException", "(KeyError, Exception)"],
    )
    @pytest.mark.parametrize("going_on", ["return None", "row = None", "log.info('x')", "pass"])
    def test_going_on_after_an_error_is_found(self, caught: str, going_on: str) -> None:
        text = f"try:\n    await session.flush()\nexcept {caught}:\n    {going_on}\n"
        assert lines(NothingSwallowed(), text, SERVICE) == [3]

    def test_a_bare_except_and_suppress_are_found(self) -> None:
        text = "try:\n    f()\nexcept:\n    pass\n"
        assert lines(NothingSwallowed(), text, SERVICE) == [3]
        text = "from contextlib import suppress\nwith suppress(Exception):\n    f()\n"
        assert lines(NothingSwallowed(), text, SERVICE) == [2]

    def test_another_error_in_its_place_is_left_alone(self) -> None:
        text = (
            "try:\n    await session.flush()\nexcept IntegrityError:\n    raise Taken from None\n"
        )
        assert lines(NothingSwallowed(), text, SERVICE) == []

    def test_a_savepoint_of_its_own_may_be_given_up(self) -> None:
        text = (
            "try:\n    async with session.begin_nested():\n        await session.flush()\n"
            "except IntegrityError:\n    row = None\n"
        )
        assert lines(NothingSwallowed(), text, SERVICE) == []
        beside = text.replace("except", "    await more(session)\nexcept")
        assert lines(NothingSwallowed(), beside, SERVICE) == [5]

    def test_an_error_of_plain_values_and_the_loops_are_left_alone(self) -> None:
        text = "try:\n    f()\nexcept ValueError:\n    x = 1\n"
        assert lines(NothingSwallowed(), text, SERVICE) == []
        text = text.replace("ValueError", "Exception")
        assert lines(NothingSwallowed(), text, "flatbed/tenants/kit/sweep.py") == []
