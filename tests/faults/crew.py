"""One round: something dies at a failpoint, is started again, and nothing was lost or doubled."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from enum import StrEnum
from uuid import UUID

import asyncpg
import httpx
from sqlalchemy.exc import DBAPIError

from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.failpoints import EXIT_CODE, Failpoint
from flatbed.tenants.kit.ids import decode, uuid7
from flatbed.tenants.oauth.clients.first_client import create_realm
from tests.api.support import Client, World
from tests.billing.statements.closed import PROFILE
from tests.candidates.factory import site
from tests.faults import commands, invariants
from tests.faults.acts import MANY, Stage
from tests.faults.house import SECONDS, Child, House, HouseError
from tests.faults.places import PLACES, Place
from tests.faults.remedies import BUILDERS
from tests.faults.repeated import Act

CLIENTS = 3
"""How many do something at once in the second round."""
PAUSE = 0.02
BUSY = '"status":503'
"""In the problem document of a server whose database is away."""
SETTLED = float(invariants.STUCK_SECONDS)
"""Seconds in which a worker must have done all that waits: a dead one's lease, and 30."""


POSTGRES = "postgres"
VICTIMS = ("api", "worker", POSTGRES)
SEED = 20_261_129
STORM = (
    "candidate",
    "touch",
    "submission",
    "acceptance",
    "dispute",
    "transition",
    "order",
    "withdrawal",
    "signing",
    "claim",
    "replacement",
    "free_ride",
)
"""What clients do while anything is killed at any moment."""


def _slug() -> str:
    return f"realm-{uuid7().hex[-12:]}"


class How(StrEnum):
    """The three rounds of a failpoint."""

    FIRST = "exits at the first passing"
    LATER = "exits at a later passing among others"
    POSTGRES = "loses its database"


@dataclass
class Tally:
    """What was done, so that a test can say that it was something."""

    rounds: int = 0
    fired: int = 0
    acts: int = 0
    repeated: int = 0
    replayed: int = 0
    checks: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    """By victim; each lived before and was dead after."""
    under_load: int = 0
    """Kills while clients still worked."""

    def add(self, other: "Tally") -> None:
        """Count what another crew did."""
        for one in fields(Tally):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass
