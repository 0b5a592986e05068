"""Inviting the agency's staff, and what a change of a staff member ends."""

from dataclasses import dataclass
from uuid import UUID

from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import AgencySession
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.organizations.repository import find_staff
from flatbed.tenants.people.invitations import repository
from flatbed.tenants.people.invitations.issuing import invite_staff
from flatbed.tenants.people.invitations.schemas import InvitationRead
from flatbed.tenants.people.ports import GrantEnding


async def invite(session: AgencySession, staff_id: UUID) -> InvitationRead:
    """Invite a staff member, or anew: then the link before opens nothing any more.

    Raises:
        NotFoundError: no such staff member in this realm.
        AlreadySignedUpError: he has accepted.
        InactivePlaceError: he is switched off.
    """
    row = await find_staff(session, staff_id, lock=True)
    if row is None:
        raise NotFoundError
    invitation = await invite_staff(session, row)
    record(session, "staff.invited", "staff", row.id)
    return InvitationRead.model_validate(invitation)


@dataclass(frozen=True, slots=True)
class StaffDepartures:
    """Binds the port `organizations.ports.Departures`."""

    grants: GrantEnding

    async def switched(self, session: AgencySession, staff_id: UUID) -> None:
        """End the staff member's grants and his invitation, whether he comes or goes."""
        await self.grants.of_staff(session, staff_id)
        await repository.revoke_of_staff(session, staff_id, system_now())

    async def moved(self, session: AgencySession, staff_id: UUID) -> None:
        """End the invitation that went to the address he had before."""
        await repository.revoke_of_staff(session, staff_id, system_now())
