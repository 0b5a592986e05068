"""Collect an invoice: freeze what is sent, send it, note what Stripe says.

Three short transactions with Stripe in between, never inside: a lost process leaves a row that
says how far it came, and the job does the rest.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.collection import repository
from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.customers import Customers
from flatbed.billing.collection.models import Collection
from flatbed.billing.collection.rules.bodies import (
    Bill,
    Charge,
    Part,
    credit_parts_of,
    customer_body,
    parts_of,
)
from flatbed.billing.collection.steps import Order, QuarantinedError, collect, credit
from flatbed.billing.gateway.errors import (
    GatewayConflict,
    GatewayDenied,
    GatewayRefused,
    GatewayUnavailable,
)
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import CreditNoteView, InvoiceView
from flatbed.billing.statements.models import Invoice, Statement
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import schedule
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import ZERO

COLLECT_AGAIN: Final = "collect_invoice"
"""The kind of the deadline after a failure."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=6)
WAITING: Final = "waits-for-invoice"
"""Of a credit note: its invoice is not at Stripe yet."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be sent for an invoice."""

    kind: str
    rows: Sequence[Collection]
    customers: Customers
    corrected: dict[int, str]


async def collect_invoice(
    collector: Collector, realm_id: UUID, tenant_id: UUID, invoice_id: UUID
) -> None:
    """Bring an invoice or a credit note to Stripe. Safe to repeat at any point.

    What Stripe cannot do now is tried again by a deadline; what it refuses, or what does not come
    to our sum, is quarantined for a person.
    """
    work = _Work(collector, realm_id, tenant_id, invoice_id)
    prepared = await work.prepare()
    if prepared is None or collector.gateway is None:
        return
    failpoint(Failpoint.COLLECTION_FROZEN)
    try:
        customer = await prepared.customers.ensure(collector.gateway)
        for row in prepared.rows:
            if row.state == "pending":
                found = await _sent(collector.gateway, prepared, row, customer)
                await work.done(row, found)
    except (GatewayUnavailable, GatewayConflict, GatewayDenied, _WaitingError) as error:
        await work.postpone(
            error.code, is_stored=isinstance(error, GatewayUnavailable) and error.is_stored
        )
    except GatewayRefused as error:
        await work.quarantine(":".join(filter(None, (error.code, error.param))))
    except QuarantinedError as error:
        await work.quarantine(error.code)


class _WaitingError(Exception):
    """The invoice that a credit note corrects is not at Stripe yet."""

    code = WAITING


@dataclass(frozen=True, slots=True)
class _Work:
    collector: Collector
    realm_id: UUID
    tenant_id: UUID
    invoice_id: UUID

    def transaction(self) -> AbstractAsyncContextManager[TenantSession]:
        return self.collector.tenant(self.realm_id, self.tenant_id)

    async def prepare(self) -> Prepared | None:
        """Freeze the bodies if nobody has; None where there is nothing to send."""
        async with self.transaction() as session:
            found = await repository.invoice(session, self.invoice_id)
            if found is None:
                return None
            invoice, statement = found
            if not await self.collector.serves(session):
                await repository.add(session, [_row(session, invoice, 1, "not_collected", None)])
                return None
            rows = await repository.parts(session, invoice.id)
            if not rows:
                if not await _freeze(session, invoice, statement):
                    await _put_off(session, invoice.id, rows, WAITING, is_stored=False)
                    return None
                rows = await repository.parts(session, invoice.id)
            account = await accounts.find(session)
            corrected = await _corrected(session, invoice)
            return Prepared(
                kind=invoice.kind,
                rows=rows,
                customers=Customers(
                    self.collector,
                    self.realm_id,
                    self.tenant_id,
                    known=None if account is None else account.customer_ref,
                    body=customer_body(statement.customer, self.realm_id, self.tenant_id),
                    tax_ids=statement.customer["tax_ids"],
                ),
                corrected=corrected,
            )

    async def done(self, row: Collection, found: InvoiceView | CreditNoteView) -> None:
        """Note what is there; the state at Stripe may be newer already, then the event tells."""
        async with self.transaction() as session:
            now = await repository.part(session, row.invoice_id, row.part)
            if now.state != "pending":
                return
            values = _seen(found)
            if now.revision != row.revision and now.external_status is not None:
                # An event was faster, and what it brought is newer. Else it was another run of
                # the job that could not go on.
                values = {"external_id": found.id}
            await repository.change(session, now, state="done", error=None, **values)
            figures = {"part": row.part, "external_id": found.id}
            mutation(session, "invoice.collected", "inv", row.invoice_id, figures)
            failpoint(Failpoint.COLLECTION_NOTED)

    async def postpone(self, code: str, *, is_stored: bool) -> None:
        """Try again later, under another key where Stripe repeats a failure under this one."""
        async with self.transaction() as session:
            rows = await repository.parts(session, self.invoice_id)
            await _put_off(session, self.invoice_id, rows, code, is_stored=is_stored)

    async def quarantine(self, code: str) -> None:
        """Leave it to a person; the reconciliation shows it."""
        async with self.transaction() as session:
            for row in await repository.parts(session, self.invoice_id):
                if row.state == "pending":
                    await repository.change(session, row, state="quarantined", error=code)
            detail = {"reason": code}
            mutation(session, "invoice.quarantined", "inv", self.invoice_id, detail)


