"""What the ISV and Stripe would find of the books, once the dust has settled."""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from flatbed.app.wiring import Program
from flatbed.billing.collection.collector import Collector
from flatbed.billing.facade import reconcile
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.statements.explaining import explain, prove
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.database.urls import Plain


async def books(
    program: Program, gateway: Gateway, admin: Plain, realms: Sequence[UUID]
) -> list[str]:
    """What the reconciliation with Stripe finds of every ISV."""
    collector = Collector(program.database, gateway)
    findings = []
    for realm_id in realms:
        tenants = await admin.fetch("SELECT id FROM organization WHERE realm_id = $1", realm_id)
        for row in tenants:
            tenant_id = UUID(str(row["id"]))
            # A state that an event is still to tell is taken over by the first run.
            await reconcile(collector, realm_id, tenant_id)
            if await reconcile(collector, realm_id, tenant_id):
                found = await admin.fetch(
                    "SELECT kind, subject, detail FROM billing_finding"
                    " WHERE tenant_id = $1 AND resolved_at IS NULL",
                    tenant_id,
                )
                findings += [f"books: {tuple(map(str, one))}" for one in found]
    return findings


async def statements_again(session: TenantReadSession) -> list[str]:
    """What the tenant itself would find: its proofs, and the statements computed again."""
    findings = []
    ids = await session.scalars(text("SELECT id FROM statement ORDER BY number"))
    for statement_id in ids.all():
        findings += verify_proof(json.loads(await prove(session, statement_id)))
        if not (await explain(session, statement_id)).matches:
            findings.append("it is another one when it is computed again")
    return [f"statement: {one}" for one in findings]
