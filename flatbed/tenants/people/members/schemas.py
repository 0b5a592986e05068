"""What the API takes and gives for the members of an ISV."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import MembershipId
from flatbed.tenants.kit.schemas import Email, Input, Name, Output, unset
from flatbed.tenants.people.invitations.schemas import InvitationRead

MemberRole = Literal["owner", "manager", "finance", "viewer"]


class MemberCreate(Input):
    """A person to invite: the mail with the link is sent at once."""

    name: Name
    email: Annotated[Email, Field(description="Kept in lower case; unique among the ISV's people.")]
    role: MemberRole


class MemberUpdate(Input):
    """What may change; a member that is left out stays."""

    name: Name = Field(default_factory=unset)
    role: MemberRole = Field(default_factory=unset)
    active: Annotated[
        bool,
        Field(
            default_factory=unset,
            description="false: what applications may do in his name ends at once and for good.",
        ),
    ]


class MemberRead(Output):
    """A person of the ISV."""

    id: MembershipId
    name: str
    email: str
    role: MemberRole
    active: bool
    signed_up: Annotated[bool, Field(description="Whether the person has accepted.")]
    invitation: Annotated[
        InvitationRead | None, Field(description="The one that may be accepted now.")
    ]
    created_at: datetime
    updated_at: datetime


class MemberPage(Page):
    """A page of members, by last change."""

    data: list[MemberRead]
