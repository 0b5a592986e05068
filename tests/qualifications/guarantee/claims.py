"""Accepted units whose partners withdraw, the books in which they are paid, and free rides."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import httpx

from flatbed.billing.usage.opening import CLOSING_JOB
from tests.api.support import Client, World
from tests.billing.statements.closed import PROFILE
from tests.candidates.factory import Site, Worked, site
from tests.qualifications.factory import CALENDAR, Qualified, qualify
from tests.qualifications.stock import stock
from tests.qualifications.worker import work_off

PROOF = {"kind": "document", "description": "The partner's letter of termination."}
FOUND = {"decision": "confirmed", "reason": "I have read the letter."}
NOT_FOUND = {"decision": "refused", "reason": "The ISV had stopped answering."}


async def accepted(place: Site, number: int = 1) -> list[Qualified]:
    """Units of the site that the ISV has taken."""
    found = []
    for worked in await stock(place, number):
        one = await qualify(worked)
        assert (await one.accept()).status_code == 200
        found.append(one)
    return found


async def withdrawn(world: World, days: float = 1, **campaign: Any) -> "Claim":
    """A partner of a campaign of his own who withdrew so many days after the acceptance."""
    (unit,) = await accepted(await site(world, **campaign))
    await unit.site.advance(days=days)
    return await claim(unit)


async def claim(unit: Qualified) -> "Claim":
    """The unit's partner withdraws just now: reported by the ISV."""
    answer = await report(unit)
    assert answer.status_code == 201, answer.text
    return Claim(unit, answer.json()["id"])


async def report(
    unit: Qualified, by: Client | None = None, at: datetime | None = None, **more: Any
) -> httpx.Response:
    """A report of the ISV, unless told who."""
    body = {
        "withdrew_at": (at or unit.site.now()).isoformat(),
        "reason": "He stays with his old vendor.",
        "evidence": [PROOF],
    }
    client = by or unit.site.isv.client
    return await client.post(f"{unit.path}/guarantee-cases", body, **more)


@dataclass
class Claim:
    """A guarantee case, and short words for what is done about it."""

    unit: Qualified
    id: str

    @property
    def site(self) -> Site:
        """Its site."""
        return self.unit.site

    @property
    def path(self) -> str:
        """Its path."""
        return f"/v1/guarantee-cases/{self.id}"

    async def read(self, by: Client | None = None) -> dict[str, Any]:
        """It as it is now."""
        return await (by or self.site.isv.client).read(self.path)

    async def status(self) -> str:
        """How it stands."""
        found: str = (await self.read())["status"]
        return found

    async def decide(
        self, by: Client | None = None, body: dict[str, str] = FOUND
    ) -> httpx.Response:
        """A lead confirms it, unless told otherwise."""
        return await (by or self.site.lead).post(f"{self.path}/decision", body)

    async def confirmed(self) -> "Claim":
        """It, confirmed."""
        answer = await self.decide()
        assert answer.status_code == 200, answer.text
        return self


async def confirmed(world: World, days: float = 1, **campaign: Any) -> Claim:
    """A confirmed withdrawal, so many days after the acceptance."""
    return await (await withdrawn(world, days, **campaign)).confirmed()


async def books(world: World) -> None:
    """Let months be closed when they are over."""
    finance = (await world.staff("finance")).client
    answer = await finance.request("PUT", "/v1/billing-profile", json=PROFILE, version=0)
    assert answer.status_code in {200, 412}, answer.text


async def close_months(world: World) -> None:
    """Let the worker set the deadlines of open months; they close when the clock moves."""
    await work_off(world, CLOSING_JOB)


async def campaign_of(unit: Qualified) -> dict[str, Any]:
    """Its campaign."""
    return await unit.site.isv.client.read(unit.site.path)


async def billed(unit: Qualified) -> list[int]:
    """The money of every line on the ISV's statements, in order."""
    client, lines = unit.site.isv.client, list[int]()
    for one in (await client.read("/v1/statements", params={"limit": 200}))["data"]:
        listed = await client.read(f"/v1/statements/{one['id']}/lines", params={"limit": 200})
        lines += [line["amount"] for line in listed["data"]]
    return lines


def today(place: Site) -> date:
    """The day in the ISV's zone."""
    return place.now().astimezone(CALENDAR.zone).date()


async def contracted(
    worked: Worked, by: Client | None = None, on: date | None = None, **more: Any
) -> httpx.Response:
    """The ISV reports that it has contracted him, today unless told."""
    body = {
        "contracted_on": (on or today(worked.site)).isoformat(),
        "statement": "We signed with them at the fair.",
        "evidence": [PROOF],
        **more,
    }
    client = by or worked.site.isv.client
    return await client.post(f"{worked.path}/contracted-elsewhere", body)


async def reported(worked: Worked) -> str:
    """The path of a report that was taken."""
    answer = await contracted(worked)
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["location"]
    return path
