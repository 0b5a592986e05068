"""Realms: one agency's world each, with its own clock."""

from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencySession, PlaneSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.problems import ConflictError, InvalidError
from flatbed.tenants.kit.schemas import Name, Slug

LIVE: Final = "live"
SANDBOX: Final = "sandbox"
RealmKind = Literal["live", "sandbox"]


class RealmSlugTakenError(ConflictError):
    """Another realm of this deployment has the slug."""

    code = "realm-slug-taken"
    title = "The realm's slug is taken"
    advice = "Choose another slug."


class RealmNameError(InvalidError):
    """A realm has a slug that fits into addresses, and a name."""

    code = "realm-name"
    title = "The realm's slug or name is not usable"
    advice = "The slug has 1 to 63 of a-z, 0-9 and inner hyphens, the name 1 to 200 characters."


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
        RealmNameError: the slug or the name is not usable.
        RealmSlugTakenError: the transaction can only be rolled back then.
    """
    try:
        TypeAdapter(Slug).validate_python(slug)
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise RealmNameError from None
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
    failpoint(Failpoint.REALM_OPENED)
    return realm
