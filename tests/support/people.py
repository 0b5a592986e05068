"""People with tokens, their rows made with the program's own role and without any page.

A person is a row of the login plane; his place (an ISV's membership, or the agency's staff) and
the grant by which he lent an application his authority are rows of the agency plane.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.app.wiring import Program
from flatbed.tenants.access.scopes import IDENTITY_SCOPES
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.session import AgencySession, Caller
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.oauth.grants.models import Grant
from flatbed.tenants.oauth.grants.repository import placed_in_realm
from flatbed.tenants.oauth.grants.standing import Lendings
from flatbed.tenants.oauth.models import BASIC, NATIVE, PUBLIC, WEB, OAuthClient
from flatbed.tenants.oauth.repository import owned_in_realm
from flatbed.tenants.oauth.tokens import Minter
from flatbed.tenants.organizations.models import Staff
from flatbed.tenants.people.models import TWO_FACTORS, Membership, UserAccount

CALLER: Final = Caller("system:test", "")
REDIRECT: Final = "https://application.example/callback"
NO_PASSWORD: Final = "*"
"""No hash of any password: who has it cannot sign in by a page."""


@dataclass(frozen=True, slots=True)
class Lender:
    """A person in a place, and the grant by which an application acts for him."""

    realm_id: UUID
    user_id: UUID
    client_id: UUID
    grant_id: UUID
    place_id: UUID
    tenant_id: UUID | None
    """The ISV of a membership; None: ``place_id`` is a staff member's."""


@dataclass(frozen=True, slots=True)
class People:
    """Makes people and what they lend in one realm of a running program."""

    program: Program
    realm_id: UUID

    @asynccontextmanager
    async def agency(self) -> AsyncIterator[AgencySession]:
        """A transaction on the realm's agency plane."""
        async with self.program.database.agency(
            realm_id=self.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            yield session

    async def user(self, *, name: str = "A person") -> UUID:
        """A person who belongs nowhere yet."""
        now, id_ = system_now(), uuid7()
        async with self.program.database.login(caller=CALLER) as session:
            session.add(
                UserAccount(
                    id=id_,
                    email=f"{id_.hex}@people.example",
                    name=name,
                    locale="en",
                    password_hash=NO_PASSWORD,
                    password_at=now,
                    active=True,
                    created_at=now,
                    updated_at=now,
                )
            )
        return id_

    async def application(self, *, tenant_id: UUID | None = None, kind: str = WEB) -> UUID:
        """An application of the ISV, or of the agency, that may ask for whatever is of use."""
        owner, now, id_ = "agency" if tenant_id is None else "isv", system_now(), uuid7()
        scopes = self.program.oauth.lendings.standings.scopes_for_application(owner)
        async with self.agency() as session:
            session.add(
                OAuthClient(
                    realm_id=self.realm_id,
                    id=id_,
                    name="An application",
                    kind=kind,
                    owner_kind=owner,
                    tenant_id=tenant_id,
                    scopes=sorted(scopes),
                    active=True,
                    token_endpoint_auth_method=PUBLIC if kind == NATIVE else BASIC,
                    redirect_uris=[REDIRECT],
                    created_at=now,
                    updated_at=now,
                )
            )
        return id_

    async def membership(self, tenant_id: UUID, role: str, user_id: UUID) -> UUID:
        """The person's place at the ISV: ``owner``, ``manager``, ``finance`` or ``viewer``."""
        now, id_ = system_now(), uuid7()
        async with self.agency() as session:
            session.add(
                Membership(
                    realm_id=self.realm_id,
                    id=id_,
                    tenant_id=tenant_id,
                    user_id=user_id,
                    email=f"{id_.hex}@isv.example",
                    name=f"A {role}",
                    role=role,
                    active=True,
                    created_at=now,
                    updated_at=now,
                )
            )
        return id_

    async def employ(self, staff_id: UUID) -> UUID:
        """Who the staff member is as a person: a new one unless he was somebody before."""
        async with self.agency() as session:
            known = (await session.get_one(Staff, (self.realm_id, staff_id))).user_id
        if known is not None:
            return known
        user_id = await self.user()
        async with self.agency() as session:
            (await session.get_one(Staff, (self.realm_id, staff_id))).user_id = user_id
        return user_id

    async def lend(
        self,
        client_id: UUID,
        user_id: UUID,
        *,
        tenant_id: UUID | None = None,
        membership_id: UUID | None = None,
        staff_id: UUID | None = None,
        authenticated_at: datetime | None = None,
    ) -> Lender:
        """A grant of every scope that the application may ask for."""
        now, id_ = system_now(), uuid7()
        place_id = staff_id if membership_id is None else membership_id
        assert place_id is not None
        async with self.agency() as session:
            client = await session.get_one(OAuthClient, (self.realm_id, client_id))
            session.add(
                Grant(
                    realm_id=self.realm_id,
                    id=id_,
                    oauth_client_id=client_id,
                    user_id=user_id,
                    tenant_id=tenant_id,
                    membership_id=membership_id,
                    staff_id=staff_id,
                    session_id=uuid7(),
                    scopes=client.scopes,
                    acr=TWO_FACTORS,
                    auth_at=authenticated_at or now,
                    created_at=now,
                    ends_at=now + timedelta(days=180),
                )
            )
        return Lender(self.realm_id, user_id, client_id, id_, place_id, tenant_id)

    async def lend_again(self, lender: Lender, authenticated_at: datetime) -> Lender:
        """The same to the same application, after he signed in at that time."""
        member = lender.tenant_id is not None
        return await self.lend(
            lender.client_id,
            lender.user_id,
            tenant_id=lender.tenant_id,
            membership_id=lender.place_id if member else None,
            staff_id=None if member else lender.place_id,
            authenticated_at=authenticated_at,
        )

    async def token(
        self, lender: Lender, scopes: Collection[str] | None = None, *, minter: Minter | None = None
    ) -> tuple[str, frozenset[str]]:
        """A token of the grant with these scopes, or all that the person can use; and which."""
        oauth = self.program.oauth
        async with self.program.database.agency_read(
            realm_id=self.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            standing = oauth.lendings.standings.of(await owned_in_realm(session, lender.client_id))
            placed = await placed_in_realm(session, lender.grant_id)
        assert standing is not None
        assert placed is not None
        lent = Lendings(oauth.lendings.standings).of(placed, standing, system_now())
        assert lent is not None
        held = lent.scopes - IDENTITY_SCOPES if scopes is None else frozenset(scopes)
        key = await oauth.keys.active()
        return (minter or Minter(oauth.issuer)).mint_for(key, lent, held), held
