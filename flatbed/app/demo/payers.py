"""Who bills and who is billed: the agency's profile, the ISVs' accounts, their payment methods."""

from typing import Final

from flatbed.app.demo.cast import Cast, Isv, only
from flatbed.app.demo.catalogue import ISVS, SELLER, TERMS_DAYS
from flatbed.app.demo.client import JSON
from flatbed.app.demo.till import Till
from flatbed.app.demo.waiting import soon
from flatbed.tenants.access.principal import Role

ACCOUNT: Final = "/v1/billing-account"
NEVER: Final = 0
"""The version of a profile that was never filled in."""
PREFIX_LETTERS: Final = 7


def prefix_of(realm: str) -> str:
    """What stands before a realm's invoice numbers: a Stripe account takes a number once."""
    return f"D{realm[-PREFIX_LETTERS:].upper()}-"


async def open_accounts(cast: Cast, till: Till | None) -> None:
    """Fill in the agency's profile and every ISV's account.

    Args:
        cast: the realm's people.
        till: where some ISVs leave a payment method; without it all pay against the invoice.
    """
    finance = only(cast.of(Role.FINANCE), "bookkeeper").client
    profile = {**SELLER, "invoice_prefix": prefix_of(cast.realm)}
    await finance.put("/v1/billing-profile", profile, version=NEVER)
    for isv, plan in zip(cast.isvs, ISVS, strict=True):
        if plan.leaves_card and till is not None:
            await isv.client.change(ACCOUNT, {**plan.account, "collection": "charge_automatically"})
            await _leave_card(isv, till)
        else:
            await isv.client.change(ACCOUNT, dict(plan.account))
    terms = {"payment_terms_days": TERMS_DAYS}
    first = finance.at(cast.isvs[0].id)
    await first.put(f"{ACCOUNT}/terms", terms, version=await first.version(ACCOUNT))


async def _leave_card(isv: Isv, till: Till) -> None:
    """Checkout in setup mode, until the webhook has made the card the one that is charged."""
    back = f"https://{isv.slug}.example/billing"
    body = {"success_url": back, "cancel_url": back}
    setup = await isv.client.post(f"{ACCOUNT}/payment-setups", body)
    await till.press(setup["url"])

    async def method() -> JSON | None:
        customer = await till.customer_of_setup(setup["url"])
        return customer if customer["invoice_settings"]["default_payment_method"] else None

    await soon(method, f"the payment method of {isv.name}")
