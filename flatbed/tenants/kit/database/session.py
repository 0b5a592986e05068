"""The sessions: one distinct type per plane and direction, so that mypy refuses a misuse.

A service takes the narrowest type that it needs. None of them is ever committed by a feature:
:class:`flatbed.tenants.kit.database.engine.Database` opens, commits and rolls back.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, TypeVar, cast
from uuid import UUID

from sqlalchemy import Connection, Insert, event, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.connection import BoundConnection
from flatbed.tenants.kit.database.context import CandidateRange, Context, Plane
from flatbed.tenants.kit.database.tables import Base, table_of
from flatbed.tenants.kit.failpoints import Failpoint, failpoint


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts, for the audit: never a name or an address, only ids.

    ``actor`` is ``client:client_…``, ``staff:staff_…``, ``member:mem_…`` or ``system:<job>``;
    ``key_owner`` is whose idempotency keys a request uses, None in jobs.
    """

    actor: str
    request_id: str
    key_owner: UUID | None = None


S = TypeVar("S", bound="PlaneSession")


class BoundSession(Session):
    """A session whose transactions all carry the same context."""

    context: Context
    doomed: bool = False
    """True after an error inside a borrowed plane: the transaction can only be rolled back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own signature
        super().__init__(*args, **kwargs)
        self._told: dict[type[Base], list[Mapping[str, Any]]] = {}

    def tell(self, table: type[Base], row: Mapping[str, Any]) -> None:
        """Insert a row that nobody reads again here: with the next flush, and after its objects.

        An object in its place costs several times as much; every mutation writes such rows.
        """
        self._told.setdefault(table, []).append(row)

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """As any session's, then what was told, one statement a table."""
        super().flush(objects)
        told, self._told = self._told, {}
        for table, rows in told.items():
            self.execute(_adding(table), rows)


@cache
def _adding(table: type[Base]) -> Insert:
    return insert(table_of(table))


@event.listens_for(BoundSession, "before_commit")
def _tell(session: BoundSession) -> None:
    session.flush()


@event.listens_for(BoundSession, "after_soft_rollback")
def _untell(session: BoundSession, _: SessionTransaction) -> None:
    # What was told before a savepoint is flushed by it.
    session._told.clear()  # noqa: SLF001 - of itself


@event.listens_for(BoundSession, "after_begin")
def _bind(session: BoundSession, _: SessionTransaction, connection: Connection) -> None:
    driver = cast("BoundConnection", connection.connection.driver_connection)
    driver.bind(session.context)


class PlaneSession(AsyncSession):
    """What all sessions share: context, caller and the realm's clock."""

    sync_session_class = BoundSession
    sync_session: BoundSession
    planes: ClassVar[frozenset[Plane]] = frozenset()

    def __init__(
        self, engine: AsyncEngine, *, context: Context, caller: Caller, clock: Clock
    ) -> None:
        if context.plane not in self.planes:
            raise PlaneMismatchError(type(self).__name__)
        super().__init__(engine, expire_on_commit=False)
        self.sync_session.context = context
        self.caller = caller
        self.clock = clock

    @classmethod
    def borrow(cls, lender: "PlaneSession") -> Self:
        """The same transaction, seen as this type. Only :func:`agency_plane` may call it."""
        borrowed = cls.__new__(cls)
        # Half of AsyncSession's methods pass through the one, half through the other.
        borrowed.sync_session = borrowed._proxied = lender.sync_session  # noqa: SLF001 - of itself
        borrowed.bind = lender.bind
        borrowed.caller = lender.caller
        borrowed.clock = lender.clock
        return borrowed

    @property
    def context(self) -> Context:
        """The context that every transaction of this session begins with."""
        return self.sync_session.context

    @property
    def realm_id(self) -> UUID:
        """The realm of the transaction."""
        return _present(self.context.realm_id)

    def now(self) -> datetime:
        """The realm's time. Rules, deadlines and rows use no other."""
        return self.clock.now()


class PlaneMismatchError(RuntimeError):
    """A session type was opened with a context of another plane."""


class TenantReadSession(PlaneSession):
    """One tenant's rows, to read."""

    planes = frozenset({Plane.NONE})

    @property
    def tenant_id(self) -> UUID:
        """The tenant of the transaction: an ISV's organization id."""
        return _present(self.context.tenant_id)


class TenantSession(TenantReadSession):
    """One tenant's rows, to read and write."""


