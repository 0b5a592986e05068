"""TypeIDs at the edge, uuid7 inside.

A TypeID is a prefix and the 128 bits in Crockford's base 32 (26 digits, lower case, no padding
bits): ``camp_01h455vb4pex5vsknk084sn02q``. Source: the TypeID specification 0.3.0.
"""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from uuid_utils.compat import uuid7 as _uuid7

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
DIGITS = {letter: value for value, letter in enumerate(ALPHABET)}
LENGTH = 26
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Two digits at a time: every request writes several ids."""
SHIFTS = range(120, -1, -10)
TEN_BITS = 0x3FF
ZERO = UUID(int=0)
MAX = UUID(int=2**128 - 1)


def uuid7() -> UUID:
    """A new time-ordered id."""
    return _uuid7()


class InvalidIdError(ValueError):
    """The text is not a TypeID of the wanted kind."""


def encode(prefix: str, value: UUID) -> str:
    """The TypeID of a uuid."""
    number = value.int
    return f"{prefix}_{''.join([PAIRS[number >> shift & TEN_BITS] for shift in SHIFTS])}"


def decode(prefix: str, text: str) -> UUID:
    """The uuid of a TypeID; one spelling only: no other case, prefix or padding is taken."""
    head, _, tail = text.rpartition("_")
    if head != prefix or len(tail) != LENGTH or tail[0] > "7":
        raise InvalidIdError(prefix)
    number = 0
    for letter in tail:
        if letter not in DIGITS:
            raise InvalidIdError(prefix)
        number = number * 32 + DIGITS[letter]
    return UUID(int=number)


class TypeId:
    """The reader and writer of one kind of id."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def read(self, value: object) -> UUID:
        """Take a TypeID from outside, or a UUID from our own code."""
        if isinstance(value, UUID):
            return value
        if not isinstance(value, str):
            raise InvalidIdError(self.prefix)
        return decode(self.prefix, value)

    def write(self, value: UUID) -> str:
        """The TypeID, in JSON; our own code keeps the UUID."""
        return encode(self.prefix, value)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the id."""
        return {
            "type": "string",
            "pattern": f"^{self.prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$",
            "examples": [encode(self.prefix, EXAMPLE)],
        }


EXAMPLE = UUID("01990000-0000-7000-8000-000000000001")


def annotations(prefix: str) -> tuple[Any, ...]:
    """Pydantic metadata of an id field: TypeID outside, UUID inside.

    ``CampaignId = Annotated[UUID, *annotations("camp")]``.
    """
    kind = TypeId(prefix)
    return (
        kind,
        BeforeValidator(kind.read),
        PlainSerializer(kind.write, return_type=str, when_used="json"),
        WithJsonSchema(kind.schema),
    )


OrganizationId = Annotated[UUID, *annotations("org")]
StaffId = Annotated[UUID, *annotations("staff")]
ClientId = Annotated[UUID, *annotations("client")]
SecretId = Annotated[UUID, *annotations("sec")]
MembershipId = Annotated[UUID, *annotations("mem")]
