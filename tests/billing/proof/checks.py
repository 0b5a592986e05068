"""The invariants of billing, each by the function that looks for a breach in the rows themselves.

| no. | what must hold | by |
| 1 | qualified candidate ⇔ exactly one live entry | ``one_entry_each`` |
| 2 | one entry per key and generation, one reversal per entry, net 0 or 1 | ``net_0_or_1`` |
| 3 | closed: each entry is on one of line, held, cancelled, written off by name | ``one_fate`` |
| 4 | statement = Σ lines; Σ statements = Σ ledger | ``sums_agree`` |
| 6 | reversal = −what was billed; credit notes ≤ invoice | ``corrections_fit`` |
| 7 | periods partition time between local midnights | ``periods_partition`` |
| 8 | totals do not depend on order, duplicates, crashes | ``totals_by_count`` |
| 9 | closed rows are byte-identical later | ``fingerprint``, compared by whoever closes |
| 10 | no arithmetic across currencies | ``one_currency`` |
| 12 | preview = statement | ``preview_is_statement`` (``machine.py``) |
| 13 | no line names another tenant's entry | ``own_entries`` |
| 14 | caps hold | ``caps_hold`` |
| 15 | chain, head, candidates and anchor detect a change | ``chain_detects`` |

5 and 11 are Stripe's. Whatever the rows say is compared with the model beside (``picture.py``).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.usage.chain import OUTSIDE, Head, Link, verify
from flatbed.tenants.kit.database.urls import Plain
from tests.billing.proof.facts import Campaign
from tests.billing.proof.model import Model, price_at

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """All rows of one tenant, and what it was told."""

    tenant_id: UUID
    entries: Sequence[Row]
    decisions: Sequence[Row]
    periods: Sequence[Row]
    statements: Sequence[Row]
    lines: Sequence[Row]
    rest: Sequence[Row]
    invoices: Sequence[Row]
    head: Head | None
    model: Model

    @property
    def by_id(self) -> dict[UUID, Row]:
        """The entries by id."""
        return {one["id"]: one for one in self.entries}

    @property
    def reversals(self) -> dict[UUID, Row]:
        """The reversal of each voided entry."""
        return {one["reverses_id"]: one for one in self.entries if one["kind"] == "reversal"}

    @property
    def charged(self) -> dict[UUID, int]:
        """What each unit was billed."""
        return {one["entry_id"]: one["amount"] for one in self.lines if one["kind"] == "charge"}


async def gather(plain: Plain, tenant_id: UUID, model: Model) -> Evidence:
    """Read everything."""
    tables = {
        "entries": "usage_entry",
        "decisions": "usage_decision",
        "periods": "period",
        "statements": "statement",
        "lines": "statement_line",
        "rest": "statement_rest",
        "invoices": "invoice",
    }
    order = {"entries": " ORDER BY sequence", "periods": " ORDER BY starts_at"}
    found: dict[str, Any] = {
        name: await plain.fetch(
            f"SELECT * FROM {table} WHERE tenant_id = $1{order.get(name, '')}", tenant_id
        )
        for name, table in tables.items()
    }
    row = await plain.fetchrow(
        "SELECT sequence, hash FROM ledger_head WHERE tenant_id = $1", tenant_id
    )
    head = None if row is None else Head(row["sequence"], row["hash"])
    return Evidence(tenant_id=tenant_id, head=head, model=model, **found)


async def fingerprint(plain: Plain, tenant_id: UUID, upto: int) -> dict[str, str]:
    """A digest of each closed statement's rows, and of the entries up to a sequence number."""
    found = dict[str, str]()
    for table, column in (
        ("statement", "id"),
        ("statement_line", "statement_id"),
        ("statement_rest", "statement_id"),
        ("invoice", "statement_id"),
    ):
        rows = await plain.fetch(
            f"SELECT {column} AS of, md5(string_agg(t::text, '|' ORDER BY t.id)) AS digest"
            f" FROM {table} t WHERE tenant_id = $1 GROUP BY {column}",
            tenant_id,
        )
        found |= {f"{table} {row['of']}": row["digest"] for row in rows}
    rows = await plain.fetch(
        "SELECT sequence, md5(t::text) AS digest FROM usage_entry t"
        " WHERE tenant_id = $1 AND sequence <= $2",
        tenant_id,
        upto,
    )
    return found | {f"entry {row['sequence']}": row["digest"] for row in rows}