class AgencyReadSession(PlaneSession):
    """One realm's agency plane, to read."""

    planes = frozenset({Plane.AGENCY})


class AgencySession(AgencyReadSession):
    """One realm's agency plane, to read and write."""


EitherReadSession = TenantReadSession | AgencyReadSession
EitherSession = TenantSession | AgencySession
"""One ISV's rows or the agency plane: of what both can manage, each what row security shows it."""


class LoginSession(PlaneSession):
    """Clients, secrets and keys, before a token is known."""

    planes = frozenset({Plane.LOGIN})


class WorkerSession(PlaneSession):
    """Which tenants wait for a job; ids and instants only."""

    planes = frozenset({Plane.WORKER})


def _present(value: UUID | None) -> UUID:
    if value is None:
        raise PlaneMismatchError
    return value


class SavepointError(RuntimeError):
    """A savepoint spans an edge of the agency plane.

    Rolling back to it would switch the plane on again, unseen.
    """


@asynccontextmanager
async def agency_plane(session: TenantSession) -> AsyncIterator[AgencySession]:
    """Enter the agency plane inside a tenant's transaction.

    The tenant's rows stay visible, the realm's agency rows join them until the block ends. Only
    the services listed in ``lints/agency_plane.py`` call this. An error inside ends the
    transaction: the plane is left on, but nothing can be committed any more.
    """
    async with _plane(session):
        yield AgencySession.borrow(session)


@asynccontextmanager
async def agency_plane_to_read(session: TenantReadSession) -> AsyncIterator[AgencyReadSession]:
    """As :func:`agency_plane`, for reading."""
    async with _plane(session):
        yield AgencyReadSession.borrow(session)


@asynccontextmanager
async def _plane(session: TenantReadSession) -> AsyncIterator[None]:
    if session.in_nested_transaction():
        raise SavepointError
    try:
        await _switch(session, Plane.AGENCY)
        failpoint(Failpoint.PLANE_ENTERED)
        yield
        if session.in_nested_transaction():
            raise SavepointError
        await _switch(session, Plane.NONE)
        failpoint(Failpoint.PLANE_LEFT)
    except BaseException:
        session.sync_session.doomed = True
        raise


async def _switch(session: TenantReadSession, plane: Plane) -> None:
    await session.flush()
    await session.execute(text(f"SET LOCAL flatbed.plane = '{plane.value}'"))


@asynccontextmanager
async def agency_of_login(
    session: LoginSession, realm_id: UUID, clock: Clock, actor: str
) -> AsyncIterator[AgencySession]:
    """Step into a realm's agency plane inside a login, until the block ends.

    Login's own rows are out of sight meanwhile. Whoever signs in has no token that would name the
    realm: what says so is a row of the login plane. ``actor`` is the name in the audit. Errors as
    in :func:`agency_plane`.
    """
    context = Context(Plane.AGENCY, realm_id)
    async with _elsewhere(session, AgencySession, context, clock, actor) as inside:
        yield inside


@asynccontextmanager
async def tenant_of_login(
    session: LoginSession, realm_id: UUID, tenant_id: UUID, clock: Clock, actor: str
) -> AsyncIterator[TenantSession]:
    """As :func:`agency_of_login`, into one ISV's rows."""
    context = Context(Plane.NONE, realm_id, tenant_id, CandidateRange.whole())
    async with _elsewhere(session, TenantSession, context, clock, actor) as inside:
        yield inside


async def _step(session: LoginSession, context: Context) -> None:
    # Before the statements: whatever begins anew begins where we are.
    session.sync_session.context = context
    for statement in context.statements().split("; "):
        await session.execute(text(statement))


@asynccontextmanager
async def _elsewhere(
    session: LoginSession, kind: type[S], context: Context, clock: Clock, actor: str
) -> AsyncIterator[S]:
    if session.in_nested_transaction():
        raise SavepointError
    login = session.context
    try:
        await session.flush()
        await _step(session, context)
        inside = kind.borrow(session)
        inside.clock, inside.caller = clock, Caller(actor, session.caller.request_id)
        yield inside
        if session.in_nested_transaction():
            raise SavepointError
        await session.flush()
        await _step(session, login)
    except BaseException:
        session.sync_session.doomed = True
        raise


def options(session: PlaneSession) -> dict[str, Any]:
    """What a second transaction of the same caller needs (see ``Database``)."""
    return {"context": session.context, "caller": session.caller, "clock": session.clock}
