"""What the API takes and gives for evidence: each kind with what it needs."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from flatbed.app.candidates.intelligence.schemas import SourceUrl
from flatbed.app.candidates.records.fields import Actor, Day, Instant
from flatbed.app.candidates.rules.stages import EvidenceKind
from flatbed.app.candidates.rules.touches import Provenance
from flatbed.app.ids import CandidateId, ContactId, EvidenceId, FactId, TouchpointId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import ExternalRef, Input, Metadata, Name, Output, Text

PlanNumber = Annotated[int, Field(ge=1, le=1_000_000)]


class EvidenceInput(Input):
    """What all kinds have. How we know of it is not yours to say."""

    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class OutreachDelivered(EvidenceInput):
    """A message of ours reached its reader; dated by its touch."""

    kind: Literal[EvidenceKind.OUTREACH_DELIVERED]
    touchpoint_id: Annotated[TouchpointId, Field(description="The agency's touch.")]
    fact_ids: Annotated[
        list[FactId], Field(max_length=50, description="The facts that it cited.")
    ] = Field(default_factory=list)


class Reply(EvidenceInput):
    """The partner answered; dated by his touch."""

    kind: Literal[EvidenceKind.REPLY]
    touchpoint_id: Annotated[TouchpointId, Field(description="The partner's touch.")]


class InterestStatement(EvidenceInput):
    """The partner voiced his own interest; dated by his touch."""

    kind: Literal[EvidenceKind.INTEREST_STATEMENT]
    touchpoint_id: Annotated[TouchpointId, Field(description="The partner's touch.")]
    contact_id: Annotated[ContactId, Field(description="Who said it.")]
    statement: Annotated[Text, Field(description="His own words.")]


class MeetingHeld(EvidenceInput):
    """A meeting took place."""

    kind: Literal[EvidenceKind.MEETING_HELD]
    occurred_at: Instant
    partner_attendees: Annotated[
        list[ContactId], Field(min_length=1, max_length=50, description="The partner's people.")
    ]
    touchpoint_id: TouchpointId | None = None


class DecisionStatement(EvidenceInput):
    """The partner decided in principle, in writing; not dated before his touch."""

    kind: Literal[EvidenceKind.DECISION_STATEMENT]
    touchpoint_id: Annotated[TouchpointId, Field(description="The partner's written touch.")]
    contact_id: Annotated[ContactId, Field(description="Who decided.")]
    role: Annotated[Name, Field(description="In what role.", examples=["managing director"])]
    statement: Text
    occurred_at: Annotated[
        Instant | None, Field(description="When it was decided; by default, the touch's time.")
    ] = None


class PlanVersionEvidence(EvidenceInput):
    """A version of the joint plan; dated by its recording."""

    kind: Literal[EvidenceKind.PLAN_VERSION]
    plan_number: PlanNumber


class Agreement(EvidenceInput):
    """A signed agreement and the plan version it rests on; dated by the begin of that day."""

    kind: Literal[EvidenceKind.AGREEMENT]
    plan_number: PlanNumber
    signed_on: Annotated[Day, Field(description="The day in the tenant's time zone.")]


class BusinessAction(EvidenceInput):
    """The partner did business by himself."""

    kind: Literal[EvidenceKind.BUSINESS_ACTION]
    touchpoint_id: Annotated[TouchpointId, Field(description="The partner's touch.")]
    occurred_at: Instant
    description: Text


class AlreadyKnownProof(EvidenceInput):
    """The ISV and the partner had two-way contact before."""

    kind: Literal[EvidenceKind.ALREADY_KNOWN_PROOF]
    occurred_at: Annotated[Instant, Field(description="The last contact in both directions.")]
    description: Text
    url: SourceUrl | None = None


class Document(EvidenceInput):
    """Any other document."""

    kind: Literal[EvidenceKind.DOCUMENT]
    title: Name
    occurred_at: Instant
    description: Text | None = None
    url: SourceUrl | None = None
    touchpoint_id: TouchpointId | None = None


EvidenceCreate = Annotated[
    OutreachDelivered
    | Reply
    | InterestStatement
    | MeetingHeld
    | DecisionStatement
    | PlanVersionEvidence
    | Agreement
    | BusinessAction
    | AlreadyKnownProof
    | Document,
    Field(discriminator="kind"),
]


class ConfirmationCreate(Input):
    """A lead has looked at the evidence."""

    note: Text | None = None


class ConfirmationRead(Output):
    """A lead's confirmation; never changed."""

    actor: Actor
    note: str | None
    at: datetime


class EvidenceRead(Output):
    """A piece of evidence; never changed. Members that its kind lacks are null or empty."""

    id: EvidenceId
    candidate_id: CandidateId
    kind: EvidenceKind
    touchpoint_id: TouchpointId | None
    contact_id: ContactId | None
    occurred_at: datetime
    statement: str | None
    role: str | None
    partner_attendees: list[ContactId]
    fact_ids: list[FactId]
    plan_number: int | None
    signed_on: date | None
    title: str | None
    description: str | None
    url: str | None
    provenance: Provenance
    recorded_by: Actor
    recorded_at: datetime
    confirmation: ConfirmationRead | None
    external_ref: str | None
    metadata: Metadata


class EvidencePage(Page):
    """A page of evidence, oldest first."""

    data: list[EvidenceRead]


KEPT = (
    "role",
    "partner_attendees",
    "fact_ids",
    "plan_number",
    "signed_on",
    "title",
    "description",
    "url",
)


def data_of(body: EvidenceInput) -> dict[str, Any]:
    """What a kind has beyond the columns, as plain JSON with uuids."""
    given = {name: getattr(body, name, None) for name in KEPT}
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [str(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
