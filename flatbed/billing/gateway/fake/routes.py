"""The operations that the fake knows, by method and path as the API describes them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from flatbed.billing.gateway.fake import (
    credit_notes,
    customers,
    events,
    invoices,
    payments,
    setups,
)
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.store import Obj

Handler = Callable[[Account, tuple[str, ...], Params], Obj]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation."""

    method: str
    template: str
    handler: Handler
    pattern: re.Pattern[str]


def _route(method: str, template: str, handler: Handler) -> Route:
    return Route(method, template, handler, re.compile(re.sub(r"\{\w+\}", "([^/]+)", template)))


ROUTES: Final = (
    _route("POST", "/v1/customers", customers.create),
    _route("GET", "/v1/customers/{customer}", customers.get),
    _route("POST", "/v1/customers/{customer}", customers.update),
    _route("DELETE", "/v1/customers/{customer}", customers.delete),
    _route("GET", "/v1/customers/{customer}/tax_ids", customers.list_tax_ids),
    _route("POST", "/v1/customers/{customer}/tax_ids", customers.create_tax_id),
    _route("GET", "/v1/customers/{customer}/tax_ids/{id}", customers.get_tax_id),
    _route("DELETE", "/v1/customers/{customer}/tax_ids/{id}", customers.delete_tax_id),
    _route("POST", "/v1/checkout/sessions", setups.create_session),
    _route("GET", "/v1/checkout/sessions/{session}", setups.get_session),
    _route("POST", "/v1/billing_portal/sessions", setups.create_portal),
    _route("GET", "/v1/payment_methods/{payment_method}", setups.get_method),
    _route("POST", "/v1/payment_methods/{payment_method}/attach", setups.attach),
    _route("GET", "/v1/invoices", invoices.list_),
    _route("POST", "/v1/invoices", invoices.create),
    _route("GET", "/v1/invoices/{invoice}", invoices.get),
    _route("POST", "/v1/invoices/{invoice}", invoices.update),
    _route("DELETE", "/v1/invoices/{invoice}", invoices.delete),
    _route("GET", "/v1/invoices/{invoice}/lines", invoices.list_lines),
    _route("POST", "/v1/invoices/{invoice}/add_lines", invoices.add_lines),
    _route("POST", "/v1/invoices/{invoice}/finalize", payments.finalize),
    _route("POST", "/v1/invoices/{invoice}/pay", payments.pay),
    _route("POST", "/v1/invoices/{invoice}/void", invoices.void),
    _route("POST", "/v1/invoices/{invoice}/mark_uncollectible", invoices.mark_uncollectible),
    _route("GET", "/v1/credit_notes", credit_notes.list_),
    _route("POST", "/v1/credit_notes", credit_notes.create),
    _route("GET", "/v1/credit_notes/{id}", credit_notes.get),
    _route("POST", "/v1/credit_notes/{id}/void", credit_notes.void),
    _route("GET", "/v1/invoice_payments", payments.list_payments),
    _route("GET", "/v1/refunds/{refund}", payments.get_refund),
    _route("GET", "/v1/disputes/{dispute}", payments.get_dispute),
    _route("GET", "/v1/events", events.list_),
    _route("GET", "/v1/events/{id}", events.get),
)


def match(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The operation of a request and the ids in its path."""
    for route in ROUTES:
        if route.method == method and (found := route.pattern.fullmatch(path)):
            return route, tuple(unquote(part) for part in found.groups())
    return None
