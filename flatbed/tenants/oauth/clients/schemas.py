"""What the API takes and gives for OAuth clients."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import ClientId, OrganizationId, SecretId, StaffId
from flatbed.tenants.kit.schemas import Input, Name, Output, UtcInstant, unset
from flatbed.tenants.oauth.clients.networks import MOST_NETWORKS, canonical_list
from flatbed.tenants.oauth.clients.schemas_keys import ClientKeys, ClientKeysRead
from flatbed.tenants.oauth.models import SERVICE
from flatbed.tenants.oauth.rules.redirects import LONGEST, MOST

_SCOPE = "^([a-z]{1,32}:[a-z]{1,32}|openid|profile|email|offline_access)$"
Scopes = Annotated[
    list[Annotated[str, Field(pattern=_SCOPE)]],
    Field(min_length=1, max_length=64, examples=[["campaigns:read", "usage:read"]]),
]


Kind = Annotated[
    Literal["service", "web", "native"],
    Field(
        description="A machine; an application on a server, which keeps a secret; one on a"
        " person's device, which cannot. It never changes."
    ),
]
AuthMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
RedirectUris = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=LONGEST)]],
    Field(
        max_length=MOST,
        description="Where people are sent back to: one at least for web and native, none for"
        " service. Compared character by character; a native loopback URI (`http://127.0.0.1/…`,"
        " `http://[::1]/…`) is registered without a port and takes any.",
        examples=[["https://app.example.com/callback"]],
    ),
]
Networks = Annotated[
    list[Annotated[str, Field(pattern="^[0-9A-Fa-f:./]{2,49}$")]],
    Field(
        max_length=MOST_NETWORKS,
        description="IPv4 and IPv6 networks that tokens are issued to and used from; none: all.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    ),
    AfterValidator(canonical_list),
]
AUTH_METHOD_TEXT = (
    "Of native clients `none` and nothing else. A client with secrets may use either way of"
    " sending one, whatever this says."
)


class IsvOwner(Input):
    """An ISV: the client acts in this tenant and in no other."""

    kind: Literal["isv"]
    organization_id: OrganizationId


class AgencyOwner(Input):
    """The agency itself."""

    kind: Literal["agency"]


class StaffOwner(Input):
    """One staff member: the client acts with his role, whatever it is at the time."""

    kind: Literal["staff"]
    staff_id: StaffId


Owner = Annotated[IsvOwner | AgencyOwner | StaffOwner, Field(discriminator="kind")]


class OAuthClientCreate(Input):
    """A new client. Its scopes must be of use to its owner's role, an application's to people.

    With `private_key_jwt` it has the public keys in `jwks` and no secret, else a secret, unless
    it is native. A staff member owns services only.
    """

    name: Name
    kind: Kind = SERVICE
    owner: Owner = Field(
        default_factory=unset,
        description="Where the call is for one ISV, that ISV and no other: it need not be sent.",
    )
    scopes: Scopes
    redirect_uris: RedirectUris = Field(default_factory=list)
    token_endpoint_auth_method: Annotated[
        AuthMethod,
        Field(description=f"`client_secret_basic` unless it is sent. {AUTH_METHOD_TEXT}"),
    ] = Field(default_factory=unset)
    jwks: ClientKeys = Field(default_factory=unset)
    allowed_cidrs: Networks = Field(default_factory=list)


class OAuthClientUpdate(Input):
    """What may change; a member that is left out stays. Owner and kind never change.

    To `private_key_jwt` all secrets are revoked at once; away from it the keys are gone.
    """

    name: Name = Field(default_factory=unset)
    scopes: Scopes = Field(default_factory=unset)
    redirect_uris: RedirectUris = Field(default_factory=unset)
    active: bool = Field(default_factory=unset)
    token_endpoint_auth_method: Annotated[AuthMethod, Field(description=AUTH_METHOD_TEXT)] = Field(
        default_factory=unset
    )
    jwks: ClientKeys = Field(default_factory=unset)
    allowed_cidrs: Networks = Field(default_factory=unset)


class ClientSecretCreate(Input):
    """Another secret, at most two live."""

    label: Name
    expires_at: UtcInstant = Field(
        default_factory=unset, description="At most 365 days from now, which is also the default."
    )


Overlap = Literal["0", "1h", "24h", "7d"]


class ClientSecretRoll(Input):
    """A new secret in place of one: how long both work, and how the new one is labelled."""

    overlap: Annotated[
        Overlap,
        Field(description="How long the old one goes on; never longer than it would have."),
    ]
    label: Name = Field(default_factory=unset, description="As the old one's, unless it is sent.")


class ClientSecretRead(Output):
    """A live secret, without the secret."""

    id: SecretId
    label: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="Exact to a minute.")]


class ClientSecretCreated(ClientSecretRead):
    """The new secret, with the secret."""

    client_secret: Annotated[
        str | None,
        Field(description="Shown this once; null when an Idempotency-Key replays the reply."),
    ]


class OAuthClientRead(Output):
    """A client; its `id` is the `client_id` of token requests."""

    id: ClientId
    name: str
    kind: Kind
    owner: Owner
    scopes: list[str]
    redirect_uris: list[str]
    active: bool
    token_endpoint_auth_method: AuthMethod
    jwks: Annotated[ClientKeysRead | None, Field(description="Of `private_key_jwt` clients.")]
    allowed_cidrs: list[str]
    secrets: list[ClientSecretRead]
    created_at: datetime
    updated_at: datetime


class OAuthClientCreated(OAuthClientRead):
    """The new client with its secret, if it signs in with one."""

    client_id: Annotated[ClientId, Field(description="For token requests; the same as `id`.")]
    client_secret: Annotated[
        str | None,
        Field(
            description="Shown this once; null when an Idempotency-Key replays the reply, and for "
            "`private_key_jwt` and native clients."
        ),
    ]


class OAuthClientPage(Page):
    """A page of clients, by last change."""

    data: list[OAuthClientRead]
