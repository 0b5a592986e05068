"""Each rule about transactions and SQL: what it must find, and what it must leave alone."""

import pytest

from lints.database import AgencyPlaneListed, NoCommit, NoSessionSettings, SqlInRepositories
from lints.source import Rule, SourceFile

SERVICE = "flatbed/app/candidates/service.py"
REPOSITORY = "flatbed/app/candidates/repository.py"
KERNEL = "flatbed/tenants/kit/database/session.py"


def lines(rule: Rule, text: str, path: str = SERVICE) -> list[int]:
    """The lines of a file at which a rule finds something."""
    return [finding.line for finding in rule.findings(SourceFile(path, text))]


class TestNoCommit:
    @pytest.mark.parametrize("verb", ["commit", "rollback"])
    def test_a_feature_that_ends_the_transaction_is_found(self, verb: str) -> None:
        text = f"async def save(session):\n    await session.{verb}()\n"
        assert lines(NoCommit(), text) == [2]
        assert lines(NoCommit(), text, REPOSITORY) == [2]

    def test_the_kernel_may_end_it_and_a_savepoint_is_no_end(self) -> None:
        assert lines(NoCommit(), "session.commit()\n", KERNEL) == []
        assert lines(NoCommit(), "session.begin_nested()\ncommit = 1\n") == []

    def test_the_rest_of_the_kernel_may_not(self) -> None:
        assert lines(NoCommit(), "session.commit()\n", "flatbed/tenants/kit/audit.py") == [1]


class TestSqlInRepositories:
    @pytest.mark.parametrize(
        "text",
        [
            "from sqlalchemy import select\nq = select(1)\n",
            "from sqlalchemy import update as change\nq = change(T)\n",
            "import sqlalchemy as sa\nq = sa.text('select 1')\n",
            "from sqlalchemy.dialects.postgresql import insert\nq = insert(T)\n",
            "async def f(session):\n    await session.execute(q)\n",
            "async def f(self):\n    await self._session.scalars(q)\n",
            "async def f(read_session):\n    await read_session.get(T, 1)\n",
            "async def f(self):\n    await self.session.connection().exec_driver_sql(q)\n",
        ],
    )
    def test_sql_in_a_service_is_found(self, text: str) -> None:
        assert lines(SqlInRepositories(), text) == [2]

    @pytest.mark.parametrize(
        "path",
        [
            REPOSITORY,
            "flatbed/app/candidates/repository/facts.py",
            "flatbed/tenants/kit/audit.py",
            "migrations/versions/0001_kernel.py",
        ],
    )
    def test_sql_where_it_belongs_is_left_alone(self, path: str) -> None:
        text = "from sqlalchemy import select\nq = select(1)\nsession.execute(q)\n"
        assert lines(SqlInRepositories(), text, path) == []

    def test_other_things_of_the_same_name_are_left_alone(self) -> None:
        text = "from prompts import select\nselect(1)\ncache.get('a')\nsession.add(row)\n"
        assert lines(SqlInRepositories(), text) == []

    def test_the_demo_has_no_way_round_http(self) -> None:
        text = "from sqlalchemy import select\nq = select(1)\n"
        assert lines(SqlInRepositories(), text, "flatbed/app/demo/seed.py") == [2]

    @pytest.mark.parametrize("name", ["models.py", "models/contact.py"])
    def test_a_model_may_word_a_partial_index_but_run_nothing(self, name: str) -> None:
        text = "from sqlalchemy import select, text\ni = text('a is null')\nq = select(1)\n"
        assert lines(SqlInRepositories(), text, f"flatbed/app/candidates/{name}") == [3]


