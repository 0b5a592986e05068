"""The authorization endpoint: what a request, a person and his places come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from flatbed.tenants.access.scopes import OFFLINE
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import (
    AgencySession,
    LoginSession,
    TenantSession,
    agency_of_login,
    tenant_of_login,
)
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.oauth import repository as clients
from flatbed.tenants.oauth.clients.standing import AGENCY, Standing, Standings
from flatbed.tenants.oauth.grants.authorizing import repository, request
from flatbed.tenants.oauth.grants.authorizing.errors import RefusedError
from flatbed.tenants.oauth.grants.authorizing.places import Offer, chosen, offers
from flatbed.tenants.oauth.grants.authorizing.request import Asked, Target
from flatbed.tenants.oauth.grants.ending.service import realm_time
from flatbed.tenants.oauth.grants.models import AuthorizationCode, Grant
from flatbed.tenants.oauth.grants.redeeming import secrets
from flatbed.tenants.oauth.models import SERVICE, OAuthClient
from flatbed.tenants.oauth.rules.authorization import CODE_LIFETIME, is_too_old
from flatbed.tenants.oauth.rules.refresh import ABSOLUTE
from flatbed.tenants.oauth.rules.rotation import LIFETIME
from flatbed.tenants.people.models import ONE_FACTOR
from flatbed.tenants.people.policy.repository import needs_second_factor
from flatbed.tenants.people.sessions.service import SignedIn

CREATED: Final = "grant.created"


@dataclass(frozen=True, slots=True)
class GoTo:
    """Send the browser to this URI: the application's, with an answer."""

    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Let the person sign in, ``anew`` also where he has, and come back with this query."""

    query: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Enrol:
    """Let the person set up a second factor first, and come back."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the person: who wants what, and in which of his places."""

    client: OAuthClient
    owner: str
    offers: Sequence[Offer]
    chosen: Offer | None
    redirect_uri: str

    @property
    def scopes(self) -> frozenset[str]:
        """What is asked for, in any of the places."""
        return frozenset().union(*(offer.scopes for offer in self.offers))


Outcome = GoTo | SignIn | Enrol | Ask


@dataclass(frozen=True, slots=True)
class Decision:
    """What the person said on the page; ``place`` is the id of the one that he chose."""

    allows: bool
    place: str | None


