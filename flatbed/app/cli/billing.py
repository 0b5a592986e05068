"""``flatbed billing``: compare ledger, statements and Stripe now."""

import asyncio
from dataclasses import replace
from typing import Any

import typer

from flatbed.app.cli.output import FOUND, answer, told
from flatbed.app.cli.verify import AsJson, OfOne, organization_of, wanted
from flatbed.app.home import settled
from flatbed.app.wiring import build
from flatbed.billing.facade import reconcile
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.organizations.walk import every_realm

CALLER = Caller("system:reconcile", "")
app = typer.Typer(no_args_is_help=True, help="What is owed and collected.")


@app.callback()
def group() -> None:
    """What is owed and collected."""


@app.command(name="reconcile")
def reconcile_(*, organization: OfOne = None, as_json: AsJson = False) -> None:
    """Compare every ISV's ledger, statements and Stripe; exit code 1 on findings."""
    only = None if organization is None else organization_of(organization)

    async def work(settings: KernelSettings) -> dict[str, int]:
        program = build(settings)
        try:
            await program.guard()
            async with program.database.patient() as database:
                patient = replace(program, database=database)
                collector = replace(program.collector, database=database)
                found: dict[str, int] = {}
                async for realm_id in every_realm(database, CALLER):
                    async for tenant_id in wanted(patient, realm_id, only):
                        number = await reconcile(collector, realm_id, tenant_id)
                        found[encode("org", tenant_id)] = number
                return found
        finally:
            await program.close()

    with told(), settled(KernelSettings()) as settings:
        found = asyncio.run(work(settings))
    values: dict[str, Any] = {"checked": len(found), "findings": sum(found.values())}
    if as_json:
        values["organizations"] = found
    answer(values, as_json=as_json)
    if values["findings"]:
        raise typer.Exit(FOUND)
