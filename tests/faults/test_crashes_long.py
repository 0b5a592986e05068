"""Crashes at random: failpoints at any passing, and -9 to anything at any moment.

``FLATBED_FAULTS_ROUNDS`` and ``FLATBED_FAULTS_KILLS`` say how many, ``FLATBED_FAULTS_SEED`` from
which seed (each run prints its own). One round of each runs in every check.
"""

import os
import random
from typing import Final

import pytest

from flatbed.tenants.kit.failpoints import Failpoint
from tests.faults.crew import VICTIMS, How, Tally, crew_in
from tests.faults.house import House
from tests.faults.places import PLACES

ROUNDS: Final = int(os.environ.get("FLATBED_FAULTS_ROUNDS", "1000"))
KILLS: Final = int(os.environ.get("FLATBED_FAULTS_KILLS", "500"))
DAY: Final = 86_400
IN_A_REALM: Final = 20
"""Rounds after which a new realm is made: tokens grow old, and chains long."""
IN_A_STORM: Final = 5
DEEPEST: Final = 5


def seeded() -> random.Random:
    """Numbers from a seed that is printed, so that a failure can be had again."""
    seed = int(os.environ.get("FLATBED_FAULTS_SEED", random.SystemRandom().randrange(2**31)))
    print(f"FLATBED_FAULTS_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


async def failpoints(house: House, rounds: int, number: random.Random) -> int:
    """Random failpoints at random passings; how many fired."""
    left, fired = rounds, 0
    while left:
        async with crew_in(house, number) as crew:
            for _ in range(min(left, IN_A_REALM)):
                point = number.choice(list(Failpoint))
                how = number.choice(list(How))
                place = PLACES[point]
                deepest = DEEPEST if place.later > 1 else 2  # an act that passes it takes seconds
                at = None if place.at_start else number.randint(1, deepest)
                await crew.round(point, how, at)
            assert await crew.findings(crew.done) == []
            left -= crew.tally.rounds
            fired += crew.tally.fired
    return fired


async def storms(house: House, kills: int, number: random.Random) -> Tally:
    """Random kills under load; what was hit, and what clients did meanwhile."""
    left, total = kills, Tally()
    while left:
        async with crew_in(house, number) as crew:
            while left and crew.tally.rounds < IN_A_REALM:
                some = min(left, IN_A_STORM)
                await crew.storm(some)
                left -= some
            assert await crew.findings(crew.done) == []
            assert crew.tally.replayed > 1
            total.add(crew.tally)
    return total


class TestStorm:
    @pytest.mark.timeout(300)
    async def test_a_few_kills_at_any_moment_lose_nothing(self, house: House) -> None:
        total = await storms(house, 5, seeded())
        assert total.kills.total() == 5
        assert total.under_load >= 2
        assert total.acts > 5

    @pytest.mark.long
    @pytest.mark.timeout(DAY)
    async def test_any_failpoint_at_any_passing_loses_nothing(self, house: House) -> None:
        assert await failpoints(house, ROUNDS, seeded()) == ROUNDS

    @pytest.mark.long
    @pytest.mark.timeout(DAY)
    async def test_any_kill_at_any_moment_loses_nothing(self, house: House) -> None:
        total = await storms(house, KILLS, seeded())
        print(total)  # noqa: T201 - how much it was
        assert total.kills.total() == KILLS
        assert min(total.kills[victim] for victim in VICTIMS) > KILLS // 6
        assert total.under_load > KILLS // 2
        assert total.repeated > KILLS // 20
        assert total.acts >= KILLS
