"""The tables of candidates, by concern; import the names from here."""

from flatbed.app.candidates.models.candidate import Candidate, TenantCompany, Transition
from flatbed.app.candidates.models.contact import ChannelRight, Contact, Objection
from flatbed.app.candidates.models.evidence import Evidence, EvidenceConfirmation, PlanVersion
from flatbed.app.candidates.models.intelligence import CriterionJudgement, Fact
from flatbed.app.candidates.models.touchpoint import Touchpoint, TouchpointVerdict
from flatbed.app.candidates.models.waiting import WaitingLine, WaitingQualification

__all__ = [
    "Candidate",
    "ChannelRight",
    "Contact",
    "CriterionJudgement",
    "Evidence",
    "EvidenceConfirmation",
    "Fact",
    "Objection",
    "PlanVersion",
    "TenantCompany",
    "Touchpoint",
    "TouchpointVerdict",
    "Transition",
    "WaitingLine",
    "WaitingQualification",
]
