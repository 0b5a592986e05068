"""Realms: one agency's world each, with its own clock."""

from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencySession, PlaneSession
from flatbed.tenants.kit.problems import ConflictError

LIVE: Final = "live"
SANDBOX: Final = "sandbox"
RealmKind = Literal["live", "sandbox"]


class RealmSlugTakenError(ConflictError):
    """Another realm of this deployment has the slug."""

    code = "realm-slug-taken"
    title = "The realm's slug is taken"
    advice = "Choose another slug."


def clock_of(realm: Realm) -> Clock:
    """The realm's clock: the system's time plus the stored offset."""
    return Clock(timedelta(microseconds=realm.clock_offset_us))


async def find_realm(session: PlaneSession, realm_id: UUID) -> Realm | None:
    """The realm, as far as the transaction may see it (its own)."""
    return await session.scalar(select(Realm).where(Realm.id == realm_id))


async def realm_clock(session: PlaneSession) -> Clock:
    """The clock of the transaction's own realm, as stored now.

    Raises:
        sqlalchemy.exc.NoResultFound: the transaction is bound to a realm that does not exist.
    """
    return clock_of(
        (await session.scalars(select(Realm).where(Realm.id == session.realm_id))).one()
    )


async def open_realm(session: AgencySession, *, name: str, slug: str, kind: RealmKind) -> Realm:
    """Make the realm whose id the transaction is already bound to; its clock starts at ours.

    Raises:
        RealmSlugTakenError: the transaction can only be rolled back then.
    """
    realm = Realm(
        id=session.realm_id,
        kind=kind,
        slug=slug,
        name=name,
        clock_offset_us=0,
        created_at=system_now(),
    )
    session.add(realm)
    try:
        await session.flush()
    except IntegrityError:
        raise RealmSlugTakenError from None
    return realm
