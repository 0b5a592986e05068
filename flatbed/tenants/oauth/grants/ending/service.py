"""Ending grants, and saying so in the audit of whoever the person acted for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.session import (
    AgencySession,
    LoginSession,
    TenantSession,
    agency_of_login,
    tenant_of_login,
)
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.realms import clock_of, find_realm
from flatbed.tenants.oauth.clients.repository import switch_off
from flatbed.tenants.oauth.grants.ending import repository
from flatbed.tenants.oauth.grants.ending.ended import Ended

ENDED: Final = "grant.revoked"
SWITCHED: Final = "oauth_client.updated"


@dataclass(frozen=True, slots=True)
class Ending:
    """Ends the grants of whoever ends (binds the port ``GrantEnding`` of people).

    Every process asks the database for the grant on each request: what is ended here is refused
    everywhere with this transaction's commit.
    """

    async def of_session(self, session: LoginSession, session_id: UUID) -> None:
        """End what was granted from one browser."""
        await tell_ended(
            session, await repository.end_of_session(session, session_id, system_now())
        )

    async def of_presence(self, session: LoginSession, session_id: UUID) -> None:
        """End what was granted from one browser, but not for the person's absence."""
        ended = await repository.end_of_presence(session, session_id, system_now())
        await tell_ended(session, ended)

    async def of_user(
        self, session: LoginSession, user_id: UUID, *, kept: UUID | None = None
    ) -> None:
        """End all that a person granted, in every realm, but from the browser session ``kept``."""
        ended = await repository.end_of_user(session, user_id, system_now(), kept)
        await tell_ended(session, ended)

    async def personal_clients(self, session: LoginSession, user_id: UUID) -> None:
        """Switch off the clients of the person's places among the staff."""
        for realm_id, staff_id in await repository.staff_places(session, user_id):
            clock = await realm_time(session, realm_id)
            async with agency_of_login(session, realm_id, clock, session.caller.actor) as agency:
                for client in await switch_off(agency, staff_id):
                    record(
                        agency, SWITCHED, "client", client, {"fields": ["active"], "active": False}
                    )

    async def of_membership(
        self, session: TenantSession | AgencySession, membership_id: UUID
    ) -> None:
        """End what a person granted as member of an ISV."""
        ended = await repository.end_of_membership(session, membership_id, system_now())
        _record(session, ended)

    async def of_staff(self, session: AgencySession, staff_id: UUID) -> None:
        """End what a person granted as staff of the agency."""
        _record(session, await repository.end_of_staff(session, staff_id, system_now()))


async def tell_ended(
    session: LoginSession, ended: Sequence[Ended], actor: str | None = None
) -> None:
    """Write the audit of grants that a login ended; the caller's name unless told."""
    for one in ended:
        clock = await realm_time(session, one.realm_id)
        name = actor or session.caller.actor
        if one.tenant_id is None:
            async with agency_of_login(session, one.realm_id, clock, name) as agency:
                _record(agency, [one])
        else:
            async with tenant_of_login(session, one.realm_id, one.tenant_id, clock, name) as tenant:
                _record(tenant, [one])


async def realm_time(session: LoginSession, realm_id: UUID) -> Clock:
    """The clock of a realm, for its audit."""
    realm = await find_realm(session, realm_id)
    return Clock() if realm is None else clock_of(realm)


def _record(session: TenantSession | AgencySession, ended: Sequence[Ended]) -> None:
    for one in ended:
        detail = {"client_id": encode("client", one.client_id), "reason": one.reason}
        record(session, ENDED, "grant", one.grant_id, detail)
