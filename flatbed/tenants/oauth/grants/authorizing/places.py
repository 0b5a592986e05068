"""In which place a person may let an application act: as member of an ISV, or as staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import IDENTITY_SCOPES
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.oauth.clients.standing import Standings


@dataclass(frozen=True, slots=True)
class Place:
    """One place; ``name`` is the ISV's, or the agency's."""

    name: str
    role: Role
    tenant_id: UUID | None = None
    membership_id: UUID | None = None
    staff_id: UUID | None = None

    @property
    def id(self) -> str:
        """Names it on the consent page and in ``organization``."""
        if self.tenant_id is not None:
            return encode("org", self.tenant_id)
        return "" if self.staff_id is None else encode("staff", self.staff_id)

    @property
    def actor(self) -> str:
        """Who acts, in the audit."""
        if self.membership_id is not None:
            return f"member:{encode('mem', self.membership_id)}"
        return f"staff:{self.id}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A place, and what of the scopes asked for can be used there."""

    place: Place
    scopes: frozenset[str]


def offers(places: Sequence[Place], asked: frozenset[str], standings: Standings) -> list[Offer]:
    """The places where something of what is asked for is of use."""
    found = [
        Offer(place, asked & (standings.scopes_for(place.role) | IDENTITY_SCOPES))
        for place in places
    ]
    return [offer for offer in found if offer.scopes]


def chosen(found: Sequence[Offer], wanted: str | None) -> Offer | None:
    """The one place that is meant, None where the person must say.

    Where another is named than he has, it is not the only one that he has that is meant.
    """
    if wanted is not None:
        return next((offer for offer in found if offer.place.id == wanted), None)
    return found[0] if len(found) == 1 else None
