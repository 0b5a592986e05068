"""What the API takes and gives for touchpoints."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from flatbed.app.candidates.records.fields import Actor, Instant, TouchChannel
from flatbed.app.candidates.rules.touches import Provenance, Side, TouchClass
from flatbed.app.ids import CandidateId, ContactId, TouchpointId, VerdictId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import ExternalRef, Input, Metadata, Output, Text

CLASS = "class"


class TouchpointCreate(Input):
    """One contact in either direction.

    How we know of it is not yours to say: it follows from who sends it.
    """

    side: Annotated[Side, Field(description="Who acted.")]
    class_: Annotated[
        TouchClass,
        Field(
            alias=CLASS,
            description="Proposed: P0 to P3 for the partner, push or answer for us.",
        ),
    ]
    channel: TouchChannel
    contact_id: ContactId | None = None
    occurred_at: Instant
    text: Annotated[Text | None, Field(description="What was written; kept.")] = None
    elicited_by: Annotated[
        TouchpointId | None,
        Field(description="The earlier touch of ours that asked for what the partner supplies."),
    ] = None
    in_reply_to: Annotated[
        TouchpointId | None, Field(description="The earlier touch that this one answers.")
    ] = None
    unrequested_ask: Annotated[
        bool, Field(description="An answer of ours that also asks: it counts as a push.")
    ] = False
    external_ref: Annotated[
        ExternalRef | None,
        Field(description="Unique per client: a repeat of the same touch returns the first."),
    ] = None
    metadata: Metadata = Field(default_factory=dict)


class LoweringCreate(Input):
    """A word by which a touch counts less for the partner's initiative."""

    class_: Annotated[TouchClass | None, Field(alias=CLASS)] = None
    elicited_by: TouchpointId | None = None
    reason: Text


class AuditCreate(Input):
    """The verdict of a lead who has looked at the source; it replaces class and elicitation."""

    class_: Annotated[TouchClass, Field(alias=CLASS)]
    elicited_by: TouchpointId | None = None
    source_seen: Annotated[Text, Field(description="What was looked at.")]
    reason: Text | None = None


class VerdictRead(Output):
    """A later word on a touch; never changed."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: VerdictId
    kind: str
    class_: Annotated[TouchClass, Field(alias=CLASS)]
    elicited_by: TouchpointId | None
    source_seen: str | None
    reason: str | None
    actor: Actor
    at: datetime


class TouchpointRead(Output):
    """A touch as recorded, and what verdicts and the rules against gaming leave of it."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: TouchpointId
    candidate_id: CandidateId
    side: Side
    class_: Annotated[TouchClass, Field(alias=CLASS, description="As proposed.")]
    effective_class: Annotated[TouchClass, Field(description="After verdicts and rules.")]
    provenance: Annotated[
        Provenance, Field(description="How we know of it; audited by a lead's verdict.")
    ]
    channel: str
    contact_id: ContactId | None
    occurred_at: datetime
    recorded_at: datetime
    text: str | None
    elicited_by: Annotated[TouchpointId | None, Field(description="As recorded.")]
    elicited: Annotated[bool, Field(description="Whether our message asked for it.")]
    in_reply_to: TouchpointId | None
    unrequested_ask: bool
    recorded_by: Actor
    verdicts: list[VerdictRead]
    external_ref: str | None
    metadata: Metadata


class TouchpointPage(Page):
    """A page of touchpoints, oldest first."""

    data: list[TouchpointRead]
