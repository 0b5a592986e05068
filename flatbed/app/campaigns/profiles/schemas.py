"""What the API takes and gives for profiles."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from flatbed.app.campaigns.method import SIX_CS
from flatbed.app.campaigns.profiles.criteria import (
    HardCriterion,
    HardCriterionRead,
    SoftCriterion,
    SoftCriterionRead,
)
from flatbed.app.ids import OfferingId, ProfileId, ProfileVersionId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import ExternalRef, Input, Metadata, Name, Output, unset


class ProfileVersionCreate(Input):
    """The criteria of a version. Without a soft one the six C's serve, judged by a person."""

    hard: Annotated[list[HardCriterion], Field(max_length=50, default_factory=list)]
    soft: Annotated[list[SoftCriterion], Field(max_length=50, default_factory=list)]

    @model_validator(mode="after")
    def _keys(self) -> Self:
        soft = [one.key for one in self.soft] or [one.key for one in SIX_CS]
        keys = [one.key for one in self.hard] + soft
        if len(set(keys)) < len(keys):
            raise ValueError("a profile names each criterion once")
        return self


class ProfileCreate(ProfileVersionCreate):
    """A new profile of an offering, with its first version."""

    offering_id: OfferingId
    name: Name
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class ProfileUpdate(Input):
    """What may change; criteria change by a new version only."""

    name: Name = Field(default_factory=unset)
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class ProfileVersionRead(Output):
    """Criteria as they stood from `created_at`; never changed."""

    id: ProfileVersionId
    profile_id: ProfileId
    number: int
    hard: list[HardCriterionRead]
    soft: list[SoftCriterionRead]
    created_at: datetime


class ProfileRead(Output):
    """An ideal partner profile with its current version."""

    id: ProfileId
    offering_id: OfferingId
    name: str
    current: ProfileVersionRead
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class ProfilePage(Page):
    """A page of profiles, by last change."""

    data: list[ProfileRead]


class ProfileVersionPage(Page):
    """A page of versions, oldest first."""

    data: list[ProfileVersionRead]
