"""Token issue and verification, beside django-oauth-toolkit."""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from bench.cores import pin, pinned, shared_out
from bench.load import loaded, one_token
from bench.result import PEER, Result, Rounds
from bench.servers import (
    DOCUMENTED,
    FASTEST,
    KINDS,
    PLAIN,
    ROOT,
    Flatbed,
    Peer,
    Server,
    databases,
    ran,
)

RESULT: Final = ROOT / "build" / "bench" / "tokens.json"
CONNECTIONS: Final = 8
DISTINCT_TOKENS: Final = 300

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    ``seconds`` is about how long one load lasts.
    """

    rounds: int = 7
    seconds: float = 3.0


async def measure(plan: Plan, tell: Tell) -> int:
    """Measure, print, and write the result. Returns 1 if a promise is not kept, else 0."""
    cores = shared_out()
    server_core, other_core = cores or (None, None)
    # The database, the load and this program share what the server leaves.
    pin(other_core)
    async with databases() as found:
        tell("setting up both programs")
        flatbed, peer = Flatbed(found), Peer(found)
        kind = await _better_kind(peer, server_core, plan, tell)
        async with AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(flatbed.serving(server_core)),
                *[
                    await stack.enter_async_context(peer.serving(kind, settings, server_core))
                    for settings in (DOCUMENTED, PLAIN, FASTEST)
                ],
            ]
            rounds = Rounds()
            tell(f"django-oauth-toolkit runs on {kind}")
            rounds.versions["server of the peer"] = kind
            await _issue(servers, plan, rounds, tell)
            await _verify(flatbed, peer, servers, server_core, plan, rounds, tell)
        rounds.versions["postgresql"] = found.version
    result = Result(rounds, is_pinned=cores is not None and cores[0] != cores[1])
    tell(result.text())
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result.plain(), indent=2) + "\n")
    return 0 if all(promise.is_kept for promise in result.promises) else 1


async def _better_kind(peer: Peer, core: int | None, plan: Plan, tell: Tell) -> str:
    """The kind of server on which the peer is fastest here."""
    rates = {}
    for kind in KINDS:
        async with peer.serving(kind, FASTEST, core) as server:
            rates[kind] = await _rate(server, await _enough(server, plan))
        tell(
            f"django-oauth-toolkit, fastest settings, on {kind}: {rates[kind]:,.0f} tokens a second"
        )
    return max(rates, key=rates.__getitem__)


async def _enough(server: Server, plan: Plan) -> int:
    """After a warm-up: how many requests last as long as planned."""
    tried, wanted = 0.0, 4
    while tried < plan.seconds / 4:
        wanted *= 2
        done = await loaded(server.endpoint, requests=wanted, connections=CONNECTIONS)
        tried = done.seconds
    return max(CONNECTIONS, int(wanted / tried * plan.seconds))


async def _rate(server: Server, requests: int) -> float:
    return (await loaded(server.endpoint, requests=requests, connections=CONNECTIONS)).rate


async def _issue(servers: list[Server], plan: Plan, rounds: Rounds, tell: Tell) -> None:
    requests = [await _enough(server, plan) for server in servers]
    for number in range(plan.rounds):
        for server, wanted in zip(servers, requests, strict=True):
            before = server.cpu_seconds()
            rate = await _rate(server, wanted)
            cost = (server.cpu_seconds() - before) / wanted * 1e6
            rounds.rates.setdefault(server.name, []).append(rate)
            rounds.costs.setdefault(server.name, []).append(cost)
        said = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in rounds.rates.items())
        tell(f"round {number + 1}, tokens a second: {said}")


async def _verify(
    flatbed: Flatbed,
    peer: Peer,
    servers: list[Server],
    core: int | None,
    plan: Plan,
    rounds: Rounds,
    tell: Tell,
) -> None:
    ours = "\n".join([await one_token(flatbed.endpoint) for _ in range(DISTINCT_TOKENS)])
    theirs = await one_token(servers[1].endpoint)
    for number in range(plan.rounds):
        said = ran(pinned(core, [*flatbed.python, "bench.verify"]), flatbed.environment, ours)
        for name, value in json.loads(said).items():
            rounds.verified.setdefault(name, []).append(value)
        said = peer.run("bench.dot.verify", core=core, sent=theirs)
        answer = json.loads(said)
        rounds.verified.setdefault(PEER, []).append(answer["verified"])
        rounds.versions |= answer["versions"]
        told = ", ".join(f"{name} {values[-1]:,.1f}" for name, values in rounds.verified.items())
        tell(f"round {number + 1}, microseconds a verification: {told}")
