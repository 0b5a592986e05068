"""What a customer has in credit or owes beside his invoices: a sum a currency, never one of two."""

from typing import Final

from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.store import Obj

DEFAULT: Final = "eur"
"""The account's own currency, for a customer who has none yet."""
_CREDITS: Final = "invoice_credit_balance"


def balance(customer: Obj, currency: str) -> int:
    """Minor units; negative is credit, as Stripe signs a balance."""
    return -int((customer.get(_CREDITS) or {}).get(currency, 0))


def keep(account: Account, customer: Obj, currency: str, amount: int) -> None:
    """Let this be the customer's balance in a currency."""
    mine = customer["currency"] or currency
    given = {**(customer.get(_CREDITS) or {}), currency: -amount}
    customer.update(
        {
            "currency": mine,
            "balance": -given.get(mine, 0),
            _CREDITS: {one: credit for one, credit in given.items() if credit},
        }
    )
    account.save(customer)
