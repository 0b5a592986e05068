"""What exclusions ask of the candidates, which come later in the pipeline (bound in wiring)."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from flatbed.app.campaigns.method import Stage
from flatbed.tenants.kit.database.session import TenantReadSession


@dataclass(frozen=True, slots=True)
class Worked:
    """A candidate of the tenant, and the furthest stage that it has reached."""

    candidate_id: UUID
    stage: Stage


class WorkedCandidates(Protocol):
    """Says how far a company has been worked for the tenant."""

    async def furthest(
        self, session: TenantReadSession, *, domain: str | None, name_key: str | None
    ) -> Worked | None:
        """The candidate that has come furthest, over all campaigns of the tenant; None of none.

        One that went back or was exited counts with the furthest stage it had reached: leaving
        is no way round the consent.

        Args:
            session: the tenant's transaction, with the whole candidate range.
            domain: registrable, or None.
            name_key: the company's name by ``name_key``, or None. A company meets either.
        """
        ...
