"""Commands that were cut off, done again: each did all of its work, or none."""

from typing import Final

from flatbed.tenants.kit.database.urls import Plain
from tests.faults.house import House

ROLES: Final = frozenset({"realm", "keys"})
"""What does one thing and ends."""


async def open_realm(house: House, admin: Plain, slug: str) -> None:
    """A realm is there with its first client, or not at all."""
    known = "SELECT count(*) FROM realm WHERE slug = $1"
    assert await admin.fetchval(known, slug) == 0
    house.start("realm", slug=slug)
    await _done(house, "realm")
    whole = (
        "SELECT count(*) FROM realm r JOIN oauth_client c ON c.realm_id = r.id"
        " JOIN client_secret s ON s.oauth_client_id = c.id WHERE r.slug = $1"
    )
    assert await admin.fetchval(whole, slug) == 1


async def rotate_keys(house: House, admin: Plain, kid: str) -> None:
    """The key that signed before signs still; and then another."""
    assert await signing(admin) == kid
    house.start("keys")
    await _done(house, "keys")
    assert await signing(admin) != kid
    state = "SELECT state FROM signing_key WHERE kid = $1"
    assert await admin.fetchval(state, kid) == "retired"


async def signing(admin: Plain) -> str:
    """The kid of the key that signs."""
    return str(await admin.fetchval("SELECT kid FROM signing_key WHERE state = 'active'"))


async def _done(house: House, role: str) -> None:
    assert await house.ended(role) == 0
    del house.children[role]
