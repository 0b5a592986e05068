"""What the API gives for qualifications that wait for room."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.app.candidates.pipeline.criteria import CriterionRead
from flatbed.app.candidates.reservations.service import EndReason, Status
from flatbed.app.ids import CampaignId, CandidateId, QualificationId, WaitingQualificationId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Metadata, Output

CapName = Literal["units_total", "units_month", "money_total", "money_month"]


class CapMetRead(Output):
    """A cap that left no room; money in minor units of the campaign's currency."""

    cap: CapName
    limit: int
    used: int


class WaitingQualificationRead(Output):
    """A qualification that met a cap: it passed every gate and waits for room.

    Its dossier is shown with the qualification that it becomes. A hunter sees null for `caps`.
    """

    id: WaitingQualificationId
    candidate_id: CandidateId
    campaign_id: CampaignId
    reason: Literal["over_cap"]
    status: Status
    criteria: Annotated[list[CriterionRead], Field(description="The gates of `qualified`, frozen.")]
    caps: Annotated[
        list[CapMetRead] | None,
        Field(description="The caps that were met; empty where others waited before it."),
    ]
    dossier_hash: Annotated[str, Field(description="SHA-256 of the frozen dossier.")]
    submitted_by: Annotated[
        str | None, Field(description="Null for an ISV where somebody of the agency acted.")
    ]
    expires_at: Annotated[
        datetime, Field(description="Gates and dossier are frozen until then (exclusive).")
    ]
    qualification_id: Annotated[
        QualificationId | None, Field(description="What it became when it was admitted.")
    ]
    ended_at: datetime | None
    end_reason: Annotated[EndReason | None, Field(description="Why it was withdrawn.")]
    external_ref: str | None
    metadata: Metadata
    created_at: Annotated[datetime, Field(description="Since when it waits.")]
    updated_at: datetime


class WaitingQualificationPage(Page):
    """A page of waiting qualifications, by last change."""

    data: list[WaitingQualificationRead]
