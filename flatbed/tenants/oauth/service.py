"""Rules of OAuth clients: who may own one, which scopes it may hold, how it signs in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import FieldError, InvalidError, NotFoundError
from flatbed.tenants.oauth import repository
from flatbed.tenants.oauth.client_keys import wrong
from flatbed.tenants.oauth.models import BASIC, PRIVATE_KEY, OAuthClient
from flatbed.tenants.oauth.schemas import (
    AgencyOwner,
    AuthMethod,
    ClientSecretRead,
    IsvOwner,
    OAuthClientCreate,
    OAuthClientCreated,
    OAuthClientPage,
    OAuthClientRead,
    OAuthClientUpdate,
    Owner,
    StaffOwner,
)
from flatbed.tenants.oauth.schemas_keys import ClientKeys, ClientKeysRead
from flatbed.tenants.oauth.secret_service import ClientSecrets
from flatbed.tenants.oauth.standing import AGENCY, ISV, STAFF, Standings
from flatbed.tenants.organizations import repository as organizations
from flatbed.tenants.organizations.service import apply

FIRST_LABEL: Final = "first"
METHOD: Final = "token_endpoint_auth_method"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a client signs in: with its secrets, or with keys whose public parts these are."""

    method: str
    jwks: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Clients:
    """The operations on clients; ``standings`` says which scopes a role may hold."""

    standings: Standings
    secrets: ClientSecrets

    async def create(
        self, session: AgencySession, body: OAuthClientCreate
    ) -> tuple[OAuthClientCreated, int]:
        """Make a client, unless it has keys with its first secret.

        Returns it, the secret shown once, and its version.

        Raises:
            NotFoundError: the owner is unknown in this realm.
            InvalidError: a scope is unknown or of no use to the owner's role; keys are missing,
                of no use, or no keys.
        """
        role = await _role(session, body.owner)
        client = await self.add(
            session,
            name=body.name,
            owner=body.owner,
            role=role,
            scopes=body.scopes,
            sign_in=_sign_in(body.token_endpoint_auth_method, body.jwks, None),
            allowed_cidrs=body.allowed_cidrs,
        )
        secret = None
        if client.jwks is None:
            secret = (await self.secrets.issue(session, client, FIRST_LABEL)).text
        read = (await self._read(session, [client]))[0]
        return OAuthClientCreated(
            **dict(read), client_id=client.id, client_secret=secret
        ), client.version

    async def add(
        self,
        session: AgencySession,
        *,
        name: str,
        owner: Owner,
        role: Role,
        scopes: Collection[str],
        sign_in: SignIn | None = None,
        allowed_cidrs: Sequence[str] = (),
    ) -> OAuthClient:
        """Insert a client without a secret.

        Raises:
            InvalidError: a scope is unknown or of no use to the role.
        """
        self._check(role, scopes)
        now, sign_in = session.now(), sign_in or SignIn(BASIC, None)
        client = OAuthClient(
            realm_id=session.realm_id,
            id=uuid7(),
            name=name,
            owner_kind=owner.kind,
            tenant_id=owner.organization_id if isinstance(owner, IsvOwner) else None,
            staff_id=owner.staff_id if isinstance(owner, StaffOwner) else None,
            scopes=sorted(set(scopes)),
            active=True,
            token_endpoint_auth_method=sign_in.method,
            jwks=sign_in.jwks,
            allowed_cidrs=list(allowed_cidrs),
            created_at=now,
            updated_at=now,
        )
        await repository.add_client(session, client)
        detail = {"owner": client.owner_kind, "scopes": client.scopes, **_detail(client)}
        record(session, "oauth_client.created", "client", client.id, detail)
        return client

    async def get(self, session: AgencyReadSession, client_id: UUID) -> tuple[OAuthClientRead, int]:
        """The client and its version.

        Raises:
            NotFoundError: no such client in this realm.
        """
        client = await repository.find_client(session, client_id)
        if client is None:
            raise NotFoundError
        return (await self._read(session, [client]))[0], client.version

    async def page(
        self,
        session: AgencyReadSession,
        cursors: Cursors,
        *,
        cursor: str | None,
        limit: int,
        organization_id: UUID | None,
        staff_id: UUID | None,
    ) -> OAuthClientPage:
        """A page of the realm's clients by last change, of one owner if asked."""
        window = cursors.window(cursor, limit)
        rows = await repository.list_clients(
            session, window, tenant_id=organization_id, staff_id=staff_id
        )
        shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
        return OAuthClientPage(data=await self._read(session, shown), **envelope.model_dump())

    async def update(
        self,
        session: AgencySession,
        client_id: UUID,
        version: int | None,
        body: OAuthClientUpdate,
    ) -> tuple[OAuthClientRead, int]:
        """Change what the body names. Tokens that are out feel it at their next request.

        Raises:
            NotFoundError: no such client in this realm.
            PreconditionFailedError: another version is stored.
            InvalidError: a scope is unknown or of no use to the owner's role as it is now; keys
                are missing, of no use, or no keys.
        """
        client = await self._locked(session, client_id, version)
        changes = body.model_dump(exclude_unset=True)
        if "scopes" in changes:
            self._check(await _role(session, _owner(client)), body.scopes)
            changes["scopes"] = sorted(set(body.scopes))
        if {"token_endpoint_auth_method", "jwks"} & changes.keys():
            method = changes.get(METHOD, client.token_endpoint_auth_method)
            sign_in = _sign_in(method, body.jwks, client.jwks)
            changes |= {METHOD: sign_in.method, "jwks": sign_in.jwks}
            if sign_in.jwks is not None and client.jwks is None:
                await self.secrets.revoke_all(session, client)
        apply(client, changes)
        client.updated_at = session.now()
        detail = {
            "fields": sorted(body.model_fields_set),
            "scopes": client.scopes,
            "active": client.active,
            **_detail(client),
        }
        record(session, "oauth_client.updated", "client", client.id, detail)
        await session.flush()
        return (await self._read(session, [client]))[0], client.version

    async def delete(self, session: AgencySession, client_id: UUID, version: int | None) -> None:
        """End the client for good: its tokens, its secrets and its keys.

        Its row stays, found by nobody, so that the audit can say who it was.

        Raises:
            NotFoundError: no such client in this realm.
            PreconditionFailedError: another version is stored.
        """
        client = await self._locked(session, client_id, version)
        await repository.delete_secrets(session, client.id)
        now = session.now()
        client.active, client.deleted_at, client.updated_at = False, now, now
        client.token_endpoint_auth_method, client.jwks = BASIC, None
        record(session, "oauth_client.deleted", "client", client.id)
        await session.flush()

    async def _locked(
        self, session: AgencySession, client_id: UUID, version: int | None
    ) -> OAuthClient:
        client = await repository.find_client(session, client_id, lock=True)
        if client is None:
            raise NotFoundError
        http.match(client.version, version)
        return client

    def _check(self, role: Role, scopes: Collection[str]) -> None:
        allowed = self.standings.scopes_for(role)
        errors = [
            FieldError(f"/scopes/{index}", "scope-not-allowed", "A client of this owner cannot.")
            for index, scope in enumerate(scopes)
            if scope not in allowed
        ]
        if errors:
            raise InvalidError(errors=errors)

    async def _read(
        self, session: AgencyReadSession, clients: Sequence[OAuthClient]
    ) -> list[OAuthClientRead]:
        secrets = await repository.secrets_of(session, [c.id for c in clients], system_now())
        return [
            OAuthClientRead(
                id=client.id,
                name=client.name,
                owner=_owner(client),
                scopes=client.scopes,
                active=client.active,
                token_endpoint_auth_method=_method(client),
                jwks=None if client.jwks is None else ClientKeysRead.model_validate(client.jwks),
                allowed_cidrs=client.allowed_cidrs,
                secrets=[
                    ClientSecretRead.model_validate(secret)
                    for secret in secrets
                    if secret.oauth_client_id == client.id
                ],
                created_at=client.created_at,
                updated_at=client.updated_at,
            )
            for client in clients
        ]


