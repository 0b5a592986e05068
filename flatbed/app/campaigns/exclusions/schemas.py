"""What the API takes and gives for exclusions."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from flatbed.app.ids import CandidateId, ExclusionId
from flatbed.app.registry.domains import NoDomainError, registrable
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import ExternalRef, Input, Metadata, Name, Output, Text

ExclusionStatus = Literal["active", "pending_consent", "refused"]


def _registrable(text: str) -> str:
    try:
        return registrable(text)
    except NoDomainError:
        raise ValueError("Not a registrable domain.") from None


Domain = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="A domain, web address or e-mail address; its registrable domain is kept.",
        examples=["https://www.partner.example"],
    ),
    AfterValidator(_registrable),
]


class CompanyInput(Input):
    """A company by domain, name or both; either one meets it."""

    domain: Domain | None = None
    company_name: Name | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.domain is None and self.company_name is None:
            raise ValueError("domain or company_name is needed")
        return self


class ExclusionCreate(CompanyInput):
    """A company that the agency must not approach for this ISV."""

    reason: Text | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class ExclusionConsent(Input):
    """A lead's word on excluding a company that has been worked far."""

    consent: bool
    reason: Text


class ExclusionCheck(CompanyInput):
    """The company asked about."""


class ExclusionAnswer(Output):
    """Yes or no, and nothing else."""

    excluded: bool


class ExclusionRead(Output):
    """An exclusion."""

    id: ExclusionId
    domain: str | None
    company_name: str | None
    reason: str | None
    status: ExclusionStatus
    candidate_id: Annotated[
        CandidateId | None, Field(description="The candidate worked far that it met.")
    ]
    before_launch: Annotated[
        bool, Field(description="Made while no campaign was running, paused or filled.")
    ]
    consented_by: str | None
    consented_at: datetime | None
    consent_reason: str | None
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class ExclusionPage(Page):
    """A page of exclusions, by last change."""

    data: list[ExclusionRead]
