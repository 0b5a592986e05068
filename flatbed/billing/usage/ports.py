"""What reports ask of the units' owner, who knows campaigns by more than their ids.

Bound in the composition root (``program.campaigns``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from flatbed.billing.usage.records import Caps
from flatbed.tenants.kit.database.session import TenantReadSession


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """A campaign: its name, what bounds it, and whether units are qualified for it now."""

    name: str
    caps: Caps
    takes_units: bool


class Campaigns(Protocol):
    """Knows the tenant's campaigns."""

    async def facts(
        self, session: TenantReadSession, campaign_refs: Collection[UUID]
    ) -> Mapping[UUID, CampaignFacts]:
        """The facts of these campaigns; one that is not known is left out."""
        ...
