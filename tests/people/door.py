"""The door that an invitation opens, without its page: links as they are mailed, and who enters."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.acceptance import (
    Joined,
    NewAccount,
    OpenInvitation,
    Refused,
)
from flatbed.tenants.people.links import INVITATION, link_token
from tests.api.support import Isv, World

CALLER = Caller("system:test", "req_test")
HASH = "made-of-a-password"
_NEWEST = """
SELECT id FROM invitation WHERE realm_id = $1 AND email = $2
ORDER BY created_at DESC, id DESC LIMIT 1
"""


@dataclass
class Door:
    """Accepts invitations of a world as their holders would; ``admin`` sees every row."""

    world: World
    admin: Plain

    async def token(self, email: str) -> str:
        """What the newest invitation's link holds."""
        id_ = await self.admin.fetchval(_NEWEST, self.world.realm_id, email)
        return link_token(self.world.program.keyring, INVITATION, id_)

    async def open(self, token: str) -> OpenInvitation | None:
        """Look at the invitation."""
        program = self.world.program
        async with program.database.login(caller=CALLER) as session:
            return await program.people.invitations.open(session, token)

    async def enter(self, token: str, *, name: str = "A Person") -> Joined | Refused:
        """Accept as somebody new."""
        program, account = self.world.program, NewAccount(name, "de", HASH)
        async with program.database.login(caller=CALLER) as session:
            return await program.people.invitations.accept_new(session, token, account)

    async def enter_as(self, token: str, user_id: UUID) -> Joined | Refused:
        """Accept as the person who is signed in."""
        program = self.world.program
        async with program.database.login(caller=CALLER) as session:
            return await program.people.invitations.accept_as(session, token, user_id)

    async def invited(self, isv: Isv, role: str = "viewer", email: str | None = None) -> Any:
        """A member who has not accepted."""
        body = {"name": "A Person", "email": email or fresh_address(), "role": role}
        return await isv.client.made("/v1/members", body)

    async def joined(self, isv: Isv, role: str = "viewer") -> tuple[Any, Joined]:
        """A member who has accepted, as he is read, and as he is inside."""
        made = await self.invited(isv, role)
        found = await self.enter(await self.token(made["email"]))
        assert isinstance(found, Joined)
        return await isv.client.read(f"/v1/members/{made['id']}"), found


def fresh_address() -> str:
    """An address that nobody has."""
    return f"{uuid7().hex}@people.example"
