"""Run by Alembic: each migration in a transaction of its own, with the limits of a busy table."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import SchemaItem

from flatbed.app.tables import metadata
from flatbed.tenants.kit.database.provision import APP
from flatbed.tenants.kit.database.urls import for_sqlalchemy

# A migration that waits for a lock makes everybody behind it wait too. With row security off, a
# statement that a policy would silently empty (a backfill under FORCE, the check of a new foreign
# key) fails instead.
LIMITS = """
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';
SET LOCAL row_security = off;
"""


def begun(connection: Connection) -> None:
    """Set the limits of a transaction; a migration may raise one with its own SET LOCAL."""
    for line in LIMITS.strip().splitlines():
        connection.exec_driver_sql(line)


def ours(
    _object: SchemaItem,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001 - Alembic calls it by position
    _other: SchemaItem | None,
) -> bool:
    """Leave the job library's tables to itself."""
    return not (kind == "table" and reflected and name is not None and name.startswith("pgqueuer"))


def run(connection: Connection) -> None:
    """Run the migrations on a connection, then let the program read which one it is at."""
    event.listen(connection, "begin", begun)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=ours,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()  # of what reading the revision began, where nothing was to be done
    with connection.begin():
        connection.exec_driver_sql(
            f"DO $$ BEGIN IF to_regclass('public.alembic_version') IS NOT NULL "
            f"AND to_regrole('{APP}') IS NOT NULL "
            f"THEN GRANT SELECT ON public.alembic_version TO {APP}; END IF; END $$"
        )


async def run_alone() -> None:
    """Open a plain connection as owner: the program's own engine refuses one without a tenant."""
    url = os.environ.get("FLATBED_OWNER_DATABASE_URL")
    if not url:
        raise SystemExit("set FLATBED_OWNER_DATABASE_URL to the owner_url of `flatbed db init`")
    engine = create_async_engine(for_sqlalchemy(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)


if context.is_offline_mode():
    raise SystemExit("migrations run on a database only: they read the catalogue as they go")
given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_alone())
else:
    run(given)
