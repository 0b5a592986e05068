"""The principal behind a request, and the ports by which the floors above fill it in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import AgencyReadSession, Caller
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.ids import encode


class Role(StrEnum):
    """The principals of the permission table: clients of two owners, and people by role."""

    ISV_CLIENT = "isv_client"
    ISV_OWNER = "isv_owner"
    ISV_MANAGER = "isv_manager"
    ISV_FINANCE = "isv_finance"
    ISV_VIEWER = "isv_viewer"
    AGENCY_CLIENT = "agency_client"
    HUNTER = "hunter"
    LEAD = "lead"
    FINANCE = "finance"
    COMPLIANCE = "compliance"
    ADMIN = "admin"

    @property
    def of_isv(self) -> bool:
        """Whether it acts for one ISV: its client or its member."""
        return self in ISV_ROLES


STAFF_ROLES = frozenset({Role.HUNTER, Role.LEAD, Role.FINANCE, Role.COMPLIANCE, Role.ADMIN})
MEMBER_ROLES = frozenset({Role.ISV_OWNER, Role.ISV_MANAGER, Role.ISV_FINANCE, Role.ISV_VIEWER})
ISV_ROLES = MEMBER_ROLES | {Role.ISV_CLIENT}
FRESH_FOR = timedelta(minutes=15)
"""How long after a person proved who he is he may do what asks for a step-up."""


def member_role(role: str) -> Role:
    """The role of a membership's word."""
    return Role(f"isv_{role}")


@dataclass(frozen=True, slots=True)
class Person:
    """A person behind a principal, who lent a client his authority.

    ``membership_id`` is set for a member of an ISV. ``authenticated_at``, in the system's time, is
    when he last proved who he is.
    """

    user_id: UUID
    grant_id: UUID
    membership_id: UUID | None
    authenticated_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as the database says now (a token's claims are only a hint).

    ``tenant_id`` is set for an ISV's client and its member, ``staff_id`` for a staff member and
    his personal client, ``person`` where a person signed in. ``clock`` is the realm's, stopped at
    the instant of the request.
    """

    role: Role
    client_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    staff_id: UUID | None
    scopes: frozenset[str]
    clock: Clock
    sandbox: bool
    person: Person | None = None

    @property
    def actor(self) -> str:
        """The name in audit rows: the staff member or the ISV's member, else the client."""
        if self.staff_id is not None:
            return f"staff:{encode('staff', self.staff_id)}"
        if self.person is not None and self.person.membership_id is not None:
            return f"member:{encode('mem', self.person.membership_id)}"
        return f"client:{encode('client', self.client_id)}"

    @property
    def key_owner(self) -> UUID:
        """Whose idempotency keys and references these are: the client's, or one person's at it."""
        if self.person is None:
            return self.client_id
        return UUID(bytes=sha256(self.client_id.bytes + self.person.user_id.bytes).digest()[:16])

    def is_fresh(self, now: datetime) -> bool:
        """Whether nobody need prove anew who he is: a machine, or a person who just did."""
        return self.person is None or now - self.person.authenticated_at <= FRESH_FOR

    def caller(self, request_id: str) -> Caller:
        """The caller of this principal's transactions."""
        return Caller(self.actor, request_id, self.key_owner)

    def has(self, scope: str) -> bool:
        """Whether the token holds the scope."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says. ``realm_id`` names the agency plane to look in.

    ``user_id`` and ``grant_id`` stand together in the token of a person.
    """

    client_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    staff_id: UUID | None
    scopes: frozenset[str]
    user_id: UUID | None = None
    grant_id: UUID | None = None


class Authenticator(Protocol):
    """Turns a bearer token into a principal (bound to ``tenants/oauth``).

    ``resource_metadata`` is where a client without a good token learns how to get one.
    """

    resource_metadata: str

    async def verify(self, token: str) -> Claims:
        """Check signature, type, issuer, audience and expiry.

        Raises:
            UnauthenticatedError: for whatever reason; the reason is not told.
        """
        ...

    async def principal(
        self, session: AgencyReadSession, claims: Claims, address: Address | None
    ) -> Principal:
        """Client and person as they are now: active, of this owner, with scope ∩ current role.

        Raises:
            UnauthenticatedError: the client, its owner, its tenant, the grant or the person's
                place is no longer active, or the client may not call from this address.
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