@dataclass(frozen=True, slots=True)
class Authorizer:
    """One login transaction a request; ``issuer`` is the one resource."""

    keyring: Keyring
    standings: Standings
    issuer: str

    async def answer(
        self,
        session: LoginSession,
        query: str,
        person: SignedIn | None,
        now: datetime,
        decision: Decision | None = None,
    ) -> Outcome:
        """What follows from the request with this query.

        Args:
            session: the login transaction.
            query: exactly as it was sent.
            person: who is signed in with this browser.
            now: the system's time.
            decision: what he said, where the page was shown.

        Raises:
            UnanswerableError: it is not known to whom an answer may go.
        """
        parameters = request.read_query(query)
        standing = await self._client(session, request.named_client(parameters))
        target = request.read_target(parameters, standing, self.issuer)
        try:
            asked = request.read_asked(parameters, target)
            return await self._answer(session, query, asked, person, now, decision)
        except RefusedError as refused:
            return GoTo(target.answer(error=refused.error))

    async def _client(self, session: LoginSession, name: str) -> Standing | None:
        owned = await session.run_sync(clients.find_owned, decode("client", name))
        standing = self.standings.of(owned)
        return None if standing is None or standing.client.kind == SERVICE else standing

    async def _answer(
        self,
        session: LoginSession,
        query: str,
        asked: Asked,
        person: SignedIn | None,
        now: datetime,
        decision: Decision | None,
    ) -> Outcome:
        if person is None:
            return self._nobody(query, asked)
        pause = await self._pause(session, query, asked, person, now)
        if pause is not None:
            return pause
        found = await self._offers(session, asked, person.user_id)
        if not found or (decision is not None and not decision.allows):
            raise RefusedError("access_denied")
        wanted = asked.place if decision is None else decision.place
        offer = chosen(found, wanted)
        client = asked.target.standing.client
        # First: what he takes back, or who switches him off, at this moment waits or was before.
        if not await repository.hold_person(session, person.user_id, person.session_id, now):
            return self._nobody(query, asked)
        agreed = await repository.consented(session, person.user_id, client.id)
        if decision is None and (
            offer is None or "consent" in asked.prompt or not offer.scopes <= agreed
        ):
            if asked.is_silent:
                raise RefusedError("interaction_required" if offer is None else "consent_required")
            return await self._page(session, asked, found, offer)
        if offer is None:
            # A choice that is none of his: as if he had made none.
            return await self._page(session, asked, found, None)
        return await self._granted(session, asked, person, offer, agreed, now)

    @staticmethod
    def _nobody(query: str, asked: Asked) -> SignIn:
        if asked.is_silent:
            raise RefusedError("login_required")
        return SignIn(request.signed_in_anew(query))

    async def _pause(
        self,
        session: LoginSession,
        query: str,
        asked: Asked,
        person: SignedIn,
        now: datetime,
    ) -> Outcome | None:
        """What a person who is signed in must do before he can be asked."""
        anew = not asked.prompt.isdisjoint({"login", "select_account"})
        if anew or is_too_old(person.auth_at, now, asked.max_age):
            if asked.is_silent:
                raise RefusedError("login_required")
            return SignIn(request.signed_in_anew(query), anew=True)
        if person.acr == ONE_FACTOR and await needs_second_factor(session, person.user_id):
            if asked.is_silent:
                raise RefusedError("interaction_required")
            return Enrol()
        return None

    async def _offers(self, session: LoginSession, asked: Asked, user_id: UUID) -> list[Offer]:
        client = asked.target.standing.client
        places = list(await repository.memberships(session, client, user_id))
        if client.owner_kind == AGENCY:
            places += await repository.staff_places(session, client.realm_id, user_id)
        return offers(places, asked.scopes, self.standings)

    async def _page(
        self, session: LoginSession, asked: Asked, found: Sequence[Offer], offer: Offer | None
    ) -> Ask:
        client = asked.target.standing.client
        owner = await repository.owner_name(session, client)
        return Ask(client, owner, found, offer, asked.target.redirect_uri)

    async def _granted(
        self,
        session: LoginSession,
        asked: Asked,
        person: SignedIn,
        offer: Offer,
        agreed: frozenset[str],
        now: datetime,
    ) -> GoTo:
        client = asked.target.standing.client
        text = secrets.make()
        made = self._made(asked, person, offer, text, now)
        await repository.add(session, made)
        if not offer.scopes <= agreed:
            await repository.remember_consent(
                session, person.user_id, client.id, offer.scopes | agreed, now
            )
        await _tell_created(session, made.grant, offer.place.actor)
        return GoTo(asked.target.answer(code=text))

    def _made(
        self, asked: Asked, person: SignedIn, offer: Offer, text: str, now: datetime
    ) -> repository.Made:
        client, place = asked.target.standing.client, offer.place
        expires = now + CODE_LIFETIME
        # Without a refresh token its last access token is issued with the code's last second.
        ends = now + ABSOLUTE if OFFLINE in offer.scopes else expires + LIFETIME
        grant = Grant(
            realm_id=client.realm_id,
            id=uuid7(),
            oauth_client_id=client.id,
            user_id=person.user_id,
            tenant_id=place.tenant_id,
            membership_id=place.membership_id,
            staff_id=place.staff_id,
            session_id=person.session_id,
            scopes=sorted(offer.scopes),
            acr=person.acr,
            auth_at=person.auth_at,
            created_at=now,
            ends_at=ends,
        )
        code = AuthorizationCode(
            digest=secrets.digest(self.keyring, secrets.CODE, text),
            grant_id=grant.id,
            oauth_client_id=client.id,
            session_id=person.session_id,
            redirect_uri=asked.target.redirect_uri,
            challenge=asked.challenge,
            nonce=asked.nonce,
            resource=asked.resource,
            expires_at=expires,
        )
        return repository.Made(grant, code)


async def _tell_created(session: LoginSession, grant: Grant, actor: str) -> None:
    clock = await realm_time(session, grant.realm_id)
    if grant.tenant_id is None:
        async with agency_of_login(session, grant.realm_id, clock, actor) as agency:
            _record(agency, grant)
    else:
        async with tenant_of_login(
            session, grant.realm_id, grant.tenant_id, clock, actor
        ) as tenant:
            _record(tenant, grant)


def _record(session: TenantSession | AgencySession, grant: Grant) -> None:
    detail = {
        "client_id": encode("client", grant.oauth_client_id),
        "scopes": list(grant.scopes),
        "acr": grant.acr,
    }
    record(session, CREATED, "grant", grant.id, detail)


__all__ = ["Ask", "Authorizer", "Decision", "Enrol", "GoTo", "Outcome", "SignIn", "Target"]
