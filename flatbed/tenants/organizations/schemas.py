"""What the API takes and gives for organizations and staff."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import OrganizationId, StaffId
from flatbed.tenants.kit.schemas import (
    CountryCode,
    CurrencyCode,
    Email,
    ExternalRef,
    Input,
    Metadata,
    Name,
    Output,
    Slug,
    TimeZone,
    unset,
)

StaffEmail = Annotated[
    Email, Field(description="Kept in lower case; unique among the agency's staff.")
]
StaffRole = Literal["hunter", "lead", "finance", "compliance", "admin"]
OrganizationStatus = Literal["active", "suspended"]


class OrganizationCreate(Input):
    """A new ISV. Slug and currency never change: links and the usage ledger rest on them."""

    slug: Slug
    name: Name
    country: Annotated[CountryCode, Field(description="Whose business days count.")]
    time_zone: TimeZone
    currency: CurrencyCode
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class OrganizationUpdate(Input):
    """What may change; a member that is left out stays."""

    name: Name = Field(default_factory=unset)
    country: CountryCode = Field(default_factory=unset)
    time_zone: TimeZone = Field(default_factory=unset)
    status: Annotated[
        OrganizationStatus,
        Field(
            default_factory=unset,
            description="`suspended`: tokens of its clients and members stop working at once, "
            "until it is active.",
        ),
    ]
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class OrganizationRead(Output):
    """An ISV."""

    id: OrganizationId
    slug: str
    name: str
    country: str
    time_zone: str
    currency: str
    status: OrganizationStatus
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class OrganizationPage(Page):
    """A page of ISVs, by last change."""

    data: list[OrganizationRead]


class StaffCreate(Input):
    """A new staff member in one role."""

    name: Name
    email: StaffEmail
    role: StaffRole
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class StaffUpdate(Input):
    """What may change; a member that is left out stays."""

    name: Name = Field(default_factory=unset)
    email: StaffEmail = Field(default_factory=unset)
    role: StaffRole = Field(default_factory=unset)
    active: Annotated[
        bool,
        Field(
            default_factory=unset,
            description=(
                "false: his tokens and those of his clients stop working at once; what he let "
                "applications do in his name ends for good."
            ),
        ),
    ]
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class StaffRead(Output):
    """A person of the agency."""

    id: StaffId
    name: str
    email: str
    role: StaffRole
    active: bool
    signed_up: Annotated[bool, Field(description="Whether he has accepted his invitation.")]
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class StaffPage(Page):
    """A page of staff, by last change."""

    data: list[StaffRead]
