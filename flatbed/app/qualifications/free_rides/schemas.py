"""What the API takes and gives for free rides."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.app.candidates.records.fields import Actor, Day
from flatbed.app.ids import CampaignId, CandidateId, FreeRideId, QualificationId
from flatbed.app.qualifications.evidence import ProofRead, Proofs
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Input, Output, Text

RideStatus = Literal["reported", "confirmed", "refused"]


class FreeRideCreate(Input):
    """A report that the ISV contracted the company on its own."""

    contracted_on: Annotated[Day, Field(description="A date in the ISV's time zone.")]
    statement: Text
    evidence: Proofs


class FreeRideRead(Output):
    """A company worked to `discovering` or further that the ISV contracted on its own."""

    id: FreeRideId
    candidate_id: CandidateId
    campaign_id: CampaignId
    contracted_on: date
    statement: str
    evidence: list[ProofRead]
    status: RideStatus
    reported_by: Actor
    reported_at: datetime
    decided_by: Actor
    decided_at: datetime | None
    decision_reason: str | None
    qualification_id: Annotated[
        QualificationId | None, Field(description="The unit by which it is billed.")
    ]
    created_at: datetime
    updated_at: datetime


class FreeRidePage(Page):
    """A page of free rides, by last change."""

    data: list[FreeRideRead]
