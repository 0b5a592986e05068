"""SQL of signing keys, which are of the whole deployment."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.oauth.models import SigningKey

KEYS_LOCK: Final = 0x6B657973
"""Advisory lock of a database: signing keys are turned by one at a time."""


async def all_keys(session: LoginSession) -> list[SigningKey]:
    """Every signing key as it is now, the active one first, then by age."""
    return list(
        await session.scalars(
            select(SigningKey)
            .order_by(SigningKey.state != "active", SigningKey.created_at, SigningKey.kid)
            .execution_options(populate_existing=True)
        )
    )


async def turn_of_keys(session: LoginSession) -> None:
    """Wait until nobody else turns the signing keys; what is read afterwards stays."""
    await session.execute(select(func.pg_advisory_xact_lock(KEYS_LOCK)))


async def add_active_key(session: LoginSession, values: Mapping[str, Any]) -> None:
    """Insert the active key unless there is one: of two processes at once, one wins."""
    await session.execute(insert(SigningKey).values(**values).on_conflict_do_nothing())


async def add_key(session: LoginSession, values: Mapping[str, Any]) -> None:
    """Insert a signing key."""
    await session.execute(insert(SigningKey).values(**values))


async def promote_key(session: LoginSession, kid: str, now: datetime) -> None:
    """Let the key sign from now on."""
    await session.execute(
        update(SigningKey)
        .where(SigningKey.kid == kid, SigningKey.state == "next")
        .values(state="active", activated_at=now)
        .execution_options(synchronize_session=False)
    )


async def retire_key(session: LoginSession, kid: str, now: datetime, *, revoke: bool) -> None:
    """Erase the private part: the key signs no more; revoked, it verifies no more either."""
    values: dict[str, Any] = {
        "state": "retired",
        "private_box": None,
        "retired_at": func.coalesce(SigningKey.retired_at, now),
    }
    await session.execute(
        update(SigningKey)
        .where(SigningKey.kid == kid)
        .values(**values, **({"revoked_at": now} if revoke else {}))
        .execution_options(synchronize_session=False)
    )
