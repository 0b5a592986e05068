"""What must hold at Stripe once everything has settled, read from the fake's own objects.

| no. | what must hold | by |
| 4 | statement total = what Stripe asks for it; money is neither made nor lost there | ``sums`` |
| 5 | one finalized invoice a statement, each entry on one line | ``one_invoice_each`` |
| 6 | credit notes ≤ invoice, one each | ``credits_fit`` |
| 10 | no credit of one currency pays an invoice of another | ``sums`` |
| 11 | our rows are what Stripe has, whatever events came when | ``rows_are_theirs`` |

The model knows nothing of Stripe: it says which invoices and credit notes there are, with which
lines, and the machine keeps what customers paid.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from flatbed.billing.gateway.fake.store import Obj
from tests.billing.proof.model import TAX, Model, half_up
from tests.billing.proof.till import Till

Row = Mapping[str, Any]
LATE = {"invoice.overdue", "invoice.payment_failed"}


@dataclass(frozen=True)
class Collected:
    """What one ISV has at Stripe, and what we say of it. ``paid`` is what its customers paid."""

    invoices: Sequence[Obj]
    lines: Mapping[str, Sequence[Obj]]
    notes: Sequence[Obj]
    customer: Obj | None
    late: frozenset[str]
    rows: Sequence[Row]
    standing: str | None
    findings: Sequence[str]
    entries: Mapping[UUID, UUID]
    paid: Counter[str]
    model: Model


async def gather(till: Till, tenant_id: UUID, model: Model, paid: Counter[str]) -> Collected:
    """Read everything. ``paid``: minor units by the id of the invoice at Stripe."""
    plain, store = till.world.admin, till.fake.store
    invoices = [
        one
        for one in store.oldest_first("invoice")
        if one["metadata"].get("tenant_id") == str(tenant_id)
    ]
    ids = {one["id"] for one in invoices}
    account = await plain.fetchrow(
        "SELECT customer_ref, standing FROM billing_account WHERE tenant_id = $1", tenant_id
    )
    rows: Any = await plain.fetch(
        "SELECT c.*, i.kind, i.number, i.net, i.gross, s.number AS statement FROM collection c"
        " JOIN invoice i ON (i.tenant_id, i.id) = (c.tenant_id, c.invoice_id)"
        " JOIN statement s ON (s.tenant_id, s.id) = (i.tenant_id, i.statement_id)"
        " WHERE c.tenant_id = $1 ORDER BY i.number",
        tenant_id,
    )
    entries = await plain.fetch(
        "SELECT id, source_id FROM usage_entry WHERE tenant_id = $1 AND kind = 'qualified'",
        tenant_id,
    )
    return Collected(
        invoices=invoices,
        lines={one: list(store.oldest_first(f"line_item:{one}")) for one in ids},
        notes=[one for one in store.oldest_first("credit_note") if one["invoice"] in ids],
        customer=None if account is None else store.get("customer", account["customer_ref"] or ""),
        late=frozenset(
            one["data"]["object"]["id"]
            for one in store.oldest_first("event")
            if one["type"] in LATE
        ),
        rows=rows,
        standing=None if account is None else account["standing"],
        findings=await till.open_findings(tenant_id),
        entries={row["id"]: row["source_id"] for row in entries},
        paid=paid,
        model=model,
    )


def one_invoice_each(found: Collected) -> None:
    """Invariant 5: what the model billed is at Stripe, each once, with each unit on one line."""
    for row in found.rows:
        assert row["state"] == "done", f"5: {row['number']} is {row['state']}: {row['error']}"
    assert {one["status"] for one in found.invoices} <= {"open", "paid", "uncollectible"}, (
        "5: state"
    )
    statements = _statements(found)
    wanted, there = Counter[Any](), Counter[Any]()
    for one in found.model.statements:
        charges = [line for line in one.lines if line[0] == "charge"]
        for kind, net, tax, _ in one.invoices:
            if kind == "invoice":
                lines = tuple(sorted((str(line[1]), line[2]) for line in charges))
                wanted[one.number, one.currency.lower(), net, net + tax, lines] += 1
    for invoice in found.invoices:
        lines = tuple(
            sorted(
                (str(found.entries[UUID(line["metadata"]["entry_id"])]), line["amount"])
                for line in found.lines[invoice["id"]]
            )
        )
        statement = statements[invoice["metadata"]["invoice_id"]]
        figures = (invoice["subtotal"], invoice["total"])
        there[statement, invoice["currency"], *figures, lines] += 1
    assert there == wanted, f"5: at Stripe {there}, billed {wanted}"
    numbers = {str(row["invoice_id"]): row["number"] for row in found.rows}
    for invoice in found.invoices:
        assert invoice["number"] == numbers[invoice["metadata"]["invoice_id"]], "5: number"
        assert found.customer is not None, "5: no customer"
        assert invoice["customer"] == found.customer["id"], "5: customer"


def credits_fit(found: Collected) -> None:
    """Invariant 6: each credit note stands once, on its invoice, and all of them fit in it."""
    statements = _statements(found)
    on = {one["id"]: statements[one["metadata"]["invoice_id"]] for one in found.invoices}
    wanted = Counter(
        (one.number, corrected, net, net + tax)
        for one in found.model.statements
        for kind, net, tax, corrected in one.invoices
        if kind == "credit_note"
    )
    there = Counter(
        (
            statements[note["metadata"]["invoice_id"]],
            on[note["invoice"]],
            note["subtotal"],
            note["total"],
        )
        for note in found.notes
        if note["status"] == "issued"
    )
    assert there == wanted, f"6: at Stripe {there}, given {wanted}"
    given: Counter[str] = Counter()
    for note in found.notes:
        given[note["invoice"]] += note["total"]
    for invoice in found.invoices:
        assert given[invoice["id"]] <= invoice["total"], "6: more than was asked"


def sums(found: Collected) -> None:
    """Invariants 4 and 10: Σ statements = Σ asked − Σ given back = Σ paid + open − credit."""
    asked: Counter[str] = Counter()
    gross: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for invoice in found.invoices:
        currency = invoice["currency"]
        asked[currency] += invoice["subtotal"]
        gross[currency] += invoice["total"]
        held[currency] += found.paid[invoice["id"]] + invoice["amount_remaining"]
        assert invoice["amount_paid"] == found.paid[invoice["id"]], "4: paid"
    for note in found.notes:
        asked[note["currency"]] -= note["subtotal"]
        gross[note["currency"]] -= note["total"]
    billed: Counter[str] = Counter()
    for one in found.model.statements:
        billed[one.currency.lower()] += sum(line[2] for line in one.lines)
    currencies = {*asked, *billed}
    assert {c: asked[c] for c in currencies} == {c: billed[c] for c in currencies}, "4: Stripe"
    credit = {} if found.customer is None else found.customer["invoice_credit_balance"]
    for currency in currencies:
        kept = held[currency] - credit.get(currency, 0)
        assert gross[currency] == kept, f"4, 10: {currency} {gross[currency]} is not {kept}"


def taxed(found: Collected) -> None:
    """Our tax, and no cent beside it, is what Stripe adds."""
    for invoice in found.invoices:
        tax = half_up(Fraction(invoice["subtotal"]) * TAX)
        assert invoice["total"] - invoice["subtotal"] == tax, "4: tax"


def rows_are_theirs(found: Collected) -> None:
    """Invariant 11: what the events made of our rows is what Stripe has now."""
    invoices = {one["id"]: one for one in found.invoices}
    notes = {one["id"]: one for one in found.notes}
    for row in found.rows:
        if row["kind"] == "credit_note":
            assert notes[row["external_id"]]["status"] == row["external_status"], "11: note"
            continue
        theirs = invoices[row["external_id"]]
        ours = (row["external_status"], row["amount_due"], row["amount_paid"])
        there = (theirs["status"], theirs["amount_due"], theirs["amount_paid"])
        assert ours == there, f"11: {row['number']} is {ours}, and at Stripe {there}"
        is_late = theirs["id"] in found.late and theirs["status"] in {"open", "uncollectible"}
        assert (row["overdue_since"] is not None) == is_late, "11: late"
    billed = [one for each in found.model.statements for one in each.invoices]
    assert len(found.rows) == len(billed), "5: rows"
    statuses = {one["status"]: one["id"] for one in found.invoices}
    late = [one for one in found.invoices if one["status"] == "open" and one["id"] in found.late]
    wanted = "suspended" if "uncollectible" in statuses else "overdue" if late else "good"
    assert found.standing in {None, wanted}, f"11: {found.standing}, not {wanted}"


def nothing_found(found: Collected) -> None:
    """The reconciliation agrees."""
    assert not found.findings, f"4, 5: {found.findings}"


def _statements(found: Collected) -> dict[str, int]:
    return {str(row["invoice_id"]): row["statement"] for row in found.rows}


CHECKS: tuple[Callable[[Collected], None], ...] = (
    one_invoice_each,
    credits_fit,
    sums,
    taxed,
    rows_are_theirs,
    nothing_found,
)
