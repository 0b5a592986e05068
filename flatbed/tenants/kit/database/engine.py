"""One engine per process, and the only place that commits.

``async with database.tenant(...) as session`` is one transaction: committed when the block ends,
rolled back on any error, and its connection thrown away when the block is cancelled, since a
cancelled connection may still hold an unread reply (incidents, reliability.md).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.connection import BoundConnection, TransactionAbortedError
from flatbed.tenants.kit.database.context import CandidateRange, Context, Plane
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    Caller,
    LoginSession,
    PlaneSession,
    TenantReadSession,
    TenantSession,
    WorkerSession,
)

S = TypeVar("S", bound=PlaneSession)


def create_engine(url: str, *, pool_size: int = 10, pool_timeout: float = 30) -> AsyncEngine:
    """An engine whose connections refuse to begin without a context.

    Args:
        url: ``postgresql://…``; the driver is always asyncpg.
        pool_size: connections at most; there is no overflow, so that the sum over all processes
            is known.
        pool_timeout: seconds to wait for a connection.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        # Parameters hold customers' values and would stand in every exception's text.
        hide_parameters=True,
        connect_args={
            "connection_class": BoundConnection,
            "server_settings": {"application_name": "flatbed", "timezone": "UTC"},
        },
    )
    event.listen(engine.sync_engine, "checkout", _unbound)
    event.listen(engine.sync_engine, "checkin", _unbound)
    return engine


def _unbound(connection: Any, _: ConnectionPoolEntry, *__: Any) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
    if connection is not None:
        connection.driver_connection.bind(None)


class Database:
    """Opens transactions of each kind on one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @asynccontextmanager
    async def tenant(
        self,
        *,
        realm_id: UUID,
        tenant_id: UUID,
        caller: Caller,
        clock: Clock,
        candidates: CandidateRange | None = None,
    ) -> AsyncIterator[TenantSession]:
        """A transaction on one tenant's rows; the whole candidate range unless told."""
        context = _tenant_context(realm_id, tenant_id, candidates)
        session = TenantSession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session):
            yield session

    @asynccontextmanager
    async def tenant_read(
        self,
        *,
        realm_id: UUID,
        tenant_id: UUID,
        caller: Caller,
        clock: Clock,
        candidates: CandidateRange | None = None,
    ) -> AsyncIterator[TenantReadSession]:
        """As :meth:`tenant`, READ ONLY."""
        context = _tenant_context(realm_id, tenant_id, candidates)
        session = TenantReadSession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session, read_only=True):
            yield session

    @asynccontextmanager
    async def agency(
        self, *, realm_id: UUID, caller: Caller, clock: Clock
    ) -> AsyncIterator[AgencySession]:
        """A transaction on one realm's agency plane."""
        context = Context(Plane.AGENCY, realm_id)
        session = AgencySession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session):
            yield session

    @asynccontextmanager
    async def agency_read(
        self, *, realm_id: UUID, caller: Caller, clock: Clock
    ) -> AsyncIterator[AgencyReadSession]:
        """As :meth:`agency`, READ ONLY."""
        context = Context(Plane.AGENCY, realm_id)
        session = AgencyReadSession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session, read_only=True):
            yield session

    @asynccontextmanager
    async def login(self, *, caller: Caller) -> AsyncIterator[LoginSession]:
        """A transaction that sees clients and keys, and nothing else."""
        session = LoginSession(
            self.engine, context=Context(Plane.LOGIN), caller=caller, clock=Clock()
        )
        async with _transaction(session):
            yield session

    @asynccontextmanager
    async def worker(self, *, caller: Caller) -> AsyncIterator[WorkerSession]:
        """A transaction that sees which tenants wait."""
        session = WorkerSession(
            self.engine, context=Context(Plane.WORKER), caller=caller, clock=Clock()
        )
        async with _transaction(session):
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _tenant_context(realm_id: UUID, tenant_id: UUID, candidates: CandidateRange | None) -> Context:
    return Context(
        realm_id=realm_id,
        tenant_id=tenant_id,
        candidates=candidates or CandidateRange.whole(),
    )


@asynccontextmanager
async def _transaction(session: S, *, read_only: bool = False) -> AsyncIterator[S]:
    try:
        if read_only:
            _ = await session.connection(execution_options={"postgresql_readonly": True})
        yield session
        if session.sync_session.doomed:
            raise TransactionAbortedError
        await session.commit()
    except asyncio.CancelledError:
        await asyncio.shield(session.invalidate())
        raise
    except BaseException:
        await asyncio.shield(session.rollback())
        raise
    finally:
        await asyncio.shield(session.close())
