"""The principal behind a request, and the ports by which the floors above fill it in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import AgencyReadSession, Caller
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.ids import encode


class Role(StrEnum):
    """The principals of the permission table: clients of two owners, and staff by role."""

    ISV_CLIENT = "isv_client"
    AGENCY_CLIENT = "agency_client"
    HUNTER = "hunter"
    LEAD = "lead"
    FINANCE = "finance"
    COMPLIANCE = "compliance"
    ADMIN = "admin"


STAFF_ROLES = frozenset({Role.HUNTER, Role.LEAD, Role.FINANCE, Role.COMPLIANCE, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as the database says now (a token's claims are only a hint).

    ``tenant_id`` is set for an ISV's client, ``staff_id`` for a staff member's personal client.
    ``clock`` is the realm's, stopped at the instant of the request.
    """

    role: Role
    client_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    staff_id: UUID | None
    scopes: frozenset[str]
    clock: Clock
    sandbox: bool

    @property
    def actor(self) -> str:
        """The name in audit rows: the staff member, else the client."""
        if self.staff_id is not None:
            return f"staff:{encode('staff', self.staff_id)}"
        return f"client:{encode('client', self.client_id)}"

    def caller(self, request_id: str) -> Caller:
        """The caller of this principal's transactions."""
        return Caller(self.actor, request_id, self.client_id)

    def has(self, scope: str) -> bool:
        """Whether the token holds the scope."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says. ``realm_id`` names the agency plane to look in."""

    client_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    staff_id: UUID | None
    scopes: frozenset[str]


class Authenticator(Protocol):
    """Turns a bearer token into a principal (bound to ``tenants/oauth``)."""

    async def verify(self, token: str) -> Claims:
        """Check signature, type, issuer, audience and expiry.

        Raises:
            UnauthenticatedError: for whatever reason; the reason is not told.
        """
        ...

    async def principal(
        self, session: AgencyReadSession, claims: Claims, address: Address | None
    ) -> Principal:
        """The client as it is now: active, of this owner, with scope ∩ current role.

        Raises:
            UnauthenticatedError: the client, its owner or its tenant is no longer active, or the
                client may not call from this address.
        """
        ...


class Tenants(Protocol):
    """Says whether an ISV exists in the realm (bound to ``tenants/organizations``)."""

    async def exists(self, session: AgencyReadSession, tenant_id: UUID) -> bool:
        """Whether agency staff of the session's realm may name this ISV."""
        ...


class Assignments(Protocol):
    """Finds a hunter's live assignment (bound to ``app/hunting``)."""

    async def of_candidate(
        self, session: AgencyReadSession, staff_id: UUID, candidate_id: UUID
    ) -> UUID | None:
        """The tenant of the candidate that is assigned to the hunter now, else None."""
        ...

    async def of_campaign(
        self, session: AgencyReadSession, staff_id: UUID, campaign_id: UUID
    ) -> UUID | None:
        """The tenant of the campaign that the hunter sources for now, else None."""
        ...
