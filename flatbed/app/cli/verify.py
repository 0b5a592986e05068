"""``flatbed verify``: recompute the chains of the ledgers and of the audit."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from flatbed.app.cli.output import FOUND, answer, errors, told
from flatbed.app.home import settled
from flatbed.app.wiring import Program, build
from flatbed.billing.facade import Finding, read_anchor, verify_ledger, verify_proof
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.sealing import AuditFinding, verify_audit
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.organizations.walk import every_realm, tenants_of

app = typer.Typer(no_args_is_help=True, help="Recompute hash chains; exit code 1 on findings.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfOne = Annotated[str | None, typer.Option(help="Only this ISV (org_…).")]
Findings = list[dict[str, Any]]
CALLER = Caller("system:verify", "")


@app.command()
def ledger(*, organization: OfOne = None, as_json: AsJson = False) -> None:
    """Check every tenant's ledger: chain, head, anchor file, caps, and the candidates."""
    _run(_ledgers, organization, as_json=as_json)


@app.command()
def audit(*, organization: OfOne = None, as_json: AsJson = False) -> None:
    """Check every tenant's audit log, and the agency's."""
    _run(_audits, organization, as_json=as_json)


@app.command()
def statement(
    file: Annotated[
        Path,
        typer.Argument(
            help="What GET /v1/statements/{id}/proof answered.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a statement's proof: needs the file alone, neither server nor database."""
    findings = verify_proof(_document(file))
    if not as_json:
        for finding in findings:
            errors.print(finding, highlight=False, soft_wrap=True)
    shown = findings if as_json else len(findings)
    answer({"checked": 1, "findings": shown}, as_json=as_json)
    if findings:
        raise typer.Exit(FOUND)


def _document(file: Path) -> object:
    """What the file holds; None where it is no JSON, which is a finding."""
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None


Check = Callable[[Program, UUID | None], Awaitable[tuple[int, Findings]]]


def _run(check: Check, organization: str | None, *, as_json: bool) -> None:
    only = None if organization is None else organization_of(organization)

    async def work(settings: KernelSettings) -> tuple[int, Findings]:
        program = build(settings)
        try:
            await program.guard()
            async with program.database.patient() as database:
                return await check(replace(program, database=database), only)
        finally:
            await program.close()

    with told(), settled(KernelSettings()) as settings:
        checked, findings = asyncio.run(work(settings))
    if not as_json:
        for finding in findings:
            errors.print(finding, highlight=False, soft_wrap=True)
    shown = findings if as_json else len(findings)
    answer({"checked": checked, "findings": shown}, as_json=as_json)
    if findings:
        raise typer.Exit(FOUND)


def organization_of(text: str) -> UUID:
    """The tenant that an id names."""
    try:
        return decode("org", text)
    except InvalidIdError:
        raise typer.BadParameter("not an id of the form org_…") from None


async def _ledgers(program: Program, only: UUID | None) -> tuple[int, Findings]:
    checked, findings = 0, Findings()
    anchor_file = program.settings.anchor_file
    async for realm_id in every_realm(program.database, CALLER):
        async for tenant_id in wanted(program, realm_id, only):
            anchors = [] if anchor_file is None else read_anchor(anchor_file, tenant_id)
            async with program.database.tenant(
                realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
            ) as session:
                found = await verify_ledger(
                    session, anchors=anchors, expected=program.qualified_entries
                )
            checked += 1
            findings += _named(encode("org", tenant_id), found)
    return checked, findings


async def _audits(program: Program, only: UUID | None) -> tuple[int, Findings]:
    checked, findings = 0, Findings()
    async for realm_id in every_realm(program.database, CALLER):
        if only is None:
            async with program.database.agency_read(
                realm_id=realm_id, caller=CALLER, clock=Clock()
            ) as agency:
                findings += _named(encode("realm", realm_id), await verify_audit(agency))
            checked += 1
        async for tenant_id in wanted(program, realm_id, only):
            async with program.database.tenant_read(
                realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
            ) as tenant:
                findings += _named(encode("org", tenant_id), await verify_audit(tenant))
            checked += 1
    return checked, findings


async def wanted(program: Program, realm_id: UUID, only: UUID | None) -> AsyncIterator[UUID]:
    """The tenants of a realm, or the one that is asked for."""
    async for tenant_id in tenants_of(program.database, realm_id, CALLER):
        if only is None or tenant_id == only:
            yield tenant_id


def _named(owner: str, found: Sequence[Finding | AuditFinding]) -> Findings:
    return [{"of": owner, **asdict(one)} for one in found]
