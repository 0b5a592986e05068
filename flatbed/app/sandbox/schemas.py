"""What the API takes and gives for a sandbox's clock."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from flatbed.tenants.kit.schemas import Input, Output

TEN_YEARS = 10 * 366 * 24 * 60 * 60


class ClockAdvance(Input):
    """How far to move the clock forward: by seconds, or to an instant."""

    advance_seconds: Annotated[
        int | None, Field(gt=0, le=TEN_YEARS, description="At most ten years.", examples=[86400])
    ] = None
    to: Annotated[
        AwareDatetime | None, Field(description="An instant after the realm's present time.")
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.advance_seconds is None) == (self.to is None):
            raise ValueError("Send either advance_seconds or to.")
        return self


class ClockRead(Output):
    """The clock after the move."""

    now: Annotated[datetime, Field(description="The realm's time when the clock was moved.")]
    swept: Annotated[
        int,
        Field(
            description="Deadlines that this request handled; others are handled by concurrent"
            " requests and by workers."
        ),
    ]
