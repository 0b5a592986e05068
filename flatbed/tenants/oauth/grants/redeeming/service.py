"""Redeeming codes and refresh tokens: what Authlib's grants ask, on our rows."""

from dataclasses import dataclass

from flatbed.tenants.access.scopes import OFFLINE
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.oauth.grants.ending.ended import REUSED_CODE, REUSED_REFRESH
from flatbed.tenants.oauth.grants.ending.repository import end
from flatbed.tenants.oauth.grants.exchange import Client, Exchange, Redeemed
from flatbed.tenants.oauth.grants.models import AuthorizationCode, RefreshToken
from flatbed.tenants.oauth.grants.redeeming import repository, secrets
from flatbed.tenants.oauth.grants.redeeming.lending import lent_by
from flatbed.tenants.oauth.grants.standing import Lendings, Lent
from flatbed.tenants.oauth.rules import refresh
from flatbed.tenants.oauth.rules.refresh import TokenRecord, Verdict


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A locked refresh token that is good, with what it stands for."""

    row: RefreshToken
    lent: Lent


@dataclass(frozen=True, slots=True)
class Redeemer:
    """Synchronous, on the login transaction of the request; ``issuer`` is the one resource."""

    keyring: Keyring
    lendings: Lendings
    issuer: str

    def take_code(self, exchange: Exchange, client: Client, text: str) -> AuthorizationCode | None:
        """The client's code, locked; None when it is not good.

        A code that was used ends its grant. Of what another client sends nothing changes.
        """
        digest = secrets.digest(self.keyring, secrets.CODE, text)
        code = repository.take_code(exchange.database, digest)
        if code is None or code.oauth_client_id != client.standing.client.id:
            return None
        if code.used_at is not None:
            exchange.ended.extend(end(exchange.database, code.grant_id, exchange.now, REUSED_CODE))
            return None
        if code.expires_at <= exchange.now or code.resource not in {None, self.issuer}:
            return None
        return code

    def person_of(
        self, exchange: Exchange, client: Client, code: AuthorizationCode
    ) -> Redeemed | None:
        """Whose the code is, None when he is signed out or no longer what he was."""
        if not repository.session_lives(exchange.database, code.session_id, exchange.now):
            return None
        lent = lent_by(
            exchange.database, self.lendings, code.grant_id, client.standing, exchange.now
        )
        return None if lent is None else Redeemed(lent, code.nonce, with_id=True)

    def take_refresh_token(self, exchange: Exchange, client: Client, text: str) -> HeldToken | None:
        """The client's refresh token, locked; None when it is not good.

        One that was used up ends its grant. Of what another client sends nothing changes.
        """
        digest = secrets.digest(self.keyring, secrets.REFRESH, text)
        row = repository.take_refresh_token(exchange.database, digest)
        if row is None or row.oauth_client_id != client.standing.client.id:
            return None
        verdict = refresh.judge(_record(row), exchange.now, rotates=client.is_public)
        if verdict is Verdict.REUSED:
            exchange.ended.extend(
                end(exchange.database, row.grant_id, exchange.now, REUSED_REFRESH)
            )
        if verdict is not Verdict.GOOD:
            return None
        lent = lent_by(
            exchange.database, self.lendings, row.grant_id, client.standing, exchange.now
        )
        return None if lent is None or OFFLINE not in lent.scopes else HeldToken(row, lent)

    def find_refresh_token(self, exchange: Exchange, text: str) -> RefreshToken | None:
        """The refresh token of whatever client, to look at."""
        digest = secrets.digest(self.keyring, secrets.REFRESH, text)
        return repository.find_refresh_token(exchange.database, digest)

    def is_good(self, exchange: Exchange, client: Client, row: RefreshToken) -> bool:
        """Whether the client could use the token now, as far as the token alone says."""
        verdict = refresh.judge(_record(row), exchange.now, rotates=client.is_public)
        return verdict is Verdict.GOOD

    def note_use(self, exchange: Exchange, client: Client, row: RefreshToken) -> None:
        """Note that the token was used: rotated, or kept from ending by lying idle."""
        if client.is_public:
            after = refresh.exchanged(_record(row), exchange.now)
            repository.note_exchange(
                exchange.database, row.digest, after.first_used_at, after.siblings
            )
        else:
            until = refresh.idle_until(exchange.now, row.ends_at)
            repository.note_use(exchange.database, row.digest, until)

    def new_refresh_token(self, exchange: Exchange, lent: Lent) -> str:
        """A refresh token of the grant; it is told once and kept as HMAC."""
        text, grant = secrets.make(), lent.grant
        row = RefreshToken(
            digest=secrets.digest(self.keyring, secrets.REFRESH, text),
            grant_id=grant.id,
            oauth_client_id=grant.oauth_client_id,
            issued_at=exchange.now,
            idle_until=refresh.idle_until(exchange.now, grant.ends_at),
            ends_at=grant.ends_at,
        )
        repository.add_refresh_token(exchange.database, row)
        return text


def _record(row: RefreshToken) -> TokenRecord:
    return TokenRecord(row.first_used_at, row.siblings, row.idle_until, row.ends_at)
