"""What the operations on OAuth clients use up."""

from typing import Final

from tests.api.support import Isv

CHANGING: Final = (
    "update_oauth_client",
    "delete_oauth_client",
    "create_client_secret",
    "roll_client_secret",
    "revoke_client_secret",
)


async def renewed(isv: Isv) -> dict[str, str]:
    """A client of the ISV that nobody works with, and its first secret."""
    body = {"name": "to be spoilt", "scopes": ["usage:read"]}
    made = await isv.client.made("/v1/oauth-clients", body)
    return {"client": made["id"], "sec": made["secrets"][0]["id"]}