def one_entry_each(found: Evidence) -> None:
    """Invariant 1: what the model knows as qualified is in the ledger, once, and nothing else."""
    live = Counter(
        one["source_id"]
        for one in found.entries
        if one["kind"] == "qualified" and one["id"] not in found.reversals
    )
    assert live == Counter(
        source for source, unit in found.model.units.items() if not unit.voided
    ), "1"


def net_0_or_1(found: Evidence) -> None:
    """Invariant 2."""
    net: Counter[str] = Counter()
    for one in found.entries:
        net[one["unit_key"]] += one["units"]
    assert set(net.values()) <= {0, 1}, "2: net"
    keys = Counter(
        (one["unit_key"], one["generation"]) for one in found.entries if one["kind"] == "qualified"
    )
    assert not keys or max(keys.values()) == 1, "2: generation"
    backs = Counter(one["reverses_id"] for one in found.entries if one["reverses_id"])
    assert not backs or max(backs.values()) == 1, "2: reversal"


def one_fate(found: Evidence) -> None:
    """Invariant 3, for every closing in its turn."""
    starts = {one["id"]: one["starts_at"] for one in found.periods}
    by_closing: dict[datetime, list[Row]] = defaultdict(list)
    for statement in found.statements:
        by_closing[statement["starts_at"]].append(statement)
    ended: set[UUID] = set()
    lines, rest = _by_statement(found.lines), _by_statement(found.rest)
    billed: set[UUID] = set()
    for period, statements in sorted(by_closing.items()):
        ids = [one["id"] for one in statements]
        billed_now = [one["entry_id"] for each in ids for one in lines[each]]
        told = [(one["entry_id"], one["fate"]) for each in ids for one in rest[each]]
        fates = Counter([*billed, *ended, *billed_now, *(entry for entry, _ in told)])
        assert not fates or max(fates.values()) == 1, "3: more than one fate"
        billed |= set(billed_now)
        ended |= {entry for entry, fate in told if fate in {"cancelled", "written_off"}}
        due = {
            one["id"]
            for one in found.entries
            if starts[one["period_id"]] <= period and one["sequence"] <= statements[0]["ledger_to"]
            if one["kind"] == "qualified" or one["amount"]
        }
        assert due == set(fates) & set(found.by_id), "3: an entry without a fate, or too early"
        for one in found.entries:
            is_after = one["sequence"] > statements[0]["ledger_to"]
            assert not (is_after and starts[one["period_id"]] <= period), "3: closed period"
    approvals = {one["entry_id"] for one in found.decisions if one["decision"] == "written_off"}
    for one in found.decisions:
        assert one["decision"] != "written_off" or (one["actor"] and one["reason"]), "3: by name"
    written = {one["entry_id"] for one in found.rest if one["fate"] == "written_off"}
    assert written <= approvals, "3: written off by nobody"


def sums_agree(found: Evidence) -> None:
    """Invariant 4."""
    lines = _by_statement(found.lines)
    invoices = _by_statement(found.invoices)
    totals: Counter[str] = Counter()
    for one in found.statements:
        assert one["total"] == sum(line["amount"] for line in lines[one["id"]]), "4: lines"
        net = sum(
            each["net"] if each["kind"] == "invoice" else -each["net"]
            for each in invoices[one["id"]]
        )
        assert one["total"] == net, "4: invoices"
        totals[one["currency"]] += one["total"]
    ledger: Counter[str] = Counter()
    told = {line["entry_id"] for line in found.lines}
    for entry in found.entries:
        if entry["id"] in told:
            is_unit = entry["kind"] == "qualified"
            amount = found.charged[entry["id"]] if is_unit else entry["amount"]
            ledger[entry["currency"]] += amount
    assert totals == ledger, "4: ledger"


