"""Compare ledger, statements and Stripe, and keep what disagrees."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.collection import repository as collections
from flatbed.billing.collection.exporting import Collector
from flatbed.billing.collection.models import Collection
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import InvoiceView
from flatbed.billing.reconciliation import repository
from flatbed.billing.reconciliation.models import Reconciliation
from flatbed.billing.reconciliation.rules.comparing import Found, Ours, Theirs, compare
from flatbed.billing.reconciliation.schemas import FindingPage, FindingRead, ReconciliationRead
from flatbed.billing.statements.explaining import explain, prove
from flatbed.billing.statements.models import Invoice
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.billing.stripe_events.applying import apply_invoice
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import Caller, TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.realms import LIVE, find_realm, realm_clock

CALLER: Final = Caller("system:reconcile", request_id="")


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

    A state that Stripe changed and no event told is found, and taken over: the next run resolves
    it. Without a key ledger and statements alone are compared.

    Raises:
        GatewayError: Stripe cannot be asked now; nothing is written.
    """
    async with _tenant(collector, realm_id, tenant_id) as session:
        books = await _read(session, collector)
    found = list(books.drift)
    if collector.gateway is not None and books.collects and books.customer is not None:
        theirs = await _theirs(collector.gateway, books.customer)
        found += compare(_ours(books), theirs, system_now())
        for row in books.rows:
            if row.state == "done" and row.external_status != "issued" and row.external_id:
                here = next((one for one in theirs if one.external_id == row.external_id), None)
                if here is not None and here.status != row.external_status:
                    await apply_invoice(collector, collector.gateway, row.external_id)
    async with _tenant(collector, realm_id, tenant_id) as session:
        session.clock = await realm_clock(session)
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


async def _read(session: TenantSession, collector: Collector) -> _Books:
    account = await accounts.find(session)
    realm = await find_realm(session, session.realm_id)
    statements = await repository.statement_ids(session)
    serves = realm is not None and (realm.kind == LIVE) == collector.is_live
    return _Books(
        customer=None if account is None else account.customer_ref,
        rows=await collections.everything(session),
        invoices=await repository.invoices(session),
        statements=len(statements),
        drift=[one for each in statements for one in await _drift(session, each)],
        collects=collector.gateway is not None and serves,
    )


async def _drift(session: TenantReadSession, statement_id: UUID) -> list[Found]:
    """Whether a statement is still what the ledger gives."""
    wrong = verify_proof(await prove(session, statement_id))
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


def _tenant(
    collector: Collector, realm_id: UUID, tenant_id: UUID
) -> AbstractAsyncContextManager[TenantSession]:
    return collector.database.tenant(
        realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
    )
