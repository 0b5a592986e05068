"""``python -m bench.verify < tokens``: verify access tokens in a loop.

Prints microseconds of a call as JSON, those of the best of some short batches, since a neighbour
on the machine makes a batch slower and never faster: ``uncached`` is the first look at a token,
``cached`` each other, ``admitted`` is ``cached`` and the question to the database who that is now,
which every request of ours asks.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.tokens import Verifier

BATCHES = 50
CACHED_CALLS = 1_000
FEW = 10
"""Calls a batch where each takes long."""
_CALLER = Caller("system:bench", "")


async def main(tokens: Sequence[str]) -> dict[str, float]:
    """Microseconds of a call; some tens of distinct tokens are needed."""
    program = build(KernelSettings())
    try:
        await program.oauth.authenticator.verify(tokens[0])  # reads the keys
        verifier = Verifier(program.oauth.issuer, program.oauth.keys)
        return {
            "uncached": await uncached(verifier, tokens),
            "cached": await cached(verifier, tokens[0]),
            "admitted": await _admitted(program, tokens[0]),
        }
    finally:
        await program.close()


async def uncached(verifier: Verifier, tokens: Sequence[str]) -> float:
    """Microseconds of the first look at each of the tokens, in the best batch."""
    found = []
    for start in range(0, len(tokens), FEW):
        began = time.perf_counter()
        for token in tokens[start : start + FEW]:
            await verifier.verify(token)
        found.append((time.perf_counter() - began) / len(tokens[start : start + FEW]))
    return min(found) * 1e6


async def cached(verifier: Verifier, token: str) -> float:
    """Microseconds of every other look at a token, in the best batch."""
    await verifier.verify(token)
    found = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        for _ in range(CACHED_CALLS):
            await verifier.verify(token)
        found.append((time.perf_counter() - began) / CACHED_CALLS)
    return min(found) * 1e6


async def _admitted(program: Program, token: str) -> float:
    found = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        for _ in range(FEW):
            await _admit(program, token)
        found.append((time.perf_counter() - began) / FEW)
    return min(found) * 1e6


async def _admit(program: Program, token: str) -> None:
    authenticator, database = program.oauth.authenticator, program.database
    claims = await authenticator.verify(token)
    async with database.agency_read(
        realm_id=claims.realm_id, caller=_CALLER, clock=Clock()
    ) as session:
        await authenticator.principal(session, claims, None)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.stdin.read().split()))))
