"""What the API takes and gives for candidates."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, JsonValue

from flatbed.app.candidates.records.fields import Instant
from flatbed.app.candidates.rules.exits import ExitReason
from flatbed.app.candidates.rules.initiative import TrendLabel
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.app.ids import (
    CampaignId,
    CandidateId,
    ProgrammeId,
    TenantCompanyId,
    WaitingQualificationId,
)
from flatbed.app.registry.schemas import Domain, Employees
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import StaffId
from flatbed.tenants.kit.schemas import (
    CountryCode,
    ExternalRef,
    Input,
    Metadata,
    MoneyMinor,
    Name,
    Output,
    Text,
    unset,
)

Score = Annotated[float, Field(ge=0, le=100)]


class CompanyInput(Input):
    """The company. One that the tenant knows by its domain is used as it stands.

    Revenue is in minor units of the campaign's currency; `attributes` are what the profile's
    criteria read. What is learnt later is recorded as facts.
    """

    name: Name
    domain: Domain
    country: Annotated[
        CountryCode | None,
        Field(description="Needed unless the tenant knows it: programmes are groups of countries."),
    ] = None
    industry: Name | None = None
    employees: Employees | None = None
    revenue: MoneyMinor | None = None
    attributes: Metadata = Field(default_factory=dict)


class CandidateCreate(Input):
    """A company found for a campaign."""

    company: CompanyInput
    source: Annotated[Text, Field(description="Where it was found.")]
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class NurtureInput(Input):
    """Rest until a date (at most as many days ahead as the rubric says), a trigger, or both."""

    until: Instant | None = None
    trigger: Annotated[Text | None, Field(description="What would wake it.")] = None
    override_reason: Annotated[
        Text | None, Field(description="Lifts the too-early guard; only a lead gives it.")
    ] = None


class CandidateUpdate(Input):
    """What may change; a member that is left out stays."""

    core_argument: Text | None = None
    next_due_at: Instant | None = None
    nurture: Annotated[
        NurtureInput | None, Field(description="Null wakes a candidate that rests.")
    ] = None
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class CandidateCompany(Output):
    """The tenant's own view of the company."""

    id: TenantCompanyId
    name: str
    domain: str
    country: str | None
    industry: str | None
    employees: int | None
    revenue: int | None
    attributes: dict[str, JsonValue]


class NurtureRead(Output):
    """What ends the rest."""

    until: datetime | None
    trigger: str | None


class CandidateRead(Output):
    """A company in one campaign, as it is stored."""

    id: CandidateId
    campaign_id: CampaignId
    programme_id: ProgrammeId
    company: CandidateCompany
    source: str
    stage: Stage
    status: Status
    stage_entered_at: datetime
    nurture: Annotated[NurtureRead | None, Field(description="Null unless it rests.")]
    exit_reason: ExitReason | None
    exited_at: datetime | None
    core_argument: str | None
    next_due_at: datetime | None
    hunter_id: Annotated[StaffId | None, Field(description="Shown to the agency only.")]
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class CandidatePage(Page):
    """A page of candidates, by last change."""

    data: list[CandidateRead]


class MsiRead(Output):
    """Mutual Self Interest now, and the decayed sums of both sides behind it."""

    value: Score
    partner: Annotated[float, Field(description="P: what the partner did by himself.")]
    ours: Annotated[float, Field(description="V: what hunter and agency did.")]


class MomentumRead(Output):
    """Where the partner's initiative is going.

    The trend is null below three touches of the partner, the rest before the first touch.
    """

    trend: Annotated[float | None, Field(description="r₇/r₂₈.")]
    label: TrendLabel | None
    half_life_days: float | None
    p_silence: Annotated[
        float | None, Field(description="How probable the silence so far is, 0 to 1.")
    ]
    stalled: bool | None


class ContributionRead(Output):
    """The points of one soft criterion, and its bounds with the unknown as 0 and as 1."""

    criterion: str
    points: Score
    low: Score
    high: Score


class FitRead(Output):
    """Whether the company is the objectively right partner, 0 to 100, with its bounds."""

    value: Score
    low: Score
    high: Score
    contributions: list[ContributionRead]
    next_research: Annotated[
        str | None, Field(description="The criterion with the largest gap between its bounds.")
    ]
    failed: Annotated[list[str], Field(description="Hard criteria that failed.")]
    unknown: Annotated[list[str], Field(description="Hard criteria that nobody knows.")]


class OverCapRead(Output):
    """A qualification of the candidate that met a cap and waits for room."""

    waiting_qualification_id: WaitingQualificationId
    since: datetime
    until: Annotated[datetime, Field(description="Gates and dossier are frozen until then.")]


class CandidateDetail(CandidateRead):
    """A candidate with its scores at this instant; they do not change the ETag."""

    over_cap: Annotated[OverCapRead | None, Field(description="Null unless it waits for room.")]
    msi: MsiRead
    momentum: MomentumRead
    push_alarm: Annotated[
        bool, Field(description="We push a partner who does not move: change the angle or pause.")
    ]
    fit: FitRead
