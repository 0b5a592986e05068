"""Compare ledger, statements and Stripe, and keep what disagrees."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.collection import repository as collections
from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.models import Collection
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import InvoiceView
from flatbed.billing.reconciliation import repository
from flatbed.billing.reconciliation.models import Reconciliation
from flatbed.billing.reconciliation.rules.comparing import Found, Ours, Theirs, compare
from flatbed.billing.reconciliation.schemas import FindingPage, FindingRead, ReconciliationRead
from flatbed.billing.statements.explaining import explain, prove
from flatbed.billing.statements.jobs import reconcile_later
from flatbed.billing.statements.models import Invoice
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.billing.stripe_events.applying import apply_invoice
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7


@dataclass(frozen=True, slots=True)
class _Books:
    """What we have of an ISV."""

    customer: str | None
    rows: Sequence[Collection]
    invoices: Sequence[Invoice]
    statements: int
    drift: list[Found]
    collects: bool


async def reconcile(collector: Collector, realm_id: UUID, tenant_id: UUID) -> int:
    """Compare an ISV's books with Stripe. Returns how many findings are open after it.

    A state that Stripe changed and no event told is found, and taken over: the next run, which
    this one asks for, resolves it. Without a key ledger and statements alone are compared.

    Raises:
        GatewayError: Stripe cannot be asked now; nothing is written.
    """
    async with collector.tenant(realm_id, tenant_id) as session:
        books = await _read(session, collector)
    found = list(books.drift)
    before: dict[str | None, str | None] = {}
    if collector.gateway is not None and books.collects and books.customer is not None:
        theirs = await _theirs(collector.gateway, books.customer)
        found += compare(_ours(books), theirs, system_now())
        before = await _take_over(collector, collector.gateway, books.rows, theirs)
    async with collector.tenant(realm_id, tenant_id) as session:
        await repository.note(session, found)
        session.add(
            Reconciliation(
                tenant_id=tenant_id,
                id=uuid7(),
                ran_at=session.now(),
                collects=books.collects,
                statements=books.statements,
                invoices=len(books.invoices),
                findings=len(found),
            )
        )
        if await _is_healed(session, before):
            await reconcile_later(session)
    return len(found)


async def report(session: TenantReadSession) -> ReconciliationRead:
    """The newest run, and how much is open now."""
    last = await repository.last(session)
    return ReconciliationRead(
        ran_at=None if last is None else last.ran_at,
        collects=last is not None and last.collects,
        statements=0 if last is None else last.statements,
        invoices=0 if last is None else last.invoices,
        open_findings=await repository.open_findings(session),
    )


async def findings(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    is_open: bool | None,
) -> FindingPage:
    """A page of findings by when they were found."""
    window = cursors.window(cursor, limit)
    rows = await repository.findings(session, window, is_open=is_open)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.found_at, row.id))
    data = [FindingRead.model_validate(row) for row in shown]
    return FindingPage(data=data, **envelope.model_dump())


async def _take_over(
    collector: Collector, gateway: Gateway, rows: Sequence[Collection], theirs: Sequence[Theirs]
) -> dict[str | None, str | None]:
    """Write the states that Stripe has and we have not. Returns what was written before."""
    states = {one.external_id: one.status for one in theirs if one.kind == "invoice"}
    before: dict[str | None, str | None] = {
        row.external_id: row.external_status
        for row in rows
        if row.state == "done" and row.external_id in states
        if states[row.external_id] != row.external_status
    }
    for external_id in before:
        if external_id is not None:
            await apply_invoice(collector, gateway, external_id)
    return before


async def _is_healed(session: TenantReadSession, before: dict[str | None, str | None]) -> bool:
    """Whether a state was taken over: only then the next run finds something else."""
    rows = await collections.everything(session) if before else ()
    return any(
        before.get(row.external_id, row.external_status) != row.external_status for row in rows
    )


async def _read(session: TenantSession, collector: Collector) -> _Books:
    account = await accounts.find(session)
    statements = await repository.statement_ids(session)
    return _Books(
        customer=None if account is None else account.customer_ref,
        rows=await collections.everything(session),
        invoices=await repository.invoices(session),
        statements=len(statements),
        drift=[one for each in statements for one in await _drift(session, each)],
        collects=await collector.serves(session),
    )


async def _drift(session: TenantReadSession, statement_id: UUID) -> list[Found]:
    """Whether a statement is still what the ledger gives."""
    wrong = verify_proof(json.loads(await prove(session, statement_id)))
    if not (await explain(session, statement_id)).matches:
        wrong.append("computed again it is another statement")
    subject = encode("stmt", statement_id)
    return [Found("ledger_drift", subject, {"wrong": wrong[:10]})] if wrong else []


def _ours(books: _Books) -> list[Ours]:
    invoices = {one.id: one for one in books.invoices}
    credited: dict[tuple[UUID, int], int] = {}
    for row in books.rows:
        corrects = invoices[row.invoice_id].corrects_id
        if corrects is not None and row.state == "done" and row.bodies is not None:
            key = (corrects, row.part)
            credited[key] = credited.get(key, 0) + row.bodies["net"] + row.bodies["tax"]
    return [
        Ours(
            subject=encode("inv", row.invoice_id),
            part=row.part,
            kind=invoices[row.invoice_id].kind,
            state=row.state,
            error=row.error,
            external_id=row.external_id,
            external_status=row.external_status,
            net=row.bodies["net"] if row.bodies else 0,
            gross=row.bodies["net"] + row.bodies["tax"] if row.bodies else 0,
            credited=credited.get((row.invoice_id, row.part), 0),
        )
        for row in books.rows
    ]


async def _theirs(gateway: Gateway, customer: str) -> list[Theirs]:
    found = list[Theirs]()
    async for view in gateway.list_invoices(customer):
        found.append(
            Theirs(
                external_id=view.id,
                kind="invoice",
                status=view.status.value,
                net=view.subtotal,
                gross=view.total,
                created_at=view.created_at,
                ours=_place(view),
                credited=view.pre_payment_credits + view.post_payment_credits,
            )
        )
        if view.pre_payment_credits or view.post_payment_credits:
            found += [
                Theirs(
                    external_id=note.id,
                    kind="credit_note",
                    status="void" if note.status == "void" else "issued",
                    net=note.subtotal,
                    gross=note.total,
                    created_at=note.created_at,
                    ours=None,
                )
                async for note in gateway.list_credit_notes(view.id)
            ]
    return found


def _place(view: InvoiceView) -> tuple[str, int] | None:
    try:
        return encode("inv", UUID(view.metadata["invoice_id"])), int(view.metadata["part"])
    except (KeyError, ValueError):
        return None