class TestNoSessionSettings:
    @pytest.mark.parametrize(
        "sql",
        [
            "SET ROLE flatbed_owner",
            "set search_path = public",
            "  SET SESSION statement_timeout TO 0",
            "SET SESSION AUTHORIZATION postgres",
            "SET TIME ZONE 'UTC'",
            "set search_path to a, b",
            "SET search_path TO ''",
            "SELECT 1; SET flatbed.tenant_id = 'x'",
            "RESET ALL",
            "reset role",
            "DISCARD ALL",
            "SELECT set_config('flatbed.tenant_id', 'x', false)",
        ],
    )
    @pytest.mark.parametrize("path", [REPOSITORY, KERNEL, "migrations/env.py"])
    def test_a_setting_of_the_session_is_found_everywhere(self, sql: str, path: str) -> None:
        assert lines(NoSessionSettings(), f"sql = {sql!r}\n", path) == [1]

    def test_an_f_string_is_read_as_a_whole(self) -> None:
        assert lines(NoSessionSettings(), "sql = f'SET {name} = {value}'\n") == [1]
        assert lines(NoSessionSettings(), "sql = f'UPDATE {t} SET a = 1'\n", REPOSITORY) == []

    def test_the_function_is_found_too(self) -> None:
        assert lines(NoSessionSettings(), "func.set_config('a', 'b', True)\n", REPOSITORY) == [1]

    def test_set_local_belongs_to_the_kernel(self) -> None:
        text = "sql = f\"SET LOCAL flatbed.tenant_id = '{tenant}'\"\n"
        assert lines(NoSessionSettings(), text, KERNEL) == []
        assert lines(NoSessionSettings(), text, REPOSITORY) == [1]

    @pytest.mark.parametrize(
        "text",
        [
            "UPDATE contact SET name = 'x'",
            "Set the clock to an instant",
            "Reset the secret",
            "set FLATBED_DATABASE_URL to the address of a server",
            "ALTER ROLE flatbed_app SET row_security = on",
            "SET CONSTRAINTS ALL IMMEDIATE",
        ],
    )
    def test_prose_and_other_sql_are_left_alone(self, text: str) -> None:
        assert lines(NoSessionSettings(), f"sql = {text!r}\n", REPOSITORY) == []

    def test_a_docstring_may_speak_of_it(self) -> None:
        assert lines(NoSessionSettings(), '"""SET ROLE is refused."""\n') == []


class TestAgencyPlaneListed:
    ENTERS = (
        "from flatbed.tenants.kit.database import agency_plane\n"
        "async def link(session):\n"
        "    async with agency_plane(session):\n"
        "        pass\n"
    )

    def test_an_entrance_that_is_not_listed_is_found(self) -> None:
        assert lines(AgencyPlaneListed({}), self.ENTERS) == [1, 3]
        assert lines(AgencyPlaneListed({}), "database.agency_plane(session)\n") == [1]

    def test_another_name_for_it_is_found(self) -> None:
        text = "from flatbed.tenants.kit.database import agency_plane as plane\n"
        assert lines(AgencyPlaneListed({}), text) == [1]

    def test_the_door_for_reading_is_one_too(self) -> None:
        text = self.ENTERS.replace("agency_plane", "agency_plane_to_read")
        assert lines(AgencyPlaneListed({}), text) == [1, 3]
        assert (
            list(AgencyPlaneListed({SERVICE: "why"}).stale({SERVICE: SourceFile(SERVICE, text)}))
            == []
        )

    def test_a_listed_entrance_is_left_alone(self) -> None:
        rule = AgencyPlaneListed({SERVICE: "a candidate is linked to the registry"})
        assert lines(rule, self.ENTERS) == []
        assert list(rule.stale({SERVICE: SourceFile(SERVICE, self.ENTERS)})) == []

    def test_an_entry_that_enters_nothing_is_found(self) -> None:
        rule = AgencyPlaneListed({SERVICE: "no longer", REPOSITORY: "gone"})
        stale = list(rule.stale({SERVICE: SourceFile(SERVICE, "x = 1\n")}))
        assert [finding.message.split()[0] for finding in stale] == [SERVICE, REPOSITORY]

    def test_a_session_type_of_the_same_plane_is_left_alone(self) -> None:
        text = "from flatbed.tenants.kit.database import AgencySession\nplane = 'agency_plane'\n"
        assert lines(AgencyPlaneListed({}), text) == []