async def _role(session: AgencyReadSession, owner: Owner) -> Role:
    match owner:
        case IsvOwner():
            if await organizations.find_organization(session, owner.organization_id) is None:
                raise NotFoundError
            return Role.ISV_CLIENT
        case AgencyOwner():
            return Role.AGENCY_CLIENT
        case StaffOwner():
            member = await organizations.find_staff(session, owner.staff_id)
            if member is None:
                raise NotFoundError
            return Role(member.role)


def _owner(client: OAuthClient) -> Owner:
    if client.tenant_id is not None:
        return IsvOwner(kind=ISV, organization_id=client.tenant_id)
    if client.staff_id is not None:
        return StaffOwner(kind=STAFF, staff_id=client.staff_id)
    return AgencyOwner(kind=AGENCY)


def _sign_in(method: str, sent: ClientKeys | None, kept: dict[str, Any] | None) -> SignIn:
    """The keys that go with the method: those that were sent, else those that it has.

    Raises:
        InvalidError: keys are missing, of no use, or no keys.
    """
    if method != PRIVATE_KEY:
        if sent is not None:
            raise InvalidError.at("/jwks", "keys-not-used", "Keys are for private_key_jwt.")
        return SignIn(method, None)
    if sent is None:
        if kept is None:
            raise InvalidError.at("/jwks", "keys-required", "private_key_jwt needs public keys.")
        return SignIn(method, kept)
    if errors := wrong(sent):
        raise InvalidError(errors=errors)
    return SignIn(method, sent.model_dump())


def _method(client: OAuthClient) -> AuthMethod:
    return TypeAdapter(AuthMethod).validate_python(client.token_endpoint_auth_method)


def _detail(client: OAuthClient) -> dict[str, Any]:
    """What the audit keeps of how a client signs in and from where; the keys by their names."""
    kids = [key["kid"] for key in client.jwks["keys"]] if client.jwks else []
    return {
        METHOD: client.token_endpoint_auth_method,
        "kids": kids,
        "allowed_cidrs": client.allowed_cidrs,
    }
