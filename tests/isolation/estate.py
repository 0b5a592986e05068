"""An ISV with one of everything that has an id, made over HTTP by its own people."""

from dataclasses import dataclass, field
from typing import Any

from tests.api.support import Client, Isv, Staff, World
from tests.billing.statements.closed import closed_month
from tests.candidates.factory import site
from tests.qualifications.factory import qualify, submit
from tests.qualifications.guarantee.claims import accepted, claim, reported
from tests.qualifications.stock import stock

COMPANY = {"name": "Nordhessen Systemhaus GmbH", "country": "DE", "employees": 120}


@dataclass
class Estate:
    """All ids of one ISV by TypeID prefix, and the people who work for it."""

    isv: Isv
    hunter: Staff
    ids: dict[str, str] = field(default_factory=dict)


async def settle(world: World, *, domain: str) -> Estate:
    """Make an ISV and one of everything; each list of its own has a second page to ask for."""
    isv = await world.isv()
    lead, hunter = await world.staff("lead"), await world.staff("hunter", new=True)
    estate = Estate(isv, hunter)
    ids = estate.ids
    ids["org"], ids["staff"] = isv.id, hunter.id
    await _agency(world, ids, domain)
    campaign = await _campaign(isv.client, ids)
    await isv.client.made(f"/v1/campaigns/{campaign}/order")
    await lead.at(isv).made(f"/v1/campaigns/{campaign}/start")
    sourcing = {"kind": "sourcing", "staff_id": hunter.id, "campaign_id": campaign}
    ids["asg"] = (await lead.at(isv).made("/v1/assignments", sourcing))["id"]
    for number in ("one", "two"):
        await _candidate(hunter.client, lead.at(isv), ids, f"{number}-{domain}")
    for name in ("kept", "spared"):
        excluded = {"domain": f"{name}-{domain}"}
        ids["excl"] = (await isv.client.made("/v1/exclusions", excluded))["id"]
    for name in ("one", "two"):
        person = {"name": "A Person", "email": f"{name}@{domain}", "role": "viewer"}
        ids["mem"] = (await isv.client.made("/v1/members", person))["id"]
    month = await closed_month(world, isv)
    ids["stmt"], ids["inv"], ids["use"] = month.statement, month.invoice, month.held
    full = await site(world, isv=isv, caps={"units_total": 1})
    ready, *waiting = await stock(full, 3)
    ids["qual"] = (await qualify(ready)).id
    for one in waiting:
        ids["wait"] = (await submit(one)).json()["id"]
    await _reports(world, estate)
    ids["per"] = (await isv.client.read("/v1/statements/preview"))["period_id"]
    return estate


async def _reports(world: World, estate: Estate) -> None:
    """Two partners who withdrew, two whom the ISV contracted itself, two changes of terms."""
    place = await site(world, isv=estate.isv)
    for one in await accepted(place, 2):
        estate.ids["gcase"] = (await claim(one)).id
    for worked in await stock(place, 2):
        estate.ids["ride"] = (await reported(worked)).rpartition("/")[2]
    path = f"/v1/programmes/{estate.ids['prog']}/terms-changes"
    for _ in range(2):
        await estate.isv.client.made(path, {"description": "The margin falls."})


async def _agency(world: World, ids: dict[str, str], domain: str) -> None:
    admin = world.admin
    finance = (await world.staff("finance")).client
    ids["grp"] = (await admin.made("/v1/company-groups", {"name": domain}))["id"]
    company = {"name": domain, "domain": f"registry-{domain}", "group_id": ids["grp"]}
    ids["co"] = (await admin.made("/v1/companies", company))["id"]
    price = {"name": domain, "currency": "EUR", "unit_price": 450_000}
    ids["price"] = (await finance.made("/v1/price-lists", price))["id"]
    clients = await admin.read("/v1/oauth-clients", params={"organization_id": ids["org"]})
    ids["client"] = clients["data"][0]["id"]
    ids["sec"] = clients["data"][0]["secrets"][0]["id"]


async def _campaign(client: Client, ids: dict[str, str]) -> str:
    offering = await client.made(
        "/v1/offerings",
        {"name": "DMS", "programmes": [{"code": "dach", "countries": ["DE", "AT", "CH"]}]},
    )
    ids["off"], ids["prog"] = offering["id"], offering["programmes"][0]["id"]
    profile = {"offering_id": ids["off"], "name": "Systemhaus", **PROFILE}
    for _ in range(2):
        ids["ipp"] = (await client.made("/v1/profiles", profile))["id"]
    await client.made(f"/v1/profiles/{ids['ipp']}/versions", PROFILE)
    campaign = {
        "name": "Autumn",
        "offering_id": ids["off"],
        "programme": "dach",
        "profile_id": ids["ipp"],
        "quantity": 3,
    }
    ids["camp"] = (await client.made("/v1/campaigns", campaign))["id"]
    return ids["camp"]


PROFILE: dict[str, Any] = {
    "hard": [{"key": "dach", "attribute": "country", "operator": "in", "value": ["DE", "AT"]}],
    "soft": [
        {
            "key": "size",
            "attribute": "employees",
            "operator": "gte",
            "value": 50,
            "weight": 10,
        },
        {"key": "focus", "judged": True, "question": "Business first?", "weight": 10},
    ],
}


async def _candidate(hunter: Client, lead: Client, ids: dict[str, str], domain: str) -> None:
    found = await hunter.made(
        f"/v1/campaigns/{ids['camp']}/candidates",
        {"company": {**COMPANY, "domain": domain}, "source": "trade register"},
    )
    ids["cand"] = found["id"]
    path = f"/v1/candidates/{ids['cand']}"
    contact = {"name": "Dr. Erika Brandt", "job_title": "CEO", "c_level": True}
    for _ in range(2):
        ids["cont"] = (await hunter.made(f"{path}/contacts", contact))["id"]
    right = {"channel": "post", "country": "DE", "basis": "public-register", "source": "imprint"}
    await hunter.made(f"{path}/contacts/{ids['cont']}/channel-rights", right)
    fact = {
        "statement": "Half of the project business ends each December.",
        "source_kind": "press",
        "provenance": "tenant",
        "observed_on": (await hunter.read(path))["created_at"][:10],
    }
    for _ in range(2):
        ids["fact"] = (await hunter.made(f"{path}/facts", fact))["id"]
    judgement = {"criterion": "focus", "value": 700, "reason": "annual report"}
    for _ in range(2):
        await hunter.made(f"{path}/judgements", judgement)
    touch = {
        "side": "agency",
        "class": "push",
        "channel": "post",
        "contact_id": ids["cont"],
        "occurred_at": (await hunter.read(path))["created_at"],
        "text": "What would a second income stream have to bring?",
    }
    for _ in range(2):
        ids["touch"] = (await hunter.made(f"{path}/touchpoints", touch))["id"]
    evidence = {"kind": "outreach_delivered", "touchpoint_id": ids["touch"], "fact_ids": []}
    for _ in range(2):
        ids["evid"] = (await hunter.made(f"{path}/evidence", evidence))["id"]
    objection = {"channel": "phone", "source": "said so on the phone"}
    for _ in range(2):
        ids["obj"] = (await hunter.made(f"{path}/objections", objection))["id"]
    plan = {"fields": [{"name": "start_date", "value": "2027-03-01", "author": "hunter"}]}
    await hunter.made(f"{path}/plan", plan)
    assignments = await lead.read("/v1/assignments", params={"live": True})
    assert assignments["data"]
