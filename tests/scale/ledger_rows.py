"""Ledgers at scale: a realm whose ISVs have metered, decided and billed units for a year.

Written as the superuser with triggers off, so that a million entries take minutes and not hours;
chains, heads and counters are what the program would have written, which a test holds against it.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from flatbed.billing.usage.chain import EMPTY, FORMAT, Head, seal
from flatbed.billing.usage.periods import first_period, month_of, periods_until
from flatbed.billing.usage.repository.ledger import CONTENT
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.ids import uuid7
from tests.support.postgres import TestDatabase

ZONE = ZoneInfo("Europe/Berlin")
YEAR = timedelta(days=365)
UNBILLED = timedelta(days=20)
"""What was accepted longer ago stands on a statement."""
PRICE = 450_000
TIERS = [
    {"from_unit": 1, "unit_price": PRICE},
    {"from_unit": 51, "unit_price": 400_000},
    {"from_unit": 501, "unit_price": 350_000},
]
BATCH = 20_000
ENTRY = (*CONTENT, "previous_hash", "hash")
DECISION = ("tenant_id", "id", "entry_id", "decision", "basis", "actor", "at")
LINE = (
    *("tenant_id", "id", "entry_id", "statement_id", "position", "kind", "campaign_ref"),
    *("amount", "currency", "rank", "price_text", "dossier_hash", "occurred_at"),
    *("accepted_at", "late", "carried_over"),
)


@dataclass
class _Rows:
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    decisions: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[Any, ...]] = field(default_factory=list)


async def fill(
    database: TestDatabase, sizes: Sequence[int], *, realm_id: UUID, now: datetime
) -> list[UUID]:
    """Ledgers of so many units each, with some reversals beside them, of the year before ``now``.

    In a realm that exists. Returns the ISVs in the order of the sizes.
    """
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.set_type_codec(
            "jsonb",
            # COPY is binary; one byte before the text names the version of the format.
            encoder=lambda value: b"\x01" + json.dumps(value).encode(),
            decoder=lambda value: json.loads(value[1:]),
            schema="pg_catalog",
            format="binary",
        )
        await connection.execute("SET session_replication_role = replica")
        return [await _Tenant(connection, realm_id, size, now).fill() for size in sizes]
    finally:
        await connection.close()


async def analyze(database: TestDatabase) -> None:
    """As autovacuum would have done long ago."""
    connection = await connect(database.admin_url)
    try:
        for table in ("usage_entry", "usage_decision", "statement_line", "period", "cap_counter"):
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()


class _Tenant:
    """One ISV: a campaign for every 500 units, two currencies, four hunters."""

    def __init__(self, connection: Any, realm_id: UUID, size: int, now: datetime) -> None:
        self.connection, self.realm_id, self.size, self.now = connection, realm_id, size, now
        self.id = uuid7()
        self.dice = random.Random(size)
        self.campaigns = [uuid7() for _ in range(1 + size // 500)]
        self.programmes = [uuid7() for _ in range(3)]
        self.agents = [None, *(uuid7() for _ in range(4))]
        self.price_ref = uuid7()
        self.statement = uuid7()
        self.head = EMPTY
        self.periods: list[tuple[datetime, UUID]] = []
        self.ranks: Counter[UUID] = Counter()
        self.units: Counter[tuple[UUID, str]] = Counter()
        self.money: Counter[tuple[UUID, str]] = Counter()
        self.position = 0

    async def fill(self) -> UUID:
        await self._organization()
        await self._periods()
        for start in range(0, self.size, BATCH):
            rows = _Rows()
            for number in range(start, min(start + BATCH, self.size)):
                self._unit(number, rows)
            await self._copy("usage_entry", ENTRY, rows.entries)
            await self._copy("usage_decision", DECISION, rows.decisions)
            await self._copy("statement_line", LINE, rows.lines)
        await self._copy(
            "ledger_head",
            ("tenant_id", "sequence", "hash", "open_period_id"),
            [(self.id, self.head.sequence, self.head.hash, self.periods[-1][1])],
        )
        await self._copy(
            "cap_counter",
            ("tenant_id", "campaign_ref", "bucket", "units", "amount"),
            [(self.id, *key, units, self.money[key]) for key, units in self.units.items()],
        )
        return self.id

    async def _copy(
        self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        await self.connection.copy_records_to_table(table, records=rows, columns=list(columns))

    async def _organization(self) -> None:
        await self.connection.execute(
            "INSERT INTO organization (realm_id, id, slug, name, country, time_zone, currency,"
            " status, created_at, updated_at)"
            " VALUES ($1, $2, $3, 'ISV', 'DE', $4, 'EUR', 'active', now(), now())",
            self.realm_id,
            self.id,
            str(self.id),
            ZONE.key,
        )

    async def _periods(self) -> None:
        first = first_period(self.now - YEAR, ZONE)
        spans = [first, *periods_until(first.ends_at, self.now, ZONE)]
        self.periods = [(span.ends_at, uuid7()) for span in spans]
        await self._copy(
            "period",
            ("tenant_id", "id", "starts_at", "ends_at", "previous_ends_at", "status"),
            [
                (
                    self.id,
                    id_,
                    span.starts_at,
                    span.ends_at,
                    None if span is first else span.starts_at,
                    "open" if span.ends_at > self.now - UNBILLED else "closed",
                )
                for span, (_, id_) in zip(spans, self.periods, strict=True)
            ],
        )

    def _period(self, instant: datetime) -> UUID:
        return next(id_ for ends_at, id_ in self.periods if instant < ends_at)

    def _unit(self, number: int, rows: _Rows) -> None:
        dice = self.dice
        at = self.now - YEAR + YEAR * number / self.size + timedelta(microseconds=number)
        # Skewed: the first campaigns hold most.
        drawn = int(dice.expovariate(3) * len(self.campaigns))
        campaign = self.campaigns[min(drawn, len(self.campaigns) - 1)]
        tiered = campaign.int % 2 == 0
        entry = {
            "tenant_id": self.id,
            "id": uuid7(),
            "kind": "qualified",
            "units": 1,
            "amount": PRICE,
            "currency": "CHF" if campaign.int % 16 == 1 else "EUR",
            "unit_key": f"{uuid7()}:{uuid7()}",
            "generation": 1,
            "source": "qual",
            "source_id": uuid7(),
            "reverses_id": None,
            "credits_id": None,
            "replaces_id": None,
            "campaign_ref": campaign,
            "programme_ref": dice.choice(self.programmes),
            "price_ref": self.price_ref,
            "tiers": TIERS if tiered else None,
            "evidence_hash": f"{number:064x}",
            "country": dice.choice(["DE", "DE", "AT", "CH", None]),
            "agent_ref": dice.choice(self.agents),
            "occurred_at": at,
            "month": month_of(at, ZONE),
            "format": FORMAT,
        }
        self._append(entry, at, rows)
        self._decide(entry, at, rows)

    def _decide(self, entry: dict[str, Any], at: datetime, rows: _Rows) -> None:
        fate, decided = self.dice.random(), at + timedelta(days=5)
        if fate < 0.02:
            self._append(
                {
                    **entry,
                    "id": uuid7(),
                    "kind": "reversal",
                    "units": -1,
                    "amount": 0,
                    "reverses_id": entry["id"],
                    "occurred_at": at,
                },
                at,
                rows,
            )
            return
        amount = entry["amount"]
        if decided < self.now and fate < 0.97:
            disputed = fate < 0.04
            if disputed:
                rows.decisions.append(self._decision(entry, "disputed", at))
            rows.decisions.append(
                self._decision(entry, "confirmed" if disputed else "accepted", decided)
            )
            if decided < self.now - UNBILLED:
                amount = self._bill(entry, decided, rows)
        for bucket in ("total", entry["month"]):
            self.units[entry["campaign_ref"], bucket] += 1
            self.money[entry["campaign_ref"], bucket] += amount

    def _decision(self, entry: dict[str, Any], word: str, at: datetime) -> tuple[Any, ...]:
        return (self.id, uuid7(), entry["id"], word, "person", "x", at)

    def _bill(self, entry: dict[str, Any], at: datetime, rows: _Rows) -> int:
        campaign = entry["campaign_ref"]
        self.ranks[campaign] += 1
        self.position += 1
        rank = self.ranks[campaign]
        tiers = entry["tiers"] or TIERS[:1]
        amount = next(one["unit_price"] for one in reversed(tiers) if one["from_unit"] <= rank)
        rows.lines.append(
            (
                *(self.id, uuid7(), entry["id"], self.statement, self.position, "charge"),
                *(campaign, amount, entry["currency"], rank, "x", entry["evidence_hash"]),
                *(entry["occurred_at"], at, False, False),
            )
        )
        return int(amount)

    def _append(self, entry: dict[str, Any], at: datetime, rows: _Rows) -> None:
        content = {
            **entry,
            "sequence": self.head.sequence + 1,
            "recorded_at": at,
            "period_id": self._period(at),
        }
        hash_ = seal(self.head, content)
        rows.entries.append((*(content[name] for name in CONTENT), self.head.hash, hash_))
        self.head = Head(content["sequence"], hash_)


def sizes(total: int, *first: int) -> Iterator[int]:
    """The sizes given, then ISVs of 5,000 each until there are so many in all."""
    yield from first
    rest = total - sum(first)
    while rest > 0:
        yield min(rest, 5_000)
        rest -= 5_000
