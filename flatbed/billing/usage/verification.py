"""``flatbed verify ledger``: recompute a tenant's chain and hold everything against it."""

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from flatbed.billing.usage.caps import TOTAL, Used
from flatbed.billing.usage.chain import Fault, Finding, Head, Walk
from flatbed.billing.usage.repository import chains, ledger, lines
from flatbed.tenants.kit.canonical import canonical
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode

_T = TypeVar("_T")
Expected: TypeAlias = Callable[[TenantReadSession], Awaitable[Mapping[UUID, str]]]
"""What the units' owner knows: the entry of each qualified candidate and its dossier's hash."""


async def verify_ledger(
    session: TenantSession, *, anchors: Iterable[Head] = (), expected: Expected | None = None
) -> list[Finding]:
    """Everything that is wrong with the tenant's ledger; empty if nothing is.

    Finds an entry that was edited, removed (at the tail too), put in or moved, by the chain, the
    head, the anchors and the candidates, and a cap counter that is not the sum of the live
    entries. Writers of this tenant wait meanwhile, so that a moving ledger is no finding.

    Args:
        session: a transaction of the tenant; nothing is written.
        anchors: the heads in the anchor file (``anchor.read``).
        expected: asked under the ledger's lock; None leaves the candidates out.
    """
    head = await ledger.find_head(session, lock=True)
    census = _Census(
        voided={str(one) for one in await chains.all_voided(session)},
        billed_less=await lines.billed_less(session),
        expected=None if expected is None else _texts(await expected(session)),
    )
    walk = Walk(anchors)
    async with aclosing(chains.chain_parts(session)) as parts:
        async for rows in parts:
            for before, json_, after, *told in rows:
                text = joined(before, json_, after)
                entry = dict(zip(chains.TOLD, told, strict=True))
                walk.take(entry["sequence"], entry["previous_hash"], entry["hash"], text)
                census.count(entry)
    stored = await ledger.all_counters(session)
    return [*walk.end(head), *census.counters(stored), *census.candidates()]


def joined(before: str | None, json_: str | None, after: str) -> str | None:
    """An entry's canonical text out of its ``chains.pieces``; None if it was never sealed so."""
    written = _written(json_)
    return None if before is None or written is None else f"{before}{written}{after}"


@lru_cache(maxsize=1_024)
def _written(json_: str | None) -> str | None:
    """The piece that is JSON as canonical text: empty where there is none, None if it has none.

    A campaign's units all have the same tiers: they are read once.
    """
    try:
        return "" if json_ is None else canonical(json.loads(json_))
    except (ValueError, RecursionError):
        return None  # deeper or longer than anything that was ever sealed


def _texts(found: Mapping[UUID, _T]) -> dict[str, _T]:
    return {str(id_): value for id_, value in found.items()}


class _Census:
    """The live entries, counted as they come: what the cap counters and candidates must say.

    Ids are texts here, as in the parts of the chain.

    Args:
        voided: the entries that are reversed.
        billed_less: what live units were billed less than their amounts, by campaign and month.
        expected: what the candidates say, None if they are not asked.
    """

    def __init__(
        self,
        *,
        voided: Collection[str],
        billed_less: Mapping[tuple[UUID, str], int],
        expected: Mapping[str, str] | None,
    ) -> None:
        self._voided, self._billed_less, self._expected = voided, billed_less, expected
        self._lost = set(expected or ())
        self._used: dict[tuple[str, str], list[int]] = {}
        self._findings: list[Finding] = []

    def count(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry of the ledger."""
        id_ = entry["id"]
        if entry["kind"] != ledger.QUALIFIED or id_ in self._voided:
            return
        if entry["replaces_id"] is None:  # else it reserves nothing
            used = self._used.setdefault((entry["campaign_ref"], entry["month"]), [0, 0])
            used[0] += 1
            used[1] += entry["amount"]
        if self._expected is not None:
            self._look_up(id_, entry)

    def counters(self, stored: Mapping[tuple[UUID, str], Used]) -> Iterator[Finding]:
        """The stored counters that are not the sums of the live entries."""
        live = self._sums()
        for key in sorted(stored.keys() | live.keys()):
            used, found = stored.get(key, Used(0, 0)), live.get(key, Used(0, 0))
            if used != found:
                yield Finding(
                    Fault.COUNTER,
                    None,
                    f"{encode('camp', key[0])} {key[1]}: counted {used.units} units and"
                    f" {used.amount}, live are {found.units} and {found.amount}",
                )

    def candidates(self) -> Iterator[Finding]:
        """Where the live entries and the candidates disagree."""
        yield from self._findings
        for lost in sorted(self._lost):
            detail = f"a candidate names {encode('use', UUID(lost))}, not live"
            yield Finding(Fault.CANDIDATE, None, detail)

    def _look_up(self, id_: str, entry: Mapping[str, Any]) -> None:
        wanted = (self._expected or {}).get(id_)
        self._lost.discard(id_)
        if wanted == entry["evidence_hash"]:
            return
        why = "is live and no candidate names it" if wanted is None else "is on another dossier"
        detail = f"{encode('use', UUID(id_))} {why}"
        self._findings.append(Finding(Fault.CANDIDATE, entry["sequence"], detail))

    def _sums(self) -> dict[tuple[UUID, str], Used]:
        sums: dict[tuple[UUID, str], Used] = {}
        for (text, month), (units, reserved) in self._used.items():
            campaign = UUID(text)
            amount = reserved + self._billed_less.get((campaign, month), 0)
            sums[campaign, month] = Used(units, amount)
            before = sums.get((campaign, TOTAL), Used(0, 0))
            sums[campaign, TOTAL] = Used(before.units + units, before.amount + amount)
        return sums
