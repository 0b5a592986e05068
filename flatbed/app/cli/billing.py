"""``flatbed billing``: compare ledger, statements and Stripe now."""

import asyncio
from dataclasses import replace
from typing import Any

import typer

from flatbed.app.cli.output import FOUND, answer, refuse, told
from flatbed.app.cli.verify import AsJson, OfOne, organization_of, wanted
from flatbed.app.home import settled
from flatbed.app.wiring import build
from flatbed.billing.facade import GatewayError, reconcile
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
    """Compare every ISV's ledger, statements and Stripe.

    Exit code 1 on findings, 3 where Stripe did not answer for one; the others are compared.
    """
    only = None if organization is None else organization_of(organization)

    async def work(settings: KernelSettings) -> dict[str, int | str]:
        program = build(settings)
        try:
            await program.guard()
            async with program.database.patient() as database:
                patient = replace(program, database=database)
                collector = replace(program.collector, database=database)
                found: dict[str, int | str] = {}
                async for realm_id in every_realm(database, CALLER):
                    async for tenant_id in wanted(patient, realm_id, only):
                        try:
                            one: int | str = await reconcile(collector, realm_id, tenant_id)
                        except GatewayError as error:
                            one = error.code
                        found[encode("org", tenant_id)] = one
                return found
        finally:
            await program.close()

    with told(), settled(KernelSettings()) as settings:
        found = asyncio.run(work(settings))
    compared = {name: one for name, one in found.items() if isinstance(one, int)}
    missed = {name: one for name, one in found.items() if isinstance(one, str)}
    values: dict[str, Any] = {"checked": len(compared), "findings": sum(compared.values())}
    if as_json:
        values |= {"organizations": compared, "not_compared": missed}
    answer(values, as_json=as_json)
    if missed:
        codes = ", ".join(sorted(set(missed.values())))
        told_of = ", ".join(missed)
        refuse(f"the payment provider did not answer as needed ({codes}); not compared: {told_of}")
    if values["findings"]:
        raise typer.Exit(FOUND)
