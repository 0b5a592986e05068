"""The criteria of every gate by their stable keys, and what a gate check answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from flatbed.app.candidates.rules.stages import Stage


class GateCriterion(StrEnum):
    """A key `stage.name`; keys are stored with transitions and named by disputes."""

    IDENTIFIED_COMPANY = "identified.company"
    IDENTIFIED_DOMAIN = "identified.domain"
    IDENTIFIED_SOURCE = "identified.source"
    IDENTIFIED_NO_CONFLICT = "identified.no_conflict"
    IDENTIFIED_NOT_EXCLUDED = "identified.not_excluded"
    IDENTIFIED_NOT_BILLED = "identified.not_billed"
    PROFILED_HARD = "profiled.hard"
    PROFILED_FIT = "profiled.fit"
    PROFILED_FACTS = "profiled.facts"
    TARGETED_TRIGGER = "targeted.trigger"
    TARGETED_C_LEVEL = "targeted.c_level"
    TARGETED_CORE_ARGUMENT = "targeted.core_argument"
    TARGETED_CHANNEL = "targeted.channel"
    TARGETED_HARD = "targeted.hard"
    TARGETED_FIT_LOW = "targeted.fit_low"
    ENGAGED_OPENED = "engaged.opened"
    ENGAGED_ANSWERED = "engaged.answered"
    DISCOVERING_INTEREST = "discovering.interest"
    DISCOVERING_OWN_WORDS = "discovering.own_words"
    DISCOVERING_MSI = "discovering.msi"
    EXECUTIVE_ALIGNED_MEETING = "executive_aligned.meeting"
    EXECUTIVE_ALIGNED_PROACTIVE = "executive_aligned.proactive"
    EXECUTIVE_ALIGNED_MSI = "executive_aligned.msi"
    DECISION_STATEMENT = "decision_in_principle.statement"
    DECISION_FIT_LOW = "decision_in_principle.fit_low"
    DECISION_MSI = "decision_in_principle.msi"
    PLANNING_PARTNER_FIELDS = "business_planning.partner_fields"
    QUALIFIED_FIT = "qualified.fit"
    QUALIFIED_HARD = "qualified.hard"
    QUALIFIED_DECISION = "qualified.c_level_decision"
    QUALIFIED_PLAN = "qualified.plan"
    QUALIFIED_REVENUE = "qualified.revenue_floor"
    QUALIFIED_MSI = "qualified.msi"
    QUALIFIED_PROACTIVE = "qualified.proactive"
    QUALIFIED_COMMITTING = "qualified.committing"
    QUALIFIED_HANDS_OFF = "qualified.hands_off"
    QUALIFIED_LAWFUL = "qualified.lawful_outreach"
    QUALIFIED_NO_OBJECTION = "qualified.no_objection"
    QUALIFIED_NO_CONFLICT = "qualified.no_conflict"
    QUALIFIED_NOT_BILLED = "qualified.not_billed"
    CONTRACTED_AGREEMENT = "contracted.agreement"
    CONTRACTED_PLAN = "contracted.plan_version"
    ACTIVATED_BUSINESS_ACTION = "activated.business_action"

    @property
    def stage(self) -> Stage:
        """The stage whose entry this criterion guards."""
        return Stage(self.value.partition(".")[0])

    @property
    def label(self) -> str:
        """The criterion in words, for people."""
        return LABELS[self]


LABELS: Final[Mapping[GateCriterion, str]] = MappingProxyType(
    {
        GateCriterion.IDENTIFIED_COMPANY: "the company is named",
        GateCriterion.IDENTIFIED_DOMAIN: "the company's domain is known",
        GateCriterion.IDENTIFIED_SOURCE: "the source of the candidate is named",
        GateCriterion.IDENTIFIED_NO_CONFLICT: "no open conflict",
        GateCriterion.IDENTIFIED_NOT_EXCLUDED: "not on the ISV's exclusion list",
        GateCriterion.IDENTIFIED_NOT_BILLED: "company group not billed before in this programme",
        GateCriterion.PROFILED_HARD: "no hard criterion failed",
        GateCriterion.PROFILED_FIT: "fit at or above the profile threshold",
        GateCriterion.PROFILED_FACTS: "enough sourced facts",
        GateCriterion.TARGETED_TRIGGER: "a dated, recent trigger",
        GateCriterion.TARGETED_C_LEVEL: "a C-level contact",
        GateCriterion.TARGETED_CORE_ARGUMENT: "a core argument",
        GateCriterion.TARGETED_CHANNEL: "a lawful channel",
        GateCriterion.TARGETED_HARD: "every hard criterion passed",
        GateCriterion.TARGETED_FIT_LOW: "fit's lower bound high enough before contact",
        GateCriterion.ENGAGED_OPENED: "confirmed outreach, or an unprompted first contact",
        GateCriterion.ENGAGED_ANSWERED: "the opening was answered",
        GateCriterion.DISCOVERING_INTEREST: "a verbatim interest statement by the partner",
        GateCriterion.DISCOVERING_OWN_WORDS: "the statement does not merely repeat ours",
        GateCriterion.DISCOVERING_MSI: "MSI high enough to be discovering",
        GateCriterion.EXECUTIVE_ALIGNED_MEETING: "a held meeting with a partner C-level present",
        GateCriterion.EXECUTIVE_ALIGNED_PROACTIVE: "a proactive touch of the partner",
        GateCriterion.EXECUTIVE_ALIGNED_MSI: "MSI high enough for executive alignment",
        GateCriterion.DECISION_STATEMENT: "a written partner statement with role and date",
        GateCriterion.DECISION_FIT_LOW: "fit's lower bound high enough for a decision",
        GateCriterion.DECISION_MSI: "MSI high enough for a decision",
        GateCriterion.PLANNING_PARTNER_FIELDS: "enough plan fields written by the partner",
        GateCriterion.QUALIFIED_FIT: "fit at or above the campaign's floor",
        GateCriterion.QUALIFIED_HARD: "every hard criterion passed",
        GateCriterion.QUALIFIED_DECISION: "a C-level decision in principle",
        GateCriterion.QUALIFIED_PLAN: "a plan with revenue target, resources, investment, date",
        GateCriterion.QUALIFIED_REVENUE: "revenue target at or above the campaign's floor",
        GateCriterion.QUALIFIED_MSI: "MSI high enough to qualify",
        GateCriterion.QUALIFIED_PROACTIVE: "enough proven proactive touches",
        GateCriterion.QUALIFIED_COMMITTING: "a proven committing touch",
        GateCriterion.QUALIFIED_HANDS_OFF: "hands-off test passed",
        GateCriterion.QUALIFIED_LAWFUL: "every outreach was lawful",
        GateCriterion.QUALIFIED_NO_OBJECTION: "no open objection",
        GateCriterion.QUALIFIED_NO_CONFLICT: "no open conflict",
        GateCriterion.QUALIFIED_NOT_BILLED: "company group not billed before in this programme",
        GateCriterion.CONTRACTED_AGREEMENT: "an agreement",
        GateCriterion.CONTRACTED_PLAN: "the plan version the agreement rests on",
        GateCriterion.ACTIVATED_BUSINESS_ACTION: "a partner-initiated business action in time",
    },
)


class RefKind(StrEnum):
    """What a reference of a criterion's result points at."""

    EVIDENCE = "evidence"
    TOUCHPOINT = "touchpoint"
    FACT = "fact"
    CONTACT = "contact"
    PLAN = "plan"
    OBJECTION = "objection"


