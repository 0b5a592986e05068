"""Inviting people: a row, and a job that mails its link, in the transaction of what it is for."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import AgencySession, TenantSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.organizations.models import Staff
from flatbed.tenants.people.errors import AlreadySignedUpError, InactivePlaceError
from flatbed.tenants.people.invitations import repository
from flatbed.tenants.people.models import Invitation, Membership

LASTS: Final = timedelta(days=7)
"""In the system's time, as of every credential: a sandbox's clock opens and shuts no door."""
SEND_JOB: Final = "send_invitation"


async def invite_member(session: TenantSession, member: Membership) -> Invitation:
    """Invite the member, whose row the transaction holds; an earlier invitation ends.

    Raises:
        AlreadySignedUpError: he has accepted.
        InactivePlaceError: he is switched off.
    """
    _check(member)
    await repository.revoke_of_member(session, member.id, system_now())
    row = _row(session, member.email, tenant_id=member.tenant_id, membership_id=member.id)
    return await _sent(session, row)


async def invite_staff(session: AgencySession, staff: Staff) -> Invitation:
    """As :func:`invite_member`."""
    _check(staff)
    await repository.revoke_of_staff(session, staff.id, system_now())
    return await _sent(session, _row(session, staff.email, staff_id=staff.id))


def _check(place: Membership | Staff) -> None:
    if place.user_id is not None:
        raise AlreadySignedUpError
    if not place.active:
        raise InactivePlaceError


def _row(
    session: TenantSession | AgencySession,
    email: str,
    *,
    tenant_id: UUID | None = None,
    membership_id: UUID | None = None,
    staff_id: UUID | None = None,
) -> Invitation:
    now = system_now()
    return Invitation(
        realm_id=session.realm_id,
        id=uuid7(),
        tenant_id=tenant_id,
        membership_id=membership_id,
        staff_id=staff_id,
        email=email,
        invited_by=session.caller.actor,
        created_at=now,
        expires_at=now + LASTS,
    )


async def _sent(session: TenantSession | AgencySession, row: Invitation) -> Invitation:
    await repository.add_invitation(session, row)
    await enqueue(session, SEND_JOB, realm_id=row.realm_id, invitation_id=row.id)
    return row
