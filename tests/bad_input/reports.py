"""Valid reports of withdrawals and free rides, and what each of them uses up."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.candidates.factory import Site
from tests.qualifications.factory import instant
from tests.qualifications.guarantee.claims import PROOF, accepted, contracted, report, today
from tests.qualifications.stock import stock

VALID: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "create_guarantee_case": lambda i: {
        "withdrew_at": i["accepted_at"],
        "reason": "r",
        "evidence": [PROOF],
    },
    "create_free_ride": lambda i: {
        "contracted_on": i["today"],
        "statement": "s",
        "evidence": [PROOF],
    },
}
"""Where the isolation tests' samples are not to be taken."""


async def _accepted(place: Site) -> dict[str, str]:
    (unit,) = await accepted(place)
    made = await unit.read()
    return {"qual": unit.id, "accepted_at": made["accepted_at"]}


async def _asking(place: Site) -> dict[str, str]:
    (unit,) = await accepted(place)
    touches = await place.isv.client.read(f"{unit.worked.path}/touchpoints")
    return {"qual": unit.id, "touch": touches["data"][0]["id"]}


async def _claimed(place: Site) -> dict[str, str]:
    (unit,) = await accepted(place)
    at = instant((await unit.read())["accepted_at"])
    # The corpus moves the clock without telling the site.
    return {"gcase": (await report(unit, at=at)).json()["id"]}


async def _worked(place: Site) -> dict[str, str]:
    (worked,) = await stock(place)
    return {"cand": worked.id, "today": today(place).isoformat()}


async def _ridden(place: Site) -> dict[str, str]:
    (worked,) = await stock(place)
    answer = await contracted(worked)
    return {"ride": answer.json()["id"]}


RENEWING: dict[str, Callable[[Site], Awaitable[dict[str, str]]]] = {
    "create_guarantee_case": _accepted,
    "create_partner_request": _asking,
    "decide_guarantee_case": _claimed,
    "create_free_ride": _worked,
    "decide_free_ride": _ridden,
}
"""What each operation is made for, on a site whose campaign has room."""
