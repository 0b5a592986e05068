"""The states of a guarantee case."""

from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why a unit is to be made good.

    ``withdrawal``: the partner left an accepted unit, which is paid: the replacement costs
    nothing. ``dispute``: the unit was voided by the decision `replaced`, so that nothing is paid:
    the replacement costs the frozen price.
    """

    WITHDRAWAL = "withdrawal"
    DISPUTE = "dispute"


class CaseState(StrEnum):
    """What became of a case.

    ``reported`` waits for a lead; ``open`` waits for a replacement; ``held``: a dispute or a
    review of the unit comes first; ``due``: the time is over and the credit waits until the unit
    stands on a statement; ``lapsed``: over with nothing to give back; ``cancelled``: the unit was
    voided, which gives back all.
    """

    REPORTED = "reported"
    REFUSED = "refused"
    OPEN = "open"
    HELD = "held"
    REPLACED = "replaced"
    DUE = "due"
    CREDITED = "credited"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"


OUT: Final = frozenset({CaseState.OPEN, CaseState.HELD, CaseState.REPLACED})
"""While the campaign counts the partner who withdrew as accepted no more."""
UNDONE: Final = frozenset({CaseState.REPORTED, CaseState.OPEN, CaseState.HELD, CaseState.DUE})
"""What a void of the unit cancels."""
