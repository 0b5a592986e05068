"""Rules of client secrets: at most two live, each shown once, replaced with an overlap or revoked.

Everything here holds the lock of the client's row. Secrets live by the system's time in every
realm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import EitherSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError
from flatbed.tenants.oauth.clients import repository
from flatbed.tenants.oauth.clients.authority import Authority
from flatbed.tenants.oauth.clients.errors import (
    ClientHasKeysError,
    PublicClientError,
    TooManySecretsError,
)
from flatbed.tenants.oauth.clients.schemas import (
    ClientSecretCreate,
    ClientSecretCreated,
    ClientSecretRead,
    ClientSecretRoll,
    Overlap,
)
from flatbed.tenants.oauth.clients.secrets import LIFETIME, MOST_LIVE, conceal, make_secret
from flatbed.tenants.oauth.models import PRIVATE_KEY, PUBLIC, ClientSecret, OAuthClient

OVERLAPS: Final[Mapping[Overlap, timedelta]] = {
    "0": timedelta(),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret: the row, and the text that nobody sees again."""

    row: ClientSecret
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """The operations on secrets."""

    keyring: Keyring

    async def create(
        self, session: EitherSession, by: Authority, client_id: UUID, body: ClientSecretCreate
    ) -> ClientSecretCreated:
        """Give the client another secret and show it, the only time.

        Raises:
            NotFoundError: no such client here.
            ClientBeyondCallerError: whoever has its secret could do more than the manager may.
            ClientHasKeysError: it signs in with its own keys.
            PublicClientError: it is native.
            TooManySecretsError: two are live.
            InvalidError: it would expire in the past, or in more than 365 days.
        """
        client = await _locked(session, client_id)
        by.check(client.scopes)
        issued = await self.issue(session, client, body.label, body.expires_at)
        client.updated_at = session.now()
        return _shown(issued)

    async def roll(
        self,
        session: EitherSession,
        by: Authority,
        client_id: UUID,
        secret_id: UUID,
        body: ClientSecretRoll,
    ) -> ClientSecretCreated:
        """Put a new secret in place of a live one, which goes on for the overlap at most.

        Raises:
            NotFoundError: no such client here, or no such live secret of it.
            ClientBeyondCallerError: as for another secret.
            ClientHasKeysError: it signs in with its own keys.
            PublicClientError: it is native.
            TooManySecretsError: another one is live beside it, and the two would be three.
        """
        client = await _locked(session, client_id)
        by.check(client.scopes)
        _check_method(client)
        now = system_now()
        old = await repository.find_live_secret(session, client.id, secret_id, now)
        if old is None:
            raise NotFoundError
        overlap = OVERLAPS[body.overlap]
        if overlap:
            ends = now + overlap
            old.expires_at = ends if old.expires_at is None else min(old.expires_at, ends)
        else:
            old.revoked_at = now
        await session.flush()
        label = body.label if "label" in body.model_fields_set else old.label
        issued = await self.issue(session, client, label)
        client.updated_at = session.now()
        detail = {"client": str(client.id), "by": str(issued.row.id), "overlap": body.overlap}
        record(session, "client_secret.rolled", "sec", old.id, detail)
        return _shown(issued)

    async def revoke(
        self, session: EitherSession, client_id: UUID, secret_id: UUID, version: int | None
    ) -> None:
        """End a live secret at once.

        Raises:
            NotFoundError: no such client here, or no such live secret of it.
            PreconditionFailedError: another version of the client is stored.
        """
        client = await _locked(session, client_id)
        now = system_now()
        row = await repository.find_live_secret(session, client.id, secret_id, now)
        if row is None:
            raise NotFoundError
        http.match(client.version, version)
        _revoke(session, client, row, now)
        client.updated_at = session.now()

    async def revoke_all(self, session: EitherSession, client: OAuthClient) -> None:
        """End every live secret of a client whose row is locked."""
        now = system_now()
        for row in await repository.secrets_of(session, [client.id], now):
            _revoke(session, client, row, now)

    async def issue(
        self,
        session: EitherSession,
        client: OAuthClient,
        label: str,
        expires_at: datetime | None = None,
    ) -> Issued:
        """Make a secret, for 365 days unless told.

        Raises:
            ClientHasKeysError: the client signs in with its own keys.
            PublicClientError: it is native.
            TooManySecretsError: two are live; the row of the client is locked while they are
                counted.
            InvalidError: it would expire in the past, or in more than 365 days.
        """
        await repository.find_client(session, client.id, lock=True)
        _check_method(client)
        now = system_now()
        if expires_at is not None and not now < expires_at <= now + LIFETIME:
            raise InvalidError.at(
                "/expires_at", "expiry-out-of-range", "In the future, and within 365 days."
            )
        if await repository.count_live_secrets(session, client.id, now) >= MOST_LIVE:
            raise TooManySecretsError
        text = make_secret()
        stored = conceal(self.keyring, text)
        row = ClientSecret(
            realm_id=session.realm_id,
            id=uuid7(),
            tenant_id=client.tenant_id,
            oauth_client_id=client.id,
            digest=stored.digest,
            pepper_version=stored.pepper_version,
            last_four=text[-4:],
            label=label,
            created_at=now,
            expires_at=expires_at or now + LIFETIME,
        )
        await repository.add_secret(session, row)
        record(session, "client_secret.created", "sec", row.id, {"client": str(client.id)})
        return Issued(row, text)


async def _locked(session: EitherSession, client_id: UUID) -> OAuthClient:
    client = await repository.find_client(session, client_id, lock=True)
    if client is None:
        raise NotFoundError
    return client


def _check_method(client: OAuthClient) -> None:
    if client.token_endpoint_auth_method == PUBLIC:
        raise PublicClientError
    if client.token_endpoint_auth_method == PRIVATE_KEY:
        raise ClientHasKeysError


def _revoke(session: EitherSession, client: OAuthClient, row: ClientSecret, now: datetime) -> None:
    row.revoked_at = now
    record(session, "client_secret.revoked", "sec", row.id, {"client": str(client.id)})


def _shown(issued: Issued) -> ClientSecretCreated:
    read = ClientSecretRead.model_validate(issued.row)
    return ClientSecretCreated(**dict(read), client_secret=issued.text)
