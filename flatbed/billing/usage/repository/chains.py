"""SQL that reads a whole ledger, link by link."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
)

from flatbed.billing.usage.chain import COMMITTED, DIGEST, FIRST, LATER
from flatbed.billing.usage.models import UsageEntry
from flatbed.billing.usage.repository.ledger import CONTENT
from flatbed.tenants.kit.database.session import TenantReadSession

TOLD: Final = (
    *("sequence", "previous_hash", "hash"),
    *("id", "kind", "campaign_ref", "month", "amount", "replaces_id", "evidence_hash"),
)
"""The columns that a link tells beside its text."""
PART: Final = 250
"""Entries that are in memory at once while a whole ledger is read."""
_INSTANT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
_YEAR_ONE: Final[ColumnElement[Any]] = literal_column("timestamptz '0001-01-01 00:00:00+00'")
_own: Final = func.pg_catalog
"""The server's own functions: one of the same name elsewhere would be taken for a closer match."""
_ENTRY: Final = UsageEntry.__table__.columns
_JSON: Final = "tiers"


async def chain_parts(session: TenantReadSession) -> AsyncGenerator[Sequence[Sequence[Any]]]:
    """Every entry of the tenant in the order of the chain, a part at a time.

    Of each the three :func:`pieces` of the text that its hash covers, then ``TOLD``, ids as texts.
    The text is written by the database, by the rule of ``chain.covered``: made here out of its
    columns it would take most of the time of a verification. The next part is read while the
    caller works on one; close the iterator (``aclosing``) before anything else is asked of the
    session.
    """
    statement = (
        select(*pieces(), *(_as_text(_ENTRY[name]) for name in TOLD))
        .where(UsageEntry.tenant_id == session.tenant_id)
        .order_by(UsageEntry.sequence)
        .execution_options(yield_per=PART)
    )
    result = await (await session.connection()).stream(statement)
    parts = result.partitions()
    coming = asyncio.ensure_future(anext(parts, None))
    try:
        while (rows := await coming) is not None:
            coming = asyncio.ensure_future(anext(parts, None))
            await asyncio.sleep(0)  # it is asked for before the caller computes
            yield rows
    finally:
        # Nobody may use the transaction while a part is under way.
        await asyncio.wait([coming])


def pieces() -> tuple[ColumnElement[Any], ...]:
    """An entry's canonical text: up to the member that is JSON, its value, and the rest.

    The first is None for an entry that holds what its format does not know; the value is in the
    database's spelling, None where the format has no such member.
    """
    names = sorted(CONTENT)
    at = names.index(_JSON)
    of_first = [name for name in names if name not in LATER]
    is_first = _ENTRY.format == FIRST
    filled = _own.num_nonnulls(*(_ENTRY[name] for name in sorted(LATER) if name != "format"))
    members = {name: _as_json(_ENTRY[name]) for name in names}
    today = members | {name: _commitment(name) for name in COMMITTED}
    return (
        case(
            (is_first, case((filled == 0, _filled("{", of_first, "}", members)))),
            (_own.jsonb_typeof(_ENTRY[_JSON]) == "null", null()),  # never written; none is NULL
            else_=_filled("{", names[:at], f',"{_JSON}":', today),
        ),
        case((is_first, null()), else_=func.coalesce(cast(_ENTRY[_JSON], Text), _plain("null"))),
        case((is_first, _plain("")), else_=_filled(",", names[at + 1 :], "}", today)),
    )


async def all_voided(session: TenantReadSession) -> set[UUID]:
    """The entries of the tenant that a reversal points at."""
    statement = select(UsageEntry.reverses_id).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.reverses_id.is_not(None)
    )
    return {one for one in await session.scalars(statement) if one is not None}


def _filled(
    head: str, names: Sequence[str], tail: str, members: dict[str, ColumnElement[Any]]
) -> ColumnElement[Any]:
    template = ",".join(f'"{name}":%s' for name in names)
    return _own.format(_plain(f"{head}{template}{tail}"), *(members[name] for name in names))


def _as_json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, Integer):
        return column
    text = _as_text(column)
    if isinstance(column.type, Uuid | DateTime):  # whose text has nothing to escape
        json = _plain('"') + text + _plain('"')
    else:
        json = cast(_own.to_json(text), Text)
    return func.coalesce(json, _plain("null")) if column.nullable else json


def _commitment(name: str) -> ColumnElement[Any]:
    column = cast(_ENTRY[name], Text)
    text = _own.format(
        _plain(f'[%s,"{name}",%s]'), _as_json(_ENTRY.id), cast(_own.to_json(column), Text)
    )
    digest = _own.encode(_own.sha256(_own.convert_to(text, _plain("UTF8"))), _plain("hex"))
    # Of a digest another one is made: whoever put it into the place of what it is over, edited.
    return case(
        (column.is_(None), _plain("null")), else_=_own.format(_plain(f'"{DIGEST}%s"'), digest)
    )


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    match column.type:
        case Uuid():
            return cast(column, Text)
        case DateTime():
            # Before year 1 it would be written as the year after: no text makes another hash.
            text = _own.to_char(_own.timezone("UTC", column), _INSTANT)
            return case((column >= _YEAR_ONE, text))
        case _:
            return column


def _plain(text: str) -> ColumnElement[str]:
    return literal(text, Text, literal_execute=True)