def corrections_fit(found: Evidence) -> None:
    """Invariant 6."""
    credited: Counter[UUID] = Counter()
    for one in found.entries:
        if one["kind"] == "credit":
            credited[one["credits_id"]] -= one["amount"]
    for entry_id, reversal in found.reversals.items():
        open_ = found.charged.get(entry_id, 0) - credited[entry_id]
        # Billed after it was voided it would not be: the amount is that of the instant.
        assert -reversal["amount"] == open_, "6: reversal"
        assert reversal["units"] == -1, "6: unit"
    for entry_id, back in credited.items():
        assert back <= found.charged[entry_id], "6: credits exceed what was billed"
    invoices = {one["id"]: one for one in found.invoices}
    given: dict[UUID, Counter[str]] = defaultdict(Counter)
    for one in found.invoices:
        if one["corrects_id"] is not None:
            given[one["corrects_id"]].update(net=one["net"], tax=one["tax"])
    for invoice_id, back_of in given.items():
        assert back_of["net"] <= invoices[invoice_id]["net"], "6: net"
        assert back_of["tax"] <= invoices[invoice_id]["tax"], "6: tax"
        if back_of["net"] == invoices[invoice_id]["net"]:
            assert back_of["tax"] == invoices[invoice_id]["tax"], "6: last cent"


def periods_partition(found: Evidence) -> None:
    """Invariant 7: no gap, no overlap, every bound a local midnight of a zone in force."""
    zones = {zone for _, zone in found.model.zones}
    for one, after in pairwise(found.periods):
        assert one["ends_at"] == after["starts_at"] == after["previous_ends_at"], "7: gap"
    for one in found.periods:
        assert one["starts_at"] < one["ends_at"], "7: empty"
        locals_ = [one["ends_at"].astimezone(ZoneInfo(zone)) for zone in zones]
        before = [(one["ends_at"] - _MOMENT).astimezone(ZoneInfo(zone)) for zone in zones]
        pairs = zip(locals_, before, strict=True)
        assert any(at.day == 1 and was.date() < at.date() for at, was in pairs), "7: midnight"


def totals_by_count(found: Evidence) -> None:
    """Invariant 8: what a campaign was charged depends on how many units were billed alone."""
    campaigns = {one.fact.campaign.ref: one.fact.campaign for one in found.model.units.values()}
    charged: Counter[UUID] = Counter()
    ranks: dict[UUID, list[int]] = defaultdict(list)
    for line in found.lines:
        if line["kind"] == "charge":
            charged[line["campaign_ref"]] += line["amount"]
            if line["rank"] is not None:
                ranks[line["campaign_ref"]].append(line["rank"])
    for ref, amount in charged.items():
        units = len(ranks[ref])
        assert sorted(ranks[ref]) == list(range(1, units + 1)), "8: ranks"
        wanted = sum(price_at(campaigns[ref], rank) for rank in range(1, units + 1))
        assert amount == wanted, "8: total"


def one_currency(found: Evidence) -> None:
    """Invariant 10."""
    statements = {one["id"]: one["currency"] for one in found.statements}
    invoices = {one["id"]: one["currency"] for one in found.invoices}
    for line in found.lines:
        currency = statements[line["statement_id"]]
        assert line["currency"] == currency, "10: line"
        assert found.by_id[line["entry_id"]]["currency"] == currency, "10: entry"
        if line["invoice_id"] is not None:
            assert invoices[line["invoice_id"]] == currency, "10: invoice"
    for one in found.rest:
        currency = statements[one["statement_id"]]
        assert found.by_id[one["entry_id"]]["currency"] == currency, "10: rest"
    for one in found.invoices:
        assert one["currency"] == statements[one["statement_id"]], "10: statement"
        if one["corrects_id"] is not None:
            assert one["currency"] == invoices[one["corrects_id"]], "10: correction"


