"""What a transaction may see: fixed when it begins, for that transaction alone.

Which plane a transaction is of decides what row-level security shows it (decision 3).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from uuid import UUID

from flatbed.tenants.kit.database.limits import PATIENT
from flatbed.tenants.kit.ids import MAX, ZERO


class Plane(StrEnum):
    """The rows beside the tenant's own that a transaction holds."""

    NONE = ""
    LOGIN = "login"
    AGENCY = "agency"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class CandidateRange:
    """The candidates a transaction sees, both ends included."""

    first: UUID
    last: UUID

    @classmethod
    def whole(cls) -> Self:
        """Every candidate of the tenant: the tenant's own principals and jobs."""
        return cls(ZERO, MAX)

    @classmethod
    def one(cls, candidate_id: UUID) -> Self:
        """A hunter's range: the candidate of his live assignment."""
        return cls(candidate_id, candidate_id)

    @classmethod
    def none(cls) -> Self:
        """No candidate at all: a hunter who reads a campaign that he sources for."""
        return cls(MAX, ZERO)


@dataclass(frozen=True, slots=True)
class Context:
    """The settings of one transaction.

    Rendered as literals made from UUIDs, an enum and constants, since ``SET LOCAL`` takes no bind
    parameters; nothing else may ever be rendered here.
    """

    plane: Plane = Plane.NONE
    realm_id: UUID | None = None
    tenant_id: UUID | None = None
    candidates: CandidateRange | None = None
    patient: bool = False
    """Whether the limits for long work hold in place of a request's."""

    def statements(self) -> str:
        """The ``SET LOCAL`` statements, each setting always written.

        A setting that were left out would keep what an earlier savepoint or a careless
        session left behind; an empty one gives no rows.
        """
        bounds = self.candidates
        values = {
            "flatbed.plane": self.plane.value,
            "flatbed.realm_id": self.realm_id,
            "flatbed.tenant_id": self.tenant_id,
            "flatbed.candidate_from": bounds.first if bounds else None,
            "flatbed.candidate_to": bounds.last if bounds else None,
        }
        longer = PATIENT if self.patient else {}
        return "; ".join(
            f"SET LOCAL {name} = '{'' if value is None else value}'"
            for name, value in {**values, **longer}.items()
        )
