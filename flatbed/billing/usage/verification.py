"""``flatbed verify ledger``: recompute a tenant's chain and hold everything against it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from flatbed.billing.usage.caps import TOTAL, Used
from flatbed.billing.usage.chain import OUTSIDE, Fault, Finding, Head, Link, verify
from flatbed.billing.usage.repository import ledger, lines
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode

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
    rows = await ledger.all_entries(session)
    findings = verify((_link(row) for row in rows), head, anchors)
    voided = {row["reverses_id"] for row in rows if row["kind"] == ledger.REVERSAL}
    live = [row for row in rows if row["kind"] == ledger.QUALIFIED and row["id"] not in voided]
    billed = await lines.all_billed(session)
    findings += _counters(live, billed, await ledger.all_counters(session))
    if expected is not None:
        findings += _candidates(live, await expected(session))
    return findings


def _link(row: Mapping[str, Any]) -> Link:
    content = {name: value for name, value in row.items() if name not in OUTSIDE}
    return Link(row["sequence"], row["previous_hash"], row["hash"], content)


def _counters(
    live: Iterable[Mapping[str, Any]],
    billed: Mapping[UUID, int],
    stored: Mapping[tuple[UUID, str], Used],
) -> list[Finding]:
    units: Counter[tuple[UUID, str]] = Counter()
    money: Counter[tuple[UUID, str]] = Counter()
    for row in live:
        if row["replaces_id"] is not None:
            continue  # it reserves nothing
        for bucket in (TOTAL, row["month"]):
            units[row["campaign_ref"], bucket] += 1
            money[row["campaign_ref"], bucket] += billed.get(row["id"], row["amount"])
    return [
        Finding(
            Fault.COUNTER,
            None,
            f"{encode('camp', key[0])} {key[1]}: counted {used.units} units and {used.amount},"
            f" live are {units[key]} and {money[key]}",
        )
        for key in sorted(stored.keys() | units.keys())
        if (used := stored.get(key, Used(0, 0))) != Used(units[key], money[key])
    ]


def _candidates(live: Iterable[Mapping[str, Any]], expected: Mapping[UUID, str]) -> list[Finding]:
    findings = []
    found = set()
    for row in live:
        found.add(row["id"])
        entry = encode("use", row["id"])
        if row["id"] not in expected:
            detail = f"{entry} is live and no candidate names it"
            findings.append(Finding(Fault.CANDIDATE, row["sequence"], detail))
        elif expected[row["id"]] != row["evidence_hash"]:
            detail = f"{entry} was recorded on another dossier"
            findings.append(Finding(Fault.CANDIDATE, row["sequence"], detail))
    findings += [
        Finding(Fault.CANDIDATE, None, f"a candidate names {encode('use', lost)}, not live")
        for lost in sorted(expected.keys() - found)
    ]
    return findings
