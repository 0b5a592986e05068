"""Transactions of an operator at the command line, who has no token and names realms by slug."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencySession, Caller
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.kit.realms import clock_of
from flatbed.tenants.oauth import repository

CALLER: Final = Caller("system:operator", "")


@asynccontextmanager
async def in_realm(database: Database, slug: str) -> AsyncIterator[AgencySession]:
    """A transaction on the agency plane of the realm of this slug.

    Raises:
        NotFoundError: there is no such realm.
    """
    async with database.login(caller=CALLER) as login:
        realm = await repository.realm_of_slug(login, slug)
    async with _opened(database, realm) as session:
        yield session


@asynccontextmanager
async def realm_of(database: Database, client_id: UUID) -> AsyncIterator[AgencySession]:
    """A transaction on the agency plane of the client's realm.

    Raises:
        NotFoundError: there is no such client.
    """
    async with database.login(caller=CALLER) as login:
        realm = await repository.realm_of_client(login, client_id)
    async with _opened(database, realm) as session:
        yield session


@asynccontextmanager
async def _opened(database: Database, realm: Realm | None) -> AsyncIterator[AgencySession]:
    if realm is None:
        raise NotFoundError
    clock = clock_of(realm)
    async with database.agency(realm_id=realm.id, caller=CALLER, clock=clock) as session:
        yield session
