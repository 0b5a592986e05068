"""Roles and database on any PostgreSQL from 15 on, as often as wanted.

`flatbed_owner` migrates, `flatbed_app` serves and is nobody's member, `flatbed_backup` reads past
row security for dumps (pg_dump as owner fails or dumps nothing under FORCE).
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from flatbed.tenants.kit.database.limits import LIMITS, PLANNING
from flatbed.tenants.kit.database.urls import Plain, connect, with_database, with_login

OWNER: Final = "flatbed_owner"
APP: Final = "flatbed_app"
BACKUP: Final = "flatbed_backup"

_LOCK: Final = 0x666C6174  # two provisionings at once would race for the same roles
_OLDEST: Final = 150000
_INHERIT_OPTION: Final = 160000
_ATTRIBUTES: Final = {
    "rolsuper": "SUPERUSER",
    "rolinherit": "INHERIT",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolcanlogin": "LOGIN",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
_WANTED: Final[Mapping[str, frozenset[str]]] = {
    # Before 16 a NOINHERIT owner of the database does not get what pg_database_owner may.
    OWNER: frozenset({"rolcanlogin", "rolinherit"}),
    APP: frozenset({"rolcanlogin"}),
    BACKUP: frozenset({"rolcanlogin", "rolbypassrls"}),
}
_NO_BACKUP: Final = (
    f"{BACKUP} was not made: only a superuser (from 16 on also a role with BYPASSRLS) may make it."
    " Until this is run again as one, there is no role that can dump everything."
)


class ProvisionError(Exception):
    """The server, or the rights of the given administrator, do not allow Flatbed's database."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Addresses of the three roles, passwords included: never log them."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    backup_url: str | None = field(repr=False)
    notes: tuple[str, ...] = ()
    """What could not be done and what follows, for the person at the command line."""


async def provision(
    admin_url: str, database: str = "flatbed", *, passwords: Mapping[str, str] | None = None
) -> Provisioned:
    """Make or repair the roles and the database, and return how to reach it.

    Args:
        admin_url: a role that may create roles and databases. `flatbed_backup` alone needs a
            superuser, or on 16 and newer one with BYPASSRLS; without, it is left out and noted.
        database: its name; made if missing.
        passwords: by role name. A role not named gets a new password, an existing one too.

    Raises `ProvisionError` with a text for the person at the command line; what else the server
    refuses, and an unreachable server, as asyncpg raises it.
    """
    keys = {role: secrets.token_urlsafe(24) for role in _WANTED} | dict(passwords or {})
    server = await connect(with_database(admin_url, "postgres"))
    try:
        version = int(await server.fetchval("SELECT current_setting('server_version_num')"))
        if version < _OLDEST:
            raise ProvisionError(f"PostgreSQL {version // 10000} is too old: 15 or newer is needed")
        await server.execute(f"SELECT pg_advisory_lock({_LOCK})")
        made = [role for role in _WANTED if await _ensure_role(server, role, keys[role])]
        borrowed = await _borrow_owner(server, version)
        try:
            await _ensure_database(server, database)
            await close_database(server, database, made)
            inside = await connect(with_database(admin_url, database))
            try:
                await _grant_inside(inside, made)
            finally:
                await inside.close()
        finally:
            if borrowed:
                await server.execute(f"REVOKE {OWNER} FROM CURRENT_USER")
    finally:
        await server.close()
    target = with_database(admin_url, database)
    urls = {role: with_login(target, role, keys[role]) for role in made}
    notes = () if BACKUP in made else (_NO_BACKUP,)
    return Provisioned(urls[OWNER], urls[APP], urls.get(BACKUP), notes)


async def close_database(
    server: Plain, database: str, roles: list[str] | tuple[str, ...] = tuple(_WANTED)
) -> None:
    """Let only Flatbed's roles connect, and none but the owner make anything.

    A copy made with `CREATE DATABASE … TEMPLATE` does not inherit this.
    """
    name = quoted(database)
    await server.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC, {', '.join(roles)}")
    await server.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(roles)}")
    await server.execute(f"GRANT ALL ON DATABASE {name} TO {OWNER}")


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


