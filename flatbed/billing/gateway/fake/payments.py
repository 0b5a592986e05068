"""How invoices are paid, refunded and disputed."""

from typing import Any, Final

from flatbed.billing.gateway.fake import invoices
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.lists import page, within
from flatbed.billing.gateway.fake.refusals import declined, forbidden, missing
from flatbed.billing.gateway.fake.setups import is_declined
from flatbed.billing.gateway.fake.store import Obj

PAYABLE: Final = ("open", "uncollectible")
CLOSED: Final = ("won", "lost")
_PAYMENT: Final = "_payment"


def finalize(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/finalize``, and the charge if it is to advance by itself."""
    invoice = invoices.finalize(account, ids, params)
    is_charged = invoice["auto_advance"] and invoice["collection_method"] == invoices.METHODS[0]
    if is_charged and invoice["status"] == "open":
        open_ = account.find("invoice", ids[0])
        if _default(account, open_) is None:
            fail(account, open_)
        else:
            attempt(account, open_)
    return invoices.get(account, ids, params)


def pay(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/invoices/{invoice}/pay``."""
    invoice = account.find("invoice", ids[0])
    _payable(invoice)
    if params.flag("paid_out_of_band"):
        settle(account, invoice, None)
    elif not attempt(account, invoice, params.text("payment_method")):
        raise declined()
    return invoices.get(account, ids, params)


def _default(account: Account, invoice: Obj) -> str | None:
    customer = account.find("customer", invoice["customer"])
    method: str | None = (
        invoice["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    )
    return method


def attempt(account: Account, invoice: Obj, given: str | None = None) -> bool:
    """Charge the invoice to a method, or to its default one. Returns whether it is paid."""
    chosen = given or _default(account, invoice)
    if chosen is None:
        raise forbidden(
            "There is no `default_payment_method` set on this Customer or Invoice.",
            "resource_missing",
        )
    method = account.find("payment_method", chosen, "payment_method")
    if method["customer"] != invoice["customer"]:
        raise missing("payment_method", chosen, "payment_method")
    if is_declined(method):
        fail(account, invoice)
        return False
    settle(account, invoice, account.mint("payment_intent"))
    return True


def fail(account: Account, invoice: Obj) -> None:
    """An attempt to charge the invoice has failed."""
    _payable(invoice)
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    invoices.changed(account, invoice, "invoice.payment_failed")


def settle(account: Account, invoice: Obj, payment: str | None) -> None:
    """The rest of the invoice is paid: by a payment, or outside of Stripe."""
    _payable(invoice)
    amount = invoice["amount_remaining"]
    invoice.update(amount_paid=invoice["amount_paid"] + amount, amount_remaining=0)
    if payment is None:
        invoice["amount_paid_off_stripe"] += amount
    else:
        invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
        _record(account, invoice, payment, amount)
    invoices.settled(account, invoice)
    if payment is not None:
        account.emit("invoice.payment_succeeded", invoices.view(account, invoice))


def _record(account: Account, invoice: Obj, payment: str, amount: int) -> None:
    charge = account.mint("charge")
    held = {"invoice": invoice["id"], "charge": charge, "amount": amount, "refunded": 0}
    account.store.put(_PAYMENT, payment, {**held, "currency": invoice["currency"]})
    now = account.now()
    account.new(
        "invoice_payment",
        invoice=invoice["id"],
        amount_paid=amount,
        amount_requested=amount,
        currency=invoice["currency"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": payment},
        status="paid",
        status_transitions={"canceled_at": None, "paid_at": now},
    )


def list_payments(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/invoice_payments``."""
    del ids
    invoice, status = params.text("invoice"), params.text("status")
    payment = params.section("payment").text("payment_intent")
    found = (
        one
        for one in account.store.newest_first("invoice_payment")
        if (invoice is None or one["invoice"] == invoice)
        and (status is None or one["status"] == status)
        and (payment is None or one["payment"]["payment_intent"] == payment)
        and within(one, params)
    )
    return page(found, params, "/v1/invoice_payments")


def _payment_of(account: Account, invoice: str) -> tuple[str, Obj]:
    """The payment of an invoice, by a customer and not out of band."""
    for one in account.store.newest_first("invoice_payment"):
        payment = one["payment"]["payment_intent"]
        held = account.store.get(_PAYMENT, payment)
        if one["invoice"] == invoice and held is not None:
            return payment, held
    raise forbidden("This invoice has no payment that could be refunded.")


def refund(account: Account, invoice: str, amount: int) -> Obj:
    """Give back a part of an invoice's payment."""
    payment, held = _payment_of(account, invoice)
    if not 0 < amount <= held["amount"] - held["refunded"]:
        raise forbidden("Refund amount is greater than unrefunded amount on charge.")
    held["refunded"] += amount
    account.store.put(_PAYMENT, payment, held)
    made = account.new(
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=held["charge"],
        currency=held["currency"],
        metadata={},
        payment_intent=payment,
        reason=None,
        receipt_number=None,
        source_transfer_reversal=None,
        status="succeeded",
        transfer_reversal=None,
    )
    # The one object that does not say its mode.
    del made["livemode"]
    account.save(made)
    account.emit("refund.created", made)
    return made


def get_refund(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/refunds/{refund}``."""
    del params
    return account.find("refund", ids[0])


def dispute(account: Account, invoice: str) -> Obj:
    """The customer's bank takes the payment back."""
    payment, held = _payment_of(account, invoice)
    details = {
        "due_by": account.now() + 7 * invoices.DAY_S,
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
    }
    made = account.new(
        "dispute",
        amount=held["amount"],
        balance_transactions=[],
        charge=held["charge"],
        currency=held["currency"],
        enhanced_eligibility_types=[],
        evidence=dict(_NO_EVIDENCE),
        evidence_details=details,
        is_charge_refundable=False,
        metadata={},
        payment_intent=payment,
        reason="fraudulent",
        status="needs_response",
    )
    account.emit("charge.dispute.created", made)
    account.emit("charge.dispute.funds_withdrawn", made)
    return made


_NO_EVIDENCE: Final[dict[str, Any]] = {"enhanced_evidence": {}}


def close_dispute(account: Account, given: str, status: str) -> Obj:
    """The bank has decided: ``won`` gives the money back to us."""
    found = account.find("dispute", given)
    if status not in CLOSED or found["status"] in CLOSED:
        raise forbidden("A dispute is closed once, as won or lost.")
    found["status"] = status
    account.save(found)
    account.emit("charge.dispute.closed", found)
    if status == "won":
        account.emit("charge.dispute.funds_reinstated", found)
    return found


def get_dispute(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/disputes/{dispute}``."""
    del params
    return account.find("dispute", ids[0])


def _payable(invoice: Obj) -> None:
    if invoice["status"] == "paid":
        raise forbidden("Invoice is already paid")
    if invoice["status"] not in PAYABLE:
        raise forbidden(f"This invoice is {invoice['status']} and cannot be paid.")
