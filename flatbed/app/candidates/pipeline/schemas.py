"""What the API takes and gives for gates and transitions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flatbed.app.candidates.pipeline.criteria import CriterionRead
from flatbed.app.candidates.rules.pipeline import TransitionKind
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.app.ids import CandidateId, TransitionId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import Input, Output, Text

EXITED = "exited"


class RefusalRead(Output):
    """Why a move would be refused now."""

    code: Annotated[str, Field(description="The `code` of the problem.", examples=["gate-failed"])]
    why: str


class GatesRead(Output):
    """A gate judged without moving: what a transition now would store, or be refused with."""

    candidate_id: CandidateId
    stage: Annotated[Stage, Field(description="Where the candidate stands.")]
    status: Status
    to: Annotated[Stage, Field(description="The stage whose gate was judged.")]
    rubric_version: str
    passed: Annotated[bool, Field(description="Whether every criterion passed.")]
    criteria: list[CriterionRead]
    refusal: Annotated[
        RefusalRead | None,
        Field(description="What the move (for `qualified`: the qualification) would answer."),
    ]


class TransitionCreate(Input):
    """A move: one stage forward, back to an earlier one, out, or back from an exit."""

    to: Annotated[
        Stage | Literal["exited"],
        Field(description="The stage, or `exited`. An exited candidate returns to the stage."),
    ]
    reason: Annotated[
        Text | None,
        Field(description="Words for a backward move, the reason's code for an exit."),
    ] = None
    override_reason: Annotated[
        Text | None,
        Field(description="Lifts the too-early guard from an exit; only a lead gives it."),
    ] = None


class TransitionRead(Output):
    """A stored move with the criteria that allowed it; never changed."""

    id: TransitionId
    candidate_id: CandidateId
    kind: TransitionKind
    from_stage: Annotated[Stage | None, Field(description="Null on entering the pipeline.")]
    to_stage: Stage
    reason: str | None
    override_reason: str | None
    criteria: list[CriterionRead]
    rubric_version: str | None
    actor: Annotated[str | None, Field(description="Shown to the agency only.")]
    at: datetime


class TransitionPage(Page):
    """A page of transitions, oldest first."""

    data: list[TransitionRead]
