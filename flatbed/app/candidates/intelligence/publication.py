"""The one way out of a tenant for what is learnt there: a public fact, copied to the registry."""

from flatbed.app.candidates.models import Candidate, Fact
from flatbed.app.registry import service as registry
from flatbed.tenants.kit.database.session import TenantSession, agency_plane


async def publish(session: TenantSession, candidate: Candidate, fact: Fact) -> None:
    """Copy the fact to the registry's company behind the candidate's, if they are linked.

    The registry learns neither tenant nor candidate; the tenant never learns the registry's id.
    """
    async with agency_plane(session) as agency:
        company_id = await registry.linked(agency, session.tenant_id, candidate.company_id)
        if company_id is None:
            return
        await registry.publish_fact(
            agency,
            company_id,
            attribute=fact.attribute,
            statement=fact.statement,
            value=fact.value,
            source_kind=fact.source_kind,
            source_url=fact.source_url,
            observed_on=fact.observed_on,
        )
