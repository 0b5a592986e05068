"""What one candidate and one page cost does not grow with the number of candidates."""

import time
from statistics import median

import pytest

from tests.api.support import Client
from tests.scale.estate import Estate
from tests.scale.reads import known

ROUNDS = 60
MOST_GROWTH = 1.5

pytestmark = pytest.mark.timeout(600)


async def seconds(client: Client, path: str) -> float:
    begun = time.perf_counter()
    answer = await client.get(path)
    assert answer.status_code == 200
    return time.perf_counter() - begun


class TestGrowth:
    @pytest.mark.parametrize(
        "path", ["/v1/candidates/{candidate}", "/v1/candidates", "/v1/me/queue"]
    )
    async def test_ten_times_the_candidates_cost_at_most_half_as_much_again(
        self, estate: Estate, tenth: Estate, path: str
    ) -> None:
        took: dict[int, list[float]] = {estate.candidates: [], tenth.candidates: []}
        async with estate.open() as large, tenth.open() as small:
            asked = []
            for one, world in ((estate, large), (tenth, small)):
                client = await one.client("largest", world.http).sign_in()
                hunter = await one.client("hunter", world.http).sign_in()
                ids = await known(client, one, hunter)
                asker = hunter if path == "/v1/me/queue" else client
                asked.append((one.candidates, asker, path.format_map(ids)))
            for n in range(-10, ROUNDS):
                # Interleaved: what else the machine does meets both alike.
                for number, client, filled in asked:
                    spent = await seconds(client, filled)
                    if n >= 0:
                        took[number].append(spent)
        growth = median(took[estate.candidates]) / median(took[tenth.candidates])
        assert growth <= MOST_GROWTH, f"{growth:.2f} times"
