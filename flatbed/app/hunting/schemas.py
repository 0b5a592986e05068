"""What the API takes and gives for assignments and the queue."""

from datetime import datetime
from typing import Literal

from pydantic import model_validator

from flatbed.app.ids import AssignmentId, CampaignId, CandidateId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import OrganizationId, StaffId
from flatbed.tenants.kit.schemas import Input, Output


class AssignmentCreate(Input):
    """A hunter sources for a campaign, or works one of its candidates."""

    kind: Literal["sourcing", "candidate"]
    staff_id: StaffId
    campaign_id: CampaignId | None = None
    candidate_id: CandidateId | None = None

    @model_validator(mode="after")
    def _one_target(self) -> "AssignmentCreate":
        if (self.kind == "sourcing") != (self.campaign_id is not None):
            raise ValueError("A sourcing assignment names a campaign, the other kind does not.")
        if (self.kind == "candidate") != (self.candidate_id is not None):
            raise ValueError("A candidate assignment names a candidate, the other kind does not.")
        return self


class AssignmentRead(Output):
    """An assignment; live while `ended_at` is null."""

    id: AssignmentId
    kind: Literal["sourcing", "candidate"]
    staff_id: StaffId
    organization_id: OrganizationId
    campaign_id: CampaignId
    candidate_id: CandidateId | None
    started_at: datetime
    ended_at: datetime | None


class AssignmentPage(Page):
    """A page of assignments, oldest first."""

    data: list[AssignmentRead]


class QueueItem(Output):
    """A candidate of the hunter, with what is due."""

    candidate_id: CandidateId
    organization_id: OrganizationId
    campaign_id: CampaignId
    campaign_name: str
    company_name: str
    stage: str
    status: str
    due_at: datetime | None
    updated_at: datetime


class QueuePage(Page):
    """The hunter's candidates, the earliest due first; what has no date comes last."""

    data: list[QueueItem]
