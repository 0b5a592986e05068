"""Stripe's lists: newest first, a page from a cursor on, and whether there is more."""

from collections.abc import Iterable
from typing import Any, Final

from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.refusals import invalid, missing
from flatbed.billing.gateway.fake.store import Obj

MOST: Final = 100
USUAL: Final = 10


def page(newest_first: Iterable[Obj], params: Params, url: str) -> Obj:
    """The page that ``limit``, ``starting_after`` and ``ending_before`` ask for."""
    limit = params.whole("limit")
    limit = USUAL if limit is None else limit
    if not 1 <= limit <= MOST:
        raise invalid("limit", f"Invalid limit: must be between 1 and {MOST}")
    items = list(newest_first)
    after, before = params.text("starting_after"), params.text("ending_before")
    if after and before:
        raise invalid("ending_before", "You cannot use both starting_after and ending_before")
    if before:
        rest = items[: _position(items, before, "ending_before")]
        return listed(rest[-limit:], url, has_more=len(rest) > limit)
    rest = items[_position(items, after, "starting_after") + 1 :] if after else items
    return listed(rest[:limit], url, has_more=len(rest) > limit)


def listed(items: list[Obj], url: str, *, has_more: bool = False) -> Obj:
    """The list object."""
    return {"object": "list", "data": items, "has_more": has_more, "url": url}


def within(obj: Obj, params: Params, name: str = "created") -> bool:
    """Whether an instant of the object lies in the range that ``name[gte]`` and so on ask for."""
    moment: Any = obj[name]
    asked = params.tree.get(name)
    if asked is None:
        return True
    if not isinstance(asked, dict):
        return bool(moment == params.whole(name))
    sides = params.section(name)
    bounds = {side: sides.whole(side) for side in ("gt", "gte", "lt", "lte")}
    return (
        (bounds["gt"] is None or moment > bounds["gt"])
        and (bounds["gte"] is None or moment >= bounds["gte"])
        and (bounds["lt"] is None or moment < bounds["lt"])
        and (bounds["lte"] is None or moment <= bounds["lte"])
    )


def _position(items: list[Obj], cursor: str, param: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == cursor:
            return place
    raise missing("object", cursor, param)
