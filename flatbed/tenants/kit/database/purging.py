"""Deleting what has had its time, a bounded part at a time."""

from typing import Any, Final, cast

from sqlalchemy import ColumnElement, CursorResult, delete, inspect, select, tuple_

from flatbed.tenants.kit.database.session import PlaneSession
from flatbed.tenants.kit.database.tables import Base

AT_ONCE: Final = 5000
"""Rows that one statement deletes at most: it must not hold others up for long."""


async def delete_some(session: PlaneSession, model: type[Base], old: ColumnElement[bool]) -> bool:
    """Delete rows that are old, as many as fit a statement. Returns whether some may be left.

    The condition is said twice: a row that was found old may be in use again when it is deleted.
    """
    key = inspect(model).primary_key
    some = select(*key).where(old).limit(AT_ONCE)
    statement = delete(model).where(tuple_(*key).in_(some), old)
    done = await session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount == AT_ONCE
