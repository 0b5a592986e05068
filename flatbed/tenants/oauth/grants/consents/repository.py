"""SQL of the applications that a person let in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, func, select

from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.oauth.grants.models import Consent, Grant
from flatbed.tenants.oauth.models import OAuthClient
from flatbed.tenants.organizations.models import Organization


@dataclass(frozen=True, slots=True)
class Consented:
    """An application that the person agreed to; ``last_at``: when it last got a code."""

    client_id: UUID
    name: str
    owner: str
    scopes: list[str]
    granted_at: datetime
    last_at: datetime | None


async def consents_of(session: LoginSession, user_id: UUID) -> Sequence[Consented]:
    """The applications that the person agreed to, by name."""
    last = (
        select(func.max(Grant.created_at))
        .where(Grant.user_id == user_id, Grant.oauth_client_id == Consent.oauth_client_id)
        .scalar_subquery()
    )
    statement = (
        select(
            OAuthClient.id,
            OAuthClient.name,
            func.coalesce(Organization.name, Realm.name),
            Consent.scopes,
            Consent.granted_at,
            last,
        )
        .join(OAuthClient, OAuthClient.id == Consent.oauth_client_id)
        .join(Realm, Realm.id == OAuthClient.realm_id)
        .outerjoin(
            Organization,
            and_(
                Organization.realm_id == OAuthClient.realm_id,
                Organization.id == OAuthClient.tenant_id,
            ),
        )
        .where(Consent.user_id == user_id, OAuthClient.deleted_at.is_(None))
        .order_by(OAuthClient.name, OAuthClient.id)
    )
    return [Consented(*row) for row in (await session.execute(statement)).all()]


async def forget_consent(session: LoginSession, user_id: UUID, client_id: UUID) -> None:
    """Forget that the person agreed: he is asked again."""
    await session.execute(
        delete(Consent)
        .where(Consent.user_id == user_id, Consent.oauth_client_id == client_id)
        .execution_options(synchronize_session=False)
    )
