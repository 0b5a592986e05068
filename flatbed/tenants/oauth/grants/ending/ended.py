"""A grant that was ended, and why."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.ids import encode

REUSED_CODE: Final = "code_reused"
REUSED_REFRESH: Final = "refresh_reused"
BY_CLIENT: Final = "client"
BY_PERSON: Final = "person"
SESSION_ENDED: Final = "session"
USER_ENDED: Final = "user"
MEMBERSHIP_ENDED: Final = "membership"
STAFF_ENDED: Final = "staff"


@dataclass(frozen=True, slots=True)
class Ended:
    """What the audit says of it; ``tenant_id`` decides in whose."""

    grant_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    membership_id: UUID | None
    staff_id: UUID | None
    client_id: UUID
    reason: str

    @property
    def place(self) -> str:
        """The person's name in the audit, in the place that he lent."""
        if self.membership_id is not None:
            return f"member:{encode('mem', self.membership_id)}"
        return f"staff:{encode('staff', self.staff_id)}" if self.staff_id else ""
