"""A running campaign and its candidates on the running program, and what a candidate records."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from flatbed.app.hunting.models import CandidateCard
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.kernel_tables import AuditEntry, AuditPending, Deadline
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import decode, uuid7
from tests.api.support import Client, Isv, Staff, World

CALLER = Caller("system:test", "req_test")
PROFILE = {
    "hard": [{"key": "size", "attribute": "employees", "operator": "gte", "value": 20}],
    "soft": [{"key": "reach", "judged": True, "question": "Whom does it reach?", "weight": 10}],
}
_numbers = count(1)


def company(**more: Any) -> dict[str, Any]:
    """A company of its own domain."""
    number = next(_numbers)
    return {
        "name": f"Systemhaus {number}",
        "domain": f"systemhaus-{number}-{uuid7().hex[-10:]}.example",
        "country": "DE",
        "employees": 140,
        **more,
    }


@dataclass
class Site:
    """An ISV with a running campaign, a hunter who sources for it, and a lead."""

    world: World
    isv: Isv
    lead_staff: Staff
    hunter_staff: Staff
    campaign: dict[str, Any]
    ahead: timedelta = field(default_factory=timedelta)

    @property
    def lead(self) -> Client:
        """The lead at this ISV."""
        return self.lead_staff.at(self.isv)

    @property
    def hunter(self) -> Client:
        """The hunter; he names no ISV, his assignments do."""
        return self.hunter_staff.client

    @property
    def path(self) -> str:
        """The campaign's path."""
        return f"/v1/campaigns/{self.campaign['id']}"

    def now(self) -> datetime:
        """The realm's time."""
        return system_now() + self.ahead

    async def advance(self, **delta: float) -> None:
        """Let time pass; what falls due happens."""
        await self.world.advance(**delta)
        self.ahead += timedelta(**delta)

    async def found(self, by: Client | None = None, **more: Any) -> "Worked":
        """A candidate that the hunter found, unless told who."""
        body = {"company": company(), "source": "trade register", **more}
        made = await (by or self.hunter).made(f"{self.path}/candidates", body)
        return Worked(self, made["id"], made)

    async def card(self, candidate_id: str) -> CandidateCard | None:
        """The candidate's card in the agency plane."""
        async with self.world.program.database.agency(
            realm_id=self.world.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            return await session.scalar(
                select(CandidateCard).where(
                    CandidateCard.candidate_id == decode("cand", candidate_id)
                )
            )

    async def rows(self, model: Any, *conditions: Any) -> list[Any]:
        """Rows of the ISV's own."""
        async with self.world.program.database.tenant(
            realm_id=self.world.realm_id,
            tenant_id=self.isv.tenant_id,
            caller=CALLER,
            clock=Clock(),
        ) as session:
            return list(await session.scalars(select(model).where(*conditions)))

    async def open_deadlines(self, candidate_id: str) -> list[Deadline]:
        """What is still due on the candidate."""
        return await self.rows(
            Deadline,
            Deadline.candidate_id == decode("cand", candidate_id),
            Deadline.done_at.is_(None),
        )

    async def trail(self, candidate_id: str) -> list[str]:
        """The actions of the candidate's audit in order, sealed or not."""
        sealed = await self.rows(AuditEntry, AuditEntry.object_id == candidate_id)
        pending = await self.rows(AuditPending, AuditPending.object_id == candidate_id)
        found = sorted([*sealed, *pending], key=lambda one: (one.at, one.id))
        return [one.action for one in found]


async def site(
    world: World, *, isv: Isv | None = None, tiers: Sequence[Any] = (), **campaign: Any
) -> Site:
    """A running campaign in `dach`, its price graduated if told."""
    isv = isv or await world.isv()
    lead = await world.staff("lead")
    hunter = await world.staff("hunter", new=True)
    price = {"name": f"list-{uuid7().hex[-8:]}", "currency": "EUR", "unit_price": 450_000}
    price["tiers"] = list(tiers)
    await world.admin.made("/v1/price-lists", price)
    programme = {"code": "dach", "countries": ["DE", "AT", "CH"]}
    offering = await isv.client.made(
        "/v1/offerings", {"name": "Ledger Cloud", "programmes": [programme]}
    )
    profile = await isv.client.made(
        "/v1/profiles", {"offering_id": offering["id"], "name": "Mid-size", **PROFILE}
    )
    body = {
        "name": "Spring",
        "offering_id": offering["id"],
        "programme": "dach",
        "profile_id": profile["id"],
        "quantity": 3,
        "revenue_floor": 50_000_000,
        **campaign,
    }
    made = await isv.client.made("/v1/campaigns", body)
    await isv.client.made(f"/v1/campaigns/{made['id']}/order")
    await lead.at(isv).made(f"/v1/campaigns/{made['id']}/start")
    site = Site(world, isv, lead, hunter, made)
    await source(site, hunter)
    return site


async def source(site: Site, hunter: Staff) -> None:
    """Let a hunter source for the campaign."""
    body = {"kind": "sourcing", "staff_id": hunter.id, "campaign_id": site.campaign["id"]}
    await site.lead.made("/v1/assignments", body)


@dataclass
class Worked:
    """A candidate, and short words for what its hunter and others record."""

    site: Site
    id: str
    made: dict[str, Any]
    chief: str = ""
    integration: Client | None = None

    @property
    def path(self) -> str:
        """Its path."""
        return f"/v1/candidates/{self.id}"

    @property
    def uuid(self) -> UUID:
        """Its id inside."""
        return decode("cand", self.id)

    async def read(self, by: Client | None = None) -> dict[str, Any]:
        """It as it is now."""
        return await (by or self.site.hunter).read(self.path)

    async def version(self) -> str:
        """Its ETag."""
        answer = await self.site.hunter.get(self.path)
        return answer.headers["etag"]

    async def patch(self, by: Client | None = None, /, **body: Any) -> httpx.Response:
        """PATCH of what stands now."""
        return await (by or self.site.hunter).patch(self.path, body, version=await self.version())

    async def move(self, to: str, by: Client | None = None, /, **more: Any) -> httpx.Response:
        """A transition of what stands now."""
        return await (by or self.site.hunter).post(
            f"{self.path}/transitions", {"to": to, **more}, version=await self.version()
        )

    async def moved(self, to: str, by: Client | None = None, /, **more: Any) -> dict[str, Any]:
        """A transition that succeeds."""
        answer = await self.move(to, by, **more)
        assert answer.status_code == 201, f"{to}: {answer.text}"
        body: dict[str, Any] = answer.json()
        return body

    async def gates(self, to: str | None = None) -> dict[str, Any]:
        """A dry run."""
        return await self.site.hunter.read(
            f"{self.path}/gates", params={} if to is None else {"to": to}
        )

    async def record(self, path: str, by: Client | None = None, /, **body: Any) -> dict[str, Any]:
        """A record below the candidate."""
        return await (by or self.site.hunter).made(f"{self.path}/{path}", body)

    async def fact(self, **more: Any) -> dict[str, Any]:
        """A public fact of today."""
        body = {
            "statement": f"It has opened branch {next(_numbers)}.",
            "source_kind": "press",
            "source_url": "https://press.example/1",
            "provenance": "public",
            "observed_on": self.site.now().date().isoformat(),
            **more,
        }
        return await self.record("facts", **body)

    async def contact(self, **more: Any) -> str:
        """A person with a right to be written to."""
        person = await self.record("contacts", name="A. Person", **more)
        await self.record(
            f"contacts/{person['id']}/channel-rights",
            channel="email",
            country="DE",
            basis="consent",
            source="form",
        )
        contact_id: str = person["id"]
        return contact_id

    async def touch(
        self, cls: str, by: Client | None = None, side: str = "partner", **more: Any
    ) -> dict[str, Any]:
        """A touch of this moment with the chief; an integration logs it unless told."""
        self.integration = self.integration or await self.site.world.integration(self.site.isv)
        body = {
            "side": side,
            "class": cls,
            "channel": "email",
            "contact_id": self.chief or None,
            "occurred_at": self.site.now().isoformat(),
            **more,
        }
        return await (by or self.integration).made(f"{self.path}/touchpoints", body)

    async def push(self, **more: Any) -> dict[str, Any]:
        """A push of the hunter."""
        return await self.touch("push", by=self.site.hunter, side="agency", **more)

    async def to(self, stage: str) -> None:
        """Record what each gate up to the stage asks for, and move through it."""
        while (await self.read())["stage"] != stage:
            following = (await self.gates())["to"]
            await self.prepare(following)
            await self.moved(following)

    async def prepare(self, stage: str) -> None:
        """Record what this gate asks for, as a partner who moves by himself makes it come."""
        await PREPARATIONS[stage](self)

    async def profiled(self) -> None:
        """Research until the fit is known."""
        for _ in range(3):
            await self.fact()
        await self.record(
            "judgements",
            criterion="reach",
            value=950,
            reason="It names its customers.",
            source_kind="official_register",
        )

    async def targeted(self) -> None:
        """Find the trigger, the chief and the argument."""
        await self.fact(trigger_on=self.site.now().date().isoformat(), angle="margin")
        self.chief = await self.contact(c_level=True, job_title="CEO")
        answer = await self.patch(core_argument="Projects alone do not carry your payroll.")
        assert answer.status_code == 200, answer.text

    async def engaged(self) -> None:
        """The partner comes by himself and is answered."""
        first = await self.touch("P2", text="We look for something like that.")
        await self.touch("answer", by=self.site.hunter, side="agency", in_reply_to=first["id"])

    async def discovering(self) -> None:
        """He says why he wants it."""
        await self.site.advance(days=1)
        said = await self.touch("P3", text="I bring our head of sales.")
        await self.record(
            "evidence",
            kind="interest_statement",
            touchpoint_id=said["id"],
            contact_id=self.chief,
            statement="Recurring income would let us sleep at night in every quarter.",
        )

    async def executive_aligned(self) -> None:
        """His chief sits at the table."""
        await self.site.advance(days=1)
        await self.touch("P3", text="Our board meets you on Monday.")
        held = self.site.now().isoformat()
        await self.record(
            "evidence", kind="meeting_held", occurred_at=held, partner_attendees=[self.chief]
        )

    async def decision_in_principle(self) -> None:
        """He writes that he wants it."""
        await self.site.advance(days=1)
        written = await self.touch("P3", text="We have decided to do it.")
        await self.record(
            "evidence",
            kind="decision_statement",
            touchpoint_id=written["id"],
            contact_id=self.chief,
            role="managing director",
            statement="We become a partner.",
        )

    async def business_planning(self) -> None:
        """He writes his numbers into the plan."""
        source = await self.touch("P3", text="Here are our numbers.")
        fields = {
            "revenue_target": 60_000_000,
            "resources": "two consultants",
            "investment": 5_000_000,
            "start_date": "2027-01-01",
        }
        own = {"author": "partner", "source_touchpoint_id": source["id"]}
        rows = [{"name": name, "value": value, **own} for name, value in fields.items()]
        await self.record("plan", fields=rows)


PREPARATIONS: dict[str, Callable[[Worked], Awaitable[None]]] = {
    "profiled": Worked.profiled,
    "targeted": Worked.targeted,
    "engaged": Worked.engaged,
    "discovering": Worked.discovering,
    "executive_aligned": Worked.executive_aligned,
    "decision_in_principle": Worked.decision_in_principle,
    "business_planning": Worked.business_planning,
}
