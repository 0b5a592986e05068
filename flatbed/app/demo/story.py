"""One campaign from order to usage line, played over HTTP while the realm's clock moves on.

Every step asserts what it was answered: the first thing that goes otherwise ends the play.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from rich.markup import escape

from flatbed.app.demo import fiction, lines, milestones, settlement, stage_setting
from flatbed.app.demo.behaviours import GOLDEN, GOLDEN_MSI, Beat, Step, Via
from flatbed.app.demo.cast import Calendar, Cast, Staff, only
from flatbed.app.demo.client import JSON, DemoError, failing_criteria
from flatbed.app.demo.fiction import Company
from flatbed.app.demo.seed import SEED, isv_of
from flatbed.app.demo.settlement import Unit
from flatbed.app.demo.teller import Teller
from flatbed.app.demo.work import Case, source
from flatbed.tenants.access.principal import Role

MSI_TOLERANCE: Final = 0.01
CAP: Final = 2
CAST_SIZE: Final = 4

# What is recorded and which stage is entered on a day, with the day of the touch that shows it.
MOVES: Final = {
    10: (Step.ENGAGED, 10),
    15: (Step.DISCOVERING, 14),
    25: (Step.EXECUTIVE_ALIGNED, 22),
    28: (Step.DECISION_IN_PRINCIPLE, 28),
    35: (Step.BUSINESS_PLANNING, 35),
}
AUDITED_ON: Final = 15
MET_ON: Final = 24
DELIVERED_ON: Final = 8
REFUSED_ON: Final = 29
# The same partner, had he written first: nobody had pushed him, and we answered.
WROTE_FIRST: Final = (
    Beat(8, "P2", Via.SYSTEM),
    Beat(10, "answer"),
    *(beat for beat in GOLDEN if beat.day > 11),  # noqa: PLR2004 - the first answer of the other
)
PUSHED: Final = (
    *(Beat(day, "push") for day in (1, 8, 11, 14, 18, 22, 28)),
    *(Beat(day, "P1", Via.SYSTEM) for day in (10, 16, 25, 29)),
)


@dataclass
class Actor:
    """A candidate of the story with its script."""

    letter: str
    case: Case
    beats: tuple[Beat, ...]
    said: Counter[str] = field(default_factory=Counter)
    answerable: bool = False


@dataclass
class Played:
    """What the story came to."""

    campaign: str
    units: list[Unit]
    failing: list[str]
    """The criteria by which the pushed candidate was refused."""
    far_from_qualified: list[str]
    """Those of `qualified` that fail for it."""
    usage: JSON
    preview: JSON

    def objects(self) -> JSON:
        """For ``var/demo.json``."""
        return {
            "campaign": self.campaign,
            "qualifications": [unit.qualification for unit in self.units],
            "refused_criteria": self.failing,
        }


async def play(
    cast: Cast, teller: Teller, objects: JSON, *, earlier: int = 0, base_url: str
) -> Played:
    """Play the campaign.

    Args:
        cast: the realm's people.
        teller: who tells it.
        objects: what the seed made.
        earlier: how often it was played in this realm before.
        base_url: where the server answers, for links that can be followed.

    Raises:
        DemoError: something was answered otherwise than the method says.
    """
    story = _Story(cast, teller, objects, earlier, base_url)
    await story.open()
    for day in story.days():
        await story.live(day)
    return await story.settle()


class _Story:
    def __init__(
        self, cast: Cast, teller: Teller, objects: JSON, earlier: int, base_url: str
    ) -> None:
        self.cast, self.teller, self.objects = cast, teller, objects
        self.earlier, self.base_url = earlier, base_url
        leads = cast.of(Role.LEAD)
        self.lead = only(leads, "lead")
        self.uninvolved = only(leads[1:], "second lead")
        self.hunter: Staff = only(cast.of(Role.HUNTER)[-1:], "hunter")
        offered = objects["offerings"][0]
        self.isv = isv_of(cast, offered["organization"])
        self.offered = offered
        self.campaign = ""
        self.failing: list[str] = []
        self.far: list[str] = []

    async def open(self) -> None:
        """The order, the start, the assignment, the research."""
        tell = self.teller
        self.campaign = await self._drafted()
        ordered = await self.isv.client.post(f"/v1/campaigns/{self.campaign}/order")
        if ordered["caps"]["units_total"] != CAP or ordered["rubric"] is None:
            raise DemoError("the order froze neither the cap nor the rubric")
        price = settlement.money(ordered["unit_price"], ordered["currency"])
        tell.beat(
            0, f"{self.isv.name} orders {ordered['quantity']} partners at {price}, cap {CAP} units"
        )
        await self.lead.client.at(self.isv.id).post(f"/v1/campaigns/{self.campaign}/start")
        await stage_setting.assign(self.isv, self.lead, self.campaign, self.hunter)
        tell.beat(0, f"lead {self.lead.name} starts it; {self.hunter.name} may source")
        # All units of the story fall into one month, whose closing bills them.
        calendar = await Calendar.begin(self.cast, settlement.QUALIFIED_ON)
        self.calendar = calendar
        cases = [
            await source(self.isv, self.campaign, self.hunter, self.lead, company, calendar)
            for company in await self._companies()
        ]
        await asyncio.gather(*(milestones.targeted(case, 0) for case in cases))
        tell.beat(0, "four companies sourced, researched, two people each, rights recorded")
        scripts = (GOLDEN, WROTE_FIRST, GOLDEN, PUSHED)
        self.actors = [
            Actor(letter, case, beats)
            for letter, case, beats in zip("ABCD", cases, scripts, strict=True)
        ]
        for actor in self.actors:
            name = escape(actor.case.company.name)
            tell.beat(0, f"  [bold]{actor.letter}[/bold] {name} enters profiled, then targeted")

    def days(self) -> list[int]:
        """The days on which something happens."""
        beats = {beat.day for actor in self.actors for beat in actor.beats}
        return sorted(beats | set(MOVES) | set(GOLDEN_MSI))

    async def live(self, day: int) -> None:
        """One day: what is said, what a lead looks at, who moves on."""
        await self.cast.until(self.calendar.day(day))
        today = [(one, beat) for one in self.actors for beat in one.beats if beat.day == day]
        await asyncio.gather(*(self._say(actor, beat) for actor, beat in today))
        for actor, beat in today:
            self._tell(actor, beat)
        a, b, c, d = self.actors
        moving = (a, b, c, d) if day == min(MOVES) else (a, b, c)
        if day == AUDITED_ON:
            seen = "his e-mail of the day, in the hunter's mailbox"
            await asyncio.gather(*(one.case.audit(14, "P2", seen) for one in (a, b, c)))
            self.teller.beat(day, f"{self.lead.name} audits what A, B and C wrote on day 14")
        if day in MOVES:
            step, shown = MOVES[day]
            await asyncio.gather(*(self._move(actor, step, shown) for actor in moving))
            letters = ", ".join(actor.letter for actor in moving)
            self.teller.beat(day, f"[green]{letters}: gate of {step} passed[/green]")
        if day in GOLDEN_MSI:
            await self._measure(a, day)
        if day == REFUSED_ON:
            await self._refuse(d, day)

    async def settle(self) -> Played:
        """Qualify, meet the cap, accept, dispute, decide, and read what is owed."""
        a, b, c, _ = self.actors
        units, usage, preview = await settlement.settle(
            self.cast,
            self.teller,
            settlement.Parties(self.isv, self.lead, self.uninvolved, self.campaign, self.base_url),
            self.calendar,
            (a.case, b.case, c.case),
        )
        return Played(self.campaign, units, self.failing, self.far, usage, preview)

    async def _drafted(self) -> str:
        if not self.earlier:
            return str(self.objects["story_campaign"])
        name = f"Another north, play {self.earlier + 1}"
        caps = {"units_total": CAP}
        return await stage_setting.draft(self.isv, self.offered, name, quantity=CAP, caps=caps)

    async def _companies(self) -> list[Company]:
        """Those that the seed kept for the story; others when it is played again."""
        dice = random.Random(SEED)  # noqa: S311 - the same companies as the seed's
        if not self.earlier:
            return fiction.companies(CAST_SIZE, dice)
        found = fiction.companies(CAST_SIZE, dice, f" {self.earlier + 1}")
        for company in found:
            await stage_setting.register(self.cast, company)
        return found

    async def _say(self, actor: Actor, beat: Beat) -> None:
        await milestones.log(actor.case, beat, actor.said[beat.cls])
        actor.said[beat.cls] += 1
        ours = beat.cls in {"push", "answer"}
        if not ours and not actor.answerable:
            # He wrote by e-mail: from now on he may be answered there.
            await actor.case.right("chief", "email", "partner_contact", "his own message")
            actor.answerable = True

    def _tell(self, actor: Actor, beat: Beat) -> None:
        ours = beat.cls in {"push", "answer"}
        known = {Via.SYSTEM: "delivered by the integration"}.get(beat.via, "logged by the hunter")
        who = "we" if ours else "partner"
        self.teller.beat(beat.day, f"{actor.letter}: {who} [bold]{beat.cls}[/bold], {known}")

    async def _move(self, actor: Actor, step: Step, shown: int) -> None:
        wrote_first = actor.beats is WROTE_FIRST
        await milestones.record(
            actor.case,
            step,
            shown,
            delivered_on=None if wrote_first else DELIVERED_ON,
            met_on=MET_ON,
        )
        await actor.case.advance(step)

    async def _measure(self, actor: Actor, day: int) -> None:
        found, expected = await actor.case.msi(), GOLDEN_MSI[day]
        if abs(found - expected) > MSI_TOLERANCE:
            raise DemoError(f"MSI of A on day {day} is {found:.4f}, the method says {expected}")
        self.teller.beat(day, f"[cyan]A: MSI {found:.2f}, as the method says[/cyan]")

    async def _refuse(self, actor: Actor, day: int) -> None:
        """The pushed one, whose statement is an echo of ours."""
        case = actor.case
        await case.evidence(
            "interest_statement",
            touchpoint_id=case.touches[day],
            contact_id=case.contacts["chief"],
            statement=lines.ECHO,
        )
        problem = await case.refused("discovering")
        self.failing = failing_criteria(problem)
        if {"discovering.msi", "discovering.own_words"} - set(self.failing):
            raise DemoError(f"the pushed candidate failed {self.failing} only")
        name = escape(case.company.name)
        self.teller.beat(day, f"[bold]D[/bold] {name}, pushed, asks for discovering: refused")
        self.teller.refusal(problem)
        dry = await case.gates("qualified")
        self.far = failing_criteria(dry)
        named = ", ".join(self.far)
        self.teller.beat(day, f"D: dry run of qualified: {len(self.far)} criteria fail: {named}")
