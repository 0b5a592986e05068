"""SQL for a realm's clock."""

from sqlalchemy import select

from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencySession


async def lock_realm(session: AgencySession) -> Realm:
    """The session's realm, locked against other moves of its clock."""
    statement = select(Realm).where(Realm.id == session.realm_id).with_for_update()
    return (await session.scalars(statement)).one()
