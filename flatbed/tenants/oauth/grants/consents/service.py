"""What a person may do about the applications that he let in."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.oauth.grants.consents import repository
from flatbed.tenants.oauth.grants.ending.ended import BY_PERSON
from flatbed.tenants.oauth.grants.ending.repository import end_of_client
from flatbed.tenants.oauth.grants.ending.service import tell_ended


async def applications(session: LoginSession, user_id: UUID) -> Sequence[repository.Consented]:
    """The applications that the person agreed to, by name."""
    return await repository.consents_of(session, user_id)


async def take_back(session: LoginSession, user_id: UUID, client_id: UUID, now: datetime) -> None:
    """End all that the person granted to the application, and ask him anew next time.

    In each place's audit it was he. Whoever calls holds the person: else what he is letting in at
    this moment would stay in, and stand in no list.
    """
    await repository.forget_consent(session, user_id, client_id)
    for one in await end_of_client(session, user_id, client_id, now, BY_PERSON):
        await tell_ended(session, [one], one.place)
