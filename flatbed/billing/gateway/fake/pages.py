"""The two pages of Stripe that a customer sees, as plain as they can be."""

from html import escape
from typing import Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.control import Control
from flatbed.billing.gateway.fake.refusals import ApiError

SEE_OTHER: Final = 303


def page(control: Control, account: Account, method: str, path: str) -> tuple[int, str, str]:
    """The status, the HTML and where to go next of a request to a page.

    Raises:
        ApiError: there is no such page, or it has done its work.
    """
    match path.strip("/").split("/"):
        case ["c", "pay", session]:
            return _checkout(control, account, method, session)
        case ["i", invoice]:
            return _invoice(control, account, method, invoice)
        case _:
            raise ApiError(404, "No such page")


def _checkout(
    control: Control, account: Account, method: str, session: str
) -> tuple[int, str, str]:
    found = account.find("checkout.session", session)
    if method == "POST":
        control.complete_setup(session)
        return SEE_OTHER, "", found["success_url"].replace("{CHECKOUT_SESSION_ID}", session)
    if found["status"] != "open":
        return 200, _html("Fake Stripe", f"<p>This page is {found['status']}.</p>"), ""
    form = "<form method=post><button>Give a test card</button></form>"
    return 200, _html("Fake Stripe: payment method", form), ""


def _invoice(control: Control, account: Account, method: str, invoice: str) -> tuple[int, str, str]:
    if method == "POST":
        control.pay(invoice)
        return SEE_OTHER, "", f"/i/{invoice}"
    found = account.find("invoice", invoice)
    rows = "".join(
        f"<tr><td>{name}<td>{escape(str(found[name]))}"
        for name in ("number", "status", "currency", "subtotal", "total", "amount_remaining")
    )
    form = "<form method=post><button>Pay</button></form>" if found["status"] == "open" else ""
    return 200, _html("Fake Stripe: invoice", f"<table>{rows}</table>{form}"), ""


def _html(title: str, body: str) -> str:
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{body}"
