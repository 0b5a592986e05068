"""SQL that reads a whole ledger, link by link."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Text, Uuid, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.billing.usage.models import UsageEntry
from flatbed.billing.usage.repository.ledger import CONTENT
from flatbed.tenants.kit.database.session import TenantReadSession

CHAIN: Final = ("sequence", "previous_hash", "hash", *CONTENT)
"""What a link of the chain is made of."""
_INSTANT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
PART: Final = 250
"""Entries that are in memory at once while a whole ledger is read."""


async def chain_parts(session: TenantReadSession) -> AsyncGenerator[Sequence[Sequence[Any]]]:
    """Every entry of the tenant in the order of the chain: ``CHAIN`` of each, a part at a time.

    Ids and instants come as the texts that hashes are made over, JSON as text: objects of theirs
    would take most of the time of reading. The next part is read while the caller works on one;
    close the iterator (``aclosing``) before anything else is asked of the session.
    """
    statement = (
        select(*(_as_hashed(UsageEntry.__table__.columns[name]) for name in CHAIN))
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


async def all_voided(session: TenantReadSession) -> set[UUID]:
    """The entries of the tenant that a reversal points at."""
    statement = select(UsageEntry.reverses_id).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.reverses_id.is_not(None)
    )
    return {one for one in await session.scalars(statement) if one is not None}


def _as_hashed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    match column.type:
        case Uuid() | JSONB():
            return cast(column, Text)
        case DateTime():
            return func.to_char(func.timezone("UTC", column), _INSTANT)
        case _:
            return column
