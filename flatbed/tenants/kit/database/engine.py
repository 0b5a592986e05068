"""One engine per process, and the only place that commits.

``async with database.tenant(...) as session`` is one transaction: committed when the block ends,
rolled back on any error, and its connection thrown away when the block is cancelled, since a
cancelled connection may still hold an unread reply.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import structlog
from asyncpg.exceptions import ClientCannotConnectError
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.connection import BoundConnection, TransactionAbortedError
from flatbed.tenants.kit.database.context import CandidateRange, Context, Plane
from flatbed.tenants.kit.database.limits import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    LIMITS,
    PATIENT_POOL,
    server_settings,
)
from flatbed.tenants.kit.database.progress import made_permanent
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
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import IN_DOUBT, READ_ONLY, sqlstate_of
from flatbed.tenants.kit.problems import UnavailableError

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=PlaneSession)
_READING: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""One snapshot for all statements of a read: what one of them counts, the next one lists. The
server never refuses such a read, and it costs no round trip. Writers stay at READ COMMITTED: what
they read under a lock must be what was committed when they got it."""


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    pool_timeout: float = 30,
    limits: Mapping[str, int] = LIMITS,
    answer_seconds: float | None = ANSWER_SECONDS,
) -> AsyncEngine:
    """An engine whose connections refuse to begin without a context.

    A connection is not pinged before use: one that died in the pool is noticed by the first
    BEGIN, which throws away all that are as old, and the request is run again (``edge/retries``).

    Args:
        url: ``postgresql://…``; the driver is always asyncpg.
        pool_size: connections at most; there is no overflow, so that the sum over all processes
            is known.
        pool_timeout: seconds to wait for a connection.
        limits: how long statements, locks and idle transactions may last, in milliseconds.
        answer_seconds: how long a statement's answer may take to arrive; None: for ever.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        # Parameters hold customers' values and would stand in every exception's text.
        hide_parameters=True,
        connect_args={
            "async_creator_fn": _connected,
            "connection_class": BoundConnection,
            "server_settings": server_settings("flatbed", limits),
            "timeout": CONNECT_SECONDS,
            "command_timeout": answer_seconds,
        },
    )
    event.listen(engine.sync_engine, "handle_error", _leave_standby)
    event.listen(engine.sync_engine, "checkout", _unbound)
    event.listen(engine.sync_engine, "checkin", _unbound)
    return engine


async def _connected(*args: Any, **kwargs: Any) -> Plain:  # noqa: ANN401 - asyncpg's own signature
    """Connect, or fail in one way (SQLSTATE 08001), whatever the reason."""
    try:
        return await asyncpg.connect(*args, **kwargs)
    except (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a connection that ends just as it is used
    ) as error:
        log.warning(
            "database_unreachable",
            error=type(error).__name__,
            sqlstate=getattr(error, "sqlstate", None),
        )
        raise ClientCannotConnectError("no connection to the database") from None


def _leave_standby(context: ExceptionContext) -> None:
    """Throw away what leads to a server that was the primary and no longer takes writes.

    Such a connection lives on, so that every request that is given it would fail.
    """
    refused = getattr(context.original_exception, "sqlstate", None) == READ_ONLY
    pooled = context.connection.connection if refused and context.connection else None
    if pooled is not None and pooled.driver_connection and pooled.driver_connection.writes:
        context.is_disconnect = context.invalidate_pool_on_disconnect = True


def _unbound(connection: Any, _: ConnectionPoolEntry, *__: Any) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
    if connection is not None:
        connection.driver_connection.bind(None)


class Database:
    """Opens transactions of each kind on one engine.

    Args:
        engine: of :func:`create_engine`.
        patient: whether transactions have the time that long work needs (``limits.PATIENT``).
    """

    def __init__(self, engine: AsyncEngine, *, patient: bool = False) -> None:
        self.engine = engine
        self._patient = patient

    @asynccontextmanager
    async def patient(self) -> AsyncIterator["Database"]:
        """The same database for work that is long by nature: verification, filling with data."""
        url = self.engine.url.render_as_string(hide_password=False)
        engine = create_engine(url, pool_size=PATIENT_POOL, answer_seconds=None)
        database = Database(engine, patient=True)
        try:
            yield database
        finally:
            await database.close()

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
        context = self._of_tenant(realm_id, tenant_id, candidates)
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
        """As :meth:`tenant`, READ ONLY and on one snapshot: that of its first statement."""
        context = self._of_tenant(realm_id, tenant_id, candidates)
        session = TenantReadSession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session, read_only=True):
            yield session

    @asynccontextmanager
    async def agency(
        self, *, realm_id: UUID, caller: Caller, clock: Clock, repeatable: bool = False
    ) -> AsyncIterator[AgencySession]:
        """A transaction on one realm's agency plane.

        ``repeatable`` says that its request may be run again although this was committed.
        """
        context = Context(Plane.AGENCY, realm_id, patient=self._patient)
        session = AgencySession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session, repeatable=repeatable):
            yield session

    @asynccontextmanager
    async def agency_read(
        self, *, realm_id: UUID, caller: Caller, clock: Clock
    ) -> AsyncIterator[AgencyReadSession]:
        """As :meth:`agency`, to read as :meth:`tenant_read`."""
        context = Context(Plane.AGENCY, realm_id, patient=self._patient)
        session = AgencyReadSession(self.engine, context=context, caller=caller, clock=clock)
        async with _transaction(session, read_only=True):
            yield session

    @asynccontextmanager
    async def login(
        self, *, caller: Caller, repeatable: bool = True
    ) -> AsyncIterator[LoginSession]:
        """A transaction that sees clients, people and keys, and nothing else.

        ``repeatable`` as in :meth:`agency`: false where what it does must not be done twice.
        """
        session = LoginSession(
            self.engine, context=Context(Plane.LOGIN), caller=caller, clock=Clock()
        )
        async with _transaction(session, repeatable=repeatable):
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

    def _of_tenant(
        self, realm_id: UUID, tenant_id: UUID, candidates: CandidateRange | None
    ) -> Context:
        return Context(
            realm_id=realm_id,
            tenant_id=tenant_id,
            candidates=candidates or CandidateRange.whole(),
            patient=self._patient,
        )


@asynccontextmanager
async def _transaction(
    session: S, *, read_only: bool = False, repeatable: bool = False
) -> AsyncIterator[S]:
    try:
        if read_only:
            _ = await session.connection(execution_options=_READING)
        yield session
        if session.sync_session.doomed:
            raise TransactionAbortedError
        failpoint(Failpoint.TRANSACTION_WORKED)
        await _commit(session, lasting=not read_only and not repeatable)
        failpoint(Failpoint.COMMIT_RETURNED)
    except asyncio.CancelledError:
        await _end(session, session.invalidate())
        raise
    except (TimeoutError, asyncpg.InternalClientError) as error:
        # The driver's: no answer came, or half of one, and nobody will read what may still come.
        await _end(session, session.invalidate())
        raise UnavailableError from error
    except BaseException:
        await _end(session, _roll_back(session))
        raise
    else:
        await _end(session)


async def _end(session: PlaneSession, undo: Coroutine[Any, Any, None] | None = None) -> None:
    """Undo and close, to the end: who is cancelled meanwhile hears of it afterwards.

    Closing beside a rollback that is under way would raise an error of its own in place of the
    cancellation, and whoever was to stop would go on.
    """

    async def work() -> None:
        try:
            if undo is not None:
                await undo
        finally:
            await session.close()

    ending, cancelled = asyncio.ensure_future(work()), False
    while not ending.done():
        try:
            await asyncio.wait({ending})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled and not ending.cancelled():
        ending.exception()
        raise asyncio.CancelledError
    ending.result()


async def _roll_back(session: PlaneSession) -> None:
    """Roll back; where that is not answered, the connection goes, and what was raised is told."""
    try:
        await session.rollback()
    except (TimeoutError, asyncpg.InternalClientError, DBAPIError):
        await session.invalidate()


async def _commit(session: PlaneSession, *, lasting: bool) -> None:
    try:
        await session.commit()
    except DBAPIError as error:
        if lasting and sqlstate_of(error) == IN_DOUBT:
            made_permanent()
        raise
    if lasting:
        made_permanent()
