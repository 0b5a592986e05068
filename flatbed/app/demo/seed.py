"""The demo's world: ISVs, campaigns, companies, candidates and their touches, all over HTTP."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from flatbed.app.demo import fiction, milestones, stage_setting
from flatbed.app.demo.behaviours import Beat, Behaviour, Via, mixed, script
from flatbed.app.demo.cast import Calendar, Cast, Isv, Staff
from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.fiction import Company
from flatbed.app.demo.teller import Bar, Teller
from flatbed.app.demo.work import Case, source
from flatbed.tenants.access.principal import Role

SEED: Final = 20_260
AT_ONCE: Final = 8
STRIDE: Final = 5
"""Days between two moves of the clock; a hunter may log what happened in between."""
UNFIT_EMPLOYEES: Final = 9


@dataclass(frozen=True)
class Size:
    """How large a world; the default is the demo's."""

    companies: int = 40
    untouched: int = 6
    """Candidates that are sourced and not yet written to."""
    kept_for_story: int = 4
    groups: int = 3


@dataclass
class World:
    """What was seeded, for the story and for ``var/demo.json``."""

    offered: list[JSON] = field(default_factory=list)
    campaigns: list[JSON] = field(default_factory=list)
    story_campaign: str = ""
    story_companies: list[Company] = field(default_factory=list)
    companies: list[JSON] = field(default_factory=list)
    candidates: list[JSON] = field(default_factory=list)
    touchpoints: int = 0
    stages: Counter[str] = field(default_factory=Counter)

    def objects(self) -> JSON:
        """For ``var/demo.json``."""
        return {
            "offerings": self.offered,
            "campaigns": self.campaigns,
            "story_campaign": self.story_campaign,
            "companies": self.companies,
            "candidates": self.candidates,
            "touchpoints": self.touchpoints,
        }


@dataclass
class _Player:
    """A candidate with its script; ``said`` counts the touches of each class."""

    case: Case
    behaviour: Behaviour
    beats: tuple[Beat, ...]
    hour: float
    said: Counter[str] = field(default_factory=Counter)
    stuck: bool = False
    pushed_on: int | None = None


async def seed(cast: Cast, teller: Teller, size: Size | None = None) -> World:
    """Fill an empty realm; the same realm is made each time, but for ids and dates."""
    size = size or Size()
    dice = random.Random(SEED)  # noqa: S311 - the demo is to be the same each time
    world = World()
    await _people(cast)
    await stage_setting.set_prices(cast)
    await _campaigns(cast, world)
    made = fiction.companies(size.companies, dice)
    with teller.bar("companies", len(made)) as bar:
        await _registry(cast, world, made, size.groups, bar)
    world.story_companies = made[: size.kept_for_story]
    calendar = await Calendar.begin(cast)
    rest = made[size.kept_for_story :]
    with teller.bar("candidates", len(rest)) as bar:
        players = await _candidates(cast, world, calendar, rest, size, dice, bar)
    with teller.bar("touchpoints", sum(len(one.beats) for one in players)) as bar:
        await _days(cast, world, calendar, players, bar)
    await _count(cast, world)
    return world


async def _people(cast: Cast) -> None:
    roles = (
        *((name, Role.LEAD) for name in fiction.LEADS),
        *((name, Role.HUNTER) for name in fiction.HUNTERS),
        ("Gesa Thiel", Role.FINANCE),
        ("Henrik Maas", Role.COMPLIANCE),
    )
    for name, role in roles:
        await cast.hire(name, role)
    for isv in fiction.ISVS:
        await cast.enrol(dict(isv))


async def _campaigns(cast: Cast, world: World) -> None:
    """One running campaign for each ISV, and a draft of the first that the story will order."""
    lead = cast.of(Role.LEAD)[0]
    hunters = cast.of(Role.HUNTER)
    for isv, offering, hunter in zip(cast.isvs, fiction.OFFERINGS, hunters, strict=False):
        offered = await stage_setting.offer(isv, dict(offering))
        world.offered.append({**offered, "organization": isv.id})
        name = f"{offering['name']} in the south"
        campaign = await stage_setting.draft(isv, offered, name, quantity=10, caps={})
        await stage_setting.launch(isv, lead, campaign)
        await stage_setting.assign(isv, lead, campaign, hunter)
        world.campaigns.append({"id": campaign, "organization": isv.id, "hunter": hunter.id})
    first = cast.isvs[0]
    world.story_campaign = await stage_setting.draft(
        first,
        world.offered[0],
        f"{fiction.OFFERINGS[0]['name']} in the north",
        quantity=2,
        caps={"units_total": 2},
    )
    world.campaigns.append({"id": world.story_campaign, "organization": first.id, "hunter": None})


