"""What the product really asked the database, asked again where the planner has settled.

A prepared statement gets its last plan after five executions; what it was warmed with decides
whether that plan fits the largest tenant.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from flatbed.tenants.kit.database.context import Context, Plane
from flatbed.tenants.kit.database.urls import Plain, connect

WARMING = 10
PLANE = re.compile(r"SET LOCAL flatbed\.plane = '(\w*)'")


@dataclass(frozen=True)
class Asked:
    """One statement with its parameters, and what its transaction was bound to."""

    sql: str
    values: tuple[Any, ...]
    context: Context

    def call(self, name: str) -> str:
        """The execution of the statement, prepared under this name."""
        values = ", ".join(map(literal, self.values))
        return f"EXECUTE {name}({values})" if self.values else f"EXECUTE {name}"


@contextmanager
def recording(engine: AsyncEngine) -> Iterator[list[Asked]]:
    """Every read that goes through the engine meanwhile."""
    found: list[Asked] = []
    planes: dict[int, Plane] = {}

    def before(connection: Any, _: Any, sql: str, values: Any, *__: Any) -> None:
        driver = connection.connection.driver_connection
        context = driver._context
        switched = PLANE.search(sql)
        if switched:
            planes[id(driver)] = Plane(switched[1])
        elif sql.lstrip().startswith(("SELECT", "WITH", "(SELECT")):
            plane = planes.get(id(driver), context.plane)
            bound = replace(context, plane=plane or context.plane)
            found.append(Asked(sql, tuple(map(_fixed, values)), bound))

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", before)


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def literal(value: Any) -> str:
    """A parameter as SQL writes it; EXECUTE gives it the parameter's type."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int():
            return str(value)
        case [UUID(), *_]:
            return f"'{{{','.join(map(str, value))}}}'"
        case list() | tuple():
            # As one text, which takes the parameter's type: ARRAY would be one of text.
            return literal("{" + ",".join(map(_element, value)) + "}")
        case str() | UUID() | datetime() | timedelta():
            return "'" + str(value).replace("'", "''") + "'"
        case _:
            raise TypeError(type(value).__name__)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass
class Plan:
    """An executed plan."""

    root: dict[str, Any]
    milliseconds: float
    large: frozenset[str] = field(repr=False, default=frozenset())

    @property
    def buffers(self) -> int:
        return int(self.root["Shared Hit Blocks"]) + int(self.root["Shared Read Blocks"])

    @property
    def generic(self) -> bool:
        """Whether it was made for any parameters, not for these."""
        return "$1" in json.dumps(self.root)

    def nodes(self) -> Iterator[dict[str, Any]]:
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", [])

    def faults(self, most: int) -> Iterator[str]:
        """What reads more than ``most`` rows, or not by an index of the owner's."""
        for node in self.nodes():
            kind, table = node["Node Type"], node.get("Relation Name")
            loops = node["Actual Loops"]
            removed = sum(int(node.get(f"Rows Removed by {why}", 0)) for why in REMOVALS) * loops
            rows = node["Actual Rows"] * loops
            where = f"{kind} {node.get('Index Name') or table or ''}".strip()
            if kind == "Seq Scan":
                # A table of some pages is read as fast as its index.
                if table in self.large:
                    yield f"{where}: {rows + removed:.0f} rows one by one"
                continue
            condition = str(node.get("Index Cond", ""))
            if "Index" in kind and not OWNER.search(condition):
                yield f"{where}: not by its owner: {condition}"
            if removed > most:
                yield f"{where}: {removed:.0f} rows read and thrown away"
            if rows > most and kind.endswith(("Scan", "Sort")):
                yield f"{where}: {rows:.0f} rows"


REMOVALS = ("Filter", "Index Recheck")
NUMBERS = count(1)
OWNER = re.compile(r"\b(tenant_id|realm_id|id) = ")


class Asker:
    """One connection as ``flatbed_app``, with one prepared statement at a time."""

    def __init__(self, connection: Plain, large: frozenset[str]) -> None:
        self.connection = connection
        self.large = large

    async def for_everybody(self, asked: Asked) -> Plan:
        """The plan of the statement that is made for any parameters, whether it is preferred."""
        name = f"asked_{next(NUMBERS)}"
        await self.connection.execute(f"PREPARE {name} AS {asked.sql}")
        await self.connection.execute("SET plan_cache_mode = force_generic_plan")
        try:
            return await self._explained(asked, name)
        finally:
            await self.connection.execute("RESET plan_cache_mode")
            await self.connection.execute(f"DEALLOCATE {name}")

    async def settled(self, asked: Asked, warmed_by: Sequence[Asked] = ()) -> Plan:
        """The plan of the statement after ten executions, of its own or of others'."""
        name = f"asked_{next(NUMBERS)}"
        await self.connection.execute(f"PREPARE {name} AS {asked.sql}")
        try:
            warm = [one for one in warmed_by if one.sql == asked.sql] or [asked]
            for n in range(WARMING):
                one = warm[n % len(warm)]
                await self._bound(one, one.call(name))
            return await self._explained(asked, name)
        finally:
            await self.connection.execute(f"DEALLOCATE {name}")

    async def _explained(self, asked: Asked, name: str) -> Plan:
        rows = await self._bound(
            asked, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) {asked.call(name)}"
        )
        found = json.loads(rows[0][0])[0]
        return Plan(found["Plan"], found["Execution Time"], self.large)

    async def _bound(self, asked: Asked, sql: str) -> list[Any]:
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            await self.connection.execute(asked.context.statements())
            return list(await self.connection.fetch(sql))
        finally:
            await transaction.rollback()


GROWING = frozenset({"candidate", "candidate_card", "audit_entry"})


@asynccontextmanager
async def asking(url: str, growing: frozenset[str] = GROWING) -> AsyncIterator[Asker]:
    """A connection to ask on; tables of a thousand rows or more are large, these among them."""
    connection = await connect(url)
    try:
        rows = await connection.fetch("SELECT relname FROM pg_class WHERE reltuples >= 1000")
        large = frozenset(row[0] for row in rows)
        # Without statistics nothing would be large, and no scan of a table wrong.
        assert growing <= large, large
        yield Asker(connection, large)
    finally:
        await connection.close()
