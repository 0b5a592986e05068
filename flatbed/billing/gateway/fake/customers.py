"""Customers and their tax ids."""

from typing import Any, Final

from flatbed.billing.gateway.fake import balances
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.lists import page
from flatbed.billing.gateway.fake.refusals import forbidden, missing
from flatbed.billing.gateway.fake.store import Obj

TEXTS: Final = ("description", "email", "name", "phone")
ADDRESS: Final = ("city", "country", "line1", "line2", "postal_code", "state")
MOST_TAX_IDS: Final = 5


def create(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/customers``."""
    del ids
    customer = blank(account)
    _apply(account, customer, params)
    for given in params.sections("tax_id_data"):
        create_tax_id(account, (customer["id"],), given)
    account.emit("customer.created", customer)
    return customer


def blank(account: Account) -> Obj:
    """A customer of whom nothing is known."""
    return account.new(
        "customer",
        address=None,
        balance=0,
        currency=None,
        default_source=None,
        delinquent=False,
        description=None,
        discount=None,
        email=None,
        invoice_credit_balance={},
        invoice_prefix=None,
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        metadata={},
        name=None,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        shipping=None,
        tax_exempt="none",
        test_clock=None,
    )


def update(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/customers/{customer}``."""
    customer = existing(account, ids[0])
    _apply(account, customer, params)
    account.emit("customer.updated", customer)
    return customer


def get(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/customers/{customer}``; a deleted one is answered as such."""
    del params
    return account.find("customer", ids[0])


def delete(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``DELETE /v1/customers/{customer}``."""
    del params
    customer = existing(account, ids[0])
    account.emit("customer.deleted", customer)
    rest = {"id": customer["id"], "object": "customer", "deleted": True}
    account.save(rest)
    return rest


def existing(account: Account, given: str, param: str = "id") -> Obj:
    """A customer that is not deleted."""
    customer = account.find("customer", given, param)
    if customer.get("deleted"):
        raise missing("customer", given, param)
    return customer


def _apply(account: Account, customer: Obj, params: Params) -> None:
    changed: dict[str, Any] = {name: params.text(name) for name in TEXTS if name in params}
    if "address" in params:
        given = params.section("address")
        sent = any(name in given for name in ADDRESS)
        changed["address"] = {n: given.text(n) for n in ADDRESS} if sent else None
    if "preferred_locales" in params:
        changed["preferred_locales"] = params.texts("preferred_locales")
    if "tax_exempt" in params:
        changed["tax_exempt"] = params.one_of("tax_exempt", "none", "exempt", "reverse")
    settings = params.section("invoice_settings")
    if "default_payment_method" in settings:
        changed["invoice_settings"] = {
            **customer["invoice_settings"],
            "default_payment_method": _method(account, customer, settings),
        }
    customer.update(changed, metadata=params.metadata(customer["metadata"]))
    account.save(customer)
    if "balance" in params:
        currency = customer["currency"] or balances.DEFAULT
        balances.keep(account, customer, currency, params.whole("balance") or 0)


def _method(account: Account, customer: Obj, settings: Params) -> str | None:
    given = settings.text("default_payment_method")
    if given is None:
        return None
    param = settings.param("default_payment_method")
    method = account.find("payment_method", given, param)
    if method["customer"] != customer["id"]:
        message = "The customer does not have a payment method with the ID"
        raise forbidden(f"{message} {given}.", "resource_missing", param)
    return given


def list_tax_ids(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/customers/{customer}/tax_ids``."""
    existing(account, ids[0])
    url = f"/v1/customers/{ids[0]}/tax_ids"
    return page(_tax_ids(account, ids[0]), params, url)


def _tax_ids(account: Account, customer: str) -> list[Obj]:
    return [t for t in account.store.newest_first("tax_id") if t["customer"] == customer]


def create_tax_id(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``POST /v1/customers/{customer}/tax_ids``."""
    customer = existing(account, ids[0])
    kind, value = params.needed("type"), params.needed("value")
    if len(_tax_ids(account, customer["id"])) >= MOST_TAX_IDS:
        raise forbidden(f"A customer can have up to {MOST_TAX_IDS} tax IDs", "tax_id_limit")
    country = value[:2].upper() if kind == "eu_vat" else kind[:2].upper()
    made = account.new(
        "tax_id",
        type=kind,
        value=value,
        country=country,
        customer=customer["id"],
        owner={"type": "customer", "customer": customer["id"]},
        verification={"status": "pending", "verified_address": None, "verified_name": None},
    )
    account.emit("customer.tax_id.created", made)
    return made


def get_tax_id(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/customers/{customer}/tax_ids/{id}``."""
    del params
    found = account.find("tax_id", ids[1])
    if found["customer"] != ids[0]:
        raise missing("tax_id", ids[1])
    return found


def delete_tax_id(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``DELETE /v1/customers/{customer}/tax_ids/{id}``."""
    found = get_tax_id(account, ids, params)
    account.store.remove("tax_id", ids[1])
    account.emit("customer.tax_id.deleted", found)
    return {"id": ids[1], "object": "tax_id", "deleted": True}
