"""Credit notes: first against what is due, the rest as refund, balance or out of band."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from flatbed.billing.gateway.fake import balances, invoices, lines, payments
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.lists import listed, page, within
from flatbed.billing.gateway.fake.refusals import forbidden, invalid
from flatbed.billing.gateway.fake.store import Obj

REASONS: Final = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")
CREDITABLE: Final = ("open", "paid", "uncollectible")


def create(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/credit_notes``."""
    del ids
    invoice = account.find("invoice", params.needed("invoice"), "invoice")
    if invoice["status"] not in CREDITABLE:
        raise forbidden(f"You cannot create a credit note for an {invoice['status']} invoice.")
    items = [_line(account, invoice, one) for one in params.sections("lines")]
    amount = params.whole("amount")
    subtotal, taxes = _sums(account, items)
    if items:
        total = subtotal + sum(t["amount"] for t in taxes if t["tax_behavior"] == "exclusive")
        if amount not in {None, total}:
            raise invalid("amount", "The amount is not the total of the lines")
    elif amount is None:
        raise invalid("amount", "One of `amount`, `lines`, or `shipping_cost` must be provided.")
    else:
        subtotal = total = amount
    pre, post = _split(account, invoice, params, total)
    refunds = _refunds(account, invoice, params)
    made = account.new(
        "credit_note",
        amount=total,
        amount_shipping=0,
        currency=invoice["currency"],
        customer=invoice["customer"],
        customer_balance_transaction=None,
        discount_amount=0,
        discount_amounts=[],
        effective_at=params.whole("effective_at") or account.now(),
        invoice=invoice["id"],
        lines=listed(items, "/v1/credit_notes/lines"),
        memo=params.text("memo"),
        metadata=params.metadata(),
        number=f"{invoice['number']}-CN-{len(_of(account, invoice['id'])) + 1:02d}",
        out_of_band_amount=params.whole("out_of_band_amount"),
        post_payment_amount=post,
        pre_payment_amount=pre,
        pretax_credit_amounts=[],
        reason=params.one_of("reason", *REASONS) if "reason" in params else None,
        refunds=refunds,
        shipping_cost=None,
        status="issued",
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal,
        total=total,
        total_excluding_tax=subtotal,
        total_taxes=taxes,
        type="mixed" if pre and post else "post_payment" if post else "pre_payment",
        voided_at=None,
    )
    made["pdf"] = f"{account.public_url}/cn/{made['id']}/pdf"
    made["lines"]["url"] = f"/v1/credit_notes/{made['id']}/lines"
    account.save(made)
    account.emit("credit_note.created", made)
    _apply(account, invoice["id"], pre, post, params.amount("credit_amount"))
    return made


