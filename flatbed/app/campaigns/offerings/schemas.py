"""What the API takes and gives for offerings."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from flatbed.app.ids import OfferingId, ProgrammeId, TermsChangeId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import (
    Code,
    CountryCode,
    ExternalRef,
    Input,
    Metadata,
    Name,
    Output,
    Text,
    unset,
)


class ProgrammeInput(Input):
    """A country group in which one partner company group is billed once."""

    code: Annotated[Code, Field(examples=["dach"])]
    countries: Annotated[
        list[CountryCode], Field(min_length=1, max_length=250, examples=[["DE", "AT", "CH"]])
    ]


class OfferingCreate(Input):
    """A new offering with at least one programme."""

    name: Name
    category: Name | None = None
    description: Text | None = None
    programmes: Annotated[list[ProgrammeInput], Field(min_length=1, max_length=50)]
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class OfferingUpdate(Input):
    """What may change; a member that is left out stays. Programmes may be added, never changed."""

    name: Name = Field(default_factory=unset)
    category: Name | None = None
    description: Text | None = None
    archived: bool = Field(default_factory=unset)
    add_programmes: Annotated[list[ProgrammeInput], Field(max_length=50, default_factory=list)]
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class ProgrammeRead(Output):
    """Offering and country group: the unit of "billed once"."""

    id: ProgrammeId
    code: str
    countries: list[str]


class OfferingRead(Output):
    """An offering."""

    id: OfferingId
    name: str
    category: str | None
    description: str | None
    programmes: list[ProgrammeRead]
    archived_at: datetime | None
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class OfferingPage(Page):
    """A page of offerings, by last change."""

    data: list[OfferingRead]


class TermsChangeCreate(Input):
    """What the ISV changed in the terms of its programme."""

    description: Annotated[Text, Field(examples=["The margin of resellers falls to 15 %."])]


class TermsChangeRead(Output):
    """A change of a programme's terms. Guarantees of units accepted before it end with it."""

    id: TermsChangeId
    programme_id: ProgrammeId
    description: str
    recorded_by: Annotated[
        str | None, Field(description="Null for an ISV where somebody of the agency acted.")
    ]
    changed_at: datetime


class TermsChangePage(Page):
    """A page of a programme's changes of terms, oldest first."""

    data: list[TermsChangeRead]
