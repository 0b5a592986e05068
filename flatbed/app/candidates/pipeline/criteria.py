"""Judged criteria: their stored form, and the form that the API shows."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from flatbed.app.candidates.rules.exits import GuardCheck, GuardCriterion
from flatbed.app.candidates.rules.gate_criteria import GateCheck, GateCriterion, RefKind
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import Output

PREFIXES: Final[Mapping[RefKind, str]] = MappingProxyType(
    {
        RefKind.EVIDENCE: "evid",
        RefKind.TOUCHPOINT: "touch",
        RefKind.FACT: "fact",
        RefKind.CONTACT: "cont",
        RefKind.PLAN: "plan",
        RefKind.OBJECTION: "obj",
    }
)
GUARD_TITLES: Final[Mapping[GuardCriterion, str]] = MappingProxyType(
    {
        GuardCriterion.ATTEMPTS: "enough attempts for this fit",
        GuardCriterion.DAYS: "tried over enough days",
        GuardCriterion.PEOPLE: "enough people tried",
        GuardCriterion.C_LEVEL: "a C-level tried",
        GuardCriterion.ANGLES: "enough different angles tried",
        GuardCriterion.REST: "the last attempt is long enough ago",
    }
)


class CriterionRead(Output):
    """One criterion's outcome; `detail` holds figures, never personal data."""

    criterion: Annotated[str, Field(examples=["profiled.fit"])]
    title: str
    rubric_version: str
    passed: bool
    evidence: Annotated[
        list[str], Field(description="The rows it rests on: evidence, touches, facts, contacts …")
    ]
    detail: str


def of_gate(gate: GateCheck) -> list[dict[str, Any]]:
    """The plain form of a gate's criteria."""
    return gate.to_json()


def of_guard(guard: GuardCheck, rubric_version: str) -> list[dict[str, Any]]:
    """The plain form of the too-early guard's demands; they rest on the whole history."""
    return [
        {
            "criterion": one.criterion.value,
            "rubric_version": rubric_version,
            "passed": one.passed,
            "evidence": [],
            "detail": one.detail,
        }
        for one in guard.results
    ]


def shown(stored: Sequence[Mapping[str, Any]]) -> list[CriterionRead]:
    """The plain form as the API shows it, with titles and TypeIDs."""
    return [
        CriterionRead(
            criterion=one["criterion"],
            title=_title(one["criterion"]),
            rubric_version=one["rubric_version"],
            passed=one["passed"],
            evidence=[_ref(ref) for ref in one["evidence"]],
            detail=one["detail"],
        )
        for one in stored
    ]


def _title(key: str) -> str:
    if key in GUARD_TITLES:
        return GUARD_TITLES[GuardCriterion(key)]
    return GateCriterion(key).label


def _ref(ref: Mapping[str, str]) -> str:
    return encode(PREFIXES[RefKind(ref["kind"])], UUID(ref["id"]))
