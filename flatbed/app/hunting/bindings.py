"""The port by which the floor below finds what binds a hunter."""

from uuid import UUID

from flatbed.app.hunting import repository
from flatbed.tenants.kit.database.session import AgencyReadSession


class LiveAssignments:
    """Live assignments, looked up in the agency plane on every request of a hunter."""

    async def of_candidate(
        self, session: AgencyReadSession, staff_id: UUID, candidate_id: UUID
    ) -> UUID | None:
        """The tenant of the candidate that is assigned to the hunter now, else None."""
        return await repository.tenant_of_candidate(session, staff_id, candidate_id)

    async def of_campaign(
        self, session: AgencyReadSession, staff_id: UUID, campaign_id: UUID
    ) -> UUID | None:
        """The tenant of the campaign that the hunter sources for now, else None."""
        return await repository.tenant_of_campaign(session, staff_id, campaign_id)
