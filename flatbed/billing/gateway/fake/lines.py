"""Lines of invoices with the tax that we name ourselves."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.refusals import forbidden, invalid
from flatbed.billing.gateway.fake.store import Obj

MOST: Final = 250
"""Lines of one invoice."""
PERCENTAGE: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


def _kind(invoice: str) -> str:
    # Each invoice's lines are a kind of their own, so that none is looked for among all.
    return f"line_item:{invoice}"


def newest_first(account: Account, invoice: str) -> Iterator[Obj]:
    """The lines of an invoice."""
    yield from account.store.newest_first(_kind(invoice))


def count(account: Account, invoice: str) -> int:
    """How many there are."""
    return account.store.count(_kind(invoice))


def find(account: Account, invoice: str, line: str, param: str) -> Obj:
    """One line of an invoice."""
    found = account.store.get(_kind(invoice), line)
    if found is None:
        raise invalid(param, f"No such line item: '{line}'", "resource_missing")
    return found


def add(account: Account, invoice: Obj, given: list[Params]) -> None:
    """Add lines, all or none."""
    if count(account, invoice["id"]) + len(given) > MOST:
        raise forbidden(f"An invoice can have up to {MOST} line items", "invoice_line_item_limit")
    for one in given:
        _add(account, invoice, one)


def _add(account: Account, invoice: Obj, given: Params) -> None:
    amount = given.whole("amount")
    if amount is None:
        raise invalid(given.param("amount"), "The fake needs the amount of a line")
    now = account.now()
    span = given.section("period")
    made: Obj = {
        "id": account.mint("line_item"),
        "object": "line_item",
        "livemode": False,
        "amount": amount,
        "currency": invoice["currency"],
        "description": given.text("description"),
        "discount_amounts": [],
        "discountable": given.flag("discountable", default=True),
        "discounts": [],
        "invoice": invoice["id"],
        "metadata": given.metadata(),
        "parent": None,
        "period": {"start": span.whole("start") or now, "end": span.whole("end") or now},
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": given.whole("quantity") or 1,
        "subscription": None,
        "subtotal": amount,
        "taxes": [_tax(account, tax) for tax in given.sections("tax_amounts")],
    }
    account.store.put(_kind(invoice["id"]), made["id"], made)


def _tax(account: Account, given: Params) -> Obj:
    amount, taxable = given.whole("amount"), given.whole("taxable_amount")
    if amount is None or taxable is None:
        raise invalid(given.param("amount"), "A tax has an amount and a taxable amount")
    data = given.section("tax_rate_data")
    rate: Obj = {
        "id": account.mint("tax_rate"),
        "percentage": _percentage(data),
        "display_name": data.needed("display_name"),
        "inclusive": data.flag("inclusive"),
    }
    account.store.put("tax_rate", rate["id"], rate)
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": given.text("taxability_reason") or "not_available",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def _percentage(data: Params) -> str:
    text = data.needed("percentage")
    if not PERCENTAGE.fullmatch(text) or Decimal(text) > Decimal(100):
        raise invalid(data.param("percentage"), "A percentage lies between 0 and 100")
    return text


def totals(account: Account, invoice: str) -> tuple[int, list[Obj]]:
    """The sum of the lines and the taxes on them, one entry for each rate and reason."""
    subtotal, taxes = 0, list[Obj]()
    for line in account.store.oldest_first(_kind(invoice)):
        subtotal += line["amount"]
        taxes += line["taxes"]
    return subtotal, together(account, taxes)


def together(account: Account, taxes: list[Obj]) -> list[Obj]:
    """Taxes that are alike as one. Inline rates are alike by what they say, not by their id."""
    sums: dict[tuple[str, ...], Obj] = {}
    for tax in taxes:
        rate = account.find("tax_rate", tax["tax_rate_details"]["tax_rate"])
        alike = (rate["percentage"], rate["display_name"], tax["tax_behavior"])
        total = sums.setdefault(
            (*alike, tax["taxability_reason"]), {**tax, "amount": 0, "taxable_amount": 0}
        )
        total["amount"] += tax["amount"]
        total["taxable_amount"] += tax["taxable_amount"]
    return list(sums.values())
