"""Candidates of the running campaigns, and half a year of what was said and done."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from flatbed.app.demo import milestones
from flatbed.app.demo.behaviours import GOLDEN, Beat, Behaviour, Via, later, mixed, script
from flatbed.app.demo.cast import Calendar, Cast, Isv, Staff, only
from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.fates import FATES, Fate, Life
from flatbed.app.demo.fiction import Company
from flatbed.app.demo.teller import Bar
from flatbed.app.demo.work import Case, source
from flatbed.tenants.access.principal import Role

AT_ONCE: Final = 8
STRIDE: Final = 5
"""Days between two moves of the clock; a hunter may log what happened in between."""
AFTERWARDS: Final = 30
"""Days that a unit's fate takes at most."""
UNFIT_EMPLOYEES: Final = 9
RESEARCH: Final = {
    Behaviour.SELF_DRIVEN: ((3, 6),),
    Behaviour.REACTIVE: ((3, 6), (3, 5), (2, 5)),
    Behaviour.PUSHED: ((2, 5),),
}
"""People and facts that are found, in turn: of who answers, more."""


@dataclass(frozen=True)
class Running:
    """A running campaign with the hunters who source for it."""

    id: str
    isv: Isv
    hunters: tuple[Staff, ...]


@dataclass
class Player:
    """A candidate with its script; ``said`` counts the touches of each class."""

    case: Case
    beats: tuple[Beat, ...]
    hour: float
    fate: Fate | None = None
    said: Counter[str] = field(default_factory=Counter)
    stuck: bool = False
    pushed_on: int | None = None
    life: Life | None = None
    present: datetime | None = None

    def now(self) -> datetime:
        """The present time of the span that is being played."""
        return self.present or self.case.calendar.start


@dataclass
class Players:
    """All candidates: those with a script, and every one as it was sourced."""

    worked: list[Player] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    candidates: list[JSON] = field(default_factory=list)


async def sourced(
    cast: Cast,
    running: Sequence[Running],
    calendar: Calendar,
    companies: Sequence[Company],
    dice: random.Random,
    bar: Bar,
    *,
    untouched: int,
    days: int,
) -> Players:
    """Source every company for one of the running campaigns; research most of them.

    The last companies are twins of others: they are found out, and leave.
    """
    lead = cast.of(Role.LEAD)[0]
    behaviours = mixed(max(0, len(companies) - untouched))
    players = Players()

    async def enter(n: int, company: Company, drawn: "_Drawn") -> None:
        campaign = running[n % len(running)]
        hunter = campaign.hunters[n // len(running) % len(campaign.hunters)]
        is_unfit = n >= len(behaviours) and n % 2 == 0
        if is_unfit:
            company = replace(company, employees=UNFIT_EMPLOYEES)
        case = await source(campaign.isv, campaign.id, hunter, lead, company, calendar)
        players.cases.append(case)
        found = {"id": case.id, "organization": campaign.isv.id, "domain": company.domain}
        players.candidates.append(found)
        if n < len(behaviours):
            depths = RESEARCH[behaviours[n]]
            people, facts = depths[n % len(depths)]
            is_thorough = behaviours[n] is Behaviour.SELF_DRIVEN
            await milestones.targeted(case, 0, thorough=is_thorough, people=people, facts=facts)
            if any(beat.cls == "answer" for beat in drawn.beats):
                await case.right("chief", "email", "consent", "form of the trade fair")
            players.worked.append(Player(case, drawn.beats, drawn.hour, drawn.fate))
        elif "gruppe" in company.domain:
            await case.leave("duplicate")
        elif is_unfit:
            await case.leave("hard_fail")
        elif n % 3 == 0:
            await case.research(0)
            await case.judge_all(thorough=False)
            await case.advance("profiled")
        bar.step()

    drawn = _draw(behaviours, len(companies), len(running), dice, days)
    await together([enter(n, *one) for n, one in enumerate(zip(companies, drawn, strict=True))])
    return players


@dataclass(frozen=True)
class _Drawn:
    beats: tuple[Beat, ...]
    hour: float
    fate: Fate | None = None


def _draw(
    behaviours: Sequence[Behaviour], number: int, campaigns: int, dice: random.Random, days: int
) -> list[_Drawn]:
    """What the dice give each company; the first self-driven one of a campaign goes all the way."""
    found, fated = list[_Drawn](), set[int]()
    for n in range(number):
        hour = dice.random() * 6
        if n >= len(behaviours):
            found.append(_Drawn((), hour))
            continue
        beats, place = script(behaviours[n], dice, days), n % campaigns
        latest = days - GOLDEN[-1].day - AFTERWARDS
        is_first = behaviours[n] is Behaviour.SELF_DRIVEN and place not in fated
        if is_first and latest >= 0 and place < len(FATES):
            fated.add(place)
            whole = later(GOLDEN, dice.randint(0, latest), days)
            found.append(_Drawn(whole, hour, FATES[place]))
        else:
            found.append(_Drawn(beats, hour))
    return found


async def live(
    cast: Cast, calendar: Calendar, players: Sequence[Player], days: int, bar: Bar
) -> None:
    """Play all scripts, a few days at a time; the clock stops once in each span."""
    other = only(cast.of(Role.LEAD)[1:], "second lead")
    for begin in range(0, days, STRIDE):
        end = begin + STRIDE
        await cast.until(calendar.day(end))
        await together([_span(one, other, begin, end, bar) for one in players])
    unfinished = [one.case.id for one in players if one.fate is not None and one.life is None]
    if unfinished:
        raise DemoError(f"{', '.join(unfinished)} did not come as far as was meant")


async def _span(player: Player, other: Staff, begin: int, end: int, bar: Bar) -> None:
    """What happened after one day until another, in its order."""
    case = player.case
    player.present = case.calendar.day(end)
    for beat in player.beats:
        if not begin < beat.day <= end:
            continue
        await milestones.log(case, beat, player.said[beat.cls], back=player.hour)
        player.said[beat.cls] += 1
        bar.step()
        if beat.cls == "push":
            player.pushed_on = beat.day
        if beat.via is Via.AUDITED:
            await case.audit(beat.day, beat.cls, "his e-mail in the hunter's mailbox")
        if beat.step is not None and not player.stuck:
            await milestones.record(case, beat.step, beat.day, delivered_on=player.pushed_on)
            player.stuck = not await case.tries(beat.step)
    if player.fate is None or player.stuck or player.beats[-1].day >= end:
        return
    if player.life is None:
        player.life = player.fate(case, other, player.now)
    await anext(player.life, None)


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it, a few at a time; the first failure ends the rest."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(one: Coroutine[Any, Any, None]) -> None:
        async with turns:
            await one

    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(in_turn(one))
    except* DemoError as failed:
        raise failed.exceptions[0] from None
    finally:
        for one in work:
            one.close()  # what had no turn yet
