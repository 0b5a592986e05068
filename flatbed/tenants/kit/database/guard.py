"""What the program checks of its database before it serves anybody."""

import functools
from typing import Final

from alembic.script import ScriptDirectory

from flatbed.tenants.kit.database.limits import LIMITS, PLANNING
from flatbed.tenants.kit.database.migrate import directory
from flatbed.tenants.kit.database.provision import APP
from flatbed.tenants.kit.database.urls import Plain

FIRST_SAFE: Final = {15: 150014, 16: 160010, 17: 170006}
"""By major version, the first release with the fixes of known leaks past row security."""
_OLDEST: Final = 15
_HELD: Final = {**LIMITS, **PLANNING}
"""The largest value of each setting."""

# Both the role that signed in and the one it became: SET ROLE can be taken back.
_FACTS: Final = """
SELECT r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication,
       EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS member,
       EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid
                 AND c.relnamespace = 'public'::regnamespace)
       OR EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid
                    AND d.datname = current_database()) AS owner
FROM pg_roles r WHERE r.rolname IN (current_user, session_user)
"""
_REASONS: Final = {
    "rolsuper": "is a superuser, whom row security does not bind",
    "rolbypassrls": "has BYPASSRLS, so row security does not bind it",
    "rolcreaterole": "has CREATEROLE, so it can make itself a member of other roles",
    "rolreplication": "has REPLICATION, so it can read every table's log",
    "member": "is a member of another role, whose rights it can take",
    "owner": "owns tables or the database, so it can switch row security off",
}


class UnsafeRoleError(Exception):
    """With this role or server the database would not keep tenants apart."""


class LimitsMissingError(UnsafeRoleError):
    """Settings of the program are not in force: one request could hold the database."""


async def refuse_unsafe_role(connection: Plain) -> None:
    """Raise `UnsafeRoleError` unless row security binds the connected role on a fixed release."""
    number = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    major = number // 10000
    if major < _OLDEST or number < FIRST_SAFE.get(major, 0):
        fixed = FIRST_SAFE.get(major, FIRST_SAFE[_OLDEST])
        raise UnsafeRoleError(
            f"PostgreSQL {major}.{number % 10000} has known leaks past row security: "
            f"use {fixed // 10000}.{fixed % 10000} or a newer one"
        )
    for facts in await connection.fetch(_FACTS):
        reasons = [text for name, text in _REASONS.items() if facts[name]]
        if reasons:
            raise UnsafeRoleError(
                f"the database role {facts['rolname']} {'; it '.join(reasons)}: "
                "set FLATBED_DATABASE_URL to the app_url that `flatbed db init` printed"
            )


async def refuse_without_limits(connection: Plain) -> None:
    """Raise `LimitsMissingError` unless every limit, and how to plan, holds on this connection.

    Args:
        connection: opened with the program's start parameters (`limits.server_settings`), since
            a pooler may have dropped them.
    """
    rows = await connection.fetch(
        "SELECT name, setting::float8 AS value FROM pg_settings WHERE name = ANY($1)",
        list(_HELD),
    )
    found = {row["name"]: row["value"] for row in rows}
    wrong = [name for name, most in _HELD.items() if not 0 < found.get(name, 0) <= most]
    if wrong:
        mended = "; ".join(f"ALTER ROLE {APP} SET {name} = {_HELD[name]}" for name in wrong)
        raise LimitsMissingError(
            f"the database does not hold the program's {', '.join(wrong)}, which a pooler may have"
            f" dropped: run {mended}"
        )


async def migrations_suffice(connection: Plain) -> bool:
    """Whether the schema is the one this program was written for, or a newer one.

    A newer one is a revision that the program does not know: migrations come first and the
    processes are replaced afterwards, so that they go on serving in between.
    """
    readable = await connection.fetchval(
        "SELECT has_table_privilege(to_regclass('public.alembic_version'), 'SELECT')"
    )
    if not readable:
        return False
    rows = await connection.fetch("SELECT version_num FROM public.alembic_version")
    found = {row["version_num"] for row in rows}
    newest, known = _revisions()
    if not found or found & (known - newest):
        return False
    return found == newest or bool(found - known)


async def takes_writes(connection: Plain) -> bool:
    """Whether the server is a primary: a standby answers, and refuses every write."""
    return not await connection.fetchval("SELECT pg_is_in_recovery()")


@functools.cache
def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """The newest revisions of this program and all it knows.

    Read once and together: the next release may be unpacked over the folder while we run.
    """
    scripts = ScriptDirectory(str(directory()))
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return frozenset(scripts.get_heads()), known
