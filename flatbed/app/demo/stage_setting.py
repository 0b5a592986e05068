"""What stands before a hunter starts: prices, offerings, profiles, companies, campaigns."""

from collections.abc import Sequence
from typing import Final

from flatbed.app.demo.cast import Cast, Isv, Staff
from flatbed.app.demo.catalogue import PRICES
from flatbed.app.demo.client import JSON
from flatbed.app.demo.fiction import FULL_FIT, Company

COUNTRIES: Final = ("DE", "AT", "CH")
HARD: Final[Sequence[JSON]] = (
    {"key": "region", "attribute": "country", "operator": "in", "value": list(COUNTRIES)},
    {"key": "size", "attribute": "employees", "operator": "gte", "value": 15},
    {"key": "trusted", "judged": True, "question": "Do its customers ask it before they buy?"},
)
SOFT: Final[Sequence[JSON]] = (
    {
        "key": "coverage",
        "attribute": "customers",
        "operator": "gte",
        "value": 10,
        "weight": 20,
        "floor": 0,
        "target": 50,
    },
    {
        "key": "compatibility",
        "attribute": "managed_services",
        "operator": "eq",
        "value": True,
        "weight": 20,
    },
    {
        "key": "capability",
        "attribute": "engineers",
        "operator": "gte",
        "value": 1,
        "weight": 20,
        "floor": 0,
        "target": 8,
    },
    {
        "key": "capacity",
        "attribute": "employees",
        "operator": "gte",
        "value": 15,
        "weight": 15,
        "floor": 10,
        "target": FULL_FIT,
    },
    {"key": "credit", "judged": True, "question": "What does the register say?", "weight": 10},
    {"key": "commitment", "judged": True, "question": "Who will do it, from when?", "weight": 15},
)
REVENUE_FLOOR: Final = 50_000_000


async def set_prices(cast: Cast) -> None:
    """The agency's price in each currency."""
    for price in PRICES:
        await cast.admin.post("/v1/price-lists", dict(price))


async def offer(isv: Isv, offering: JSON) -> JSON:
    """The ISV's offering with one programme, and the partner that it wants."""
    programme = {"code": "dach", "countries": list(COUNTRIES)}
    made = await isv.client.post("/v1/offerings", {**offering, "programmes": [programme]})
    body = {
        "offering_id": made["id"],
        "name": f"Partner for {offering['name']}",
        "hard": list(HARD),
        "soft": list(SOFT),
    }
    profile = await isv.client.post("/v1/profiles", body)
    return {"offering": made["id"], "profile": profile["id"]}


async def draft(isv: Isv, offered: JSON, name: str, *, quantity: int, caps: JSON) -> str:
    """A campaign that nobody has ordered yet; its id."""
    body = {
        "name": name,
        "offering_id": offered["offering"],
        "programme": "dach",
        "profile_id": offered["profile"],
        "quantity": quantity,
        "caps": caps,
        "fit_floor": 60,
        "revenue_floor": REVENUE_FLOOR,
    }
    return str((await isv.client.post("/v1/campaigns", body))["id"])


async def launch(isv: Isv, lead: Staff, campaign: str) -> JSON:
    """The ISV orders, a lead starts; the running campaign."""
    await isv.client.post(f"/v1/campaigns/{campaign}/order")
    return await lead.client.at(isv.id).post(f"/v1/campaigns/{campaign}/start")


async def assign(isv: Isv, lead: Staff, campaign: str, hunter: Staff) -> None:
    """A lead lets a hunter source for the campaign."""
    body = {"kind": "sourcing", "staff_id": hunter.id, "campaign_id": campaign}
    await lead.client.at(isv.id).post("/v1/assignments", body)


async def register(cast: Cast, company: Company, group_id: str | None = None) -> str:
    """Enter a company into the agency's registry; its id."""
    return str((await cast.admin.post("/v1/companies", company.registry(group_id)))["id"])
