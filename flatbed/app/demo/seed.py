"""The demo's world: agency, ISVs, campaigns and companies, all over HTTP; then their history."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from flatbed.app.demo import fiction, stage_setting
from flatbed.app.demo.cast import Calendar, Cast, Isv
from flatbed.app.demo.catalogue import ISVS, STORY
from flatbed.app.demo.client import JSON
from flatbed.app.demo.fiction import Company
from flatbed.app.demo.history import Running, live, sourced, together
from flatbed.app.demo.payers import open_accounts
from flatbed.app.demo.teller import Bar, Teller
from flatbed.app.demo.till import Till
from flatbed.tenants.access.principal import Role

SEED: Final = 20_260


@dataclass(frozen=True)
class Size:
    """How large a world; the default is the demo's."""

    companies: int = 200
    """In the registry, twins and those of the story among them."""
    untouched: int = 30
    """Candidates that are sourced and not yet written to."""
    kept_for_story: int = 4
    groups: int = 6
    """Of two companies each."""
    twins: int = 6
    """Companies that stand in the registry twice."""
    days: int = 180
    """Over which the touches are spread."""


SMALL: Final = Size(companies=20, untouched=2, groups=1, twins=1, days=100)
"""For a look in a hurry: the same people, fewer companies."""


@dataclass
class World:
    """What was seeded, for the story and for ``var/demo.json``."""

    offered: list[JSON] = field(default_factory=list)
    campaigns: list[JSON] = field(default_factory=list)
    story_campaign: str = ""
    companies: list[JSON] = field(default_factory=list)
    candidates: list[JSON] = field(default_factory=list)
    touchpoints: int = 0
    contacts: int = 0
    facts: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    """How the seeded units of all ISVs stand."""
    disputes: int = 0

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


async def seed(
    cast: Cast, teller: Teller, size: Size | None = None, till: Till | None = None
) -> World:
    """Fill an empty realm; the same realm is made each time, but for ids and dates.

    Args:
        cast: the realm with its administration.
        teller: who tells it.
        size: how large.
        till: the fake Stripe at which ISVs leave a payment method; without one none does.
    """
    size = size or Size()
    dice = random.Random(SEED)  # noqa: S311 - the demo is to be the same each time
    world = World()
    await _people(cast)
    await stage_setting.set_prices(cast)
    await open_accounts(cast, till)
    running = await _campaigns(cast, world)
    made = fiction.companies(size.companies - size.twins, dice)
    twins = [fiction.twin(one) for one in made[size.kept_for_story :][: size.twins]]
    with teller.bar("companies", 2 * size.groups + len(twins) + size.kept_for_story) as bar:
        await _registry(cast, made, twins, size, bar)
    calendar = await Calendar.begin(cast)
    rest = [*made[size.kept_for_story :], *twins]
    with teller.bar("candidates", len(rest)) as bar:
        players = await sourced(
            cast, running, calendar, rest, dice, bar, untouched=size.untouched, days=size.days
        )
    with teller.bar("touchpoints", sum(len(one.beats) for one in players.worked)) as bar:
        await live(cast, calendar, players.worked, size.days, bar)
    world.candidates = sorted(players.candidates, key=lambda one: str(one["domain"]))
    world.touchpoints = sum(case.logged for case in players.cases)
    world.contacts = sum(len(case.contacts) for case in players.cases)
    world.facts = sum(len(case.facts) for case in players.cases)
    await _count(cast, world)
    return world


async def _people(cast: Cast) -> None:
    roles = (
        *((name, Role.LEAD) for name in fiction.LEADS),
        *((name, Role.HUNTER) for name in fiction.HUNTERS),
        (fiction.FINANCE, Role.FINANCE),
        (fiction.COMPLIANCE, Role.COMPLIANCE),
    )
    for name, role in roles:
        await cast.hire(name, role)
    mail_path = await cast.mail_path()
    for isv in ISVS:
        own = None if isv.has_integration else mail_path
        await cast.enrol(dict(isv.organization), isv.users, own)


async def _campaigns(cast: Cast, world: World) -> list[Running]:
    """The running campaigns of every ISV, and a draft of the first that the story will order."""
    lead, hunters = cast.of(Role.LEAD)[0], cast.of(Role.HUNTER)[:-1]
    wanted = []
    for isv, plan in zip(cast.isvs, ISVS, strict=True):
        offered = await stage_setting.offer(isv, dict(plan.offering))
        world.offered.append({**offered, "organization": isv.id})
        wanted += [(isv, offered, order) for order in plan.orders]
    running: list[Running] = []
    for n, (isv, offered, order) in enumerate(wanted):
        campaign = await stage_setting.draft(
            isv, offered, order.name, quantity=order.quantity, caps={}
        )
        await stage_setting.launch(isv, lead, campaign)
        sourcing = tuple(hunters[n :: len(wanted)])
        for hunter in sourcing:
            await stage_setting.assign(isv, lead, campaign, hunter)
        running.append(Running(campaign, isv, sourcing))
        world.campaigns.append({"id": campaign, "organization": isv.id})
    first = cast.isvs[0]
    world.story_campaign = await stage_setting.draft(
        first,
        world.offered[0],
        STORY.name,
        quantity=STORY.quantity,
        caps={"units_total": STORY.quantity},
    )
    world.campaigns.append({"id": world.story_campaign, "organization": first.id})
    return running


async def _registry(
    cast: Cast, made: Sequence[Company], twins: Sequence[Company], size: Size, bar: Bar
) -> None:
    """Enter what sourcing alone does not: the pairs of a group, twins, and who is in the story."""
    group_of: dict[str, str] = {}
    last = list(made[::-1])
    for n, (one, other) in enumerate(list(pairwise(last))[: 2 * size.groups : 2]):
        name = {"name": f"{fiction.PLACES[n]} Holding"}
        made_group = await cast.admin.post("/v1/company-groups", name)
        group_of.update({one.domain: made_group["id"], other.domain: made_group["id"]})

    async def enter(company: Company) -> None:
        await stage_setting.register(cast, company, group_of.get(company.domain))
        bar.step()

    known = [*made[: size.kept_for_story], *last[: 2 * size.groups], *twins]
    await together([enter(company) for company in {one.domain: one for one in known}.values()])


async def _count(cast: Cast, world: World) -> None:
    """What stands there now, as the API says."""
    found = await cast.admin.pages("/v1/companies")
    world.companies = sorted(
        ({"id": one["id"], "domain": one["domain"]} for one in found),
        key=lambda one: str(one["domain"]),
    )
    for isv in cast.isvs:
        world.stages.update(
            one["stage"] if one["status"] == "active" else one["status"]
            for one in await isv.client.pages("/v1/candidates")
        )
        units = await isv.client.pages("/v1/qualifications")
        world.units.update(one["status"] for one in units)
    cards = await cast.of(Role.LEAD)[0].client.pages("/v1/disputes")
    world.disputes = sum(one["kind"] == "dispute" for one in cards)


def isv_of(cast: Cast, organization: str) -> Isv:
    """The ISV of an id."""
    return next(isv for isv in cast.isvs if isv.id == organization)
