"""Invoices: draft, open, paid, void, uncollectible. Money in minor units."""

from typing import Any, Final

from flatbed.billing.gateway.fake import balances, lines
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.customers import existing
from flatbed.billing.gateway.fake.forms import Params, required
from flatbed.billing.gateway.fake.lists import listed, page, within
from flatbed.billing.gateway.fake.refusals import forbidden, invalid
from flatbed.billing.gateway.fake.store import Obj

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
EMBEDDED: Final = 10
"""Lines that come with an invoice."""
METHODS: Final = ("charge_automatically", "send_invoice")
CURRENCY: Final = 3


def create(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices``: an empty draft."""
    del ids
    customer = existing(account, params.needed("customer"), "customer")
    currency = (params.text("currency") or customer["currency"] or "").lower()
    if len(currency) != CURRENCY or not currency.isalpha():
        raise invalid("currency", f"Invalid currency: {currency}")
    method = params.one_of("collection_method", *METHODS)
    days, due = params.whole("days_until_due"), params.whole("due_date")
    if method == "send_invoice" and days is None and due is None:
        raise invalid(
            "days_until_due",
            "If `collection_method=send_invoice`, you must pass `days_until_due` or `due_date`.",
        )
    if method != "send_invoice" and (days is not None or due is not None):
        raise invalid("days_until_due", "Valid only for invoices with send_invoice")
    number = params.text("number")
    _free(account, number)
    made = account.new(
        "invoice",
        **_EMPTY,
        account_name="Fake Stripe",
        auto_advance=params.flag("auto_advance"),
        collection_method=method,
        currency=currency,
        customer=customer["id"],
        customer_address=customer["address"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        customer_tax_exempt=customer["tax_exempt"],
        default_payment_method=params.text("default_payment_method"),
        description=params.text("description"),
        due_date=due,
        effective_at=params.whole("effective_at"),
        footer=params.text("footer"),
        metadata=params.metadata(),
        number=number,
        period_end=account.now(),
        period_start=account.now(),
        starting_balance=balances.balance(customer, currency),
        status="draft",
        status_transitions={
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
    )
    # How many days is no member of an invoice: the due date it leads to is.
    account.store.put("_days", made["id"], {"days": days})
    account.emit("invoice.created", view(account, made))
    return view(account, made)


_EMPTY: Final[dict[str, Any]] = {
    "account_country": "DE",
    "account_tax_ids": None,
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_paid_off_stripe": 0,
    "amount_remaining": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "automatic_tax": {
        "disabled_reason": None,
        "enabled": False,
        "liability": None,
        "provider": None,
        "status": None,
    },
    "automatically_finalizes_at": None,
    "billing_reason": "manual",
    "custom_fields": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "ending_balance": None,
    "from_invoice": None,
    "hosted_invoice_url": None,
    "invoice_pdf": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "next_payment_attempt": None,
    "on_behalf_of": None,
    "parent": None,
    "payment_settings": {
        "default_mandate": None,
        "payment_method_options": None,
        "payment_method_types": None,
    },
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "statement_descriptor": None,
    "subtotal": 0,
    "subtotal_excluding_tax": 0,
    "test_clock": None,
    "total": 0,
    "total_discount_amounts": [],
    "total_excluding_tax": 0,
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}


def view(account: Account, invoice: Obj) -> Obj:
    """An invoice as it is answered: with the first of its lines."""
    url = f"/v1/invoices/{invoice['id']}/lines"
    held = list(lines.newest_first(account, invoice["id"]))
    shown = listed(held[:EMBEDDED], url, has_more=len(held) > EMBEDDED)
    return {**invoice, "lines": shown}


def get(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/invoices/{invoice}``."""
    del params
    return view(account, account.find("invoice", ids[0]))


def list_(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/invoices``."""
    del ids
    wanted = {
        name: params.text(name)
        for name in ("customer", "status", "collection_method")
        if name in params
    }
    found = (
        view(account, invoice)
        for invoice in account.store.newest_first("invoice")
        if all(invoice[name] == value for name, value in wanted.items()) and within(invoice, params)
    )
    return page(found, params, "/v1/invoices")


def update(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}``: metadata always, the rest while it is a draft."""
    invoice = account.find("invoice", ids[0])
    invoice["metadata"] = params.metadata(invoice["metadata"])
    for name in ("description", "footer", "number"):
        if name in params:
            _only_draft(invoice)
            if name == "number" and params.text(name) != invoice["number"]:
                _free(account, params.text(name))
            invoice[name] = params.text(name)
    if "auto_advance" in params:
        invoice["auto_advance"] = params.flag("auto_advance")
    return changed(account, invoice, "invoice.updated")


def delete(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``DELETE /v1/invoices/{invoice}``: drafts only."""
    del params
    invoice = account.find("invoice", ids[0])
    if invoice["status"] != "draft":
        raise forbidden("You can only delete draft invoices")
    account.emit("invoice.deleted", view(account, invoice))
    account.store.remove("invoice", ids[0])
    account.store.remove("_days", ids[0])
    return {"id": ids[0], "object": "invoice", "deleted": True}


def list_lines(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/invoices/{invoice}/lines``."""
    account.find("invoice", ids[0])
    held = lines.newest_first(account, ids[0])
    return page(held, params, f"/v1/invoices/{ids[0]}/lines")


def add_lines(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/add_lines``."""
    invoice = account.find("invoice", ids[0])
    if "lines" not in params:
        raise required("lines")
    _only_draft(invoice)
    lines.add(account, invoice, params.sections("lines"))
    if "invoice_metadata" in params:
        renamed = Params({"metadata": params.tree["invoice_metadata"]})
        invoice["metadata"] = renamed.metadata(invoice["metadata"])
    _sum(account, invoice)
    return changed(account, invoice, "invoice.updated")


def finalize(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/finalize``: it is open, and paid where nothing is due."""
    invoice = account.find("invoice", ids[0])
    if invoice["status"] != "draft":
        raise forbidden(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            "invoice_not_editable",
        )
    if not lines.count(account, invoice["id"]):
        raise forbidden("Nothing to invoice.", "invoice_no_customer_line_items")
    if "auto_advance" in params:
        invoice["auto_advance"] = params.flag("auto_advance")
    now = account.now()
    days = (account.store.get("_days", invoice["id"]) or {}).get("days")
    if days is not None:
        invoice["due_date"] = now + days * DAY_S
    _use_balance(account, invoice)
    url = f"{account.public_url}/i/{invoice['id']}"
    invoice.update(
        status="open",
        number=invoice["number"] or account.next_number(),
        effective_at=invoice["effective_at"] or now,
        hosted_invoice_url=url,
        invoice_pdf=f"{url}/pdf",
        status_transitions={**invoice["status_transitions"], "finalized_at": now},
    )
    account.save(invoice)
    account.emit("invoice.finalized", view(account, invoice))
    if not invoice["amount_remaining"]:
        settled(account, invoice)
    return view(account, account.find("invoice", invoice["id"]))


def void(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/void``."""
    del params
    invoice = account.find("invoice", ids[0])
    if invoice["status"] not in {"open", "uncollectible"}:
        raise forbidden(
            f"You can only pass in open or uncollectible invoices. This is {invoice['status']}."
        )
    _return_balance(account, invoice)
    invoice["status"] = "void"
    invoice["status_transitions"]["voided_at"] = account.now()
    return changed(account, invoice, "invoice.voided")


def mark_uncollectible(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/mark_uncollectible``."""
    del params
    invoice = account.find("invoice", ids[0])
    if invoice["status"] != "open":
        raise forbidden(f"You can only pass in open invoices. This is {invoice['status']}.")
    invoice["status"] = "uncollectible"
    invoice["status_transitions"]["marked_uncollectible_at"] = account.now()
    return changed(account, invoice, "invoice.marked_uncollectible")


def settled(account: Account, invoice: Obj) -> None:
    """Nothing remains: the invoice is paid."""
    invoice["status"] = "paid"
    invoice["status_transitions"]["paid_at"] = account.now()
    account.save(invoice)
    account.emit("invoice.paid", view(account, invoice))


def changed(account: Account, invoice: Obj, event: str) -> Obj:
    """Keep a changed invoice, tell it, and answer it."""
    account.save(invoice)
    shown = view(account, invoice)
    account.emit(event, shown)
    return shown


def _sum(account: Account, invoice: Obj) -> None:
    subtotal, taxes = lines.totals(account, invoice["id"])
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    inclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    due = max(0, subtotal + exclusive)
    invoice.update(
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - inclusive,
        total=subtotal + exclusive,
        total_excluding_tax=subtotal - inclusive,
        total_taxes=taxes,
        amount_due=due,
        amount_remaining=due,
    )


def _use_balance(account: Account, invoice: Obj) -> None:
    """What the customer has in credit in this currency is used, what he owes is added."""
    customer = account.find("customer", invoice["customer"])
    before = balances.balance(customer, invoice["currency"])
    sum_ = invoice["total"] + before
    invoice.update(
        starting_balance=before,
        ending_balance=min(0, sum_),
        amount_due=max(0, sum_),
        amount_remaining=max(0, sum_),
    )
    if before != invoice["ending_balance"]:
        balances.keep(account, customer, invoice["currency"], invoice["ending_balance"])


def _return_balance(account: Account, invoice: Obj) -> None:
    used = invoice["ending_balance"] - invoice["starting_balance"]
    if used:
        customer = account.find("customer", invoice["customer"])
        before = balances.balance(customer, invoice["currency"])
        balances.keep(account, customer, invoice["currency"], before - used)


def _only_draft(invoice: Obj) -> None:
    if invoice["status"] != "draft":
        raise forbidden(
            "This invoice is no longer editable because it is finalized.", "invoice_not_editable"
        )


def _free(account: Account, number: str | None) -> None:
    if number is None:
        return
    if any(one["number"] == number for one in account.store.oldest_first("invoice")):
        raise forbidden(f"The invoice number {number} is already in use.", None, "number")
