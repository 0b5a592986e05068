"""An ISV with an owner and a client that may manage its clients, and another ISV."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.api.support import Client, Isv, World

PATH: Final = "/v1/oauth-clients"
SITE: Final = "https://app.example.com/callback"
MANAGER: Final = ("clients:manage", "usage:read")
BEYOND: Final = ["campaigns:read", "usage:read"]
"""What the managing client does not hold, beside what it holds."""


@dataclass
class Own:
    """The ISV, its owner as a person, its managing client; another ISV of the realm, its client."""

    world: World
    isv: Isv
    owner: Client
    manager: Client
    other: Isv
    foreign: dict[str, Any]


async def settled(world: World) -> Own:
    """Both ISVs in the realm."""
    isv, other = await world.isv(), await world.isv()
    owner = await world.member(isv, "owner")
    manager = await signed_in(world, await owner.made(PATH, body(MANAGER)))
    foreign = await other.client.made(PATH, body(["usage:read"]))
    return Own(world, isv, owner, manager, other, foreign)


async def signed_in(world: World, made: dict[str, Any], *scopes: str) -> Client:
    """The client that was just made, with a token."""
    client = Client(world.http, made["id"], made["client_secret"], frozenset(made["scopes"]))
    return await client.sign_in(*scopes)


def body(scopes: Collection[str], **more: Any) -> dict[str, Any]:
    """A new client; whose is not said."""
    return {"name": "Ours", "scopes": list(scopes), **more}


def of_isv(id_: str) -> dict[str, str]:
    """An ISV as owner."""
    return {"kind": "isv", "organization_id": id_}


async def version(client: Client, id_: str) -> str:
    """The ETag of a client, as read by another."""
    reply = await client.get(f"{PATH}/{id_}")
    assert reply.status_code == 200
    return reply.headers["etag"]


def code(reply: httpx.Response) -> tuple[int, str]:
    """The status and code of a refusal; of field errors the first one's."""
    found = reply.json()
    errors = found.get("errors") or [found]
    return reply.status_code, str(errors[0].get("code"))
