"""Who plays in the demo: the agency's people, the ISVs and their clients, in one realm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from flatbed.app.demo.client import JSON, Client, DemoError
from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import SIGNALS

INTEGRATION_SCOPES = (SIGNALS, "campaigns:read", "pipeline:read", "usage:read")
MAIL_PATH = "mail path"
"""The agency's client that delivers what arrives by mail, for ISVs without an integration."""

SECOND = 2
"""Of a month: not its first day, which a zone east or west of UTC may see in another month."""


@dataclass(frozen=True)
class Staff:
    """A person of the agency with his personal client."""

    id: str
    name: str
    role: str
    client: Client


@dataclass(frozen=True)
class Isv:
    """An ISV: its owner's client, its other users', and who delivers touches that are `system`."""

    id: str
    slug: str
    name: str
    country: str
    currency: str
    client: Client
    integration: Client
    users: tuple[Client, ...] = ()


@dataclass
class Cast:
    """The realm and everybody in it."""

    http: httpx.AsyncClient
    realm: str
    admin: Client
    staff: list[Staff] = field(default_factory=list)
    isvs: list[Isv] = field(default_factory=list)

    def of(self, role: Role) -> list[Staff]:
        """The people of a role, in the order of hiring."""
        return [one for one in self.staff if one.role == role]

    def clients(self) -> list[Client]:
        """Every client, the administration first."""
        agency = [self.admin, *(one.client for one in self.staff)]
        isvs = [client for isv in self.isvs for client in (isv.client, *isv.users, isv.integration)]
        # The mail path serves several ISVs; here it stands once, and for none of them.
        return list({one.client_id: one.at(None) for one in (*agency, *isvs)}.values())

    async def hire(self, name: str, role: Role) -> Staff:
        """A new staff member with his personal client."""
        # An address is one person's over all realms, and each demo has a realm of its own.
        agency = f"agency-{self.realm[-8:]}.example"
        email = f"{name.lower().replace(' ', '.')}@{agency}"
        made = await self.admin.post("/v1/staff", {"name": name, "email": email, "role": role})
        owner = {"kind": "staff", "staff_id": made["id"]}
        scopes = PERMISSIONS.scopes_of(role) - {SIGNALS}
        staff = Staff(made["id"], name, role, await self._client(name, owner, scopes))
        self.staff.append(staff)
        return staff

    async def enrol(
        self,
        isv: JSON,
        users: Sequence[tuple[str, Sequence[str]]] = (),
        mail_path: Client | None = None,
    ) -> Isv:
        """A new ISV with the clients of its owner and its other users.

        Args:
            isv: the organization.
            users: their part, and the scopes of their client.
            mail_path: who delivers its touches; None: an integration of its own.
        """
        made = await self.admin.post("/v1/organizations", isv)
        owner = {"kind": "isv", "organization_id": made["id"]}
        slug = made["slug"]
        scopes = PERMISSIONS.scopes_of(Role.ISV_CLIENT) - {SIGNALS}
        new = Isv(
            id=made["id"],
            slug=slug,
            name=made["name"],
            country=made["country"],
            currency=made["currency"],
            client=await self._client(f"{slug} owner", owner, scopes),
            integration=mail_path.at(made["id"])
            if mail_path
            else await self._client(f"{slug} integration", owner, INTEGRATION_SCOPES),
            users=tuple([await self._client(f"{slug} {part}", owner, may) for part, may in users]),
        )
        self.isvs.append(new)
        return new

    async def mail_path(self) -> Client:
        """The agency's own delivery of what arrives by mail: it counts as `system`."""
        return await self._client(MAIL_PATH, {"kind": "agency"}, (SIGNALS,))

    async def _client(self, name: str, owner: JSON, scopes: Iterable[str]) -> Client:
        body: JSON = {"name": name, "owner": owner, "scopes": sorted(scopes)}
        made = await self.admin.post("/v1/oauth-clients", body)
        return Client(
            self.http,
            name,
            made["client_id"],
            made["client_secret"],
            owner,
            tuple(made["scopes"]),
        )

    async def now(self) -> datetime:
        """The realm's present time; asking moves its clock by a second."""
        return await self._move({"advance_seconds": 1})

    async def until(self, moment: datetime) -> datetime:
        """Move the realm's clock to a moment; what falls due on the way has then happened."""
        return await self._move({"to": moment.isoformat()})

    async def _move(self, body: JSON) -> datetime:
        moved = await self.admin.post("/v1/sandbox/clock", body)
        return datetime.fromisoformat(moved["now"])


@dataclass(frozen=True)
class Calendar:
    """Simulated days, counted from the morning on which a play begins."""

    start: datetime

    @classmethod
    async def begin(cls, cast: Cast, first: int | None = None) -> "Calendar":
        """The next morning, 08:00 UTC, with the realm's clock moved there.

        Args:
            cast: whose clock it is.
            first: a day that is to be the second of a month, so that a month holds what follows;
                the begin waits for it.
        """
        now = await cast.now()
        start = now.replace(hour=8, minute=0, second=0, microsecond=0)
        start += timedelta(days=start <= now)
        while first is not None and (start + timedelta(days=first)).day != SECOND:
            start += timedelta(days=1)
        await cast.until(start)
        return cls(start)

    def day(self, number: float) -> datetime:
        """The instant of a simulated day."""
        return self.start + timedelta(days=number)

    def date(self, number: float) -> str:
        """Its date, as JSON has it."""
        return self.day(number).date().isoformat()


def only(found: list[Staff], what: str) -> Staff:
    """The first of them.

    Raises:
        DemoError: there is none.
    """
    if not found:
        raise DemoError(f"the realm has no {what}: seed it first")
    return found[0]
