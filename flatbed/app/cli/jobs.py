"""``flatbed jobs``: what is no longer tried, and trying it again when its cause is mended."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import typer

from flatbed.app.cli.output import FOUND, answer, console
from flatbed.app.cli.running import run
from flatbed.app.wiring import Program
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.deadlines import dead_letters
from flatbed.tenants.kit.deadlines import revive as revive_deadlines
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.jobs.runner import dead_jobs, revive_jobs
from flatbed.tenants.organizations.walk import every_realm, tenants_of

app = typer.Typer(no_args_is_help=True, help="Jobs and deadlines that failed for the last time.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfOne = Annotated[str | None, typer.Option(help="Only the deadlines of this ISV (org_…).")]
Found = dict[str, list[dict[str, Any]]]
CALLER = Caller("system:jobs", "")


@app.command()
def dead(*, organization: OfOne = None, as_json: AsJson = False) -> None:
    """List dead jobs (a hundred at most) and dead deadlines; exit code 1 if there are any."""
    only = _organization(organization)
    found = run(lambda program: _dead(program, only))
    if as_json:
        answer(found, as_json=True)
    else:
        for kind, rows in found.items():
            for row in rows:
                words = " ".join(f"{name}={value}" for name, value in row.items())
                console.print(f"{kind}: {words}", highlight=False, soft_wrap=True)
        answer({kind: len(rows) for kind, rows in found.items()}, as_json=False)
    if any(found.values()):
        raise typer.Exit(FOUND)


@app.command()
def revive(*, organization: OfOne = None, as_json: AsJson = False) -> None:
    """Let every dead job and deadline be tried again, of one ISV only its deadlines."""
    only = _organization(organization)
    answer(run(lambda program: _revive(program, only)), as_json=as_json)


def _organization(text: str | None) -> UUID | None:
    if text is None:
        return None
    try:
        return decode("org", text)
    except InvalidIdError:
        raise typer.BadParameter("not an id of the form org_…") from None


async def _dead(program: Program, only: UUID | None) -> Found:
    found = Found(jobs=[], deadlines=[])
    if only is None:
        async with program.database.worker(caller=CALLER) as session:
            found["jobs"] = [
                {"id": job.id, "name": job.name, "enqueued_at": job.enqueued_at}
                for job in await dead_jobs(session)
            ]
    async for realm_id, tenant_id in _tenants(program, only):
        async with program.database.tenant_read(
            realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
        ) as tenant:
            found["deadlines"] += [
                {
                    "organization": encode("org", tenant_id),
                    "id": letter.id,
                    "kind": letter.kind,
                    "due_at": letter.due_at,
                    "attempts": letter.attempts,
                }
                for letter in await dead_letters(tenant)
            ]
    return found


async def _revive(program: Program, only: UUID | None) -> dict[str, int]:
    jobs = deadlines = 0
    if only is None:
        # A hundred at a time: that is what is listed.
        while revived := await _revive_page(program):
            jobs += revived
    async for realm_id, tenant_id in _tenants(program, only):
        async with program.database.tenant(
            realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
        ) as tenant:
            letters = await dead_letters(tenant)
            if letters:
                await revive_deadlines(tenant)
            deadlines += len(letters)
    return {"jobs": jobs, "deadlines": deadlines}


async def _revive_page(program: Program) -> int:
    async with program.database.worker(caller=CALLER) as session:
        ids = [job.id for job in await dead_jobs(session)]
        await revive_jobs(session, ids)
    return len(ids)


async def _tenants(program: Program, only: UUID | None) -> AsyncIterator[tuple[UUID, UUID]]:
    async for realm_id in every_realm(program.database, CALLER):
        async for tenant_id in tenants_of(program.database, realm_id, CALLER):
            if only is None or tenant_id == only:
                yield realm_id, tenant_id
