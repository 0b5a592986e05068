"""The demo from an empty realm to its tables."""

import secrets
from pathlib import Path
from typing import Final

import httpx

from flatbed.app.demo import record, tables
from flatbed.app.demo.cast import Cast
from flatbed.app.demo.client import JSON, Client, DemoError
from flatbed.app.demo.seed import Size, seed
from flatbed.app.demo.story import play
from flatbed.app.demo.teller import Teller
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import build
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.first_client import create_realm

ADMINISTRATION: Final = "Administration"
TIMEOUT_SECONDS: Final = 60


def client_of(base_url: str) -> httpx.AsyncClient:
    """An HTTP client for the demo's server; a proxy of the environment is not for it."""
    return httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False)


def administration(
    http: httpx.AsyncClient, client_id: str, secret: str, scopes: tuple[str, ...]
) -> Client:
    """The realm's first client."""
    return Client(http, ADMINISTRATION, client_id, secret, {"kind": "agency"}, scopes)


async def fresh_realm(settings: KernelSettings, http: httpx.AsyncClient) -> Cast:
    """A sandbox realm of its own for each demo, with nobody in it but the administration."""
    program = build(settings)
    try:
        slug = f"demo-{secrets.token_hex(5)}"
        made = await create_realm(
            program.database,
            program.keyring,
            PERMISSIONS,
            slug=slug,
            name="Flatbed demo agency",
            kind="sandbox",
        )
    finally:
        await program.close()
    admin = administration(http, made.client_id, made.client_secret, tuple(sorted(made.scopes)))
    return Cast(http, made.realm_id, admin)


async def seed_realm(
    cast: Cast, teller: Teller, folder: Path, base_url: str, size: Size | None = None
) -> JSON:
    """Seed the realm and write down how to reach it; what the file now holds."""
    with teller.part("seed"):
        world = await seed(cast, teller, size)
        tables.seeded(teller, world)
    found = record.contents(base_url, cast, world.objects())
    record.write(folder, found)
    return found


async def play_story(cast: Cast, teller: Teller, folder: Path, base_url: str, found: JSON) -> JSON:
    """Play one campaign in a seeded realm and write down what it came to."""
    objects = found["objects"]
    if "story_campaign" not in objects:
        raise DemoError("this realm is not seeded: run `flatbed demo seed` first")
    stories: list[JSON] = objects.get("stories", [])
    with teller.part("play"):
        played = await play(cast, teller, objects, earlier=len(stories), base_url=base_url)
        tables.owed(teller, played, base_url)
    found["objects"]["stories"] = [*stories, played.objects()]
    record.write(folder, found)
    return found
