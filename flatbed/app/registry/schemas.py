"""What the API takes and gives for companies and groups."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from flatbed.app.ids import CompanyGroupId, CompanyId
from flatbed.app.registry.domains import NoDomainError, registrable
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import (
    CountryCode,
    ExternalRef,
    Input,
    Metadata,
    MoneyMinor,
    Name,
    Output,
    unset,
)


def _domain(text: str) -> str:
    try:
        return registrable(text)
    except NoDomainError:
        raise ValueError("Not a registrable domain name.") from None


Domain = Annotated[
    str,
    Field(min_length=3, max_length=300, examples=["nordhessen-systemhaus.example"]),
    AfterValidator(_domain),
]
Employees = Annotated[int, Field(ge=0, le=10_000_000)]


class CompanyCreate(Input):
    """A company; the domain is stored as its registrable part."""

    name: Name
    domain: Domain
    country: CountryCode | None = None
    industry: Name | None = None
    employees: Employees | None = None
    revenue: MoneyMinor | None = None
    attributes: Metadata = Field(default_factory=dict)
    group_id: CompanyGroupId | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class CompanyUpdate(Input):
    """What may change; a member that is left out stays."""

    name: Name = Field(default_factory=unset)
    country: CountryCode | None = None
    industry: Name | None = None
    employees: Employees | None = None
    revenue: MoneyMinor | None = None
    attributes: Metadata = Field(default_factory=unset)
    group_id: CompanyGroupId | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class CompanyRead(Output):
    """A company of the agency's registry. Revenue is in minor units of the company's currency."""

    id: CompanyId
    name: str
    domain: str
    country: str | None
    industry: str | None
    employees: int | None
    revenue: int | None
    attributes: dict[str, JsonValue]
    group_id: CompanyGroupId | None
    external_ref: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime


class CompanyPage(Page):
    """A page of companies, by last change."""

    data: list[CompanyRead]


class CompanyGroupCreate(Input):
    """A group: its companies are billed as one."""

    name: Name


class CompanyGroupMerge(Input):
    """The group that goes on."""

    into: CompanyGroupId


class CompanyGroupRead(Output):
    """A group; `merged_into_id` names the one that goes on in its place."""

    id: CompanyGroupId
    name: str
    merged_into_id: CompanyGroupId | None
    created_at: datetime


class CompanyGroupPage(Page):
    """A page of groups, oldest first."""

    data: list[CompanyGroupRead]
