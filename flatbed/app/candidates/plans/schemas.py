"""What the API takes and gives for plans."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from flatbed.app.candidates.records.fields import Actor
from flatbed.app.candidates.rules.snapshot import Author, PlanName
from flatbed.app.ids import CandidateId, PlanVersionId, TouchpointId
from flatbed.tenants.kit.schemas import LARGEST_INTEGER, Input, Output, Text

MONEY = frozenset({PlanName.REVENUE_TARGET, PlanName.INVESTMENT})
"""Integer minor units of the campaign's currency."""
SHARES = frozenset({PlanName.PARTNER_MARGIN, PlanName.UTILISATION, PlanName.RECURRING_SHARE})
"""Thousandths, 0 to 1000."""
FULL = 1_000


class PlanFieldInput(Input):
    """One field with its author; a null value takes the field out of the plan.

    The value is money in integer minor units of the campaign's currency (`revenue_target`,
    `investment`), thousandths (`partner_margin`, `utilisation`, `recurring_share`), a date
    (`start_date`) or words (`resources`).
    """

    name: PlanName
    value: Annotated[
        Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | Text | None,
        Field(examples=[60_000_000]),
    ]
    author: Author
    source_touchpoint_id: Annotated[
        TouchpointId | None,
        Field(description="Where it was written; the partner's needs an inbound touch."),
    ] = None

    @property
    def wrong_value(self) -> str | None:
        """What is wrong with the value, in words; None if nothing is."""
        if self.value is None:
            return None
        if self.name in MONEY | SHARES:
            if not isinstance(self.value, int):
                return "It is an integer."
            over = self.name in SHARES and self.value > FULL
            return "It is at most 1000 thousandths." if over else None
        if not isinstance(self.value, str):
            return "It is text."
        if self.name is PlanName.START_DATE:
            try:
                date.fromisoformat(self.value)
            except ValueError:
                return "It is a date, YYYY-MM-DD."
        return None


class PlanCreate(Input):
    """A new version; fields that are left out carry over from the version before."""

    fields: Annotated[list[PlanFieldInput], Field(min_length=1, max_length=len(PlanName))]


class PlanFieldRead(Output):
    """A field with its author and source."""

    name: PlanName
    value: int | str
    author: Author
    source_touchpoint_id: TouchpointId | None


class PlanVersionRead(Output):
    """A version of the joint plan; never changed."""

    id: PlanVersionId
    candidate_id: CandidateId
    number: int
    currency: str
    fields: list[PlanFieldRead]
    recorded_by: Actor
    at: datetime


class PlanRead(Output):
    """The plan as it stands, and the versions before, newest first."""

    latest: PlanVersionRead | None
    history: Annotated[list[PlanVersionRead], Field(description="At most 200 of them.")]