@dataclass(frozen=True, slots=True)
class Ref:
    """The row that a result rests on."""

    kind: RefKind
    id: UUID


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion's outcome; `detail` holds figures and counts, never personal data."""

    criterion: GateCriterion
    rubric_version: str
    passed: bool
    evidence: tuple[Ref, ...]
    detail: str

    @property
    def evidence_ids(self) -> tuple[UUID, ...]:
        """The ids of the rows it rests on, whatever their kind."""
        return tuple(ref.id for ref in self.evidence)

    def to_json(self) -> dict[str, object]:
        """Return the plain form that is stored with a transition."""
        return {
            "criterion": self.criterion.value,
            "rubric_version": self.rubric_version,
            "passed": self.passed,
            "evidence": [{"kind": ref.kind.value, "id": str(ref.id)} for ref in self.evidence],
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class GateCheck:
    """Every criterion of one stage's entry, judged; a dry run and a move give the same one."""

    stage: Stage
    rubric_version: str
    results: tuple[CriterionResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every criterion passed; a gate without criteria never does."""
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def failing(self) -> tuple[CriterionResult, ...]:
        """All criteria that failed, in the order of the gate."""
        return tuple(result for result in self.results if not result.passed)

    def to_json(self) -> list[dict[str, object]]:
        """Return the plain list that is stored with a transition."""
        return [result.to_json() for result in self.results]
