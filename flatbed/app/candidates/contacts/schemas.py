"""What the API takes and gives for contacts, channel rights and objections."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field

from flatbed.app.candidates.records.fields import Channel
from flatbed.app.ids import CandidateId, ChannelRightId, ContactId, ObjectionId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import (
    LONGEST_EMAIL,
    Code,
    CountryCode,
    ExternalRef,
    Input,
    Metadata,
    Name,
    Output,
    storable,
    unset,
)

Email = Annotated[EmailStr, Field(max_length=LONGEST_EMAIL), AfterValidator(storable)]
Phone = Annotated[
    str,
    Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164.", examples=["+4930123456"]),
]


class ContactCreate(Input):
    """A person of the candidate's company."""

    name: Name
    job_title: Name | None = None
    c_level: Annotated[
        bool, Field(description="A member of the management, or who decides in its place.")
    ] = False
    email: Email | None = None
    phone: Phone | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class ContactUpdate(Input):
    """What may change; a member that is left out stays."""

    name: Name = Field(default_factory=unset)
    job_title: Name | None = None
    c_level: bool = Field(default_factory=unset)
    email: Email | None = None
    phone: Phone | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class ChannelRightCreate(Input):
    """Why the person may be reached on a channel in a country.

    It holds from the moment it is recorded: no touch of before becomes lawful by it.
    """

    channel: Channel
    country: CountryCode
    basis: Annotated[Code, Field(examples=["consent"])]
    source: Annotated[Name, Field(description="Where the basis can be looked up.")]


class ChannelRightRead(Output):
    """A recorded right; never changed."""

    id: ChannelRightId
    contact_id: ContactId
    channel: str
    country: str
    basis: str
    source: str
    recorded_at: datetime


class ContactRead(Output):
    """A person with the rights to reach him. A right may be overruled by an objection."""

    id: ContactId
    candidate_id: CandidateId
    name: str
    job_title: str | None
    c_level: bool
    email: str | None
    phone: str | None
    channel_rights: list[ChannelRightRead]
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime
    version: Annotated[int, Field(description="In double quotes it is the ETag.")]


class ContactPage(Page):
    """A page of contacts, in the order of recording."""

    data: list[ContactRead]


class ObjectionCreate(Input):
    """A no. It binds from the moment it is recorded."""

    contact_id: Annotated[
        ContactId | None, Field(description="Who objects; null: the whole company.")
    ] = None
    channel: Annotated[Channel | None, Field(description="Null: every channel.")] = None
    source: Annotated[Name, Field(description="Where the objection can be looked up.")]


class ObjectionRead(Output):
    """An objection; it stands until compliance resolves it."""

    id: ObjectionId
    candidate_id: CandidateId
    contact_id: ContactId | None
    channel: str | None
    source: str
    at: datetime
    resolved_at: datetime | None


class ObjectionPage(Page):
    """A page of objections, in the order of recording."""

    data: list[ObjectionRead]
