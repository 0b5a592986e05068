"""The application and a fresh realm for each test; a client of it that signs assertions."""

from collections.abc import AsyncIterator

import pytest_asyncio

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.oauth.keys.rotation import Rotor
from flatbed.tenants.oauth.wiring import ensure_signing_key
from tests.oauth.fleet import PERIOD, Fleet, Time
from tests.oauth.house import House, open_house
from tests.oauth.signing import Signer, new_signer
from tests.oauth.test_token import parts
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def house(database: TestDatabase) -> AsyncIterator[House]:
    async with open_house(database.app_url) as house:
        yield house


@pytest_asyncio.fixture
async def fleet(house: House, admin_connection: Plain) -> AsyncIterator[Fleet]:
    await admin_connection.execute("DELETE FROM signing_key")
    await ensure_signing_key(house.database, house.keyring)
    like = parts(await house.token(house.agency))
    time = Time(system_now())
    rotor = Rotor(house.database, house.keyring, PERIOD, lambda: time.now)
    yield Fleet(house, admin_connection, time, rotor, like)
    await admin_connection.execute("DELETE FROM signing_key")
    await ensure_signing_key(house.database, house.keyring)


@pytest_asyncio.fixture
async def signer(house: House) -> Signer:
    return await new_signer(house)
