"""The candidate's card in the agency plane, which hunters' queues are read from."""

from flatbed.app.candidates.models import Candidate
from flatbed.app.hunting.repository import Card, put_card
from flatbed.tenants.kit.database.session import TenantSession, agency_plane


async def refresh(
    session: TenantSession, candidate: Candidate, *, campaign_name: str, company_name: str
) -> None:
    """Write the card anew in the transaction that changed the candidate."""
    async with agency_plane(session) as agency:
        await put_card(
            agency,
            Card(
                tenant_id=session.tenant_id,
                candidate_id=candidate.id,
                campaign_id=candidate.campaign_id,
                campaign_name=campaign_name,
                company_name=company_name,
                stage=candidate.stage,
                status=candidate.status,
                due_at=candidate.next_due_at,
            ),
        )
