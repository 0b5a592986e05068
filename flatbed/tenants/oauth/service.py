"""Rules of OAuth clients: who may own one, which scopes it may hold, how many secrets live."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import FieldError, InvalidError, NotFoundError
from flatbed.tenants.oauth import repository
from flatbed.tenants.oauth.errors import TooManySecretsError
from flatbed.tenants.oauth.models import ClientSecret, OAuthClient
from flatbed.tenants.oauth.schemas import (
    AgencyOwner,
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
from flatbed.tenants.oauth.secrets import LIFETIME, MOST_LIVE, conceal, make_secret
from flatbed.tenants.oauth.standing import AGENCY, ISV, STAFF, Standings
from flatbed.tenants.organizations import repository as organizations
from flatbed.tenants.organizations.service import apply

FIRST_LABEL = "first"


@dataclass(frozen=True, slots=True)
class Clients:
    """The operations on clients; ``standings`` says which scopes a role may hold."""

    keyring: Keyring
    standings: Standings

    async def create(
        self, session: AgencySession, body: OAuthClientCreate
    ) -> tuple[OAuthClientCreated, int]:
        """Make a client with its first secret. Returns it, the secret shown once, its version.

        Raises:
            NotFoundError: the owner is unknown in this realm.
            InvalidError: a scope is unknown or of no use to the owner's role.
        """
        role = await _role(session, body.owner)
        client = await self.add(
            session, name=body.name, owner=body.owner, role=role, scopes=body.scopes
        )
        secret = await self.issue_secret(session, client, FIRST_LABEL)
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
    ) -> OAuthClient:
        """Insert a client without a secret.

        Raises:
            InvalidError: a scope is unknown or of no use to the role.
        """
        self._check(role, scopes)
        now = session.now()
        client = OAuthClient(
            realm_id=session.realm_id,
            id=uuid7(),
            name=name,
            owner_kind=owner.kind,
            tenant_id=owner.organization_id if isinstance(owner, IsvOwner) else None,
            staff_id=owner.staff_id if isinstance(owner, StaffOwner) else None,
            scopes=sorted(set(scopes)),
            active=True,
            created_at=now,
            updated_at=now,
        )
        await repository.add_client(session, client)
        detail = {"owner": client.owner_kind, "scopes": client.scopes}
        record(session, "oauth_client.created", "client", client.id, detail)
        return client

    async def issue_secret(self, session: AgencySession, client: OAuthClient, label: str) -> str:
        """Give the client another secret for 365 days and return it, the only time.

        Raises:
            TooManySecretsError: two are live; the row of the client is locked while they are
                counted.
        """
        await repository.find_client(session, client.id, lock=True)
        now = system_now()
        if await repository.count_live_secrets(session, client.id, now) >= MOST_LIVE:
            raise TooManySecretsError
        secret = make_secret()
        stored = conceal(self.keyring, secret)
        row = ClientSecret(
            realm_id=session.realm_id,
            id=uuid7(),
            oauth_client_id=client.id,
            digest=stored.digest,
            pepper_version=stored.pepper_version,
            last_four=secret[-4:],
            label=label,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        await repository.add_secret(session, row)
        record(session, "client_secret.created", "sec", row.id, {"client": str(client.id)})
        return secret

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
        self, session: AgencySession, client_id: UUID, version: int, body: OAuthClientUpdate
    ) -> tuple[OAuthClientRead, int]:
        """Change what the body names. Tokens that are out feel it at their next request.

        Raises:
            NotFoundError: no such client in this realm.
            PreconditionFailedError: another version is stored.
            InvalidError: a scope is unknown or of no use to the owner's role as it is now.
        """
        client = await repository.find_client(session, client_id, lock=True)
        if client is None:
            raise NotFoundError
        http.match(client.version, version)
        changes = body.model_dump(exclude_unset=True)
        if "scopes" in changes:
            self._check(await _role(session, _owner(client)), body.scopes)
            changes["scopes"] = sorted(set(body.scopes))
        apply(client, changes)
        client.updated_at = session.now()
        detail = {
            "fields": sorted(changes),
            "scopes": client.scopes,
            "active": client.active,
        }
        record(session, "oauth_client.updated", "client", client.id, detail)
        await session.flush()
        return (await self._read(session, [client]))[0], client.version

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
