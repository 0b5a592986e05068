"""SQL that writes many rows with one statement.

``INSERT … SELECT FROM unnest``: COPY is refused under row-level security, and this is the real
role, bound to its tenant like every other writer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Table, text, update
from sqlalchemy.dialects import postgresql

from flatbed.app.tables import campaigns
from flatbed.tenants.kit.database.session import AgencySession, TenantSession
from flatbed.tenants.kit.database.urls import connect

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own signature
CHUNK = 10_000
"""Rows of one statement at most, for the memory of both ends."""


@dataclass
class Rows:
    """Rows of one table: their columns, their values, and what is the same in all of them."""

    table: Table
    columns: tuple[str, ...]
    same: dict[str, Any] = field(default_factory=dict)
    values: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *values: Any) -> None:  # noqa: ANN401 - a column's own type
        """One more row, its values in the order of the columns."""
        self.values.append(values)

    @property
    def statement(self) -> str:
        """The insert; every array and every common value is a parameter."""
        fresh = ", ".join(self._taken(name) for name in self.columns)
        same = "".join(f", CAST(:{name} AS {self._type(name)})" for name in self.same)
        arrays = ", ".join(
            f"CAST(CAST(:{name} AS TEXT) AS {self._sent(name)}[])" for name in self.columns
        )
        names = ", ".join(f'"{name}"' for name in (*self.columns, *self.same))
        aliases = ", ".join(f'"{name}"' for name in self.columns)
        return (
            f'INSERT INTO "{self.table.name}" ({names}) SELECT {fresh}{same}'  # noqa: S608 - names of our models
            f" FROM unnest({arrays}) AS sent ({aliases})"
        )

    def _type(self, name: str) -> str:
        return self.table.c[name].type.compile(dialect=DIALECT)

    def _sent(self, name: str) -> str:
        found = self._type(name)
        return "TEXT" if found == "JSONB" else found

    def _taken(self, name: str) -> str:
        return f'CAST(sent."{name}" AS {self._type(name)})'


async def write(session: TenantSession | AgencySession, rows: Rows) -> int:
    """Insert the rows. Returns how many."""
    if not rows.values:
        return 0
    statement = text(rows.statement)
    for start in range(0, len(rows.values), CHUNK):
        columns: Sequence[Sequence[Any]] = list(
            zip(*rows.values[start : start + CHUNK], strict=True)
        )
        sent = dict(zip(rows.columns, map(_literal, columns), strict=True))
        await session.execute(statement, {**sent, **rows.same})
    return len(rows.values)


def _literal(values: Sequence[Any]) -> str:
    """An array as PostgreSQL writes it: several times cheaper than sent element by element."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {UUID}:
        parts = ["NULL" if one is None else f"{one.int:032x}" for one in values]
    elif kinds == {str}:
        parts = ["NULL" if one is None else _quoted(one) for one in values]
    else:
        parts = ["NULL" if one is None else f'"{one}"' for one in values]
    return f"{{{','.join(parts)}}}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


async def count_accepted(session: TenantSession, campaign_id: UUID, units: int) -> None:
    """Let the campaign know of so many acceptances more."""
    campaign = campaigns.Campaign
    await session.execute(
        update(campaign)
        .where(campaign.tenant_id == session.tenant_id, campaign.id == campaign_id)
        .values(accepted_count=campaign.accepted_count + units)
        .execution_options(synchronize_session=False)
    )


async def analyze(owner_url: str) -> None:
    """Have the planner learn what is there now, as the tables' owner.

    The program's role may not; a server's autovacuum does it within minutes.
    """
    connection = await connect(owner_url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
