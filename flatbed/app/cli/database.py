"""``flatbed db``: make, migrate and look at the database."""

import asyncio
from typing import Annotated

import typer
from pydantic import SecretStr

from flatbed.app.cli.output import FOUND, answer, errors, refuse, told
from flatbed.tenants.kit.database import migrate as migrations
from flatbed.tenants.kit.database.provision import provision
from flatbed.tenants.kit.settings import KernelSettings

app = typer.Typer(no_args_is_help=True, help="The database.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def init(
    admin_url: Annotated[
        str, typer.Option(help="postgresql:// URL of a role that may make roles and databases.")
    ],
    database: Annotated[str, typer.Option(help="The database's name.")] = "flatbed",
    *,
    as_json: AsJson = False,
) -> None:
    """Make database and roles on any server, and print how to reach them (once)."""
    with told():
        made = asyncio.run(provision(admin_url, database))
    for note in made.notes:
        errors.print(note, highlight=False)
    answer(
        {
            "owner_url": made.owner_url,
            "app_url": made.app_url,
            "backup_url": made.backup_url,
            "database": database,
        },
        as_json=as_json,
    )


@app.command()
def migrate(*, as_json: AsJson = False) -> None:
    """Migrate to the newest revision, as FLATBED_OWNER_DATABASE_URL."""
    with told():
        asyncio.run(migrations.upgrade(_owner_url()))
    answer({"revision": migrations.head()}, as_json=as_json)


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say which revision the database is at; exit code 1 unless it is the newest."""
    with told():
        current = asyncio.run(migrations.current(_owner_url()))
    head = migrations.head()
    answer({"revision": current, "head": head, "at_head": current == head}, as_json=as_json)
    if current != head:
        raise typer.Exit(FOUND)


def _owner_url() -> str:
    found: SecretStr | None = KernelSettings().owner_database_url
    if found is None:
        refuse("FLATBED_OWNER_DATABASE_URL is not set: `flatbed db init` prints it")
        raise typer.Exit
    return found.get_secret_value()
