"""The work on one candidate, as hunter, lead and integration send it over HTTP."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import httpx

from flatbed.app.demo import lines
from flatbed.app.demo.cast import Calendar, Isv, Staff
from flatbed.app.demo.client import JSON, Client, DemoError, version_of
from flatbed.app.demo.fiction import Company

CREATED: Final = 201
OURS: Final = frozenset({"push", "answer"})
LEAST_FACTS: Final = 3
"""What the gate of `profiled` asks for."""


@dataclass
class Case:
    """A candidate in hand: who works on it, and the ids of what was recorded."""

    isv: Isv
    hunter: Client
    lead: Client
    company: Company
    calendar: Calendar
    id: str
    version: int
    contacts: dict[str, str] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    touches: dict[int, str] = field(default_factory=dict)
    """By the simulated day."""
    logged: int = 0
    """How many touches there are."""
    heard: str | None = None
    """The partner's last word, which an answer of ours answers."""

    @property
    def path(self) -> str:
        """The candidate's address."""
        return f"/v1/candidates/{self.id}"

    async def read(self) -> JSON:
        """The candidate with its scores at this instant, as its ISV sees it."""
        return await self.isv.client.get(self.path)

    async def catch_up(self) -> None:
        """Learn the version that the candidate has by now."""
        answer = await self.isv.client.send("GET", self.path)
        self._moved(answer, "GET", self.path)

    async def msi(self) -> float:
        """Its MSI at this instant."""
        return float((await self.read())["msi"]["value"])

    # -- research ---------------------------------------------------------------------------------

    async def research(self, day: float, *, people: int = 2, facts: int = LEAST_FACTS) -> None:
        """The company's people, a lawful way to write to its chief, and sourced facts.

        Args:
            day: of the research; the facts were observed a few days before.
            people: 1 to 3, the chief first.
            facts: 3 to 6.
        """
        for key, name, title in (
            ("chief", self.company.chief, "Managing director"),
            ("second", self.company.second, "Head of services"),
            ("third", self.company.third, "Head of sales"),
        )[:people]:
            await self.person(key, name, title, c_level=key == "chief")
        await self.right("chief", "post", "legitimate_interest", "commercial register")
        observed = self.calendar.date(day - 5)
        for fact in lines.facts(self.company, self.calendar.date(day - 20))[:facts]:
            dated = {"provenance": "public", "observed_on": observed}
            made = await self.hunter.post(f"{self.path}/facts", {**fact, **dated})
            self.facts.append(made["id"])

    async def judge(self, criterion: str, reason: str, **word: str | int) -> None:
        """A person's word on a judged criterion."""
        body = {"criterion": criterion, "reason": reason, **word}
        await self.hunter.post(f"{self.path}/judgements", body)

    async def judge_all(self, *, thorough: bool = True) -> None:
        """What the profile asks of a person before the first contact; thorough: credit too."""
        await self.judge("trusted", "Two of its customers say so in the press.", verdict="pass")
        if thorough:
            await self.judge(
                "credit", "No entry in the register.", value=1000, source_kind="official_register"
            )

    async def person(self, key: str, name: str, job_title: str, *, c_level: bool) -> None:
        """Record one of the company's people."""
        local = name.lower().replace(" ", ".")
        body = {
            "name": name,
            "job_title": job_title,
            "c_level": c_level,
            "email": f"{local}@{self.company.domain}",
        }
        self.contacts[key] = (await self.hunter.post(f"{self.path}/contacts", body))["id"]

    async def right(self, who: str, channel: str, basis: str, source: str) -> None:
        """Record why this person may be reached on this channel, from now on."""
        body = {
            "channel": channel,
            "country": self.company.country,
            "basis": basis,
            "source": source,
        }
        await self.hunter.post(f"{self.path}/contacts/{self.contacts[who]}/channel-rights", body)

    async def argue(self, argument: str) -> None:
        """Write down why this partner, in his own terms."""
        answer = await self.hunter.send(
            "PATCH", self.path, {"core_argument": argument}, version=self.version
        )
        self._moved(answer, "PATCH", self.path)

    # -- touches ----------------------------------------------------------------------------------

    async def touch(
        self,
        day: int,
        cls: str,
        *,
        by: Client,
        at: datetime | None = None,
        channel: str = "email",
        who: str = "chief",
        text: str | None = None,
    ) -> str:
        """Log one contact in either direction; its id."""
        body = {
            "side": "agency" if cls in OURS else "partner",
            "class": cls,
            "channel": channel,
            "contact_id": self.contacts[who],
            "occurred_at": (at or self.calendar.day(day)).isoformat(),
            "text": text,
            "in_reply_to": self.heard if cls == "answer" else None,
        }
        made = await by.post(f"{self.path}/touchpoints", body)
        self.touches[day] = made["id"]
        self.logged += 1
        if cls not in OURS and cls != "P0":
            self.heard = made["id"]
        return str(made["id"])

    async def audit(self, day: int, cls: str, source_seen: str) -> JSON:
        """A lead who is not the hunter looks at the source of a touch."""
        body = {"class": cls, "source_seen": source_seen}
        return await self.lead.post(f"/v1/touchpoints/{self.touches[day]}/audit", body)

    # -- evidence and plan ------------------------------------------------------------------------

    async def evidence(self, kind: str, **members: object) -> str:
        """Record a piece of evidence; its id."""
        made = await self.hunter.post(f"{self.path}/evidence", {"kind": kind, **members})
        return str(made["id"])

    async def delivered(self, day: int) -> None:
        """Our message of that day reached its reader, and a lead has looked at the proof."""
        found = await self.evidence(
            "outreach_delivered", touchpoint_id=self.touches[day], fact_ids=self.facts[:2]
        )
        note = {"note": "The return receipt is in the file."}
        await self.lead.post(f"{self.path}/evidence/{found}/confirmation", note)

    async def plan(self, day: int, fields: JSON) -> int:
        """The partner's words of that day as a version of the joint plan; its number."""
        source = self.touches[day]
        body = {
            "fields": [
                {"name": name, "value": value, "author": "partner", "source_touchpoint_id": source}
                for name, value in fields.items()
            ]
        }
        return int((await self.hunter.post(f"{self.path}/plan", body))["number"])

    # -- moves ------------------------------------------------------------------------------------

    async def advance(self, to: str) -> list[str]:
        """Move one stage forward; the criteria that were met.

        Raises:
            DemoError: the gate does not open.
        """
        answer = await self._transition(to)
        body = self._moved(answer, "POST", f"{self.path}/transitions")
        return [one["criterion"] for one in body["criteria"]]

    async def tries(self, to: str) -> bool:
        """Try to move; whether the gate opened."""
        answer = await self._transition(to)
        if answer.status_code != CREATED:
            return False
        self.version = version_of(answer)
        return True

    async def leave(self, reason: str) -> None:
        """Leave the pipeline for a reason's code."""
        body = {"to": "exited", "reason": reason}
        answer = await self.hunter.send(
            "POST", f"{self.path}/transitions", body, version=self.version
        )
        self._moved(answer, "POST", f"{self.path}/transitions")

    async def refused(self, to: str) -> JSON:
        """Try to move where the gate must not open; the problem with its criteria."""
        return await self.hunter.refused(
            f"{self.path}/transitions", {"to": to}, 409, "gate-failed", version=self.version
        )

    async def gates(self, to: str) -> JSON:
        """Ask a gate without moving."""
        return await self.hunter.get(f"{self.path}/gates?to={to}")

    async def _transition(self, to: str) -> httpx.Response:
        return await self.hunter.send(
            "POST", f"{self.path}/transitions", {"to": to}, version=self.version
        )

    def _moved(self, answer: httpx.Response, method: str, path: str) -> JSON:
        body = self.hunter.succeeded(answer, method, path)
        self.version = version_of(answer)
        return body


async def source(
    isv: Isv,
    campaign: str,
    hunter: Staff,
    lead: Staff,
    company: Company,
    calendar: Calendar,
) -> Case:
    """A hunter enters a company into a campaign; the candidate is then his."""
    body = {"company": company.sourced(), "source": "trade register and the trade press"}
    path = f"/v1/campaigns/{campaign}/candidates"
    answer = await hunter.client.send("POST", path, body)
    made = hunter.client.succeeded(answer, "POST", path)
    if made["stage"] != "identified":
        raise DemoError(f"{made['id']} was entered at {made['stage']}")
    return Case(
        isv=isv,
        hunter=hunter.client,
        lead=lead.client.at(isv.id),
        company=company,
        calendar=calendar,
        id=made["id"],
        version=version_of(answer),
    )
