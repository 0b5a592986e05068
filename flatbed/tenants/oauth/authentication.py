"""Who a token request is of: by a secret, or by an assertion that the client signed.

Every refusal does the same work and looks the same: unknown client, malformed id, wrong, revoked
or expired secret, an assertion that is not good, the other way of signing in than the client's,
inactive or deleted client, owner or tenant, a network that the client may not call from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidClientError
from sqlalchemy.orm import Session

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.ids import ZERO, InvalidIdError, decode, encode
from flatbed.tenants.oauth import repository
from flatbed.tenants.oauth.assertions import accepted
from flatbed.tenants.oauth.clients.networks import admits
from flatbed.tenants.oauth.clients.secrets import Stored, matching
from flatbed.tenants.oauth.clients.standing import Standing, Standings
from flatbed.tenants.oauth.forms import AssertionProof, Form, PublicProof, SecretProof
from flatbed.tenants.oauth.models import BASIC, POST, PRIVATE_KEY, PUBLIC, OAuthClient


@dataclass(frozen=True, slots=True)
class Authentication:
    """Finds the client behind a form; synchronous, on the login transaction of the request."""

    keyring: Keyring
    standings: Standings
    issuer: str
    now: Callable[[], datetime] = system_now

    def client(self, session: Session, form: Form) -> Standing:
        """The client, which has proved who it is.

        Raises:
            InvalidClientError: it has not, or may not act; the reason is not told.
        """
        client_id = _client_id(form.proof.client_id)
        owned = repository.find_owned(session, client_id)
        standing = self.standings.of(owned)
        found = None if owned is None else owned.client
        note = self._proved(session, form, client_id, found)
        if standing is None or not admits(standing.client.allowed_cidrs, form.address):
            raise InvalidClientError
        if note is None or not note():
            raise InvalidClientError
        return standing

    def _proved(
        self, session: Session, form: Form, client_id: UUID, client: OAuthClient | None
    ) -> Callable[[], bool] | None:
        """How to note that this proof was used, None when it proves nothing."""
        match form.proof:
            case SecretProof(secret=secret):
                return self._by_secret(session, client_id, client, secret)
            case AssertionProof(assertion=assertion):
                return self._by_assertion(session, form, client_id, client, assertion)
            case PublicProof():
                return _nothing_to_note if _signs_in(client, PUBLIC) else None

    def _by_secret(
        self, session: Session, client_id: UUID, client: OAuthClient | None, secret: str
    ) -> Callable[[], bool] | None:
        now = self.now()
        rows = repository.live_secrets(session, client_id, now)
        stored = [Stored(row.digest, row.pepper_version) for row in rows]
        index = matching(self.keyring, secret, stored)
        if index is None or not _signs_in(client, BASIC, POST):
            return None

        def note() -> bool:
            repository.touch_secret(session, rows[index], now)
            return True

        return note

    def _by_assertion(
        self,
        session: Session,
        form: Form,
        client_id: UUID,
        client: OAuthClient | None,
        assertion: str,
    ) -> Callable[[], bool] | None:
        keys = [] if client is None or client.jwks is None else client.jwks["keys"]
        name = encode("client", client_id)
        found = accepted(assertion, keys, name, self.issuer, self.now())
        if found is None or not _signs_in(client, PRIVATE_KEY):
            return None
        # Only now, so that an assertion that was refused for another reason is not used up, and
        # nobody fills the table with what was never signed.
        return lambda: repository.use_assertion(
            session, client_id, found.digest, found.expires_at, form.request_id
        )


def _signs_in(client: OAuthClient | None, *methods: str) -> bool:
    """Whether the client signs in by one of these: by no other, however good its proof is."""
    return client is not None and client.token_endpoint_auth_method in methods


def _nothing_to_note() -> bool:
    return True


def _client_id(text: str) -> UUID:
    try:
        return decode("client", text)
    except InvalidIdError:
        # Looked up like any other: a malformed id must not answer sooner.
        return ZERO
