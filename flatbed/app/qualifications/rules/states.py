"""What may happen to a qualification and to a dispute, by their states."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

Verdict = Literal["confirmed", "voided", "replaced"]
"""What a dispute is decided to be; a review is confirmed or voided."""


class Status(StrEnum):
    """The states of a qualification."""

    PENDING = "pending"
    DISPUTED = "disputed"
    ACCEPTED = "accepted"
    VOIDED = "voided"


class CaseStatus(StrEnum):
    """The states of a dispute.

    A review is open, confirmed or voided; a report of a withdrawal or of a free ride is open,
    confirmed, refused, or voided with its unit.
    """

    OPEN = "open"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    VOIDED = "voided"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


class Basis(StrEnum):
    """How a qualification came to be accepted."""

    PERSON = "person"
    SILENCE = "silence"
    DECISION = "decision"
    SIGNING = "signing"


class Origin(StrEnum):
    """What a unit rests on: the gates of the method, or that the ISV contracted it elsewhere."""

    GATES = "gates"
    FREE_RIDE = "free_ride"


class Act(StrEnum):
    """What is done to a qualification.

    ``accuse`` is a dispute for fraud: it alone may come after the acceptance, which stands until
    the decision. ``confirm`` and ``void`` are decisions of a dispute or a review; ``withdraw``
    takes a dispute back.
    """

    ACCEPT = "accept"
    DISPUTE = "dispute"
    ACCUSE = "accuse"
    CONFIRM = "confirm"
    VOID = "void"
    WITHDRAW = "withdraw"


_S = Status
_AFTER: Final[Mapping[tuple[Act, Status], Status]] = MappingProxyType(
    {
        (Act.ACCEPT, _S.PENDING): _S.ACCEPTED,
        (Act.DISPUTE, _S.PENDING): _S.DISPUTED,
        (Act.ACCUSE, _S.PENDING): _S.DISPUTED,
        (Act.ACCUSE, _S.ACCEPTED): _S.ACCEPTED,
        (Act.CONFIRM, _S.PENDING): _S.PENDING,
        (Act.CONFIRM, _S.DISPUTED): _S.ACCEPTED,
        (Act.CONFIRM, _S.ACCEPTED): _S.ACCEPTED,
        (Act.VOID, _S.PENDING): _S.VOIDED,
        (Act.VOID, _S.DISPUTED): _S.VOIDED,
        (Act.VOID, _S.ACCEPTED): _S.VOIDED,
        (Act.WITHDRAW, _S.DISPUTED): _S.PENDING,
        (Act.WITHDRAW, _S.ACCEPTED): _S.ACCEPTED,
    }
)
"""A pending one that a review confirms stays pending: the ISV has not had its say yet."""


def after(status: Status, act: Act) -> Status | None:
    """Return the state after the act; None where the state does not allow it."""
    return _AFTER.get((act, status))
