"""SQL of codes and refresh tokens; synchronous, inside Authlib's grants.

What is redeemed is locked first: of eight who send one code at once, seven would find it unused.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from flatbed.tenants.oauth.grants.models import AuthorizationCode, Grant, RefreshToken
from flatbed.tenants.oauth.grants.repository import Placed, placed
from flatbed.tenants.people.models import UserAccount, UserSession
from flatbed.tenants.people.sessions.repository import lives


def take_code(session: Session, digest: bytes) -> AuthorizationCode | None:
    """The code, which nobody else may redeem until this transaction ends."""
    return session.scalar(
        select(AuthorizationCode).where(AuthorizationCode.digest == digest).with_for_update()
    )


def use_code(session: Session, digest: bytes, now: datetime) -> None:
    """Note that the code was redeemed."""
    session.execute(
        update(AuthorizationCode)
        .where(AuthorizationCode.digest == digest)
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def take_refresh_token(session: Session, digest: bytes) -> RefreshToken | None:
    """The refresh token, which nobody else may use until this transaction ends."""
    return session.scalar(
        select(RefreshToken).where(RefreshToken.digest == digest).with_for_update()
    )


def find_refresh_token(session: Session, digest: bytes) -> RefreshToken | None:
    """The refresh token, to look at."""
    return session.scalar(select(RefreshToken).where(RefreshToken.digest == digest))


def add_refresh_token(session: Session, token: RefreshToken) -> None:
    """Insert a refresh token as HMAC."""
    session.add(token)
    session.flush()


def note_exchange(
    session: Session, digest: bytes, first_used_at: datetime | None, siblings: int
) -> None:
    """Note that a refresh token was exchanged for one more."""
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.digest == digest)
        .values(first_used_at=first_used_at, siblings=siblings)
        .execution_options(synchronize_session=False)
    )


def note_use(session: Session, digest: bytes, idle_until: datetime) -> None:
    """Note that a refresh token that goes on was used."""
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.digest == digest)
        .values(idle_until=idle_until)
        .execution_options(synchronize_session=False)
    )


def session_lives(session: Session, session_id: UUID, now: datetime) -> bool:
    """Whether the person is still signed in where he granted."""
    found = session.scalar(select(UserSession.id).where(UserSession.id == session_id, lives(now)))
    return found is not None


@dataclass(frozen=True, slots=True)
class OfUser:
    """A grant as it is now, and whether its person may sign in at all."""

    placed: Placed
    user_active: bool


def find_grant(session: Session, grant_id: UUID) -> OfUser | None:
    """The grant of this id in whatever realm, with its person."""
    statement = (
        placed()
        .add_columns(UserAccount.active)
        .join(UserAccount, UserAccount.id == Grant.user_id)
        .where(Grant.id == grant_id)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else OfUser(Placed(*row[:-1]), row[-1])


def find_person(session: Session, user_id: UUID) -> UserAccount:
    """The account of a person that there is."""
    return session.get_one(UserAccount, user_id)
