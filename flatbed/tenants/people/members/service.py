"""Rules of an ISV's members."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.people.errors import (
    LastOwnerError,
    MemberEmailTakenError,
    OwnMembershipError,
)
from flatbed.tenants.people.invitations import repository as invitations
from flatbed.tenants.people.invitations.issuing import invite_member
from flatbed.tenants.people.invitations.schemas import InvitationRead
from flatbed.tenants.people.members import repository
from flatbed.tenants.people.members.schemas import (
    MemberCreate,
    MemberPage,
    MemberRead,
    MemberUpdate,
)
from flatbed.tenants.people.models import Invitation, Membership
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.rules.roles import Standing, leaves_no_owner

STANDING: Final = frozenset({"role", "active"})
"""What nobody changes of himself, and what may take an owner away."""


@dataclass(frozen=True, slots=True)
class Members:
    """Changes an ISV's members; ``grants`` ends what they lent to clients."""

    grants: GrantEnding

    async def create(self, session: TenantSession, body: MemberCreate) -> tuple[MemberRead, int]:
        """Invite a person. Returns the member with his version.

        Raises:
            MemberEmailTakenError: a member of the ISV has the address.
        """
        if await repository.has_email(session, body.email):
            raise MemberEmailTakenError
        now = session.now()
        row = Membership(
            realm_id=session.realm_id,
            id=uuid7(),
            tenant_id=session.tenant_id,
            email=body.email,
            name=body.name,
            role=body.role,
            active=True,
            created_at=now,
            updated_at=now,
        )
        try:
            await repository.add_member(session, row)
        except IntegrityError:
            # Another transaction took it since we looked.
            raise MemberEmailTakenError from None
        invitation = await invite_member(session, row)
        mutation(session, "member.invited", "mem", row.id, {"role": row.role})
        return _read(row, invitation), row.version

    async def invite(self, session: TenantSession, membership_id: UUID) -> InvitationRead:
        """Invite a member anew; the link that he was sent before opens nothing any more.

        Raises:
            NotFoundError: no such member of this ISV.
            AlreadySignedUpError: he has accepted.
            InactivePlaceError: he is switched off.
        """
        row = await repository.find_member(session, membership_id, lock=True)
        if row is None:
            raise NotFoundError
        invitation = await invite_member(session, row)
        mutation(session, "member.reinvited", "mem", row.id)
        return InvitationRead.model_validate(invitation)

    async def update(
        self,
        session: TenantSession,
        principal: Principal,
        membership_id: UUID,
        version: int,
        body: MemberUpdate,
    ) -> tuple[MemberRead, int]:
        """Change what the body names.

        Raises:
            NotFoundError: no such member of this ISV.
            PreconditionFailedError: another version is stored.
            OwnMembershipError: it is the caller's own role, or his own access.
            LastOwnerError: no owner who can sign in would be left.
        """
        wanted = body.model_dump(exclude_unset=True)
        # Before the member: whoever else changes a standing waits here, and nobody crosswise.
        owners = await repository.lock_owners(session) if STANDING & wanted.keys() else ()
        row = await repository.find_member(session, membership_id, lock=True)
        if row is None:
            raise NotFoundError
        match(row.version, version)
        changes = {name: value for name, value in wanted.items() if getattr(row, name) != value}
        if STANDING & changes.keys() and _is_own(row, principal):
            raise OwnMembershipError
        now = Standing(row.role, row.active, row.user_id is not None)
        if leaves_no_owner(row.id, now, now.after(changes), (owner.id for owner in owners)):
            raise LastOwnerError
        await self._apply(session, row, changes)
        detail = {"fields": sorted(changes), "role": row.role, "active": row.active}
        mutation(session, "member.updated", "mem", row.id, detail)
        await session.flush()
        return await self._shown(session, row), row.version

    async def get(self, session: TenantReadSession, membership_id: UUID) -> tuple[MemberRead, int]:
        """The member and his version.

        Raises:
            NotFoundError: no such member of this ISV.
        """
        row = await repository.find_member(session, membership_id)
        if row is None:
            raise NotFoundError
        return await self._shown(session, row), row.version

    async def page(
        self,
        session: TenantReadSession,
        cursors: Cursors,
        *,
        cursor: str | None,
        limit: int,
        role: str | None,
    ) -> MemberPage:
        """A page of the ISV's members by last change, of one role if asked."""
        window = cursors.window(cursor, limit)
        rows = await repository.list_members(session, window, role=role)
        shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
        ids = [row.id for row in shown]
        waiting = await invitations.open_of_members(session, ids, system_now())
        data = [_read(row, waiting.get(row.id)) for row in shown]
        return MemberPage(data=data, **envelope.model_dump())

    async def _apply(
        self, session: TenantSession, row: Membership, changes: dict[str, Any]
    ) -> None:
        for name, value in changes.items():
            setattr(row, name, value)
        row.updated_at = session.now()
        if "active" in changes:
            # Switched on again too: what was lent while he was being switched off must not wake.
            await self.grants.of_membership(session, row.id)
            await invitations.revoke_of_member(session, row.id, system_now())

    async def _shown(self, session: TenantReadSession, row: Membership) -> MemberRead:
        waiting = await invitations.open_of_members(session, [row.id], system_now())
        return _read(row, waiting.get(row.id))


def _is_own(row: Membership, principal: Principal) -> bool:
    return principal.person is not None and principal.person.user_id == row.user_id


def _read(row: Membership, invitation: Invitation | None) -> MemberRead:
    return MemberRead.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "email": row.email,
            "role": row.role,
            "active": row.active,
            "signed_up": row.user_id is not None,
            "invitation": invitation and InvitationRead.model_validate(invitation),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )
