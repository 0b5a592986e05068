"""Every bad value in every place that takes one: refused or taken, never an error of ours."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy.pool import AsyncAdaptedQueuePool
from starlette.types import ASGIApp, Receive, Scope, Send

from flatbed.tenants.kit.database.urls import Plain, connect
from tests.api.support import World
from tests.bad_input.asgi import application, ask
from tests.bad_input.assault import Assault, Tally, cover
from tests.bad_input.corpus import FAMILIES, VALUES, Value
from tests.bad_input.memory import FLAT, growth
from tests.bad_input.places import TOKEN, WHOLE, Place, places
from tests.bad_input.scene import OPERATIONS, Scene, request_of, set_up
from tests.support.postgres import TestDatabase

SEED = 20_261_122
EACH = 2
PLACES = places()
NAMES = [*sorted(OPERATIONS), TOKEN]


@dataclass
class Room:
    """An assault on a fresh estate."""

    scene: Scene
    assault: Assault
    app: ASGIApp
    connection: Plain

    @property
    def tally(self) -> Tally:
        """What ran."""
        return self.assault.tally

    async def taken(self, operation: str) -> None:
        """The operation's request is taken as long as nothing is changed in it."""
        await self.scene.renew(operation)
        place = Place(operation, "body", WHOLE)
        asked = request_of(self.scene, place, None)
        answer = await ask(self.app, asked)
        assert 200 <= answer.status < 300, (operation, answer)
        # What took it is used up, or has a new version.
        if "etag" in answer.headers:
            self.scene.versions.learn(asked.path, answer.headers["etag"])
        await self.scene.renew(operation)

    async def settled(self) -> None:
        """Nothing is left of the requests: the pool has its connections, none idles."""
        pool = self.scene.world.program.database.engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)
        assert pool.checkedout() == 0
        held = await self.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        assert held == 0


@pytest_asyncio.fixture
async def room(world: World, database: TestDatabase) -> AsyncIterator[Room]:
    scene = await set_up(world)
    connection = await connect(database.backup_url)
    try:
        app = application(world)
        yield Room(scene, Assault(scene, app, connection), app, connection)
    finally:
        await connection.close()


class TestCorpus:
    """What is sent, and where."""

    def test_there_are_four_hundred_and_more_different_values(self) -> None:
        assert len(VALUES) > 550
        assert len({value.token for value in VALUES}) == len(VALUES)
        assert len(FAMILIES) >= 25

    def test_every_operation_has_its_places(self) -> None:
        assert {place.operation for place in PLACES} == {*OPERATIONS, TOKEN}
        assert len(PLACES) > 930

    def test_the_short_form_visits_each_place_and_sends_each_value(self) -> None:
        pairs = cover(random.Random(SEED), PLACES, VALUES, EACH)
        assert len(set(pairs)) == len(pairs) == EACH * len(PLACES) > 1_850
        assert {value for _, value in pairs} == set(VALUES)


class TestShort:
    """Each place meets a few values, each value a few places."""

    async def test_every_request_is_taken_before_anything_is_changed_in_it(
        self, room: Room
    ) -> None:
        """Only then does a value get past the door, down to the rules and the rows."""
        for operation in NAMES:
            await room.taken(operation)

    @pytest.mark.timeout(300)
    async def test_no_value_in_any_place_is_answered_with_an_error_of_ours(
        self, room: Room
    ) -> None:
        for place, value in cover(random.Random(SEED), PLACES, VALUES, EACH):
            await room.assault.strike(place, value)
        tally = room.tally
        assert not tally.wrong, "\n".join([f"seed {SEED}", *tally.wrong])
        assert set(tally.places) == set(PLACES)
        assert set(tally.values) == set(VALUES)
        assert tally.requests == EACH * len(PLACES)
        assert tally.untouched > 60, tally.untouched
        taken = sum(n for status, n in tally.statuses.items() if status < 300)
        assert taken > 150, tally.statuses
        assert tally.statuses[422] > 700, tally.statuses
        assert tally.stale < 20, tally.stale
        await room.settled()


class TestMemory:
    """What is still held when the requests are gone."""

    async def test_memory_is_flat_after_many_bad_requests(self, room: Room) -> None:
        assert await growth(_passes(room, room.app), warm=2, measured=4) < FLAT

    async def test_and_the_measure_would_show_a_leak(self, room: Room) -> None:
        """Half of what a request brings is kept here: the smallest leak worth the name."""
        kept: list[bytes] = []

        async def leaking(scope: Scope, receive: Receive, send: Send) -> None:
            kept.append(b"".join(value for _, value in scope["headers"]) + bytes(4_000))
            await room.app(scope, receive, send)

        assert await growth(_passes(room, leaking), warm=2, measured=4) > 2 * FLAT
        assert len(kept) > 300


LEAKY = ("create_candidate", "create_exclusion", "list_candidates", "get_candidate", TOKEN)
"""Names, domains, filters, ids, credentials: what a careless cache would be keyed by."""


def _passes(room: Room, app: ASGIApp) -> Callable[[int], Awaitable[None]]:
    targets = [place for place in PLACES if place.operation in LEAKY and place.name != "resource"]

    async def one_pass(number: int) -> None:
        for place in targets:
            # New to every cache, and long enough to be seen if it is kept.
            value = Value("fresh", b'"' + b"%08d" % number + b"k" * 8_000 + b'"')
            await ask(app, request_of(room.scene, place, value))

    return one_pass


@pytest.mark.long
@pytest.mark.usefixtures("lasting_tokens")
class TestLong:
    """The whole product, an operation a test: pytest -k picks up where a run was broken off.

    An operation takes minutes, all of them hours: one test for each, so that they can be shared.
    """

    @pytest.mark.timeout(1_800)
    @pytest.mark.parametrize("operation", NAMES)
    async def test_no_value_in_any_place_of(self, room: Room, operation: str) -> None:
        room.assault.watched = 50
        await room.taken(operation)
        targets = [place for place in PLACES if place.operation == operation]
        for place in targets:
            for value in VALUES:
                await room.assault.strike(place, value)
        # Not used up on the way: to the end the values stood in requests that are taken.
        await room.taken(operation)
        tally = room.tally
        assert not tally.wrong, "\n".join(tally.wrong)
        assert tally.requests == len(targets) * len(VALUES) > 0
        if room.assault.writes:
            assert tally.untouched > 0
        await room.settled()
