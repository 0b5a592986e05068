"""The demo from an empty realm to its tables."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx

from flatbed.app.demo import closing, people, record, tables
from flatbed.app.demo.cast import Cast, Staff, only
from flatbed.app.demo.client import JSON, Client, DemoError
from flatbed.app.demo.closing import Settled
from flatbed.app.demo.seed import Size, seed
from flatbed.app.demo.story import play
from flatbed.app.demo.teller import Teller
from flatbed.app.demo.till import Till
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import build
from flatbed.billing.facade import GatewayError, reconcile
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.mail.settings import OUTBOX
from flatbed.tenants.oauth.clients.first_client import create_realm

ADMINISTRATION: Final = "Administration"
TIMEOUT_SECONDS: Final = 60
Compare = Callable[[Cast], Awaitable[None]]
"""Compares the books of a cast's ISVs with Stripe now."""


def client_of(base_url: str, ports: Sequence[int] = ()) -> httpx.AsyncClient:
    """An HTTP client for the demo's server; a proxy of the environment is not for it.

    Args:
        base_url: where it answers.
        ports: of servers on one database, asked in turn; none: that of the address alone.
    """
    transport = _InTurn(ports) if ports else None
    return httpx.AsyncClient(
        base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False, transport=transport
    )


class _InTurn(httpx.AsyncHTTPTransport):
    """Sends each request to the next of several servers, as a load balancer does."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__()
        self._ports = cycle(ports)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        request.url = request.url.copy_with(port=next(self._ports))
        return await super().handle_async_request(request)


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


def till_of(http: httpx.AsyncClient, found: JSON) -> Till | None:
    """The fake Stripe that the realm's server collects at, if the file names it."""
    known = found["stripe"]
    return None if known is None else Till(http, known["key"])


async def seed_realm(
    cast: Cast,
    teller: Teller,
    folder: Path,
    base_url: str,
    size: Size | None = None,
    stripe: JSON | None = None,
    till: Till | None = None,
) -> JSON:
    """Seed the realm and write down how to reach it; what the file now holds."""
    with teller.part("seed"):
        world = await seed(cast, teller, size, till)
        tables.seeded(teller, world)
    with teller.part("invite"):
        invited = await people.invite(
            cast, cast.isvs[0], _hunter(cast), _desk(cast, folder, base_url)
        )
        for part, one in invited.items():
            teller.say(f"{part} {one['email']} accepts the invitation that was mailed")
    found = record.contents(base_url, cast, world.objects(), stripe)
    found["people"] = invited
    record.write(folder, found)
    return found


async def play_story(
    cast: Cast,
    teller: Teller,
    folder: Path,
    base_url: str,
    found: JSON,
    till: Till | None = None,
    compare: Compare | None = None,
) -> JSON:
    """Play one campaign in a seeded realm, bill it, and write down what it came to.

    Args:
        cast: the realm's people.
        teller: who tells it.
        folder: of the file that is written.
        base_url: where the server answers.
        found: what the file holds.
        till: the fake Stripe; None: invoices are not looked at there.
        compare: compares every ISV's books now; None: the worker's own comparisons are read.

    Raises:
        DemoError: something was answered otherwise than the method or the books say.
    """
    objects = found["objects"]
    if "story_campaign" not in objects:
        raise DemoError("this realm is not seeded: run `flatbed demo seed` first")
    stories: list[JSON] = objects.get("stories", [])
    with teller.part("sign in"):
        await _sign_in(cast, found["people"], _desk(cast, folder, base_url))
        teller.say("the ISV's owner signed in by its web application (code, PKCE, a secret)")
        teller.say("the hunter signed in by a native application (code, PKCE, no secret)")
    with teller.part("play"):
        played = await play(cast, teller, objects, earlier=len(stories), base_url=base_url)
        tables.owed(teller, played, base_url)
    with teller.part("bill"):
        organization = objects["offerings"][0]["organization"]
        month = await closing.close_month(cast, teller, played, organization, till)
        tables.invoice(teller, month, base_url)
        case, credit = await closing.withdraw(cast, teller, played.units[0], month, till)
        tables.invoice(teller, credit, base_url)
    with teller.part("compare"):
        everything = await closing.everything(cast, till)
        if compare is not None:
            await compare(cast)
        reports = await closing.reports(cast, everything)
        tables.collected(teller, everything)
        tables.reconciled(teller, reports)
    settled = Settled(month, credit, case, everything, reports)
    found["objects"]["stories"] = [*stories, {**played.objects(), **settled.objects()}]
    record.write(folder, found)
    return found


def _desk(cast: Cast, folder: Path, base_url: str) -> people.Desk:
    return people.Desk(cast.http, base_url, folder / OUTBOX)


def _hunter(cast: Cast) -> Staff:
    return only(cast.of(Role.HUNTER)[-1:], "hunter")


async def _sign_in(cast: Cast, invited: JSON, desk: people.Desk) -> None:
    """Put the people in the place of their automation: the story is theirs."""
    isv, hunter = cast.isvs[0], _hunter(cast)
    owner = await people.signed_in(desk, invited["owner"], "owner", isv.client.owner)
    hunting = await people.signed_in(desk, invited["hunter"], hunter.name, hunter.client.owner)
    cast.isvs[0] = replace(isv, client=owner)
    cast.staff[cast.staff.index(hunter)] = replace(hunter, client=hunting)


def comparing(settings: KernelSettings) -> Compare:
    """What `flatbed billing reconcile` does, for the ISVs of one cast."""

    async def compare(cast: Cast) -> None:
        program = build(settings)
        try:
            for isv in cast.isvs:
                try:
                    await reconcile(
                        program.collector, decode("realm", cast.realm), decode("org", isv.id)
                    )
                except GatewayError as error:
                    raise DemoError(
                        f"the books of {isv.name} were not compared: {error.code}"
                    ) from None
        finally:
            await program.close()

    return compare
