"""Rules of OAuth clients: who may own one, which scopes it may hold, how it signs in.

An ISV's own clients are managed in that ISV's transaction, where no other is seen; the agency
manages those of its realm.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import (
    EitherReadSession,
    EitherSession,
    TenantReadSession,
)
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import FieldError, InvalidError, NotFoundError
from flatbed.tenants.kit.realms import SANDBOX, find_realm
from flatbed.tenants.oauth.clients import repository
from flatbed.tenants.oauth.clients.authority import Authority
from flatbed.tenants.oauth.clients.errors import CallingClientError
from flatbed.tenants.oauth.clients.kinds import (
    METHOD,
    SignIn,
    check_redirects,
    default_method,
    has_secrets,
    sign_in,
)
from flatbed.tenants.oauth.clients.schemas import (
    AgencyOwner,
    AuthMethod,
    ClientSecretRead,
    IsvOwner,
    Kind,
    OAuthClientCreate,
    OAuthClientCreated,
    OAuthClientPage,
    OAuthClientRead,
    OAuthClientUpdate,
    Owner,
    StaffOwner,
)
from flatbed.tenants.oauth.clients.schemas_keys import ClientKeysRead
from flatbed.tenants.oauth.clients.secret_service import ClientSecrets
from flatbed.tenants.oauth.clients.standing import AGENCY, ISV, STAFF, Standings
from flatbed.tenants.oauth.models import SERVICE, OAuthClient
from flatbed.tenants.organizations import repository as organizations
from flatbed.tenants.organizations.service import apply

FIRST_LABEL: Final = "first"
OFF: Final = {"active": False}


@dataclass(frozen=True, slots=True)
class NewClient:
    """What a client is made of; ``role`` is what a service of this owner acts as."""

    name: str
    owner: Owner
    role: Role
    scopes: Collection[str]
    kind: str = SERVICE
    sign_in: SignIn = field(default_factory=SignIn)
    redirect_uris: Sequence[str] = ()
    allowed_cidrs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Clients:
    """The operations on clients; ``standings`` says which scopes a role may hold."""

    standings: Standings
    secrets: ClientSecrets

    async def create(
        self, session: EitherSession, by: Authority, body: OAuthClientCreate
    ) -> tuple[OAuthClientCreated, int]:
        """Make a client, with its first secret if it signs in with one.

        Returns it, the secret shown once, and its version.

        Raises:
            NotFoundError: the owner is unknown in this realm, or another than the session's ISV.
            InvalidError: the owner is missing, or may not own this kind; a scope is unknown, of no
                use to the owner's role, or more than the manager holds; the method or a redirect
                URI is none of the kind's; keys are missing, of no use, or no keys.
        """
        owner = _owner_sent(session, body)
        named = METHOD in body.model_fields_set
        method = body.token_endpoint_auth_method if named else default_method(body.kind)
        new = NewClient(
            name=body.name,
            owner=owner,
            role=await _role(session, owner),
            scopes=body.scopes,
            kind=body.kind,
            sign_in=sign_in(body.kind, method, body.jwks, None),
            redirect_uris=body.redirect_uris,
            allowed_cidrs=body.allowed_cidrs,
        )
        client = await self.add(session, by, new)
        secret = None
        if has_secrets(client):
            secret = (await self.secrets.issue(session, client, FIRST_LABEL)).text
        read = (await self._read(session, [client]))[0]
        return OAuthClientCreated(
            **dict(read), client_id=client.id, client_secret=secret
        ), client.version

    async def add(self, session: EitherSession, by: Authority, new: NewClient) -> OAuthClient:
        """Insert a client without a secret.

        Raises:
            InvalidError: a scope is unknown, of no use to the role or more than the manager holds;
                a redirect URI is none of the kind's; a staff member would own an application.
        """
        if new.kind != SERVICE and new.owner.kind == STAFF:
            words = "A staff member owns services only; the agency owns its applications."
            raise InvalidError.at("/kind", "kind-not-of-owner", words)
        self._check_scopes(new.kind, new.owner, new.role, new.scopes, by)
        await _check_redirects(session, new.kind, new.redirect_uris)
        now = session.now()
        client = OAuthClient(
            realm_id=session.realm_id,
            id=uuid7(),
            name=new.name,
            kind=new.kind,
            owner_kind=new.owner.kind,
            tenant_id=new.owner.organization_id if isinstance(new.owner, IsvOwner) else None,
            staff_id=new.owner.staff_id if isinstance(new.owner, StaffOwner) else None,
            scopes=sorted(set(new.scopes)),
            active=True,
            token_endpoint_auth_method=new.sign_in.method,
            jwks=new.sign_in.jwks,
            allowed_cidrs=list(new.allowed_cidrs),
            redirect_uris=list(new.redirect_uris),
            created_at=now,
            updated_at=now,
        )
        await repository.add_client(session, client)
        detail = {"owner": client.owner_kind, "kind": client.kind, **_detail(client)}
        record(session, "oauth_client.created", "client", client.id, detail)
        return client

    async def get(self, session: EitherReadSession, client_id: UUID) -> tuple[OAuthClientRead, int]:
        """The client and its version.

        Raises:
            NotFoundError: no such client here.
        """
        client = await repository.find_client(session, client_id)
        if client is None:
            raise NotFoundError
        return (await self._read(session, [client]))[0], client.version

    async def page(
        self,
        session: EitherReadSession,
        cursors: Cursors,
        *,
        cursor: str | None,
        limit: int,
        organization_id: UUID | None,
        staff_id: UUID | None,
    ) -> OAuthClientPage:
        """A page of the clients by last change, of one owner if asked."""
        window = cursors.window(cursor, limit)
        rows = await repository.list_clients(
            session, window, tenant_id=organization_id, staff_id=staff_id
        )
        shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
        return OAuthClientPage(data=await self._read(session, shown), **envelope.model_dump())

    async def update(
        self,
        session: EitherSession,
        by: Authority,
        client_id: UUID,
        version: int | None,
        body: OAuthClientUpdate,
    ) -> tuple[OAuthClientRead, int]:
        """Change what the body names. Tokens that are out feel it at their next request.

        Raises:
            NotFoundError: no such client here.
            PreconditionFailedError: another version is stored.
            ClientBeyondCallerError: more than switching it off, and it holds more than the manager.
            CallingClientError: it would switch off the client that is called with.
            InvalidError: a scope is unknown, of no use to the owner's role as it is now, or more
                than the manager holds; the method or a redirect URI is none of the kind's; keys
                are missing, of no use, or no keys.
        """
        client = await self._locked(session, client_id, version)
        changes = body.model_dump(exclude_unset=True)
        if changes != OFF:
            by.check(client.scopes)
        if changes.get("active") is False:
            _refuse_own(by, client)
        if "scopes" in changes:
            owner = _owner(client)
            role = await _role(session, owner)
            self._check_scopes(client.kind, owner, role, body.scopes, by)
            changes["scopes"] = sorted(set(body.scopes))
        if "redirect_uris" in changes:
            await _check_redirects(session, client.kind, body.redirect_uris)
        if {METHOD, "jwks"} & changes.keys():
            method = changes.get(METHOD, client.token_endpoint_auth_method)
            found = sign_in(client.kind, method, body.jwks, client.jwks)
            changes |= {METHOD: found.method, "jwks": found.jwks}
            if found.jwks is not None and client.jwks is None:
                await self.secrets.revoke_all(session, client)
        apply(client, changes)
        client.updated_at = session.now()
        detail = {
            "fields": sorted(body.model_fields_set),
            "active": client.active,
            **_detail(client),
        }
        record(session, "oauth_client.updated", "client", client.id, detail)
        await session.flush()
        return (await self._read(session, [client]))[0], client.version

    async def delete(
        self, session: EitherSession, by: Authority, client_id: UUID, version: int | None
    ) -> None:
        """End the client for good: its tokens, its secrets and its keys.

        Its row stays, found by nobody, so that the audit can say who it was.

        Raises:
            NotFoundError: no such client here.
            PreconditionFailedError: another version is stored.
            CallingClientError: it is the client that is called with.
        """
        client = await self._locked(session, client_id, version)
        _refuse_own(by, client)
        await repository.delete_secrets(session, client.id)
        now = session.now()
        client.active, client.deleted_at, client.updated_at = False, now, now
        client.token_endpoint_auth_method, client.jwks = default_method(client.kind), None
        record(session, "oauth_client.deleted", "client", client.id)
        await session.flush()

    async def _locked(
        self, session: EitherSession, client_id: UUID, version: int | None
    ) -> OAuthClient:
        client = await repository.find_client(session, client_id, lock=True)
        if client is None:
            raise NotFoundError
        http.match(client.version, version)
        return client

    def _check_scopes(
        self, kind: str, owner: Owner, role: Role, scopes: Collection[str], by: Authority
    ) -> None:
        if kind == SERVICE:
            allowed = self.standings.scopes_for(role)
        else:
            allowed = self.standings.scopes_for_application(owner.kind)
        errors = []
        for index, scope in enumerate(scopes):
            if scope not in allowed:
                words = "A client of this owner cannot."
                errors.append(FieldError(f"/scopes/{index}", "scope-not-allowed", words))
            elif not by.covers({scope}):
                words = "Your own token does not hold it."
                errors.append(FieldError(f"/scopes/{index}", "scope-not-held", words))
        if errors:
            raise InvalidError(errors=errors)

    async def _read(
        self, session: EitherReadSession, clients: Sequence[OAuthClient]
    ) -> list[OAuthClientRead]:
        secrets = await repository.secrets_of(session, [c.id for c in clients], system_now())
        return [
            OAuthClientRead(
                id=client.id,
                name=client.name,
                kind=TypeAdapter(Kind).validate_python(client.kind),
                owner=_owner(client),
                scopes=client.scopes,
                redirect_uris=client.redirect_uris,
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


def _owner_sent(session: EitherSession, body: OAuthClientCreate) -> Owner:
    """The owner that the body names; in an ISV's transaction that ISV, named or not."""
    sent = body.owner if "owner" in body.model_fields_set else None
    if not isinstance(session, TenantReadSession):
        if sent is None:
            raise InvalidError.at("/owner", "owner-required", "Say whose it is to be.")
        return sent
    if sent is None:
        return IsvOwner(kind=ISV, organization_id=session.tenant_id)
    if not isinstance(sent, IsvOwner):
        raise InvalidError.at("/owner/kind", "owner-not-allowed", "An ISV makes its own only.")
    if sent.organization_id != session.tenant_id:
        raise NotFoundError
    return sent


async def _role(session: EitherReadSession, owner: Owner) -> Role:
    if isinstance(session, TenantReadSession):
        return Role.ISV_CLIENT
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


async def _check_redirects(session: EitherReadSession, kind: str, uris: Sequence[str]) -> None:
    realm = await find_realm(session, session.realm_id) if kind != SERVICE else None
    check_redirects(kind, uris, sandbox=realm is not None and realm.kind == SANDBOX)


def _refuse_own(by: Authority, client: OAuthClient) -> None:
    if by.client_id == client.id:
        raise CallingClientError


def _method(client: OAuthClient) -> AuthMethod:
    return TypeAdapter(AuthMethod).validate_python(client.token_endpoint_auth_method)


def _detail(client: OAuthClient) -> dict[str, Any]:
    """What the audit keeps of what a client may and how it signs in; the keys by their names."""
    kids = [key["kid"] for key in client.jwks["keys"]] if client.jwks else []
    return {
        "scopes": client.scopes,
        METHOD: client.token_endpoint_auth_method,
        "kids": kids,
        "allowed_cidrs": client.allowed_cidrs,
        "redirect_uris": client.redirect_uris,
    }
