"""Accepting an invitation: whoever holds the link becomes the member, or the staff member.

A login's transaction: the person has no token yet. His place is written inside the ISV, or inside
the realm's agency plane, with the audit that belongs there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from uuid import UUID

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import (
    AgencySession,
    LoginSession,
    TenantSession,
    agency_of_login,
    tenant_of_login,
)
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.organizations.models import Staff
from flatbed.tenants.organizations.repository import find_staff, has_staff_user
from flatbed.tenants.people.accounts import repository as accounts
from flatbed.tenants.people.invitations import repository
from flatbed.tenants.people.invitations.repository import Invited
from flatbed.tenants.people.links import INVITATION, read_link
from flatbed.tenants.people.members import repository as members
from flatbed.tenants.people.models import Invitation, Membership

Inside = TenantSession | AgencySession


class Refused(StrEnum):
    """Why an invitation was not accepted; nothing was changed.

    GONE: there is none to accept, for whatever reason. SIGN_IN: the address has an account: its
    owner signs in and accepts as that one. OTHER_ACCOUNT: the account that is signed in has
    another address, or is switched off. ALREADY_THERE: the account has a place there already.
    """

    GONE = "gone"
    SIGN_IN = "sign-in"
    OTHER_ACCOUNT = "other-account"
    ALREADY_THERE = "already-there"


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """What the holder of a valid link may know.

    ``organization`` is the name of the ISV, or of the agency with ``of_agency``; ``role`` the word
    of the membership or of the staff; ``needs_account``: nobody has an account with the address.
    """

    organization: str
    of_agency: bool
    role: str
    email: str = field(repr=False)
    needs_account: bool


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new person says of himself; ``password_hash`` is of `people/passwords`."""

    name: str = field(repr=False)
    locale: Literal["en", "de"]
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Joined:
    """A person in his place: the membership in an ISV, else (no tenant) that of the staff."""

    user_id: UUID
    realm_id: UUID
    tenant_id: UUID | None
    place_id: UUID


@dataclass(frozen=True, slots=True)
class Invitations:
    """Opens and accepts invitations by the token of their link."""

    keyring: Keyring

    async def open(self, session: LoginSession, token: str) -> OpenInvitation | None:
        """The invitation, None where it is unknown, altered, used, revoked or expired."""
        found = await self._find(session, token)
        if found is None:
            return None
        return OpenInvitation(
            organization=found.organization or found.agency,
            of_agency=found.tenant_id is None,
            role=found.role,
            email=found.email,
            needs_account=found.locale is None,
        )

    async def accept_new(
        self, session: LoginSession, token: str, account: NewAccount
    ) -> Joined | Refused:
        """Make the account of the invited address, and let it take the place.

        The link proves the address: it was sent to nobody else. An address has one account.
        """
        found = await self._find(session, token)
        if found is None:
            return Refused.GONE
        # Whoever waits here for another acceptance must not have made an account meanwhile.
        async with _inside(session, found) as inside:
            held = await _hold(inside, found)
        if held is None:
            return Refused.GONE
        user_id = await accounts.add_account(
            session,
            email=found.email,
            name=account.name,
            locale=account.locale,
            password_hash=account.password_hash,
            now=system_now(),
        )
        if user_id is None:
            return Refused.SIGN_IN
        return await _join(session, found, user_id)

    async def accept_as(self, session: LoginSession, token: str, user_id: UUID) -> Joined | Refused:
        """Let the person who is signed in take the place.

        Args:
            session: the login's transaction.
            token: of the link.
            user_id: of the session that the browser is signed in with, and of nothing else.
        """
        found = await self._find(session, token)
        if found is None:
            return Refused.GONE
        account = await accounts.find_account(session, user_id)
        if account is None or not account.active or account.email != found.email:
            return Refused.OTHER_ACCOUNT
        return await _join(session, found, user_id)

    async def _find(self, session: LoginSession, token: str) -> Invited | None:
        id_ = read_link(self.keyring, INVITATION, token)
        found = None if id_ is None else await repository.find_invited(session, id_)
        return found if found is not None and found.is_open(system_now()) else None


async def _join(session: LoginSession, found: Invited, user_id: UUID) -> Joined | Refused:
    async with _inside(session, found) as inside:
        held = await _hold(inside, found)
        if held is None:
            return Refused.GONE
        invitation, place = held
        if await _is_there(inside, user_id):
            return Refused.ALREADY_THERE
        place.user_id, place.updated_at = user_id, inside.now()
        invitation.accepted_at = system_now()
        _note(inside, place)
    return Joined(user_id, found.realm_id, found.tenant_id, found.place_id)


async def _hold(inside: Inside, found: Invited) -> tuple[Invitation, Membership | Staff] | None:
    """Lock the place, then the invitation, as whoever changes or invites does; None: it is gone."""
    place = await _place(inside, found)
    invitation = await repository.lock_invitation(inside, found.id)
    if place is None or invitation is None:
        return None
    is_open = (
        invitation.accepted_at is None
        and invitation.revoked_at is None
        and invitation.expires_at > system_now()
    )
    is_free = place.active and place.user_id is None and place.email == invitation.email
    return (invitation, place) if is_open and is_free else None


async def _place(inside: Inside, found: Invited) -> Membership | Staff | None:
    if isinstance(inside, TenantSession):
        return await members.find_member(inside, found.place_id, lock=True)
    return await find_staff(inside, found.place_id, lock=True)


async def _is_there(inside: Inside, user_id: UUID) -> bool:
    if isinstance(inside, TenantSession):
        return await members.has_user(inside, user_id)
    return await has_staff_user(inside, user_id)


def _note(inside: Inside, place: Membership | Staff) -> None:
    if isinstance(inside, TenantSession):
        mutation(inside, "member.joined", "mem", place.id, {"role": place.role})
    else:
        record(inside, "staff.joined", "staff", place.id, {"role": place.role})


@asynccontextmanager
async def _inside(session: LoginSession, found: Invited) -> AsyncIterator[Inside]:
    clock = Clock(found.clock_offset).frozen()
    if found.tenant_id is not None:
        actor = f"member:{encode('mem', found.place_id)}"
        async with tenant_of_login(
            session, found.realm_id, found.tenant_id, clock, actor
        ) as tenant:
            yield tenant
    else:
        actor = f"staff:{encode('staff', found.place_id)}"
        async with agency_of_login(session, found.realm_id, clock, actor) as agency:
            yield agency
