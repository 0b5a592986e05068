"""What slices before this one ask about candidates, for wiring to bind."""

from uuid import UUID

from flatbed.app.campaigns.exclusions.ports import Worked
from flatbed.app.campaigns.orders import repository as campaigns
from flatbed.app.campaigns.orders.progress import campaign_of
from flatbed.app.candidates.core import repository
from flatbed.app.candidates.pipeline import cards
from flatbed.app.candidates.pipeline import repository as pipeline
from flatbed.app.candidates.records import repository as candidates
from flatbed.app.candidates.rules.stages import Stage
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode


class CandidateTargets:
    """Binds ``hunting.service.Targets``."""

    async def has_campaign(self, session: TenantSession, campaign_id: UUID) -> bool:
        """Whether the tenant has this campaign."""
        return await campaigns.find(session, campaign_id) is not None

    async def give_candidate(
        self, session: TenantSession, candidate_id: UUID, staff_id: UUID
    ) -> UUID | None:
        """Note the hunter on the candidate; its campaign, or None if there is no such candidate."""
        candidate = await candidates.find(session, candidate_id, lock=True)
        if candidate is None:
            return None
        candidate.hunter_id = staff_id
        candidate.updated_at = max(candidate.updated_at, session.now())
        detail = {"hunter_id": encode("staff", staff_id)}
        mutation(session, "candidate.assigned", "cand", candidate.id, detail)
        await session.flush()
        campaign = await campaign_of(session, candidate.campaign_id)
        company = await pipeline.company(session, candidate)
        await cards.refresh(
            session, candidate, campaign_name=campaign.name, company_name=company.name
        )
        return candidate.campaign_id


class FurthestCandidates:
    """Binds ``campaigns.exclusions.ports.WorkedCandidates``."""

    async def furthest(
        self, session: TenantReadSession, *, domain: str | None, name_key: str | None
    ) -> Worked | None:
        """The candidate that has come furthest, over all campaigns; where it stood counts."""
        met = await repository.companies(session, domain=domain, name_key=name_key)
        if not met:
            return None
        reached = await repository.stages_reached(session, met)
        found = (Worked(candidate_id, Stage(stage)) for candidate_id, stage in reached)
        return max(found, key=lambda one: (one.stage.rank, one.candidate_id), default=None)
