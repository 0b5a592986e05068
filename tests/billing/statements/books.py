"""One ISV's books: what the tests meter, decide, close and read back."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flatbed.billing.facade import (
    Basis,
    RecordedUsage,
    Tier,
    accept_usage,
    credit_usage,
    dispute_usage,
    reverse_usage,
)
from flatbed.billing.statements import closing, explaining, reading
from flatbed.billing.statements.schemas import (
    LineRead,
    StatementExplanation,
    StatementPreview,
    StatementRead,
)
from flatbed.billing.usage.decisions import write_off
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors
from tests.billing.world import BERLIN, NOON, World

KEYRING = Keyring(b"k" * 32)
APRIL = datetime(2026, 4, 10, 12, tzinfo=UTC)
MARCH_CLOSES = datetime(2026, 4, 5, 22, tzinfo=UTC)
APRIL_CLOSES = datetime(2026, 5, 5, 22, tzinfo=UTC)
MAY_CLOSES = datetime(2026, 6, 5, 22, tzinfo=UTC)
TIERED = (Tier(3, 80), Tier(5, 60))
ADDRESS = {
    "line1": "Werkstraße 1",
    "line2": None,
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
}


async def fill_in_seller(world: World, country: str = "DE") -> None:
    """The agency's billing profile."""
    await world.admin.execute(
        "INSERT INTO billing_profile (realm_id, legal_name, address, email, vat_id,"
        " invoice_prefix, created_at, updated_at)"
        " VALUES ($1, 'Agentur GmbH', $2, 'billing@agency.example', 'DE999999999', 'R-',"
        " now(), now())",
        world.realm_id,
        json.dumps({**ADDRESS, "country": country}),
    )


@dataclass
class Books:
    """Works in transactions of its own, each at the instant it is told."""

    world: World
    isv: UUID
    seen: list[UUID] = field(default_factory=list)

    async def unit(
        self, *, at: datetime = NOON, accepted: datetime | None = None, **changes: Any
    ) -> RecordedUsage:
        """Meter a unit; accept it at an instant if one is given."""
        entry = await self.world.meter(self.isv, occurred_at=at, **changes)
        if accepted is not None:
            await self.accept(entry.entry_id, at=accepted)
        return entry

    async def accept(self, entry_id: UUID, *, at: datetime) -> None:
        async with self.world.at(self.isv, at) as session:
            await accept_usage(session, entry_id, basis=Basis.PERSON, actor="x")

    async def dispute(self, entry_id: UUID, *, at: datetime = NOON) -> None:
        async with self.world.at(self.isv, at) as session:
            await dispute_usage(session, entry_id, actor="x")

    async def void(self, entry_id: UUID, *, at: datetime = NOON) -> RecordedUsage:
        async with self.world.at(self.isv, at) as session:
            return await reverse_usage(session, entry_id, reason="x", zone=BERLIN)

    async def credit(self, entry_id: UUID, percent: int, *, at: datetime) -> RecordedUsage | None:
        async with self.world.at(self.isv, at) as session:
            return await credit_usage(
                session, entry_id, percent=percent, reason="guarantee", zone=BERLIN
            )

    async def write_off(self, entry_id: UUID, *, at: datetime = NOON) -> None:
        async with self.world.at(self.isv, at) as session:
            await write_off(session, entry_id, actor="staff:finance", reason="goodwill")

    async def close(self, at: datetime, period_id: UUID | None = None) -> list[StatementRead]:
        """Close the oldest open period, or the named one."""
        wanted = period_id or await self.oldest()
        async with self.world.at(self.isv, at) as session:
            await closing.close(session, wanted)
        async with self.world.reading(self.isv, at) as session:
            return (await reading.closed(session, wanted)).statements

    async def oldest(self) -> UUID:
        found: UUID = await self.world.admin.fetchval(
            "SELECT id FROM period WHERE tenant_id = $1 AND status = 'open'"
            " ORDER BY starts_at LIMIT 1",
            self.isv,
        )
        return found

    async def preview(
        self, at: datetime = MARCH_CLOSES, period_id: UUID | None = None
    ) -> StatementPreview:
        async with self.world.reading(self.isv, at) as session:
            return await reading.preview(session, period_id)

    async def lines(self, statement_id: UUID) -> list[LineRead]:
        found, cursor = list[LineRead](), None
        while True:
            async with self.world.reading(self.isv) as session:
                page = await reading.lines(
                    session,
                    Cursors(KEYRING, {"statement": statement_id}),
                    statement_id,
                    cursor=cursor,
                    limit=2,
                )
            found += page.data
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def explain(self, statement_id: UUID) -> StatementExplanation:
        async with self.world.reading(self.isv) as session:
            return await explaining.explain(session, statement_id)

    async def proof(self, statement_id: UUID) -> dict[str, Any]:
        async with self.world.reading(self.isv) as session:
            found: dict[str, Any] = json.loads(await explaining.prove(session, statement_id))
            return found


def later(days: int) -> datetime:
    """So many days after the noon of the tests."""
    return NOON + timedelta(days=days)
