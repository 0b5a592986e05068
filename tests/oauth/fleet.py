"""A deployment whose time is moved, and processes with their own copies of the keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.oauth.keys.keyset import (
    Keys,
    LoadedKey,
)
from flatbed.tenants.oauth.keys.repository import KEYS_LOCK
from flatbed.tenants.oauth.keys.rotation import Rotation, Rotor
from flatbed.tenants.oauth.rules.rotation import (
    LIFETIME,
    PUBLISHED,
    KeyRecord,
)
from flatbed.tenants.oauth.tokens import Verifier
from tests.oauth.house import ISSUER, SECRET_KEY, House

PERIOD = timedelta(days=90)
SECOND = timedelta(seconds=1)


@dataclass
class Time:
    """What all clocks show."""

    now: datetime
    seconds: float = 0.0

    def pass_(self, span: timedelta) -> None:
        self.now += span
        self.seconds += span.total_seconds()


@dataclass
class Process:
    """A server with its own copy of the keys."""

    keys: Keys
    verifier: Verifier
    like: tuple[dict[str, Any], dict[str, Any]]
    time: Time

    async def sign(self) -> str:
        return self.forge(await self.keys.active(), LIFETIME)

    def forge(self, key: LoadedKey, lifetime: timedelta) -> str:
        header, claims = self.like
        issued = int(self.time.now.timestamp())
        expires = issued + int(lifetime.total_seconds())
        return jwt.encode(
            {**header, "kid": key.kid},
            {**claims, "iat": issued, "exp": expires},
            key.key,
            algorithms=["ES256"],
        )

    async def takes(self, token: str) -> bool:
        try:
            await self.verifier.verify(token)
        except UnauthenticatedError:
            return False
        return True

    async def kids(self) -> list[str]:
        return [str(one["kid"]) for one in await self.keys.published()]


@dataclass
class Fleet:
    """A deployment whose only key is fresh, and whose time is moved."""

    house: House
    admin: Plain
    time: Time
    rotor: Rotor
    like: tuple[dict[str, Any], dict[str, Any]]

    def process(self, database: Any = None) -> Process:
        keys = Keys(
            database or self.house.database,
            self.house.keyring,
            lambda: self.time.seconds,
            lambda: self.time.now,
        )
        return Process(keys, Verifier(ISSUER, keys, lambda: self.time.now), self.like, self.time)

    async def states(self) -> dict[str, str]:
        return {key.kid: key.state for key in await self.rotor.keys()}

    async def active(self) -> KeyRecord:
        return (await self.rotor.keys())[0]

    async def privates(self) -> list[str]:
        """The secret numbers of all keys that have one."""
        boxes = await self.admin.fetch(
            "SELECT private_box FROM signing_key WHERE private_box IS NOT NULL"
        )
        box = Keyring(SECRET_KEY).box("signing-key")
        return [json.loads(box.decrypt(row["private_box"]))["d"] for row in boxes]

    @asynccontextmanager
    async def crowd(self, *rotations: Awaitable[Any]) -> AsyncIterator[list[Any]]:
        """All of them have read the keys before the first may turn them."""
        await self.admin.execute("SELECT pg_advisory_lock($1)", KEYS_LOCK)
        tasks = [asyncio.ensure_future(one) for one in rotations]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try:
            for _ in range(500):
                if await self.admin.fetchval(waiting) == len(tasks):
                    break
                await asyncio.sleep(0.02)
            else:
                pytest.fail("they do not wait for their turn")
        finally:
            await self.admin.execute("SELECT pg_advisory_unlock($1)", KEYS_LOCK)
        yield await asyncio.gather(*tasks)


async def turned(fleet: Fleet) -> Rotation:
    """The next key is made, its 24 hours pass, and it signs."""
    await fleet.rotor.turn_if_due()
    fleet.time.pass_(PUBLISHED)
    return await fleet.rotor.rotate()
