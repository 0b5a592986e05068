"""The TypeIDs of recruitment."""

from typing import Annotated
from uuid import UUID

from flatbed.tenants.kit.ids import annotations

OfferingId = Annotated[UUID, *annotations("off")]
ProgrammeId = Annotated[UUID, *annotations("prog")]
ProfileId = Annotated[UUID, *annotations("ipp")]
ProfileVersionId = Annotated[UUID, *annotations("ippv")]
CampaignId = Annotated[UUID, *annotations("camp")]
ExclusionId = Annotated[UUID, *annotations("excl")]
CompanyId = Annotated[UUID, *annotations("co")]
CompanyGroupId = Annotated[UUID, *annotations("grp")]
TenantCompanyId = Annotated[UUID, *annotations("tco")]
AssignmentId = Annotated[UUID, *annotations("asg")]
CandidateId = Annotated[UUID, *annotations("cand")]
ContactId = Annotated[UUID, *annotations("cont")]
ChannelRightId = Annotated[UUID, *annotations("right")]
ObjectionId = Annotated[UUID, *annotations("obj")]
FactId = Annotated[UUID, *annotations("fact")]
JudgementId = Annotated[UUID, *annotations("judg")]
TouchpointId = Annotated[UUID, *annotations("touch")]
VerdictId = Annotated[UUID, *annotations("verd")]
EvidenceId = Annotated[UUID, *annotations("evid")]
PlanVersionId = Annotated[UUID, *annotations("plan")]
TransitionId = Annotated[UUID, *annotations("tran")]
WaitingQualificationId = Annotated[UUID, *annotations("wait")]
QualificationId = Annotated[UUID, *annotations("qual")]
DisputeId = Annotated[UUID, *annotations("disp")]
ReviewId = Annotated[UUID, *annotations("rev")]
TermsChangeId = Annotated[UUID, *annotations("terms")]
PartnerRequestId = Annotated[UUID, *annotations("preq")]
GuaranteeCaseId = Annotated[UUID, *annotations("gcase")]
FreeRideId = Annotated[UUID, *annotations("ride")]
