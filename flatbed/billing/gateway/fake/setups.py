"""Checkout sessions in setup mode, payment methods and portal sessions."""

from typing import Any, Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.customers import blank, existing
from flatbed.billing.gateway.fake.forms import Params, required
from flatbed.billing.gateway.fake.refusals import forbidden, invalid, missing
from flatbed.billing.gateway.fake.store import Obj

LIFE_S: Final = 86_400
GOOD: Final = "pm_card_visa"
DECLINED: Final = "pm_card_chargeCustomerFail"
"""Stripe's test payment methods: attaching one makes a new one. The second is always declined."""
TEST_METHODS: Final = {GOOD: "4242", DECLINED: "0341"}


def create_session(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/checkout/sessions``; the fake knows setup mode only."""
    del ids
    if params.one_of("mode", "payment", "setup", "subscription") != "setup":
        raise invalid("mode", "The fake knows Checkout in setup mode only")
    params.needed("success_url")
    types = params.texts("payment_method_types")
    if not types and "currency" not in params:
        # Which methods fit depends on it; in the other modes the prices say it.
        raise required("currency")
    customer = params.text("customer")
    if customer is not None:
        existing(account, customer, "customer")
    types = types or ["card", "sepa_debit"]
    intent = account.new(
        "setup_intent",
        application=None,
        cancellation_reason=None,
        client_secret=None,
        customer=customer,
        description=None,
        flow_directions=None,
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=params.section("setup_intent_data").metadata(),
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_options=None,
        payment_method_types=types,
        single_use_mandate=None,
        status="requires_payment_method",
        usage="off_session",
    )
    made = account.new(
        "checkout.session",
        mode="setup",
        status="open",
        customer=customer,
        setup_intent=intent["id"],
        expires_at=account.now() + LIFE_S,
        payment_method_types=types,
        payment_status="no_payment_required",
        success_url=params.text("success_url"),
        cancel_url=params.text("cancel_url"),
        currency=(params.text("currency") or "").lower() or None,
        client_reference_id=params.text("client_reference_id"),
        metadata=params.metadata(),
        locale=params.text("locale"),
        **_UNUSED,
    )
    made["url"] = f"{account.public_url}/c/pay/{made['id']}"
    account.save(made)
    return made


_UNUSED: Final[dict[str, Any]] = {
    "after_expiration": None,
    "allow_promotion_codes": None,
    "amount_subtotal": None,
    "amount_total": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "consent": None,
    "consent_collection": None,
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer_creation": None,
    "customer_details": None,
    "customer_email": None,
    "invoice": None,
    "invoice_creation": None,
    "payment_intent": None,
    "payment_link": None,
    "payment_method_collection": "always",
    "payment_method_options": {},
    "recovered_from": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "submit_type": None,
    "subscription": None,
    "total_details": None,
    "ui_mode": "hosted_page",
}


def get_session(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/checkout/sessions/{session}``."""
    del params
    found = account.find("checkout.session", ids[0])
    if found["status"] == "open" and found["expires_at"] <= account.now():
        found.update(status="expired", url=None)
        account.save(found)
        account.emit("checkout.session.expired", found)
    return found


def complete(account: Account, session: str, token: str = GOOD) -> Obj:
    """What the customer does on Stripe's page: give a payment method. Not part of the API."""
    found = get_session(account, (session,), Params({}))
    if found["status"] != "open":
        raise forbidden(f"This Checkout Session is {found['status']}.")
    if found["customer"] is None:
        found["customer"] = blank(account)["id"]
    method = _method(account, token, found["customer"])
    intent = account.find("setup_intent", found["setup_intent"])
    intent.update(status="succeeded", payment_method=method["id"], customer=found["customer"])
    account.save(intent)
    found.update(status="complete", url=None)
    account.save(found)
    account.emit("payment_method.attached", method)
    account.emit("setup_intent.succeeded", intent)
    account.emit("checkout.session.completed", found)
    return found


def attach(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/payment_methods/{payment_method}/attach``."""
    customer = existing(account, params.needed("customer"), "customer")["id"]
    if ids[0] in TEST_METHODS:
        method = _method(account, ids[0], customer)
    else:
        method = account.find("payment_method", ids[0])
        if method["customer"] not in {None, customer}:
            raise forbidden("The payment method has already been attached to a customer.")
        method["customer"] = customer
        account.save(method)
    account.emit("payment_method.attached", method)
    return method


def get_method(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/payment_methods/{payment_method}``."""
    del params
    return account.find("payment_method", ids[0])


def is_declined(method: Obj) -> bool:
    """Whether a charge to the method fails."""
    return bool(method["card"]["last4"] == TEST_METHODS[DECLINED])


def _method(account: Account, token: str, customer: str) -> Obj:
    if token not in TEST_METHODS:
        raise missing("payment_method", token)
    return account.new(
        "payment_method",
        type="card",
        customer=customer,
        metadata={},
        billing_details={
            "address": None,
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        card={
            "brand": "visa",
            "checks": None,
            "country": "DE",
            "display_brand": "visa",
            "exp_month": 12,
            "exp_year": 2040,
            "fingerprint": None,
            "funding": "credit",
            "generated_from": None,
            "last4": TEST_METHODS[token],
            "networks": None,
            "regulated_status": None,
            "three_d_secure_usage": None,
            "wallet": None,
        },
    )


def create_portal(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/billing_portal/sessions``."""
    del ids
    customer = existing(account, params.needed("customer"), "customer")
    made = account.new(
        "billing_portal.session",
        configuration="bpc_fake",
        customer=customer["id"],
        flow=None,
        locale=params.text("locale"),
        on_behalf_of=None,
        return_url=params.text("return_url"),
    )
    made["url"] = f"{account.public_url}/p/session/{made['id']}"
    account.save(made)
    return made
