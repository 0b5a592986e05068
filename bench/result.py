"""What the rounds say: spreads, ratios within a round, and whether the promises are kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final

from bench.figures import Promise, Spread, machine, table
from bench.servers import DOCUMENTED, PLAIN

PROMISED_RATIO: Final = 5.0
"""Tokens a second, as a multiple of the peer's, in the middle of the rounds."""
PROMISED_OVER: Final = (DOCUMENTED, PLAIN)
"""The settings of the peer for which that is promised; the fastest ones are shown."""
PROMISED_MICROSECONDS: Final = 5.0
"""A look at a token that was verified before."""
OURS: Final = "flatbed"
PEER: Final = "peer"
_LIBRARIES: Final = ("authlib", "fastapi", "joserfc", "uvicorn")
_VERIFIED: Final[Mapping[str, str]] = {
    "cached": "flatbed, a token seen before",
    "uncached": "flatbed, a token not seen before",
    "admitted": "flatbed, and who that is now, from the database",
    PEER: "django-oauth-toolkit",
}


@dataclass(slots=True)
class Rounds:
    """What was measured of each server, a value a round."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    """Tokens a second."""
    costs: dict[str, list[float]] = field(default_factory=dict)
    """Microseconds of the server's processor for a token; 0 where unknown."""
    verified: dict[str, list[float]] = field(default_factory=dict)
    """Microseconds to verify a token."""
    versions: dict[str, str] = field(default_factory=dict)


class Result:
    """Figures to print and to keep.

    Args:
        rounds: at least one.
        is_pinned: the server that was measured had a core of its own.
    """

    def __init__(self, rounds: Rounds, *, is_pinned: bool) -> None:
        self._rounds = rounds
        self._is_pinned = is_pinned
        self._peers = [name for name in rounds.rates if name != OURS]

    @cached_property
    def rate_ratios(self) -> dict[str, Spread]:
        """Our tokens a second over each peer's."""
        rates = self._rounds.rates
        return {name: _ratio(rates[OURS], rates[name]) for name in self._peers}

    @cached_property
    def cost_ratios(self) -> dict[str, Spread]:
        """Each peer's cost of a token over ours; none where unknown."""
        costs = self._rounds.costs
        if not all(costs[OURS]):
            return {}
        return {name: _ratio(costs[name], costs[OURS]) for name in self._peers}

    @cached_property
    def verification_ratios(self) -> dict[str, Spread]:
        """The peer's time to verify over each of ours."""
        found = self._rounds.verified
        return {name: _ratio(found[PEER], found[name]) for name in _VERIFIED if name != PEER}

    @cached_property
    def promises(self) -> list[Promise]:
        """Each promise, and whether it is kept."""
        cached = Spread.of(self._rounds.verified["cached"]).median
        kept = [
            Promise(
                f"tokens a second over those of the peer, {name}: at least {PROMISED_RATIO:g}",
                ratio.median,
                ratio.median >= PROMISED_RATIO,
            )
            for name, ratio in self.rate_ratios.items()
            if name in PROMISED_OVER
        ]
        what = f"us to verify a token seen before, at most {PROMISED_MICROSECONDS:g}"
        return [*kept, Promise(what, cached, cached <= PROMISED_MICROSECONDS)]

    def text(self) -> str:
        """Two tables and the promises."""
        issue = [["token issue", "tokens/s", "ours over it", "CPU us/token", "it over ours"]]
        for name, rates in self._rounds.rates.items():
            cost = Spread.of(self._rounds.costs[name]).told(0)
            above, dearer = (_told(of, name) for of in (self.rate_ratios, self.cost_ratios))
            issue.append([name, Spread.of(rates).told(0), above, cost, dearer])
        verification = [["token verification", "us/call", "the peer over it"]]
        for name, words in _VERIFIED.items():
            spread = Spread.of(self._rounds.verified[name]).told(2)
            verification.append([words, spread, _told(self.verification_ratios, name)])
        said = "\n".join(str(promise) for promise in self.promises)
        told = "median (min to max) of the rounds; a ratio is of one round"
        return f"\n{told}\n\n{table(issue)}\n\n{table(verification)}\n\n{said}"

    def plain(self) -> dict[str, Any]:
        """The same for JSON, with what it was measured on."""
        rounds = self._rounds
        return {
            "machine": machine() | {"pinned": self._is_pinned},
            "versions": {name: version(name) for name in _LIBRARIES} | rounds.versions,
            "rounds": len(rounds.rates[OURS]),
            "tokens_per_second": _plain(_spreads(rounds.rates)),
            "tokens_per_second_over_peer": _plain(self.rate_ratios),
            "cpu_microseconds_per_token": _plain(_spreads(rounds.costs)),
            "peer_cpu_over_ours": _plain(self.cost_ratios),
            "verification_microseconds": _plain(_spreads(rounds.verified)),
            "peer_verification_over_ours": _plain(self.verification_ratios),
            "promises": [asdict(promise) for promise in self.promises],
        }


def _ratio(above: list[float], below: list[float]) -> Spread:
    return Spread.of(one / other for one, other in zip(above, below, strict=True))


def _spreads(values: Mapping[str, list[float]]) -> dict[str, Spread]:
    return {name: Spread.of(found) for name, found in values.items()}


def _told(ratios: Mapping[str, Spread], name: str) -> str:
    return ratios[name].told(1) if name in ratios else ""


def _plain(spreads: Mapping[str, Spread]) -> dict[str, dict[str, float]]:
    return {name: asdict(spread) for name, spread in spreads.items()}
