"""What happened, as it was then; and what time alone does."""

from typing import Final

from flatbed.billing.gateway.fake import invoices, payments
from flatbed.billing.gateway.fake.account import Account
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.lists import page, within
from flatbed.billing.gateway.fake.refusals import ApiError, invalid
from flatbed.billing.gateway.fake.store import Obj

MOST_TYPES: Final = 20
KEPT_S: Final = 30 * invoices.DAY_S


def list_(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/events``: those of the last 30 days."""
    del ids
    types, pattern = params.texts("types"), params.text("type")
    if types and pattern:
        raise invalid("types", "You may pass either `type` or `types`, but not both")
    if len(types) > MOST_TYPES:
        raise invalid("types", f"Up to {MOST_TYPES} types")
    since = account.now() - KEPT_S
    found = (
        event
        for event in account.store.newest_first("event")
        if event["created"] >= since
        and (not types or event["type"] in types)
        and (pattern is None or _is_like(event["type"], pattern))
        and within(event, params)
    )
    return page(found, params, "/v1/events")


def _is_like(kind: str, pattern: str) -> bool:
    stem, star, _ = pattern.partition("*")
    return kind.startswith(stem) if star else kind == pattern


def get(account: Account, ids: tuple[str, ...], params: Params) -> Obj:
    """``GET /v1/events/{id}``."""
    del params
    return account.find("event", ids[0])


def tick(account: Account) -> None:
    """Do what is due by the account's clock.

    A draft that advances by itself is finalized, and perhaps charged, an hour after it was made;
    an invoice that was sent is overdue once its due date is over.
    """
    now = account.now()
    for held in account.store.oldest_first("invoice"):
        if _is_ripe(held, now):
            _advance(account, held["id"])
        elif _is_late(held, now) and account.store.get("_overdue", held["id"]) is None:
            account.store.put("_overdue", held["id"], {"at": now})
            account.emit("invoice.overdue", invoices.view(account, held))


def _is_ripe(invoice: Obj, now: int) -> bool:
    is_over = bool(invoice["created"] + invoices.HOUR_S <= now)
    return is_over and invoice["status"] == "draft" and bool(invoice["auto_advance"])


def _is_late(invoice: Obj, now: int) -> bool:
    due = invoice["due_date"]
    return invoice["status"] == "open" and due is not None and bool(due < now)


def _advance(account: Account, invoice: str) -> None:
    try:
        payments.finalize(account, (invoice,), Params({}))
    except ApiError:
        # As Stripe does: the draft stays and advances no more, and its owner is told.
        held = account.find("invoice", invoice)
        held["auto_advance"] = False
        invoices.changed(account, held, "invoice.finalization_failed")
