"""``Idempotency-Key``: the stored reply is written by the same transaction as its effect.

Order: try-advisory-lock (taken: 409), read (found: replay, or 422 for another request), work,
store the rendered reply, commit. What is not a 2xx raises, rolls back and stores nothing: it had
no effect and runs again. Keys belong to (tenant or realm, client).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.kernel_tables import AgencyIdempotencyKey, IdempotencyKey
from flatbed.tenants.kit.database.progress import follows_loss
from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import AgencySession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.problems import (
    IdempotencyConflictError,
    IdempotencyKeyError,
    IdempotencyMismatchError,
    UnavailableError,
)

LIFETIME = timedelta(days=7)
VISIBLE = re.compile("[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A rendered 2xx."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Key:
    """One use of a key: who used it, and for which request."""

    client_id: UUID
    key: str
    fingerprint: str

    @classmethod
    def of(cls, client_id: UUID, key: str, method: str, target: str, body: bytes) -> "Key":
        """The key of a request.

        Args:
            client_id: the OAuth client.
            key: the header's value.
            method: the HTTP method.
            target: path and query as sent.
            body: the raw body.
        """
        if not VISIBLE.fullmatch(key):
            raise IdempotencyKeyError
        content = f"{method} {target}\n".encode() + body
        return cls(client_id, key, hashlib.sha256(content).hexdigest())


async def find(session: TenantSession | AgencySession, key: Key) -> StoredReply | None:
    """Claim the key for this transaction and return the reply that is stored under it.

    Raises:
        IdempotencyConflictError: another transaction works under the key now.
        UnavailableError: so does, after the connection was lost, perhaps our own of before.
        IdempotencyMismatchError: the key was used for another request.
    """
    claim = f"idempotency:{_owner(session)}:{key.client_id}:{key.key}".encode()
    number = int.from_bytes(hashlib.sha256(claim).digest()[:8], signed=True)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(number))):
        # Held by our own first run, perhaps, which nobody is going to send again.
        raise UnavailableError if follows_loss() else IdempotencyConflictError
    row: IdempotencyKey | AgencyIdempotencyKey | None = await session.get(
        _table(session), (_owner(session), key.client_id, key.key)
    )
    if row is None:
        return None
    if row.created_at < system_now() - LIFETIME:
        await session.delete(row)
        await session.flush()
        return None
    if row.fingerprint != key.fingerprint:
        raise IdempotencyMismatchError
    if row.status is None or row.headers is None or row.body is None:
        raise IdempotencyConflictError
    return StoredReply(row.status, row.headers, row.body)


def store(session: TenantSession | AgencySession, key: Key, reply: StoredReply) -> None:
    """Keep the reply for seven days."""
    owner = "tenant_id" if isinstance(session, TenantSession) else "realm_id"
    values: dict[str, Any] = {owner: _owner(session)}
    session.add(
        _table(session)(
            **values,
            client_id=key.client_id,
            key=key.key,
            fingerprint=key.fingerprint,
            status=reply.status,
            headers=dict(reply.headers),
            body=reply.body,
            created_at=system_now(),
        )
    )


async def amend(
    session: TenantSession | AgencySession, client_id: UUID, key: str, body: str
) -> None:
    """Complete a stored reply with what only happened after the commit of its effect."""
    row = await session.get(_table(session), (_owner(session), client_id, key))
    if isinstance(row, IdempotencyKey | AgencyIdempotencyKey):
        row.body = body


async def purge(session: TenantSession | AgencySession) -> bool:
    """Delete keys older than seven days, as many as fit a statement. Returns whether some are left.

    Where a worker was away for days they are too many for one.
    """
    table = _table(session)
    if isinstance(session, TenantSession):
        mine = IdempotencyKey.tenant_id == session.tenant_id
    else:
        mine = AgencyIdempotencyKey.realm_id == session.realm_id
    old = and_(mine, table.created_at < system_now() - LIFETIME)
    is_more = await delete_some(session, table, old)
    failpoint(Failpoint.PURGE_DELETED)
    return is_more


def _owner(session: TenantSession | AgencySession) -> UUID:
    return session.tenant_id if isinstance(session, TenantSession) else session.realm_id


def _table(
    session: TenantSession | AgencySession,
) -> type[IdempotencyKey] | type[AgencyIdempotencyKey]:
    return IdempotencyKey if isinstance(session, TenantSession) else AgencyIdempotencyKey