async def _sent(
    gateway: Gateway, prepared: Prepared, row: Collection, customer: str
) -> InvoiceView | CreditNoteView:
    """Send; who is refused looks once more, since it may have changed after it was looked at.

    A customer paid what was to be credited, or another run of the job was faster.
    """
    try:
        return await _send(gateway, prepared, row, customer)
    except GatewayRefused:
        return await _send(gateway, prepared, row, customer)


async def _send(
    gateway: Gateway, prepared: Prepared, row: Collection, customer: str
) -> InvoiceView | CreditNoteView:
    bodies = row.bodies or {}
    key = f"{row.invoice_id}:{row.part}:{row.epoch}"
    gross = bodies["net"] + bodies["tax"]
    if prepared.kind == "invoice":
        order = Order(customer, bodies, bodies["net"], gross, key)
        return await collect(gateway, order)
    corrected = prepared.corrected.get(row.part)
    if corrected is None:
        raise _WaitingError
    return await credit(gateway, corrected, bodies, gross, key)


async def _put_off(
    session: TenantSession,
    invoice_id: UUID,
    rows: Sequence[Collection],
    code: str,
    *,
    is_stored: bool,
) -> None:
    attempts = 1 + max((row.attempts for row in rows), default=0)
    for row in rows:
        if row.state == "pending":
            values = {"error": code, "attempts": attempts, "epoch": row.epoch + is_stored}
            await repository.change(session, row, **values)
    pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    await schedule(
        session,
        candidate_id=ZERO,
        kind=COLLECT_AGAIN,
        subject_id=invoice_id,
        due_at=session.now() + pause,
    )


async def _freeze(session: TenantSession, invoice: Invoice, statement: Statement) -> bool:
    """Write the bodies before the first of them is sent.

    Returns False, and writes nothing, for a credit note whose invoice no job has seen yet: which
    of its parts are at Stripe, or whether it is collected at all, is not known before.
    """
    bill = await _bill(session, invoice, statement)
    if invoice.corrects_id is None:
        made = parts_of(bill)
    else:
        originals = await repository.parts(session, invoice.corrects_id)
        if not originals:
            return False
        part_of = {
            UUID(line["metadata"]["entry_id"]): one.part
            for one in originals
            for line in (one.bodies or {}).get("lines", ())
        }
        made = credit_parts_of(bill, part_of) if part_of else []
    state = "pending" if made else "not_collected"
    rows = [_row(session, invoice, part.number, state, _bodies(part)) for part in made]
    await repository.add(session, rows or [_row(session, invoice, 1, state, None)])
    return True


def _bodies(part: Part) -> dict[str, Any]:
    return {**part.bodies, "net": part.net, "tax": part.tax}


async def _bill(session: TenantSession, invoice: Invoice, statement: Statement) -> Bill:
    sign = 1 if invoice.corrects_id is None else -1
    found = await repository.lines(session, invoice.id)
    charges = tuple(
        Charge(line.entry_id, sign * line.amount, line.price_text, corrected)
        for line, corrected in found
    )
    customer = statement.customer
    terms = max((invoice.due_on - invoice.issued_on).days, 0)
    return Bill(
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        invoice_id=invoice.id,
        statement_id=statement.id,
        number=invoice.number,
        currency=invoice.currency,
        net=invoice.net,
        tax=invoice.tax,
        tax_category=invoice.tax_category,
        tax_rate=invoice.tax_rate,
        country=statement.seller["address"]["country"],
        terms_days=terms,
        collection=customer["collection"],
        purchase_order=customer["purchase_order"],
        lines=charges,
    )


async def _corrected(session: TenantSession, invoice: Invoice) -> dict[int, str]:
    """The Stripe invoices of the one that a credit note corrects, by part."""
    if invoice.corrects_id is None:
        return {}
    originals = await repository.parts(session, invoice.corrects_id)
    return {
        one.part: one.external_id
        for one in originals
        if one.state == "done" and one.external_id is not None
    }


def _row(
    session: TenantSession, invoice: Invoice, part: int, state: str, bodies: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "invoice_id": invoice.id,
        "part": part,
        "state": state,
        "bodies": bodies,
        "created_at": session.now(),
        "updated_at": session.now(),
    }


def _seen(found: InvoiceView | CreditNoteView) -> dict[str, Any]:
    if isinstance(found, CreditNoteView):
        status = "void" if found.status == "void" else "issued"
        return {"external_id": found.id, "external_status": status}
    return {
        "external_id": found.id,
        "external_status": found.status.value,
        "amount_due": found.amount_due,
        "amount_paid": found.amount_paid,
        "hosted_url": found.hosted_url,
    }
