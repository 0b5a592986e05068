"""The keys that sign access and ID tokens: one active, for all realms, its private part encrypted.

How they turn: ``rotation.py``.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from cryptography.fernet import InvalidToken
from joserfc.jwk import ECKey

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.oauth.keys.repository import add_active_key, all_keys
from flatbed.tenants.oauth.models import SigningKey
from flatbed.tenants.oauth.rules.rotation import (
    ACTIVE,
    SIGNS_FOR,
    STALE,
    KeyRecord,
    is_published,
)

log = structlog.get_logger(__name__)

ALGORITHM: Final = "ES256"
CURVE: Final = "P-256"
BOX: Final = "signing-key"
UNKNOWN_EVERY: Final = 60.0
"""Seconds: an unknown ``kid`` asks the database no more often than this."""
STALE_AFTER: Final = STALE.total_seconds()
"""Seconds: what another process changed is known after this time at the latest.

Unless the database does not answer: then the keys that are known go on.
"""
AFTER_FAILURE: Final = 5.0
"""Seconds: when stale keys could not be read anew, nobody waits for it again before."""

CALLER: Final = Caller("system:oauth", "")


class SigningKeyUnreadableError(RuntimeError):
    """A stored key cannot be decrypted: FLATBED_SECRET_KEY is not the one that encrypted it."""


class SigningKeyMissingError(RuntimeError):
    """There is no active signing key; the program makes one when it starts."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key in memory; ``public`` is what ``/oauth/jwks`` shows."""

    kid: str
    public: Mapping[str, Any]
    key: ECKey = field(repr=False)
    """With its private part where it is active."""
    active: bool


async def ensure_signing_key(database: Database, keyring: Keyring) -> None:
    """Make the first active key if there is none; of two processes at once, one makes it.

    Raises:
        SigningKeyUnreadableError: the deployment runs with another secret: no client could get
            a token, and each secret given out now would be lost.
    """
    async with database.login(caller=CALLER) as session:
        rows = [row for row in await all_keys(session) if row.state == ACTIVE]
        if rows:
            for row in rows:
                opened(keyring, row)
            return
        await add_active_key(session, fresh(keyring, ACTIVE, system_now()))
        failpoint(Failpoint.SIGNING_KEY_MADE)


def fresh(keyring: Keyring, state: str, now: datetime) -> dict[str, Any]:
    """The row of a new key in this state."""
    key = ECKey.generate_key(CURVE, private=True)
    private = json.dumps(key.as_dict(private=True)).encode()
    return {
        "kid": key.thumbprint(),
        "public_jwk": key.as_dict(private=False),
        "private_box": keyring.box(BOX).encrypt(private),
        "state": state,
        "created_at": now,
        "activated_at": now if state == ACTIVE else None,
    }


def record(row: SigningKey) -> KeyRecord:
    """What the rules know of a key."""
    return KeyRecord(
        row.kid,
        row.state,
        row.created_at,
        row.activated_at,
        row.retired_at,
        row.revoked_at,
    )


class Keys:
    """This process's copy of the keys."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = system_now,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._monotonic = monotonic
        self._now = now
        self._keys: dict[str, LoadedKey] = {}
        self._loaded_at: float | None = None
        self._failed_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def active(self) -> LoadedKey:
        """The key that signs.

        Raises:
            SigningKeyMissingError: none was made yet.
            UnavailableError: the keys were not read for so long that it may be retired.
        """
        await self._refresh()
        if self._older(SIGNS_FOR.total_seconds()):
            await self._load()
        for loaded in self._keys.values():
            if loaded.active:
                return loaded
        # Another process may have made it since.
        await self._load()
        for loaded in self._keys.values():
            if loaded.active:
                return loaded
        raise SigningKeyMissingError

    def has(self, kid: str) -> bool:
        """Whether there is a key of this name, as far as can be said without asking anybody."""
        return kid in self._keys and not self._older(STALE_AFTER)

    async def by_kid(self, kid: str) -> LoadedKey | None:
        """The key of this name, after at most one look into the database a minute."""
        if kid in self._keys:
            await self._refresh()
        elif self._older(UNKNOWN_EVERY):
            # Without an answer it is not known to be unknown.
            await self._load()
        return self._keys.get(kid)

    async def published(self) -> list[dict[str, Any]]:
        """The public keys for ``/oauth/jwks``."""
        await self._refresh()
        return [dict(loaded.public) for loaded in self._keys.values()]

    async def _refresh(self) -> None:
        """Have keys: fresh ones, or stale ones where no others can be had."""
        if self._loaded_at is None:
            await self._load()
        elif self._older(STALE_AFTER) and self._monotonic() - self._failed_at >= AFTER_FAILURE:
            # Not its result: where it failed, in a transaction of its own, what we have goes on.
            await asyncio.wait({self._attempt()})

    def _older(self, seconds: float) -> bool:
        return self._loaded_at is None or self._monotonic() - self._loaded_at >= seconds

    async def _load(self) -> None:
        await asyncio.shield(self._attempt())

    def _attempt(self) -> asyncio.Task[None]:
        """Begin to read the keys anew, or share what another has begun, also when it fails.

        It is nobody's: it goes on when the request that began it is cancelled.
        """
        if self._loading is None:
            self._loading = asyncio.create_task(self._read_all())
            self._loading.add_done_callback(self._ended)
        return self._loading

    def _ended(self, attempt: asyncio.Task[None]) -> None:
        self._loading = None
        if not attempt.cancelled():
            attempt.exception()  # seen, also where nobody waits any more

    async def _read_all(self) -> None:
        began = self._monotonic()
        try:
            async with self._database.login(caller=CALLER) as session:
                rows = await all_keys(session)
            now = self._now()
            self._keys = {
                row.kid: self._read(row) for row in rows if is_published(record(row), now)
            }
        except Exception as error:
            self._failed_at = self._monotonic()
            log.warning("signing_keys_not_read", code=failure_code(error))
            raise
        self._loaded_at = began

    def _read(self, row: SigningKey) -> LoadedKey:
        public = {**row.public_jwk, "kid": row.kid, "use": "sig", "alg": ALGORITHM}
        signs = row.state == ACTIVE
        key = ECKey.import_key(opened(self._keyring, row) if signs else row.public_jwk)
        return LoadedKey(row.kid, public, key, signs)


def opened(keyring: Keyring, row: SigningKey) -> dict[str, Any]:
    """The private key of a row.

    Raises:
        SigningKeyUnreadableError: another secret encrypted it, or it is erased.
    """
    try:
        found: dict[str, Any] = json.loads(keyring.box(BOX).decrypt(row.private_box or b""))
    except InvalidToken:
        raise SigningKeyUnreadableError(
            "FLATBED_SECRET_KEY is not the one that this database was set up with"
        ) from None
    return found
