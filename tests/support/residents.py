"""People whose password a test knows, so that they can sign in by the pages."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pyotp import TOTP

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.pages.texts import Language
from flatbed.tenants.people import totp
from flatbed.tenants.people.accounts.repository import add_account, find_account
from tests.api.support import World

CALLER = Caller("system:test", "req_test")
PASSWORD = "correct horse battery staple"  # pragma: allowlist secret - made up


@dataclass
class Resident:
    """An account of this world, whose password is `PASSWORD`."""

    world: World
    user_id: UUID
    email: str
    secret: str | None = None

    async def second_factor(self) -> None:
        """Give the account a second factor."""
        program = self.world.program
        self.secret = totp.new_secret()
        async with program.database.login(caller=CALLER) as session:
            account = await find_account(session, self.user_id)
            assert account is not None
            account.totp_box = totp.sealed(program.keyring, self.user_id, self.secret)
            account.totp_at = system_now()

    def code(self, at: datetime | None = None) -> str:
        """What the device shows."""
        assert self.secret is not None
        return TOTP(self.secret).at(at or system_now())


async def settle(world: World, locale: Language = "en") -> Resident:
    """A new one, who belongs nowhere yet."""
    email, program = f"ada.{uuid7().hex[-8:]}@people.example", world.program
    hashed = await program.people.passwords.hash(PASSWORD)
    async with program.database.login(caller=CALLER) as session:
        user_id = await add_account(
            session,
            email=email,
            name="Ada Person",
            locale=locale,
            password_hash=hashed,
            now=system_now(),
        )
    assert user_id is not None
    return Resident(world, user_id, email)
