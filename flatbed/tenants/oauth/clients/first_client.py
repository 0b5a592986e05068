"""A new realm with the client that sets it up; behind ``flatbed realm create``."""

from dataclasses import dataclass, field

from flatbed.tenants.access.permissions import Permissions
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.realms import RealmKind, open_realm
from flatbed.tenants.oauth.clients.authority import OPERATOR
from flatbed.tenants.oauth.clients.schemas import AgencyOwner
from flatbed.tenants.oauth.clients.secret_service import ClientSecrets
from flatbed.tenants.oauth.clients.service import FIRST_LABEL, Clients, NewClient
from flatbed.tenants.oauth.clients.standing import Standings

CLIENT_NAME = "Administration"


@dataclass(frozen=True, slots=True)
class OpenedRealm:
    """The realm and its first client, as an operator needs them.

    ``realm_id`` and ``client_id`` are TypeIDs; ``client_secret`` is known to nobody else.
    """

    realm_id: str
    client_id: str
    scopes: frozenset[str]
    client_secret: str = field(repr=False)


async def create_realm(
    database: Database,
    keyring: Keyring,
    permissions: Permissions,
    *,
    name: str,
    slug: str,
    kind: RealmKind,
) -> OpenedRealm:
    """Make a realm and an agency client with every scope that is of use to one.

    Raises:
        RealmSlugTakenError: another realm of this deployment has the slug.
    """
    clients = Clients(Standings(permissions), ClientSecrets(keyring))
    scopes = clients.standings.scopes_for(Role.AGENCY_CLIENT)
    caller = Caller("system:realm-create", "")
    async with database.agency(realm_id=uuid7(), caller=caller, clock=Clock()) as session:
        realm = await open_realm(session, name=name, slug=slug, kind=kind)
        record(session, "realm.opened", "realm", realm.id, {"kind": kind})
        new = NewClient(CLIENT_NAME, AgencyOwner(kind="agency"), Role.AGENCY_CLIENT, scopes)
        client = await clients.add(session, OPERATOR, new)
        secret = await clients.secrets.issue(session, client, FIRST_LABEL)
    return OpenedRealm(
        encode("realm", realm.id),
        encode("client", client.id),
        frozenset(client.scopes),
        secret.text,
    )
