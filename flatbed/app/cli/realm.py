"""``flatbed realm``: make a realm with its first admin client."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from flatbed.app.cli.output import answer, told
from flatbed.app.home import settled
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import build
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.clients.first_client import OpenedRealm, create_realm

app = typer.Typer(no_args_is_help=True, help="Realms: one agency's world each.")


class Kind(StrEnum):
    """The live realm runs on the system's clock, a sandbox on one that tests move forward."""

    LIVE = "live"
    SANDBOX = "sandbox"


@app.command()
def create(
    slug: Annotated[str, typer.Argument(help="A short name, unique: a-z, 0-9, hyphens.")],
    name: Annotated[str, typer.Option(help="The agency's name.")],
    kind: Annotated[Kind, typer.Option(help="live or sandbox.")] = Kind.LIVE,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a realm and its first admin client; the secret is shown this once."""
    with told(), settled(KernelSettings()) as settings:
        made = asyncio.run(_create(settings, slug, name, kind))
    answer(
        {
            "realm": made.realm_id,
            "slug": slug,
            "kind": kind.value,
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "scopes": " ".join(sorted(made.scopes)),
        },
        as_json=as_json,
    )


async def _create(settings: KernelSettings, slug: str, name: str, kind: Kind) -> OpenedRealm:
    program = build(settings)
    try:
        # As the server would: a realm made with another secret could never sign in.
        await program.start()
        return await create_realm(
            program.database, program.keyring, PERMISSIONS, slug=slug, name=name, kind=kind.value
        )
    finally:
        await program.close()
