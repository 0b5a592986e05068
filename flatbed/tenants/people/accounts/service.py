"""What a person changes of his account by himself."""

from uuid import UUID

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.accounts import repository


async def rename(session: LoginSession, user_id: UUID, name: str, locale: str) -> None:
    """Change his name and the language that pages and mails speak to him."""
    await repository.rename(session, user_id, name, locale, system_now())
