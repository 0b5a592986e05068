"""What the API takes and gives for criteria, and how they are stored."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from flatbed.app.campaigns.method import SIX_CS, Criterion, Operator
from flatbed.tenants.kit.schemas import LARGEST_INTEGER, Code, Input, Output, storable

LONGEST_OPERAND = 500
MOST_OPERANDS = 250


def _operand(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        if len(value) > MOST_OPERANDS or any(isinstance(item, list | dict) for item in value):
            raise ValueError("A list holds at most 250 plain values.")
        for item in value:
            _operand(item)
    elif isinstance(value, str):
        if len(storable(value)) > LONGEST_OPERAND:
            raise ValueError("The text is longer than 500 characters.")
    elif isinstance(value, int | float):
        if not abs(value) <= LARGEST_INTEGER:  # not-a-number compares false
            raise ValueError("The number is too large.")
    elif value is not None:
        raise ValueError("A value is plain or a list of plain values.")
    return value


Operand = Annotated[
    JsonValue,
    Field(description="Text, number, flag, or a list of them; what the operator needs."),
    AfterValidator(_operand),
]
Question = Annotated[
    str, Field(min_length=1, max_length=1_000, description="What the person is to judge.")
]
Number = Annotated[float, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER, allow_inf_nan=False)]


class HardCriterion(Input):
    """A demand that a partner must meet.

    Read from a registry attribute (`attribute`, `operator`, `value`), or judged by a person
    (`judged` and the `question`). A failed one makes the fit 0.
    """

    key: Annotated[Code, Field(examples=["employees"])]
    attribute: Annotated[Code | None, Field(examples=["employees"])] = None
    operator: Annotated[Operator | None, Field(examples=["gte"])] = None
    value: Annotated[Operand, Field(examples=[20])] = None
    judged: bool = False
    question: Annotated[Question, AfterValidator(storable)] | None = None

    def criterion(self) -> Criterion:
        """The criterion for the rules.

        Raises:
            ValueError: its parts do not fit each other.
        """
        return Criterion(
            key=self.key,
            attribute=self.attribute or "",
            operator=self.operator,
            value=self.value,
            judged=self.judged,
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.judged and (self.question is None or self.value is not None):
            raise ValueError("a judged criterion has a question and no value")
        if not self.judged and self.question is not None:
            raise ValueError("only a judged criterion has a question")
        self.criterion()
        return self


class SoftCriterion(HardCriterion):
    """A demand that weighs in the fit.

    A numeric attribute may be scaled from `floor` (0) to `target` (1) instead of met or missed.
    """

    weight: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False, examples=[20])]
    floor: Number | None = None
    target: Number | None = None

    def criterion(self) -> Criterion:
        """As the hard one's, with weight and scale."""
        return Criterion(
            key=self.key,
            attribute=self.attribute or "",
            operator=self.operator,
            value=self.value,
            weight=self.weight,
            judged=self.judged,
            floor=self.floor,
            target=self.target,
        )


class HardCriterionRead(Output):
    """A hard criterion as it was written down."""

    key: str
    attribute: str | None
    operator: Operator | None
    value: JsonValue
    judged: bool
    question: str | None


class SoftCriterionRead(HardCriterionRead):
    """A soft criterion as it was written down."""

    weight: float
    floor: float | None
    target: float | None


def to_store(criteria: Sequence[HardCriterion]) -> list[dict[str, Any]]:
    """The plain form that a version keeps."""
    return [criterion.model_dump(mode="json") for criterion in criteria]


def six_cs() -> list[dict[str, Any]]:
    """The soft criteria of a profile that names none, written out so that they are kept."""
    return [
        {
            "key": one.key,
            "attribute": None,
            "operator": None,
            "value": None,
            "judged": True,
            "question": None,
            "weight": one.weight,
            "floor": None,
            "target": None,
        }
        for one in SIX_CS
    ]


def from_store(stored: Sequence[Mapping[str, Any]]) -> tuple[Criterion, ...]:
    """The criteria of a version, for the rules."""
    return tuple(
        Criterion(
            key=one["key"],
            attribute=one["attribute"] or "",
            operator=None if one["operator"] is None else Operator(one["operator"]),
            value=one["value"],
            weight=one.get("weight"),
            judged=one["judged"],
            floor=one.get("floor"),
            target=one.get("target"),
        )
        for one in stored
    )