async def _ensure_role(server: Plain, role: str, password: str) -> bool:
    """Return False when the backup role is out of this administrator's reach."""
    wanted = _WANTED[role]
    found = await server.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
    words = [
        word if name in wanted else f"NO{word}"
        for name, word in _ATTRIBUTES.items()
        # Naming an attribute needs the right to change it, even where nothing changes.
        if found is None or found[name] != (name in wanted)
    ]
    verb = "CREATE" if found is None else "ALTER"
    try:
        await server.execute(
            f"{verb} ROLE {role} {' '.join(words)} PASSWORD '{_verifier(password)}'"
        )
        await _leave_roles(server, role)
        if role == APP:
            await _limit(server, role)
    except asyncpg.InsufficientPrivilegeError as error:
        if role == BACKUP:
            return False
        raise ProvisionError(
            f"the administrator may not make or change the role {role}: {error}"
        ) from error
    return True


async def _limit(server: Plain, role: str) -> None:
    """Let the program's settings hold for whoever signs in, also behind a pooler."""
    for name, value in {**LIMITS, **PLANNING}.items():
        await server.execute(f"ALTER ROLE {role} SET {name} = {value}")


async def _leave_roles(server: Plain, role: str) -> None:
    memberships = await server.fetch(
        "SELECT pg_get_userbyid(roleid) AS granted, pg_get_userbyid(grantor) AS grantor"
        " FROM pg_auth_members WHERE member = to_regrole($1)",
        role,
    )
    for row in memberships:
        await server.execute(
            f"REVOKE {quoted(row['granted'])} FROM {role} GRANTED BY {quoted(row['grantor'])}"
        )


async def _borrow_owner(server: Plain, version: int) -> bool:
    """Give an administrator who is no superuser the owner's rights for a while."""
    if await server.fetchval("SELECT pg_has_role(current_user, $1, 'USAGE')", OWNER):
        return False  # superusers always, others when somebody granted it
    options = " WITH INHERIT TRUE, SET TRUE" if version >= _INHERIT_OPTION else ""
    await server.execute(f"GRANT {OWNER} TO CURRENT_USER{options}")
    return True


async def _ensure_database(server: Plain, database: str) -> None:
    owner = await server.fetchval(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", database
    )
    if owner is None:
        await server.execute(
            f"CREATE DATABASE {quoted(database)} OWNER {OWNER} ENCODING 'UTF8' TEMPLATE template0"
        )
    elif owner != OWNER:
        await server.execute(f"ALTER DATABASE {quoted(database)} OWNER TO {OWNER}")


async def _grant_inside(inside: Plain, roles: list[str]) -> None:
    readers = ", ".join(role for role in roles if role != OWNER)
    await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    await inside.execute(f"GRANT ALL ON SCHEMA public TO {OWNER}")
    await inside.execute(f"GRANT USAGE ON SCHEMA public TO {readers}")
    if BACKUP in roles:
        for kind in ("TABLES", "SEQUENCES"):
            await inside.execute(f"GRANT SELECT ON ALL {kind} IN SCHEMA public TO {BACKUP}")
            await inside.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON {kind} TO {BACKUP}"
            )
    # A GRANT without the right to grant is a warning only, which nobody would see.
    if not await inside.fetchval(
        "SELECT has_schema_privilege($1, 'public', 'CREATE')"
        " AND has_schema_privilege($2, 'public', 'USAGE')"
        " AND NOT has_schema_privilege($2, 'public', 'CREATE')",
        OWNER,
        APP,
    ):
        raise ProvisionError("the administrator may not grant rights on the schema public")


def _verifier(password: str) -> str:
    """Return the SCRAM-SHA-256 verifier (RFC 5803), so that no password reaches a server's log."""
    if not password.isascii() or not password.isprintable() or len(password) < 1:
        raise ProvisionError("passwords must be printable ASCII: others need normalising first")
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    packed = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{packed[0]}${packed[1]}:{packed[2]}"