def own_entries(found: Evidence) -> None:
    """Invariant 13."""
    mine, statements = set(found.by_id), {one["id"] for one in found.statements}
    for one in (*found.lines, *found.rest):
        assert one["entry_id"] in mine, "13: another tenant's entry"
        assert one["statement_id"] in statements, "13: another tenant's statement"


def caps_hold(found: Evidence) -> None:
    """Invariant 14: what is live fits the caps, counted from the rows."""
    campaigns = {one.fact.campaign.ref: one.fact.campaign for one in found.model.units.values()}
    charged = found.charged
    units: Counter[tuple[UUID, str]] = Counter()
    money: Counter[tuple[UUID, str]] = Counter()
    for one in found.entries:
        is_live = one["kind"] == "qualified" and one["id"] not in found.reversals
        if is_live and one["replaces_id"] is None:
            for bucket in ("", one["month"]):
                units[one["campaign_ref"], bucket] += 1
                money[one["campaign_ref"], bucket] += charged.get(one["id"], int(one["amount"]))
    for (ref, bucket), count in units.items():
        for limit, value in _limits(campaigns[ref], bucket, count, money[ref, bucket]):
            assert limit is None or value <= limit, f"14: {value} over {limit}"


def chain_detects(found: Evidence) -> None:
    """Invariant 15: the chain as it is is whole; edited, cut, doubled or shuffled it is not."""
    links = [
        Link(
            one["sequence"],
            one["previous_hash"],
            one["hash"],
            {
                # The plain connection gives JSON as text.
                name: json.loads(value) if name == "tiers" and value else value
                for name, value in dict(one).items()
                if name not in OUTSIDE
            },
        )
        for one in found.entries
    ]
    assert not verify(links, found.head), "15: the chain"
    if not links:
        return
    chance = Random(links[-1].hash)
    at = chance.randrange(len(links))
    edited = {**links[at].content, "amount": links[at].content["amount"] + 1}
    wrong: dict[str, list[Link]] = {
        "edited": [*links[:at], replace(links[at], content=edited), *links[at + 1 :]],
        "removed": [*links[:at], *links[at + 1 :]],
        "inserted": [*links[: at + 1], *links[at:]],
        "cut": links[:-1],
    }
    if len(links) > 1:
        wrong["reordered"] = [links[-1], *links[:-1]]
    for what, changed in wrong.items():
        assert verify(changed, found.head), f"15: {what} is not seen"
    # Whoever moves the head too is told by the anchor.
    anchor = Head(links[-1].sequence, links[-1].hash)
    before = links[-2] if len(links) > 1 else None
    head = None if before is None else Head(before.sequence, before.hash)
    assert verify(links[:-1], head, [anchor]), "15: the tail is not missed"


def _limits(
    campaign: Campaign, bucket: str, units: int, money: int
) -> Iterable[tuple[int | None, int]]:
    if bucket:
        return ((campaign.units_month, units), (campaign.money_month, money))
    return ((campaign.units_total, units), (campaign.money_total, money))


def _by_statement(rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = defaultdict(list)
    for one in rows:
        found[one["statement_id"]].append(one)
    return found


_MOMENT = datetime.resolution
CHECKS: dict[int, Callable[[Evidence], None]] = {
    1: one_entry_each,
    2: net_0_or_1,
    3: one_fate,
    4: sums_agree,
    6: corrections_fit,
    7: periods_partition,
    8: totals_by_count,
    10: one_currency,
    13: own_entries,
    14: caps_hold,
    15: chain_detects,
}


def broken(found: Evidence) -> set[int]:
    """The numbers of the invariants that do not hold."""
    wrong = set()
    for number, check in CHECKS.items():
        try:
            check(found)
        except AssertionError:
            wrong.add(number)
    return wrong
