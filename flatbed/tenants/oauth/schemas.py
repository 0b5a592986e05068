"""What the API takes and gives for OAuth clients."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import ClientId, OrganizationId, SecretId, StaffId
from flatbed.tenants.kit.schemas import Input, Name, Output, unset

Scopes = Annotated[
    list[Annotated[str, Field(pattern="^[a-z]{1,32}:[a-z]{1,32}$")]],
    Field(min_length=1, max_length=64, examples=[["campaigns:read", "usage:read"]]),
]


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
    """A new client. Its scopes must be of use to its owner's role."""

    name: Name
    owner: Owner
    scopes: Scopes


class OAuthClientUpdate(Input):
    """What may change; a member that is left out stays. The owner never changes."""

    name: Name = Field(default_factory=unset)
    scopes: Scopes = Field(default_factory=unset)
    active: bool = Field(default_factory=unset)


class ClientSecretRead(Output):
    """A live secret, without the secret."""

    id: SecretId
    label: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="Exact to a minute.")]


class OAuthClientRead(Output):
    """A client; its `id` is the `client_id` of token requests."""

    id: ClientId
    name: str
    owner: Owner
    scopes: list[str]
    active: bool
    secrets: list[ClientSecretRead]
    created_at: datetime
    updated_at: datetime


class OAuthClientCreated(OAuthClientRead):
    """The new client with its secret."""

    client_id: Annotated[ClientId, Field(description="For token requests; the same as `id`.")]
    client_secret: Annotated[
        str | None,
        Field(description="Shown this once; null when an Idempotency-Key replays the reply."),
    ]


class OAuthClientPage(Page):
    """A page of clients, by last change."""

    data: list[OAuthClientRead]
