"""What a change of a membership means for its ISV."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

OWNER: Final = "owner"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member may do for his ISV: his role, while he is active and has accepted."""

    role: str
    active: bool
    signed_up: bool

    @property
    def owns(self) -> bool:
        """Whether he is an owner who can sign in."""
        return self.role == OWNER and self.active and self.signed_up

    def after(self, changes: Mapping[str, Any]) -> "Standing":
        """The standing once ``role`` and ``active`` are changed, as far as they are named."""
        role, active = changes.get("role", self.role), changes.get("active", self.active)
        return Standing(role, active, self.signed_up)


def leaves_no_owner(
    member_id: UUID, now: Standing, after: Standing, owners: Iterable[UUID]
) -> bool:
    """Whether the change takes away the last owner. ``owners``: who own the ISV now."""
    return now.owns and not after.owns and all(owner == member_id for owner in owners)
