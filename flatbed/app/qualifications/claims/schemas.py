"""What the API takes for guarantee cases and partners' requests."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.app.candidates.records.fields import Actor, Instant
from flatbed.app.ids import PartnerRequestId, QualificationId, TouchpointId
from flatbed.app.qualifications.evidence import Proofs
from flatbed.tenants.kit.schemas import Input, Output, Text

ReportVerdict = Literal["confirmed", "refused"]
"""What a lead finds of a report."""


class GuaranteeCaseCreate(Input):
    """A report that the partner withdrew, by his own cause."""

    withdrew_at: Annotated[Instant, Field(description="When he did; the guarantee runs then.")]
    reason: Text
    evidence: Proofs


class ReportDecision(Input):
    """What an uninvolved lead finds of a report."""

    decision: ReportVerdict
    reason: Text


class PartnerRequestCreate(Input):
    """A touch of the partner that is for the ISV to answer."""

    touchpoint_id: TouchpointId


class PartnerRequestRead(Output):
    """A partner's request of which the ISV was told.

    Unless it logs an answer (`in_reply_to`), the guarantee's clock stands still from
    `stops_clock_at` on.
    """

    id: PartnerRequestId
    qualification_id: QualificationId
    touchpoint_id: TouchpointId
    marked_by: Actor
    marked_at: datetime
    stops_clock_at: datetime
