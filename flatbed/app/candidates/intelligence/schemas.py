"""What the API takes and gives for facts and criterion judgements."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from flatbed.app.campaigns.profiles.criteria import Operand
from flatbed.app.candidates.records.fields import Actor, SourceKind
from flatbed.app.ids import CandidateId, FactId, JudgementId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Code, Input, Name, Output, Text, storable


class FactProvenance(StrEnum):
    """Who may ever read a fact: only public ones leave the tenant."""

    PUBLIC = "public"
    TENANT = "tenant"
    PARTNER_CONFIDENTIAL = "partner_confidential"


class Verdict(StrEnum):
    """A person's word on a hard criterion."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"


SourceUrl = Annotated[
    str,
    Field(
        max_length=2_000,
        # Spelt out: what `\s` holds differs between the dialects of regular expressions.
        pattern="^https?://[!-~\u00a1-\ud7ff]+$",
        examples=["https://partner.example/news/1"],
    ),
    AfterValidator(storable),
]


class FactCreate(Input):
    """A sourced, dated statement about the company."""

    attribute: Annotated[
        Code | None,
        Field(description="What it measures, where a criterion reads it.", examples=["employees"]),
    ] = None
    statement: Text
    value: Annotated[
        Operand,
        Field(description="The attribute's value; an empty text or list: there is none."),
    ] = None
    source_kind: SourceKind
    source_url: SourceUrl | None = None
    provenance: FactProvenance
    observed_on: date
    trigger_on: Annotated[
        date | None, Field(description="The day of an event that makes an interest acute.")
    ] = None
    angle: Annotated[Name | None, Field(description="The argument that it serves.")] = None


class FactRead(Output):
    """A fact; never changed."""

    id: FactId
    candidate_id: CandidateId
    attribute: str | None
    statement: str
    value: JsonValue
    source_kind: str
    source_url: str | None
    provenance: FactProvenance
    observed_on: date
    trigger_on: date | None
    angle: str | None
    recorded_by: Actor
    recorded_at: datetime


class FactPage(Page):
    """A page of facts, in the order of recording."""

    data: list[FactRead]


class JudgementCreate(Input):
    """A person's word on a judged criterion of the campaign's profile; the last one counts."""

    criterion: Annotated[Code, Field(examples=["coverage"])]
    verdict: Annotated[Verdict | None, Field(description="For a hard criterion.")] = None
    value: Annotated[
        int | None, Field(ge=0, le=1000, description="For a soft criterion, in thousandths.")
    ] = None
    reason: Text
    source_kind: SourceKind = "hunter_judgement"


class JudgementRead(Output):
    """A judgement; never changed."""

    id: JudgementId
    candidate_id: CandidateId
    criterion: str
    verdict: Verdict | None
    value: int | None
    reason: str
    source_kind: str
    judged_by: Actor
    at: datetime


class JudgementPage(Page):
    """A page of judgements, in the order of recording."""

    data: list[JudgementRead]
