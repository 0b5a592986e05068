"""What of grants has had its time."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_

from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.oauth.grants.models import AuthorizationCode, Grant, RefreshToken

CODES_KEPT: Final = timedelta(days=1)
"""After a code's end: until then a second use of it is known for what it is."""
GRANTS_KEPT: Final = timedelta(days=180)
"""After a grant's end: its person and its ISV may still ask what it was."""


async def purge_grants(session: LoginSession, now: datetime) -> bool:
    """Forget codes, refresh tokens and grants past their time. Returns whether some may be left.

    A used refresh token is kept until it would have lain idle for too long: whoever comes with
    it before is known to have stolen it.
    """
    past = now - GRANTS_KEPT
    left = [
        await delete_some(
            session, AuthorizationCode, AuthorizationCode.expires_at <= now - CODES_KEPT
        ),
        await delete_some(session, RefreshToken, RefreshToken.idle_until <= now),
        await delete_some(session, Grant, or_(Grant.ends_at <= past, Grant.revoked_at <= past)),
    ]
    return any(left)