async def _registry(
    cast: Cast, world: World, made: Sequence[Company], groups: int, bar: Bar
) -> None:
    """Enter all companies; the last ones are pairs of a group."""
    group_of: dict[str, str] = {}
    for n, (one, other) in enumerate(list(pairwise(made[::-1]))[: 2 * groups : 2]):
        name = {"name": f"{fiction.PLACES[n]} Holding"}
        made_group = await cast.admin.post("/v1/company-groups", name)
        group_of.update({one.domain: made_group["id"], other.domain: made_group["id"]})

    async def enter(company: Company) -> None:
        company_id = await stage_setting.register(cast, company, group_of.get(company.domain))
        world.companies.append({"id": company_id, "domain": company.domain})
        bar.step()

    await _together([enter(company) for company in made])
    world.companies.sort(key=lambda one: str(one["domain"]))


async def _candidates(
    cast: Cast,
    world: World,
    calendar: Calendar,
    companies: Sequence[Company],
    size: Size,
    dice: random.Random,
    bar: Bar,
) -> list[_Player]:
    """Source every company for one of the running campaigns; research most of them."""
    leads, hunters = cast.of(Role.LEAD), cast.of(Role.HUNTER)
    running = world.campaigns[: len(cast.isvs)]
    behaviours = mixed(len(companies) - size.untouched)
    players: list[_Player] = []

    async def enter(n: int, company: Company, beats: tuple[Beat, ...], hour: float) -> None:
        isv, campaign = cast.isvs[n % len(running)], running[n % len(running)]
        hunter: Staff = hunters[n % len(running)]
        unfit = n >= len(behaviours) and n % 2 == 0
        if unfit:
            company = replace(company, employees=UNFIT_EMPLOYEES)
        case = await source(isv, campaign["id"], hunter, leads[0], company, calendar)
        world.candidates.append({"id": case.id, "organization": isv.id, "domain": company.domain})
        if n < len(behaviours):
            thorough = behaviours[n] is Behaviour.SELF_DRIVEN
            await milestones.targeted(case, 0, thorough=thorough)
            if any(beat.cls == "answer" for beat in beats):
                await case.right("chief", "email", "consent", "form of the trade fair")
            players.append(_Player(case, behaviours[n], beats, hour))
        elif unfit:
            await case.leave("hard_fail")
        elif n % 3 == 0:
            await case.research(0, thorough=False)
            await case.judge_all(thorough=False)
            await case.advance("profiled")
        bar.step()

    work = []
    for n, company in enumerate(companies):
        beats = script(behaviours[n], dice) if n < len(behaviours) else ()
        work.append(enter(n, company, beats, dice.random() * 6))
    await _together(work)
    world.candidates.sort(key=lambda one: str(one["domain"]))
    return players


async def _days(
    cast: Cast, world: World, calendar: Calendar, players: Sequence[_Player], bar: Bar
) -> None:
    """Play all scripts, a few days at a time; the clock stops once in each span."""
    last = max((player.beats[-1].day for player in players if player.beats), default=0)
    for begin in range(0, last + STRIDE, STRIDE):
        end = begin + STRIDE
        await cast.until(calendar.day(end))
        await _together([_span(player, begin, end, bar) for player in players])
    world.touchpoints = sum(player.said.total() for player in players)


async def _span(player: _Player, begin: int, end: int, bar: Bar) -> None:
    """What happened after one day until another, in its order."""
    case = player.case
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


async def _count(cast: Cast, world: World) -> None:
    for isv in cast.isvs:
        found = await isv.client.get("/v1/candidates?limit=200")
        world.stages.update(
            one["stage"] if one["status"] == "active" else one["status"] for one in found["data"]
        )


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
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


def isv_of(cast: Cast, organization: str) -> Isv:
    """The ISV of an id."""
    return next(isv for isv in cast.isvs if isv.id == organization)
