"""The migrated database keeps tenants apart, table by table, as read from pg_catalog."""

import re
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from flatbed.tenants.kit.database.urls import Plain
from tests.isolation import declared

TABLES = """
SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment,
       c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f')
"""
POLICIES = """
SELECT relname AS table, polname AS name, polpermissive AS permissive, polroles = '{0}' AS for_all,
       CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                   WHEN 'd' THEN 'DELETE' ELSE '*' END AS command,
       pg_get_expr(polqual, polrelid) AS "using", pg_get_expr(polwithcheck, polrelid) AS "check"
FROM pg_policy JOIN pg_class c ON c.oid = polrelid
"""
# The first column of each key: of a foreign key also the parent's.
KEYS = """
SELECT relname AS table, conname AS name, contype::text AS type, a.attname AS first,
       confrelid::regclass::text AS parent, f.attname AS parent_first
FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1]
LEFT JOIN pg_attribute f ON f.attrelid = confrelid AND f.attnum = confkey[1]
WHERE contype IN ('p', 'u', 'f', 'x') AND connamespace = 'public'::regnamespace
UNION ALL
SELECT c.relname, i.relname, 'i', a.attname, NULL, NULL
FROM pg_index x JOIN pg_class c ON c.oid = indrelid JOIN pg_class i ON i.oid = indexrelid
LEFT JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = indkey[0]
WHERE indisunique AND c.relnamespace = 'public'::regnamespace
"""
COLUMN_NOT_NULL = """
SELECT relname AS table, attname AS column, attnotnull AS not_null
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attname = ANY ($1)
"""
GRANTS = """
SELECT relname AS table, grantee::regrole::text AS role, privilege_type AS right, NULL AS column
FROM pg_class CROSS JOIN aclexplode(relacl)
WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY ($1)
UNION ALL
SELECT relname, grantee::regrole::text, privilege_type, attname
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid CROSS JOIN aclexplode(attacl)
WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY ($1)
"""
FUNCTIONS = """
SELECT proname AS name, prosecdef AS definer, proconfig AS settings,
       has_function_privilege('public', p.oid, 'EXECUTE') AS open
FROM pg_proc p WHERE pronamespace NOT IN ('pg_catalog'::regnamespace,
                                          'information_schema'::regnamespace)
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND deptype = 'e')
"""
LETTERS = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}


class Catalogue:
    """The tables and what hangs on them, read once."""

    def __init__(self, tables: list[asyncpg.Record], policies: list[asyncpg.Record]) -> None:
        self.tables = {row["name"]: row for row in tables}
        self.kinds = {
            name: row["comment"].removeprefix("flatbed:")
            for name, row in self.tables.items()
            if (row["comment"] or "").startswith("flatbed:")
        }
        self.policies = policies

    @property
    def tenant_tables(self) -> set[str]:
        return {name for name, kind in self.kinds.items() if kind in declared.TENANT_KINDS}

    @property
    def agency_tables(self) -> set[str]:
        return {name for name, kind in self.kinds.items() if kind == "agency"}

    def leader(self, table: str) -> str:
        """The column that every key of the table begins with."""
        return "realm_id" if table in self.agency_tables else "tenant_id"


@pytest_asyncio.fixture
async def catalogue(admin_connection: Plain) -> Catalogue:
    return Catalogue(
        list(await admin_connection.fetch(TABLES)), list(await admin_connection.fetch(POLICIES))
    )