def get(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/credit_notes/{id}``."""
    del params
    return account.find("credit_note", ids[0])


def list_(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/credit_notes``."""
    del ids
    wanted = {name: params.text(name) for name in ("customer", "invoice") if name in params}
    found = (
        note
        for note in account.store.newest_first("credit_note")
        if all(note[name] == value for name, value in wanted.items()) and within(note, params)
    )
    return page(found, params, "/v1/credit_notes")


def void(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/credit_notes/{id}/void``: only while it has merely reduced what is due."""
    del params
    note = account.find("credit_note", ids[0])
    invoice = account.find("invoice", note["invoice"])
    if note["status"] != "issued" or note["post_payment_amount"] or invoice["status"] != "open":
        raise forbidden("This credit note cannot be voided.")
    note.update(status="void", voided_at=account.now())
    account.save(note)
    account.emit("credit_note.voided", note)
    _apply(account, invoice["id"], -note["pre_payment_amount"], 0, 0)
    return note


def _line(account: Account, invoice: Obj, given: Params) -> Obj:
    kind = given.one_of("type", "custom_line_item", "invoice_line_item")
    quantity = given.whole("quantity")
    if kind == "custom_line_item":
        of, description = None, given.needed("description")
        unit = given.whole("unit_amount")
        if unit is None:
            raise invalid(given.param("unit_amount"), "A custom line has a unit amount")
        amount = unit * (quantity or 1)
        taxes = []
    else:
        name = "invoice_line_item"
        of = lines.find(account, invoice["id"], given.needed(name), given.param(name))
        description, asked = of["description"], given.whole("amount")
        amount = of["amount"] if asked is None else asked
        if not 0 < amount <= of["amount"]:
            raise invalid(given.param("amount"), "More than the line has")
        taxes = [_share(tax, amount, of["amount"]) for tax in of["taxes"]]
    if "tax_amounts" in given:
        taxes = [_tax(account, one) for one in given.sections("tax_amounts")]
    return {
        "id": account.mint("credit_note_line_item"),
        "object": "credit_note_line_item",
        "livemode": False,
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "metadata": given.metadata(),
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": taxes,
        "type": kind,
        "unit_amount": None,
        "unit_amount_decimal": None,
        **({} if of is None else {"invoice_line_item": of["id"]}),
    }


def _share(tax: Obj, amount: int, whole: int) -> Obj:
    """The part of a line's tax that belongs to a part of its amount."""
    exact = Decimal(tax["amount"]) * amount / whole
    return {
        **tax,
        "amount": int(exact.quantize(Decimal(1), ROUND_HALF_EVEN)),
        "taxable_amount": amount,
    }


def _tax(account: Account, given: Params) -> Obj:
    amount, taxable = given.whole("amount"), given.whole("taxable_amount")
    if amount is None or taxable is None:
        raise invalid(given.param("amount"), "A tax has an amount and a taxable amount")
    rate = account.find("tax_rate", given.needed("tax_rate"), given.param("tax_rate"))
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "not_available",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def _sums(account: Account, items: list[Obj]) -> tuple[int, list[Obj]]:
    taxes = [tax for item in items for tax in item["taxes"]]
    return sum(item["amount"] for item in items), lines.together(account, taxes)


def _of(account: Account, invoice: str) -> list[Obj]:
    return [n for n in account.store.oldest_first("credit_note") if n["invoice"] == invoice]


def _split(account: Account, invoice: Obj, params: Params, total: int) -> tuple[int, int]:
    """How much reduces what is due, and how much was paid already and is named by the caller."""
    issued = sum(n["total"] for n in _of(account, invoice["id"]) if n["status"] == "issued")
    if not 0 < total <= invoice["total"] - issued:
        raise forbidden("The credit note's amount exceeds what is left of the invoice.")
    pre = min(total, invoice["amount_remaining"])
    post = total - pre
    named = sum(params.amount(n) for n in ("refund_amount", "credit_amount", "out_of_band_amount"))
    if named != post:
        raise forbidden(
            "The sum of credit amount, refund amount and out of band amount must equal the "
            f"post payment amount ({post})."
        )
    return pre, post


def _refunds(account: Account, invoice: Obj, params: Params) -> list[Obj]:
    amount = params.amount("refund_amount")
    if not amount:
        return []
    made = payments.refund(account, invoice["id"], amount)
    return [
        {
            "amount_refunded": amount,
            "payment_record_refund": None,
            "refund": made["id"],
            "type": "refund",
        }
    ]


def _apply(account: Account, given: str, pre: int, post: int, credit: int) -> None:
    invoice = account.find("invoice", given)
    invoice["pre_payment_credit_notes_amount"] += pre
    invoice["post_payment_credit_notes_amount"] += post
    invoice["amount_due"] -= pre
    invoice["amount_remaining"] -= pre
    if credit:
        customer = account.find("customer", invoice["customer"])
        before = balances.balance(customer, invoice["currency"])
        balances.keep(account, customer, invoice["currency"], before - credit)
    invoices.changed(account, invoice, "invoice.updated")
    if invoice["status"] == "open" and not invoice["amount_remaining"]:
        invoices.settled(account, invoice)