class Crew:
    """A house, one realm in it, and the clients who work there."""

    house: House
    program: Program
    stage: Stage
    realms: list[UUID]
    admin: Plain
    tally: Tally = field(default_factory=Tally)
    done: list[Act] = field(default_factory=list)
    slug: str = field(default_factory=_slug)
    """Of the realm that is opened next."""
    kid: str = ""
    """Of the key that signed before the keys were rotated."""
    number: random.Random = field(default_factory=lambda: random.Random(SEED))

    async def round(self, point: Failpoint, how: How, at: int | None = None) -> None:
        """Let it happen, bring everything back, and check.

        Args:
            point: where.
            how: what happens there.
            at: at which passing; as :data:`PLACES` says unless given.

        Raises:
            HouseError: it did not happen, or something does not come back.
            AssertionError: an invariant is broken.
        """
        place = PLACES[point]
        acts = await BUILDERS[place.act](self.stage, CLIENTS if how is How.LATER else 1)
        action = f"kill:{self.house.pid_file}" if how is How.POSTGRES else "exit"
        passing = at or (place.later if how is How.LATER else 1)
        if place.alone:
            await self.house.kill("worker")
        await self._crash(place, f"{point.value}={action}@{passing}", acts, how)
        await self.restore()
        if point is Failpoint.SIGNING_KEY_MADE:
            await self.sign_in()
        if place.role == "realm":
            await commands.open_realm(self.house, self.admin, self.slug)
            self.slug = _slug()
        if place.role == "keys":
            await commands.rotate_keys(self.house, self.admin, self.kid)
        await self.finish(acts)
        self.tally.rounds += 1

    async def _crash(self, place: Place, spec: str, acts: list[Act], how: How) -> None:
        before = 0
        if place.at_start:
            await self._start_armed(place, spec)
        else:
            # Counted first: a webhook or a job comes by itself, and may pass once it is armed.
            before = self.house.children[place.role].fired()
            await self.house.arm(place.role, spec)
        child = self.house.children[place.role]
        await asyncio.gather(*(act.attempt() for act in acts))
        end, more = time.monotonic() + SECONDS, time.monotonic() + place.patience
        while child.fired() == before:
            if time.monotonic() > end:
                raise HouseError(f"{spec} did not fire: {child.logged[-3000:]}")
            if time.monotonic() > more:
                await self._once_more(place, acts, child, before)
                more = time.monotonic() + place.patience
            await asyncio.sleep(0.005)
        if how is not How.POSTGRES and (code := await self.house.ended(place.role)) != EXIT_CODE:
            raise HouseError(f"{spec}: the {place.role} ended with {code}")
        # A client may have its answer before the server is dead; left alive, it would die later.
        while how is How.POSTGRES and await self._alive():
            if time.monotonic() > end:
                raise HouseError(f"{spec}: PostgreSQL lives on")
            await asyncio.sleep(PAUSE)
        self.tally.fired += child.fired() - before

    async def _once_more(self, place: Place, acts: list[Act], child: Child, before: int) -> None:
        try:
            (extra,) = await BUILDERS[place.act](self.stage, 1)
        except (DBAPIError, httpx.TransportError, AssertionError) as error:
            # What was waited for came just now, and took from the builder what it works with; an
            # answer other than that the server is busy is an error of ours, whatever dies.
            is_wrong = isinstance(error, AssertionError) and BUSY not in str(error)
            if is_wrong or child.fired() == before:
                raise
            return
        acts.append(extra)
        await extra.attempt()

    async def _start_armed(self, place: Place, spec: str) -> None:
        if place.role in commands.ROLES:
            self.kid = await commands.signing(self.admin)
            self.house.start(place.role, spec, slug=self.slug)
            return
        await self.house.kill(place.role)
        if place.role == "api":
            await self.admin.execute("DELETE FROM signing_key")
        self.house.start(place.role, spec)

    async def storm(self, kills: int) -> None:
        """Kill anything at any moment while clients work, then check.

        Raises:
            HouseError: something does not come back.
            AssertionError: an invariant is broken.
        """
        acts = [one for name in STORM for one in await BUILDERS[name](self.stage, 2)]
        self.number.shuffle(acts)
        await self._under_fire(acts, kills - kills // 3)
        # After the others, whose terms end with it.
        clocks = await BUILDERS["clock"](self.stage, 2)
        await self._under_fire(clocks, kills // 3)
        await self.finish([*acts, *clocks])

    async def _under_fire(self, acts: Sequence[Act], kills: int) -> None:
        turns = [self._work(acts[turn::CLIENTS]) for turn in range(CLIENTS)]
        clients = asyncio.gather(*turns)
        try:
            for _ in range(kills):
                await asyncio.sleep(self.number.uniform(0, 0.3))
                self.tally.under_load += not clients.done()
                await self._kill(self.number.choice(VICTIMS))
                self.tally.rounds += 1
                await self.restore()
            await clients
        finally:
            clients.cancel()

    async def _kill(self, victim: str) -> None:
        """-9, and see that it hit.

        Raises:
            HouseError: the victim was dead already, or lives on.
        """
        if not await self._lives(victim):
            raise HouseError(f"{victim} was dead already: {self._logs()}")
        if victim == POSTGRES:
            self.house.kill_postgres()
        else:
            await self.house.kill(victim)
        if await self._lives(victim):
            raise HouseError(f"{victim} lives on")
        self.tally.kills[victim] += 1

    async def _lives(self, victim: str) -> bool:
        if victim == POSTGRES:
            return await self._alive()
        return self.house.code(self.house.children[victim]) is None

    async def _work(self, acts: Sequence[Act]) -> None:
        for act in acts:
            self.tally.repeated += not await act.attempt()
            await self.answered(act)

    async def restore(self) -> None:
        """Start whatever is dead."""
        house = self.house
        lost_database = not await self._alive()
        if lost_database:
            await house.start_postgres()
            await self.program.database.engine.dispose()
            self.admin.terminate()
            self.admin = await connect(house.admin_url)
        for role in commands.ROLES & house.children.keys():
            await house.ended(role)
            del house.children[role]
        for role in ("api", "worker"):
            if house.code(house.children[role]) is not None:
                house.start(role)
        try:
            await house.ready()
        except HouseError:
            if not lost_database:
                raise
            # It was still starting when its database died.
            house.start("api")
            await house.ready()

    async def _alive(self) -> bool:
        try:
            await self.admin.fetchval("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def finish(self, acts: Sequence[Act]) -> None:
        """Repeat what was not acknowledged, and some of what was; then all must hold."""
        for act in acts:
            self.tally.acts += 1
            self.tally.repeated += not act.acknowledged
            await self.answered(act)
        again = [*acts[:2], *self.number.sample(self.done, min(1, len(self.done)))]
        for act in again:
            self.tally.replayed += 1
            await self.answered(act, again=True)
        await self.settled()
        found = await self.rows(acts)
        assert found == [], found
        self.done += [act for act in acts if act.what != "token"]

    async def answered(self, act: Act, *, again: bool = False) -> None:
        """Send it with its key until it is answered; ``again`` also when it was."""
        end = time.monotonic() + SECONDS
        while (again or not act.acknowledged) and not await act.attempt():
            if time.monotonic() > end:
                raise HouseError(f"{act.what} is never answered: {act.last} {self._logs()}")
            await asyncio.sleep(PAUSE)

    async def settled(self) -> None:
        """Wait until nothing waits for the worker any more."""
        end = time.monotonic() + SETTLED
        while left := await invariants.waiting(self.admin, self.realms):
            if time.monotonic() > end:
                raise HouseError(f"still waiting: {left} {self._logs()}")
            await asyncio.sleep(PAUSE)

    async def findings(self, acts: Sequence[Act]) -> list[str]:
        """All that does not hold now: the rows, and the chains, which no later round mends."""
        chains = await invariants.chains(self.program, self.admin, self.realms)
        return [*await self.rows(acts), *chains]

    async def rows(self, acts: Sequence[Act]) -> list[str]:
        """What does not hold now in rows, at Stripe, or in a session that is left open."""
        self.tally.checks += len(acts) + len(invariants.STATE)
        return [
            *[one for act in acts for one in await act.check(self.admin)],
            *await invariants.state(self.admin, self.realms),
            *await invariants.anchored(self.program, self.admin, self.realms),
            *await invariants.idle(self.admin),
            *self.house.till.findings(),
        ]

    async def sign_in(self) -> None:
        """Get new tokens for everybody, when the signing key was made anew or they grow old."""
        site_, world = self.stage.site, self.stage.site.world
        staff = (site_.hunter_staff, site_.lead_staff)
        clients = (world.admin, site_.isv.client, *(one.client for one in staff))
        tokens = {one.client_id: (await one.sign_in()).token for one in clients}
        for act in self.done:
            # Whoever names an ISV acts through a copy, which kept the old token.
            act.client.token = tokens.get(act.client.client_id, act.client.token)

    def _logs(self) -> str:
        return " | ".join(f"{one.role}: {one.logged[-1500:]}" for one in self._children())

    def _children(self) -> list[Child]:
        return list(self.house.children.values())


@asynccontextmanager
async def crew_in(house: House, number: random.Random | None = None) -> AsyncIterator[Crew]:
    """A fresh realm in the house with a running campaign, everything up.

    ``number`` chooses whatever is left to chance.
    """
    for role in ("api", "worker"):
        if role not in house.children or house.code(house.children[role]) is not None:
            house.start(role)
    await house.ready()
    program = build(house.settings())
    http = httpx.AsyncClient(base_url=house.base_url, timeout=SECONDS, trust_env=False)
    first = await create_realm(
        program.database,
        program.keyring,
        PERMISSIONS,
        slug=_slug(),
        name="Test agency",
        kind="sandbox",
    )
    admin = Client(http, first.client_id, first.client_secret, frozenset(first.scopes))
    realm_id = decode("realm", first.realm_id)
    await admin.sign_in()
    world = World(program, http, first.realm_id, realm_id, admin)
    stage = Stage(await site(world, quantity=MANY))
    finance = (await world.staff("finance")).client
    # One account at Stripe serves all realms of these tests: their numbers must differ.
    profile = {**PROFILE, "invoice_prefix": f"{uuid7().hex[-8:].upper()}-"}
    filled = await finance.request("PUT", "/v1/billing-profile", json=profile, version=0)
    assert filled.status_code == 200, filled.text
    crew = Crew(house, program, stage, [realm_id], await connect(house.admin_url))
    crew.number = number or crew.number
    try:
        yield crew
    finally:
        await crew.admin.close()
        await http.aclose()
        await program.close()
