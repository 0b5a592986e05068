"""What clients do, each with its key, and how one sees that it was done exactly once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import text

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import decode, uuid7
from tests.candidates.factory import Site, Worked, company, site
from tests.faults.repeated import Act, ClockMove, SignIn, surely
from tests.qualifications.factory import ANSWER, DISPUTE, Qualified
from tests.qualifications.stock import stock

MANY: Final = 500
"""More units than a test ever has alive at once."""
DUE_LOOKS: Final = 250
DUE_PAUSE: Final = 0.02
CLOSING_DUE: Final = (
    "SELECT EXISTS (SELECT FROM deadline WHERE kind = 'close_period' AND done_at IS NULL)"
)
COLLECTED: Final = (
    "SELECT NOT EXISTS (SELECT FROM invoice i WHERE NOT EXISTS (SELECT FROM collection c"
    " WHERE c.invoice_id = i.id AND c.state = 'done'))"
)
CALLER: Final = Caller("system:acts", "")
_numbers = count(1)


@dataclass
class Stage:
    """Where acts are prepared: a campaign without limits, and its candidates."""

    site: Site

    async def touches(self, number: int) -> list[Act]:
        """The hunter logs a word of the partner."""
        return [self._touch(one.path, one.uuid) for one in await stock(self.site, number)]

    def _touch(self, path: str, candidate_id: Any) -> Act:
        words = f"Words {uuid7().hex}."
        body = {
            "side": "partner",
            "class": "P1",
            "channel": "email",
            "occurred_at": self.site.now().isoformat(),
            "text": words,
        }
        return Act(
            "touch",
            self.site.hunter,
            f"{path}/touchpoints",
            body,
            "SELECT count(*) FROM touchpoint WHERE candidate_id = $1 AND text = $2",
            (candidate_id, words),
            where=f"{path}/touchpoints?limit=200",
            same=("class", "text", "occurred_at", "recorded_at"),
        )

    async def replays(self, number: int) -> list[Act]:
        """What was acknowledged long ago is sent again."""
        acts = await self.touches(number)
        for act in acts:
            await act.attempt()
        return acts

    async def candidates(self, number: int) -> list[Act]:
        """The hunter finds a company."""
        found = [company() for _ in range(number)]
        return [
            Act(
                "candidate",
                self.site.hunter,
                f"{self.site.path}/candidates",
                {"company": one, "source": "trade register"},
                "SELECT count(*) FROM candidate c JOIN tenant_company t ON t.id = c.company_id"
                " WHERE t.domain = $1",
                (one["domain"],),
                where="/v1/candidates/{id}",
                same=("stage", "source", "campaign_id"),
            )
            for one in found
        ]

    async def moves(self, number: int) -> list[Act]:
        """The hunter takes a candidate one stage back."""
        return [
            Act(
                "transition",
                self.site.hunter,
                f"{one.path}/transitions",
                {"to": "decision_in_principle", "reason": "The plan was withdrawn."},
                "SELECT count(*) FROM transition WHERE candidate_id = $1",
                (one.uuid,),
                where=f"{one.path}/transitions",
                same=("from_stage", "to_stage", "at"),
                version='"1"',
            )
            for one in await stock(self.site, number)
        ]

    async def campaigns(self, number: int) -> list[Act]:
        """The ISV orders a campaign that it has drafted."""
        return [
            Act(
                "order",
                self.site.isv.client,
                f"/v1/campaigns/{one['id']}/order",
                None,
                "SELECT count(*) FROM campaign WHERE id = $1 AND status = 'ordered'",
                (decode("camp", one["id"]),),
                where="/v1/campaigns/{id}",
                same=("status", "ordered_at", "unit_price", "quantity"),
            )
            for one in [await self._draft() for _ in range(number)]
        ]

    async def submissions(self, number: int) -> list[Act]:
        """The hunter submits a candidate who is ready: this bills."""
        return [
            Act(
                "submission",
                self.site.hunter,
                f"{one.path}/qualifications",
                {},
                "SELECT count(*) FROM usage_entry e JOIN qualification q ON q.id = e.source_id"
                " WHERE q.candidate_id = $1 AND e.kind = 'qualified'",
                (one.uuid,),
                where=f"{one.path}/qualifications",
                same=("qualified_at", "generation"),
            )
            for one in await stock(self.site, number)
        ]

    async def reservations(self, number: int) -> list[Act]:
        """The hunter submits a candidate of a campaign that is full: it waits."""
        full, _ = await self._full()
        return [
            Act(
                "reservation",
                self.site.hunter,
                f"{one.path}/qualifications",
                {},
                "SELECT count(*) FROM waiting_qualification WHERE candidate_id = $1",
                (one.uuid,),
                where=f"{one.path}/waiting-qualifications",
                same=("created_at", "expires_at", "dossier_hash"),
            )
            for one in await stock(full.site, number)
        ]

    async def admissions(self, number: int) -> list[Act]:
        """The ISV takes one that waits beyond its cap: this bills."""
        full, _ = await self._full()
        acts = []
        for one in await stock(full.site, number):
            waiting = await full.reserve(one)
            acts.append(
                Act(
                    "admission",
                    self.site.isv.client,
                    f"/v1/waiting-qualifications/{waiting}/admission",
                    None,
                    "SELECT count(*) FROM usage_entry e JOIN waiting_qualification w"
                    " ON w.qualification_id = e.source_id AND w.status = 'admitted'"
                    " WHERE w.candidate_id = $1 AND e.kind = 'qualified'",
                    (one.uuid,),
                    where="/v1/qualifications/{id}",
                    same=("qualified_at", "generation"),
                )
            )
        return acts

    async def rooms(self, number: int) -> list[Act]:
        """A lead voids the unit that another waits for: the worker admits that one."""
        acts = []
        for _ in range(number):
            full, held = await self._full()
            (worked,) = await stock(full.site)
            await full.reserve(worked)
            acts.append(await full.void(held))
        return acts

    async def reserve(self, worked: Worked) -> str:
        """A candidate of the full campaign waits; the reservation's id."""
        reserved = await surely(self.site.hunter, f"{worked.path}/qualifications")
        assert reserved["status"] == "waiting"
        return str(reserved["id"])

    async def _full(self) -> tuple["Stage", Qualified]:
        """A campaign of one unit, which is metered."""
        full = Stage(replace(self.site, campaign=await self.running(1)))
        (held,) = await full.qualified(1)
        return full, held

    async def acceptances(self, number: int) -> list[Act]:
        """The ISV accepts."""
        return [
            Act(
                "acceptance",
                self.site.isv.client,
                f"{one.path}/acceptance",
                None,
                "SELECT count(*) FROM usage_decision u JOIN qualification q"
                " ON q.entry_id = u.entry_id WHERE q.id = $1 AND q.status = 'accepted'",
                (one.uuid,),
                where="/v1/qualifications/{id}",
                same=("status", "accepted_at", "unit_price"),
            )
            for one in await self.qualified(number)
        ]

    async def fillings(self, number: int) -> list[Act]:
        """The ISV accepts the last one of a campaign."""
        acts = []
        for _ in range(number):
            small = Stage(replace(self.site, campaign=await self.running(1)))
            (act,) = await small.acceptances(1)
            acts.append(act)
        return acts

    async def disputes(self, number: int) -> list[Act]:
        """The ISV disputes."""
        return [
            Act(
                "dispute",
                self.site.isv.client,
                f"{one.path}/disputes",
                DISPUTE,
                "SELECT count(*) FROM dispute d JOIN usage_decision u ON u.decision = 'disputed'"
                " JOIN qualification q ON q.id = d.qualification_id AND q.entry_id = u.entry_id"
                " WHERE q.id = $1",
                (one.uuid,),
            )
            for one in await self.qualified(number)
        ]

    async def answers(self, number: int) -> list[Act]:
        """A lead answers a dispute."""
        acts = []
        for one in await self.qualified(number):
            await one.disputed()
            effect = (
                "SELECT count(*) FROM (SELECT action, object_id FROM audit_entry UNION ALL"
                " SELECT action, object_id FROM audit_pending) a JOIN dispute d ON"
                " a.action = 'dispute.answered' AND d.answered_at IS NOT NULL AND"
                " d.qualification_id = $1 AND a.object_id = $2"
            )
            dispute = (await one.read())["disputes"][0]["id"]
            args = (one.uuid, dispute)
            acts.append(Act("answer", self.site.lead, f"{one.path}/answer", ANSWER, effect, args))
        return acts

    async def voids(self, number: int) -> list[Act]:
        """A lead decides a dispute against the unit."""
        return [await self.void(one) for one in await self.qualified(number)]

    async def void(self, one: Qualified) -> Act:
        """A lead decides the dispute of this one against it."""
        await one.answered()
        return Act(
            "void",
            self.site.lead,
            f"{one.path}/decision",
            {"decision": "voided", "reason": "I looked at every touch."},
            "SELECT count(*) FROM usage_entry e JOIN qualification q"
            " ON q.entry_id = e.reverses_id WHERE q.id = $1 AND q.status = 'voided'",
            (one.uuid,),
            where="/v1/qualifications/{id}",
            same=("status", "voided_at"),
        )

    async def clocks(self, number: int) -> list[Act]:
        """Time passes over terms that end: silence accepts."""
        await self.qualified(number)
        return [self.clock() for _ in range(number)]

    async def closings(self, number: int) -> list[Act]:
        """Time passes over the end of a month in which something was accepted."""
        for one in await self.qualified(number):
            await surely(self.site.isv.client, f"{one.path}/acceptance")
        await self.until(CLOSING_DUE)
        return [self.clock() for _ in range(number)]

    async def first_closings(self, number: int) -> list[Act]:
        """The first month of an ISV that Stripe does not know yet."""
        fresh = Stage(await site(self.site.world, quantity=MANY))
        fresh.site.ahead = self.site.ahead
        acts = await fresh.closings(number)
        self.site.ahead = fresh.site.ahead
        return acts

    async def creditings(self, number: int) -> list[Act]:
        """A billed unit is voided for fraud, and the month ends in which it was."""
        made = await self.qualified(number)
        for one in made:
            await surely(self.site.isv.client, f"{one.path}/acceptance")
        await self.until(CLOSING_DUE)
        await self.clock().attempt()
        await self.until(COLLECTED)
        for one in made:
            await surely(self.site.isv.client, f"{one.path}/disputes", {**DISPUTE, "fraud": True})
            await surely(self.site.lead, f"{one.path}/answer", ANSWER)
            decision = {"decision": "voided", "reason": "It was made up."}
            await surely(self.site.lead, f"{one.path}/decision", decision)
        await self.until(CLOSING_DUE)
        return [self.clock() for _ in range(number)]

    async def until(self, holds: str) -> None:
        """Until the worker, where it lives, has done it."""
        tenant = self.site.isv.tenant_id
        for _ in range(DUE_LOOKS):
            async with self.site.world.program.database.tenant_read(
                realm_id=self.site.world.realm_id, tenant_id=tenant, caller=CALLER, clock=Clock()
            ) as session:
                if await session.scalar(text(holds)):
                    break
            await asyncio.sleep(DUE_PAUSE)

    def clock(self, days: int = 40) -> Act:
        seconds = days * 86_400 + next(_numbers)
        self.site.ahead += timedelta(seconds=seconds)
        return ClockMove(
            "clock",
            self.site.world.admin,
            "/v1/sandbox/clock",
            {"advance_seconds": seconds},
            "SELECT count(*) FROM (SELECT detail, action FROM agency_audit_entry UNION ALL"
            " SELECT detail, action FROM agency_audit_pending) a"
            " WHERE action = 'realm.clock_advanced' AND detail->>'microseconds' = $1",
            (f"{seconds}000000",),
        )

    async def tokens(self, number: int) -> list[Act]:
        """A client signs in."""
        return [
            SignIn("token", self.site.world.admin, "/oauth/token", None, "SELECT 1", ())
            for _ in range(number)
        ]

    async def qualified(self, number: int) -> list[Qualified]:
        ready = await stock(self.site, number)
        made = [await surely(self.site.hunter, f"{one.path}/qualifications") for one in ready]
        return [Qualified(one, row["id"]) for one, row in zip(ready, made, strict=True)]

    async def _draft(self, quantity: int = 3) -> dict[str, Any]:
        like = self.site.campaign
        kept = ("offering_id", "profile_id", "revenue_floor")
        body = {name: like[name] for name in kept}
        more = {"name": "Autumn", "programme": "dach", "quantity": quantity}
        return await surely(self.site.isv.client, "/v1/campaigns", {**body, **more})

    async def running(self, quantity: int) -> dict[str, Any]:
        made = await self._draft(quantity)
        path = f"/v1/campaigns/{made['id']}"
        await surely(self.site.isv.client, f"{path}/order")
        return await surely(self.site.lead, f"{path}/start")


Builder = Callable[[Stage, int], Awaitable[list[Act]]]

BUILDERS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "touch": Stage.touches,
        "replay": Stage.replays,
        "candidate": Stage.candidates,
        "transition": Stage.moves,
        "order": Stage.campaigns,
        "submission": Stage.submissions,
        "reservation": Stage.reservations,
        "admission": Stage.admissions,
        "room": Stage.rooms,
        "acceptance": Stage.acceptances,
        "filling": Stage.fillings,
        "dispute": Stage.disputes,
        "answer": Stage.answers,
        "void": Stage.voids,
        "clock": Stage.clocks,
        "closing": Stage.closings,
        "first_closing": Stage.first_closings,
        "crediting": Stage.creditings,
        "token": Stage.tokens,
    }
)
"""The acts by name."""