class TestTables:
    def test_every_table_is_of_a_declared_kind_or_named_infrastructure(
        self, catalogue: Catalogue
    ) -> None:
        kinds = declared.TENANT_KINDS | {"agency", "own"}
        assert {n for n in catalogue.tables if catalogue.kinds.get(n) not in kinds} == set(
            declared.INFRASTRUCTURE
        )

    def test_the_list_of_tenant_tables_is_not_empty(self, catalogue: Catalogue) -> None:
        assert len(catalogue.tenant_tables) >= declared.FEWEST_TENANT_TABLES
        for kind in ("shared", "candidate", "closed", "agency", "own"):
            assert kind in catalogue.kinds.values()

    def test_every_table_that_is_not_infrastructure_has_row_security_enabled_and_forced(
        self, catalogue: Catalogue
    ) -> None:
        rows = [catalogue.tables[name] for name in catalogue.kinds]
        assert [row["name"] for row in rows if not (row["enabled"] and row["forced"])] == []

    async def test_tenant_and_realm_are_never_null(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        columns = await admin_connection.fetch(COLUMN_NOT_NULL, ["tenant_id", "realm_id"])
        never_null = {(row["table"], row["column"]) for row in columns if row["not_null"]}
        tables = catalogue.tenant_tables | catalogue.agency_tables
        assert {(table, catalogue.leader(table)) for table in tables} <= never_null


class TestPolicies:
    def test_each_table_has_exactly_the_policies_of_its_kind(self, catalogue: Catalogue) -> None:
        expected: dict[tuple[str, str], tuple[Any, ...]] = {}
        for table, kind in catalogue.kinds.items():
            if kind in declared.TENANT_KINDS:
                expected[table, "tenant"] = (True, "*", declared.TENANT, declared.TENANT)
            if kind == "candidate":
                column = "id" if table == "candidate" else "candidate_id"
                bound = declared.in_range(column)
                expected[table, "candidate"] = (False, "*", bound, bound)
            if kind == "closed":
                expected[table, "closed"] = (False, "*", declared.CLOSED, declared.CLOSED)
            if kind == "agency":
                expected[table, "agency"] = (True, "*", declared.AGENCY, declared.AGENCY)
        for table, policies in declared.OWN_POLICIES.items():
            for name, policy in policies.items():
                expected[table, name] = (True, *policy)
        found = {
            (row["table"], row["name"]): (
                row["permissive"],
                row["command"],
                row["using"],
                row["check"],
            )
            for row in catalogue.policies
        }
        assert found == expected
        assert all(row["for_all"] for row in catalogue.policies)

    async def test_policies_hold_no_sub_select_and_no_volatile_function(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        texts = [row[part] or "" for row in catalogue.policies for part in ("using", "check")]
        assert any(texts)
        assert [text for text in texts if re.search(r"\bSELECT\b", text)] == []
        called = {name.lower() for text in texts for name in re.findall(r"(\w+)\(", text)}
        volatile = await admin_connection.fetch(
            "SELECT proname FROM pg_proc WHERE proname = ANY ($1) AND provolatile = 'v'",
            sorted(called),
        )
        assert called == {"nullif", "current_setting"}
        assert list(volatile) == []


class TestKeys:
    async def test_every_key_and_unique_index_leads_with_the_tenant_or_the_realm(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        keys = await admin_connection.fetch(KEYS)
        checked = catalogue.tenant_tables | catalogue.agency_tables
        strays = [
            (row["table"], row["name"])
            for row in keys
            if row["table"] in checked
            and row["first"] != catalogue.leader(row["table"])
            and not (row["table"] in declared.GLOBAL_IDS and row["first"] == "id")
        ]
        assert strays == []
        assert {row["table"] for row in keys if row["type"] == "p"} >= checked
        assert {row["type"] for row in keys} == {"p", "u", "f", "x", "i"}

    async def test_every_foreign_key_meets_its_parent_on_the_same_column(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        checked = catalogue.tenant_tables | catalogue.agency_tables
        foreign = [
            row
            for row in await admin_connection.fetch(KEYS)
            if row["type"] == "f" and row["table"] in checked
        ]
        strays = [
            (row["table"], row["name"])
            for row in foreign
            if row["first"] != row["parent_first"] and row["parent"] != "realm"
        ]
        assert strays == []
        assert len(foreign) >= len(catalogue.tenant_tables)

    async def test_no_foreign_key_leads_from_one_plane_into_the_other(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        planes = dict.fromkeys(catalogue.tenant_tables, "tenant")
        planes |= {name: "login" for name, kind in catalogue.kinds.items() if kind == "own"}
        planes |= dict.fromkeys({*catalogue.agency_tables, "realm"}, "agency")
        foreign = [row for row in await admin_connection.fetch(KEYS) if row["type"] == "f"]
        assert [r["name"] for r in foreign if planes[r["table"]] != planes[r["parent"]]] == []

    async def test_a_candidate_cannot_be_qualified_without_its_entry_once_committed(
        self, admin_connection: Plain
    ) -> None:
        key = await admin_connection.fetchrow(
            "SELECT condeferrable, condeferred, convalidated FROM pg_constraint"
            " WHERE conrelid = 'candidate'::regclass AND confrelid = 'usage_entry'::regclass"
        )
        assert key is not None
        assert tuple(key) == (True, True, True)


class TestGrants:
    async def test_the_program_holds_exactly_the_declared_rights(
        self, admin_connection: Plain
    ) -> None:
        whole: dict[str, str] = {}
        columns: dict[str, list[str]] = {}
        for row in await admin_connection.fetch(GRANTS, ["r", "p", "f", "v"]):
            if row["role"] != "flatbed_app":
                continue
            if row["column"] is None:
                whole[row["table"]] = whole.get(row["table"], "") + LETTERS[row["right"]]
            else:
                assert row["right"] == "UPDATE"
                columns.setdefault(row["table"], []).append(row["column"])
        found = {
            table: "".join(sorted(letters, key="SIUD".index))
            + (f" U({' '.join(sorted(columns[table]))})" if table in columns else "")
            for table, letters in whole.items()
        }
        assert found == declared.GRANTS

    async def test_public_and_strangers_hold_nothing(self, admin_connection: Plain) -> None:
        kinds = ["r", "p", "f", "v", "m", "S"]
        roles = {row["role"] for row in await admin_connection.fetch(GRANTS, kinds)}
        assert roles == {"flatbed_owner", "flatbed_app", "flatbed_backup"}

    async def test_the_program_uses_only_the_sequences_of_the_job_library(
        self, admin_connection: Plain
    ) -> None:
        rows = await admin_connection.fetch(GRANTS, ["S"])
        found = {(r["table"], r["right"]) for r in rows if r["role"] == "flatbed_app"}
        assert found == {(name, "USAGE") for name in declared.SEQUENCES}

    async def test_the_backup_role_reads_every_table_and_nothing_else(
        self, catalogue: Catalogue, admin_connection: Plain
    ) -> None:
        rows = await admin_connection.fetch(GRANTS, ["r"])
        found = {(r["table"], r["right"]) for r in rows if r["role"] == "flatbed_backup"}
        assert found == {(name, "SELECT") for name in catalogue.tables}

    @pytest.mark.parametrize("role", ["flatbed_app", "flatbed_backup", "public"])
    async def test_nobody_but_the_owner_may_make_anything(
        self, admin_connection: Plain, role: str
    ) -> None:
        schemas = await admin_connection.fetchval(
            "SELECT count(*) FROM pg_namespace WHERE has_schema_privilege($1, oid, 'CREATE')", role
        )
        rights = await admin_connection.fetchrow(
            "SELECT has_database_privilege($1, current_database(), 'CREATE'),"
            " has_database_privilege($1, current_database(), 'TEMP')",
            role,
        )
        assert schemas == 0
        assert rights is not None
        assert tuple(rights) == (False, False)


class TestRoles:
    @pytest.mark.parametrize(
        ("role", "bypasses"),
        [("flatbed_app", False), ("flatbed_owner", False), ("flatbed_backup", True)],
    )
    async def test_each_role_can_log_in_and_nothing_more(
        self, admin_connection: Plain, role: str, bypasses: bool
    ) -> None:
        row = await admin_connection.fetchrow(
            "SELECT rolcanlogin, rolbypassrls, rolsuper OR rolcreaterole OR rolcreatedb"
            " OR rolreplication, rolinherit FROM pg_roles WHERE rolname = $1",
            role,
        )
        assert row is not None
        # The owner inherits what a database's owner has of pg_database_owner, which 15 asks for.
        assert tuple(row) == (True, bypasses, False, role == "flatbed_owner")

    async def test_no_role_of_ours_is_a_member_of_another(self, admin_connection: Plain) -> None:
        members = await admin_connection.fetchval(
            "SELECT count(*) FROM pg_auth_members WHERE member::regrole::text LIKE 'flatbed%'"
        )
        assert members == 0

    async def test_the_program_owns_nothing(self, admin_connection: Plain) -> None:
        owners = await admin_connection.fetch(
            "SELECT DISTINCT pg_get_userbyid(relowner) AS role FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace"
        )
        assert [row["role"] for row in owners] == ["flatbed_owner"]


class TestCode:
    async def test_no_view_reads_with_its_owners_eyes(self, admin_connection: Plain) -> None:
        views = await admin_connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND"
            " (relkind = 'm' OR relkind = 'v' AND NOT"
            " coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}')"
        )
        assert [row["relname"] for row in views] == []

    async def test_the_only_function_is_the_one_that_denies(self, admin_connection: Plain) -> None:
        functions = await admin_connection.fetch(FUNCTIONS)
        assert [tuple(row) for row in functions] == [
            ("flatbed_append_only", False, ["search_path=pg_catalog"], False)
        ]

    async def test_ledger_and_sealed_audit_refuse_changes_by_their_owner_too(
        self, owner_connection: Plain
    ) -> None:
        for table in declared.APPEND_ONLY:
            for change in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                    await owner_connection.execute(change)
        triggers = await owner_connection.fetch(
            "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE NOT tgisinternal"
        )
        assert {row["name"] for row in triggers} == declared.APPEND_ONLY
