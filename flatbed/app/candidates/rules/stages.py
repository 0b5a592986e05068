"""The stages of the pipeline in order, and the states that stand beside them."""

from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """How far a candidate has come, in the order of declaration."""

    IDENTIFIED = "identified"
    PROFILED = "profiled"
    TARGETED = "targeted"
    ENGAGED = "engaged"
    DISCOVERING = "discovering"
    EXECUTIVE_ALIGNED = "executive_aligned"
    DECISION_IN_PRINCIPLE = "decision_in_principle"
    BUSINESS_PLANNING = "business_planning"
    QUALIFIED = "qualified"
    CONTRACTED = "contracted"
    ACTIVATED = "activated"

    @property
    def rank(self) -> int:
        """Position in the pipeline, 0 for `identified`."""
        return STAGES.index(self)

    @property
    def following(self) -> "Stage | None":
        """The one stage that a forward step may reach; None after the last."""
        return STAGES[self.rank + 1] if self.rank + 1 < len(STAGES) else None

    @property
    def needs_entry(self) -> bool:
        """Whether a candidate here holds an unreversed usage entry."""
        return self.rank >= STAGES.index(Stage.QUALIFIED)

    def down(self) -> tuple["Stage", ...]:
        """Return this stage and all earlier ones, highest first."""
        return STAGES[self.rank :: -1]


STAGES: Final = tuple(Stage)


class Status(StrEnum):
    """What a candidate does beside its stage."""

    ACTIVE = "active"
    NURTURE = "nurture"
    EXITED = "exited"


class CampaignState(StrEnum):
    """The states of a campaign."""

    DRAFT = "draft"
    ORDERED = "ordered"
    RUNNING = "running"
    PAUSED = "paused"
    FILLED = "filled"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class EvidenceKind(StrEnum):
    """What a piece of evidence shows."""

    OUTREACH_DELIVERED = "outreach_delivered"
    REPLY = "reply"
    INTEREST_STATEMENT = "interest_statement"
    MEETING_HELD = "meeting_held"
    DECISION_STATEMENT = "decision_statement"
    PLAN_VERSION = "plan_version"
    AGREEMENT = "agreement"
    BUSINESS_ACTION = "business_action"
    ALREADY_KNOWN_PROOF = "already_known_proof"
    DOCUMENT = "document"
