"""What the operations on OAuth clients use up."""

from typing import Final

from tests.api.support import World

CHANGING: Final = (
    "update_oauth_client",
    "delete_oauth_client",
    "create_client_secret",
    "roll_client_secret",
    "revoke_client_secret",
)


async def renewed(world: World) -> dict[str, str]:
    """A client that nobody works with, and its first secret."""
    client = (await world.isv()).client.client_id
    found = await world.admin.read(f"/v1/oauth-clients/{client}")
    return {"client": client, "sec": found["secrets"][0]["id"]}
