"""Candidates who may be qualified, and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from flatbed.app.qualifications.rules.terms import Calendar
from flatbed.tenants.kit.database.kernel_tables import Event, EventPending
from flatbed.tenants.kit.ids import decode
from tests.api.support import Client, World
from tests.candidates.factory import Site, Worked, site
from tests.qualifications.stock import stock

CALENDAR = Calendar("DE", ZoneInfo("Europe/Berlin"))
DISPUTE = {
    "criterion": "qualified.hands_off",
    "statement": "You called them twice in that week.",
    "evidence": [{"kind": "document", "description": "A call log of the partner."}],
}
ANSWER = {"statement": "The calls were answers to his questions."}


async def ready(site: Site, number: int = 1) -> list[Worked]:
    """Candidates who pass every gate of `qualified`: led to the plan, then left alone."""
    found = [await site.found() for _ in range(number)]
    for worked in found:
        await worked.to("business_planning")
    await site.advance(days=8)
    for worked in found:
        await worked.touch("P2", text="When do we start?")
    return found


async def submit(worked: Worked, by: Client | None = None, **more: Any) -> httpx.Response:
    """A submission by the hunter unless told."""
    return await (by or worked.site.hunter).post(f"{worked.path}/qualifications", **more)


async def qualify(worked: Worked) -> "Qualified":
    """A submission that succeeds."""
    answer = await submit(worked)
    assert answer.status_code == 201, answer.text
    return Qualified(worked, answer.json()["id"])


async def qualified(world: World, **campaign: Any) -> "Qualified":
    """A candidate of a campaign of its own who has just been qualified."""
    (worked,) = await stock(await site(world, **campaign))
    return await qualify(worked)


def instant(text: str) -> datetime:
    """An instant of a reply."""
    return datetime.fromisoformat(text)


@dataclass
class Qualified:
    """A qualification and short words for what is done to it."""

    worked: Worked
    id: str

    @property
    def site(self) -> Site:
        """Its site."""
        return self.worked.site

    @property
    def path(self) -> str:
        """Its path."""
        return f"/v1/qualifications/{self.id}"

    @property
    def uuid(self) -> UUID:
        """Its id inside."""
        return decode("qual", self.id)

    async def read(self, by: Client | None = None) -> dict[str, Any]:
        """It as it is now, with its dossier."""
        return await (by or self.site.isv.client).read(self.path)

    async def accept(self, **more: Any) -> httpx.Response:
        """The ISV accepts."""
        return await self.site.isv.client.post(f"{self.path}/acceptance", **more)

    async def dispute(self, **more: Any) -> httpx.Response:
        """The ISV disputes."""
        return await self.site.isv.client.post(f"{self.path}/disputes", {**DISPUTE, **more})

    async def answer(self, by: Client | None = None, **more: Any) -> httpx.Response:
        """A lead answers."""
        return await (by or self.site.lead).post(f"{self.path}/answer", {**ANSWER, **more})

    async def decide(self, decision: str, by: Client | None = None) -> httpx.Response:
        """A lead decides."""
        body = {"decision": decision, "reason": "I looked at every touch."}
        return await (by or self.site.lead).post(f"{self.path}/decision", body)

    async def disputed(self) -> dict[str, Any]:
        """A dispute that is open."""
        return await self.site.isv.client.made(f"{self.path}/disputes", DISPUTE)

    async def answered(self) -> dict[str, Any]:
        """A dispute that was answered."""
        await self.disputed()
        return await self.site.lead.made(f"{self.path}/answer", ANSWER)

    async def until(self, moment: datetime) -> None:
        """Let time pass up to an instant."""
        gap = moment - self.site.now() + timedelta(seconds=2)
        await self.site.advance(seconds=int(gap.total_seconds()))

    async def entries(self) -> list[dict[str, Any]]:
        """The usage lines of the ISV."""
        listed = await self.site.isv.client.read("/v1/usage", params={"limit": 200})
        lines: list[dict[str, Any]] = listed["data"]
        return lines

    async def events(self, type_: str) -> list[dict[str, Any]]:
        """The data of the events of a type, sealed or not, in order."""
        rows = [
            *await self.site.rows(Event, Event.type == type_),
            *await self.site.rows(EventPending, EventPending.type == type_),
        ]
        return [one.data for one in sorted(rows, key=lambda one: one.at)]
