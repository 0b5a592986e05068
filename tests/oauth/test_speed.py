"""The short form of `make bench`: what verifying a token costs.

Each figure is of the best of short batches, and each ratio of one round.
"""

from statistics import median

from bench.result import PROMISED_MICROSECONDS
from bench.verify import cached, uncached
from flatbed.tenants.oauth.tokens import Verifier
from tests.oauth.house import ISSUER, House

ROUNDS = 5
TOKENS = 30


class TestVerification:
    async def test_a_token_seen_before_costs_five_microseconds_at_most(self, house: House) -> None:
        tokens = [await house.token(house.agency) for _ in range(TOKENS)]
        first, again, ratios = [], [], []
        for _ in range(ROUNDS):
            verifier = Verifier(ISSUER, house.oauth.keys)
            first.append(await uncached(verifier, tokens))
            again.append(await cached(verifier, tokens[0]))
            ratios.append(first[-1] / again[-1])
        told = f"first looks {sorted(first)}, later ones {sorted(again)}"
        assert min(again) <= PROMISED_MICROSECONDS, told
        assert median(ratios) >= 10, told
