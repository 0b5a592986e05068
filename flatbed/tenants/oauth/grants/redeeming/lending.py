"""What a grant is worth now, asked in the login plane: there the person's account is seen too."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from flatbed.tenants.oauth.clients.standing import Standing
from flatbed.tenants.oauth.grants.redeeming import repository
from flatbed.tenants.oauth.grants.standing import Lendings, Lent


def lent_by(
    session: Session, lendings: Lendings, grant_id: UUID, client: Standing, now: datetime
) -> Lent | None:
    """The grant of this client, None when it ended or its person or place is not active."""
    found = repository.find_grant(session, grant_id)
    if found is None or not found.user_active:
        return None
    return lendings.of(found.placed, client, now)
