"""How a number of candidates is spread: over tenants, campaigns, hunters and stages.

All skewed, as the world is: plans that suit the average tenant fail for the largest.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flatbed.app.candidates.rules.stages import Stage

SKEW: Final = 0.72
"""The exponent of Zipf's law at which the largest of 100 holds a tenth of all."""
HUNTER_EACH: Final = 2_000
"""Candidates for whom there is one hunter, on the average."""
CAMPAIGN_EACH: Final = 1_500
FUNNEL: Final = {
    Stage.IDENTIFIED: 480,
    Stage.PROFILED: 200,
    Stage.TARGETED: 130,
    Stage.ENGAGED: 90,
    Stage.DISCOVERING: 40,
    Stage.EXECUTIVE_ALIGNED: 10,
    Stage.DECISION_IN_PRINCIPLE: 5,
    Stage.BUSINESS_PLANNING: 5,
    Stage.QUALIFIED: 25,
    Stage.CONTRACTED: 10,
    Stage.ACTIVATED: 5,
}
"""Of a thousand candidates, how many have come how far."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The order: so many candidates over so many tenants. The same seed draws the same figures."""

    candidates: int
    tenants: int = 100
    seed: int = 1
    batch: int = 2_500
    """Candidates of one transaction at most."""

    @property
    def hunters(self) -> int:
        """Hunters of the agency."""
        return max(4, self.candidates // HUNTER_EACH)

    def of_tenants(self) -> list[int]:
        """Candidates of each tenant, the largest first."""
        return shares(self.candidates, self.tenants)

    def dice(self, *names: object) -> random.Random:
        """A source of chance of its own for each part: the order of parts does not matter."""
        return random.Random(f"{self.seed}/{'/'.join(map(str, names))}")  # noqa: S311 - made-up data


def shares(total: int, parts: int, skew: float = SKEW) -> list[int]:
    """The total in skewed parts, the largest first; each holds one where there are enough."""
    weights = weights_of(parts, skew)
    spread = max(0, total - parts)
    found = [min(total, 1) + int(spread * weight / sum(weights)) for weight in weights]
    found[0] += total - sum(found)
    return found


def weights_of(parts: int, skew: float = SKEW) -> Sequence[float]:
    """Zipf's weights: the first has most."""
    return [(rank + 1) ** -skew for rank in range(parts)]


def campaigns_of(candidates: int) -> int:
    """Campaigns of a tenant with so many candidates."""
    return 1 + candidates // CAMPAIGN_EACH
