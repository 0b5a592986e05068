"""Writes that lose their replies: how each is sent once more, and what one effect of it is."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Client
from tests.candidates.factory import Site, company
from tests.qualifications.factory import DISPUTE, qualify
from tests.qualifications.stock import stock

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
NO_EFFECT = frozenset({"access_log", "wakeup", "audit_head", "event_head", "agency_audit_head"})
"""Of staff every request is logged, refused or not; the rest says what waits to be sealed."""
SEALED = {
    "audit_pending": "audit",
    "audit_entry": "audit",
    "agency_audit_pending": "audit",
    "agency_audit_entry": "audit",
    "event_pending": "event",
}


@dataclass(frozen=True)
class Shot:
    """One request that may be sent again."""

    client: Client
    path: str
    body: Any = None

    async def send(self, key: str | None = None) -> httpx.Response:
        """Send it."""
        return await self.client.post(self.path, self.body, key=key)

    def over(self, http: httpx.AsyncClient) -> "Shot":
        """The same request through another connection."""
        one = self.client
        there = Client(http, one.client_id, one.secret, one.scopes, one.token, one.tenant)
        return Shot(there, self.path, self.body)


async def effects(connection: Plain) -> Counter[str]:
    """The rows of every table that a write leaves behind, the superuser sees all, and the clock."""
    names = {row["relname"] for row in await connection.fetch(TABLES)} - NO_EFFECT
    counted = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in sorted(names)
    )
    found = Counter[str]()
    for row in await connection.fetch(counted):
        found[SEALED.get(row["name"], row["name"])] += row["rows"]
    found["clock"] = await connection.fetchval("SELECT sum(clock_offset_us)::bigint FROM realm")
    return found


def difference(now: Counter[str], before: Counter[str]) -> dict[str, int]:
    """What has come and gone."""
    return {name: now[name] - before[name] for name in now | before if now[name] != before[name]}


def _named() -> str:
    return f"Made {uuid7().hex[-12:]}"


async def create_offering(site: Site) -> Shot:
    programmes = [{"code": "dach", "countries": ["DE", "AT", "CH"]}]
    return Shot(site.isv.client, "/v1/offerings", {"name": _named(), "programmes": programmes})


async def create_candidate(site: Site) -> Shot:
    body = {"company": company(), "source": "trade register"}
    return Shot(site.hunter, f"{site.path}/candidates", body)


async def record_touchpoint(site: Site) -> Shot:
    (worked,) = await stock(site)
    body = {
        "side": "partner",
        "class": "P2",
        "channel": "email",
        "contact_id": worked.chief,
        "occurred_at": site.now().isoformat(),
        "text": "When do we start?",
    }
    return Shot(site.hunter, f"{worked.path}/touchpoints", body)


async def order_campaign(site: Site) -> Shot:
    names = ("offering_id", "profile_id", "quantity", "revenue_floor")
    body = {"name": _named(), "programme": "dach", **{name: site.campaign[name] for name in names}}
    made = await site.isv.client.made("/v1/campaigns", body)
    return Shot(site.isv.client, f"/v1/campaigns/{made['id']}/order")


async def submit_qualification(site: Site) -> Shot:
    (worked,) = await stock(site)
    return Shot(site.hunter, f"{worked.path}/qualifications")


async def accept_qualification(site: Site) -> Shot:
    (worked,) = await stock(site)
    return Shot(site.isv.client, f"{(await qualify(worked)).path}/acceptance")


async def dispute_qualification(site: Site) -> Shot:
    (worked,) = await stock(site)
    return Shot(site.isv.client, f"{(await qualify(worked)).path}/disputes", DISPUTE)


async def advance_clock(site: Site) -> Shot:
    return Shot(site.world.admin, "/v1/sandbox/clock", {"advance_seconds": 1})


async def create_organization(site: Site) -> Shot:
    body = {
        "slug": f"lost-{uuid7().hex[-12:]}",
        "name": _named(),
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "currency": "EUR",
    }
    return Shot(site.world.admin, "/v1/organizations", body)


async def create_oauth_client(site: Site) -> Shot:
    owner = {"kind": "isv", "organization_id": site.isv.id}
    body = {"name": "lost", "owner": owner, "scopes": sorted(site.isv.client.scopes)[:2]}
    return Shot(site.world.admin, "/v1/oauth-clients", body)


OPERATIONS: dict[str, Callable[[Site], Awaitable[Shot]]] = {
    made.__name__: made
    for made in (
        create_offering,
        create_candidate,
        record_touchpoint,
        order_campaign,
        submit_qualification,
        accept_qualification,
        dispute_qualification,
        advance_clock,
        create_organization,
        create_oauth_client,
    )
}
"""Each makes a fresh request of its kind, ready to be sent."""
