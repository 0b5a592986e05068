"""A realm at scale in a database of its own, made once for a run by whichever process asks first.

``FLATBED_TEST_SCALE`` sets its size; the long form is ten times as large.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass

from rich.console import Console

from flatbed.app.demo.scale.plan import Scale
from flatbed.app.demo.scale.repository import analyze
from flatbed.app.demo.scale.seed import seed
from flatbed.app.demo.teller import Teller
from flatbed.app.wiring import build
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.ids import decode, encode
from tests.api.support import Client, World, serving, settings_for
from tests.scale.crowd import crowd
from tests.support.postgres import Suite, TestDatabase

CANDIDATES = int(os.environ.get("FLATBED_TEST_SCALE", "100000"))
SEED = 7


@dataclass(frozen=True)
class Estate:
    """The realm: its tenants from the largest on, its hunters from the busiest on, its clients."""

    urls: dict[str, str]
    candidates: int
    realm: str
    seconds: float
    rows: dict[str, int]
    tenants: list[str]
    hunters: list[str]
    logins: dict[str, dict[str, str]]

    @property
    def database(self) -> TestDatabase:
        return TestDatabase(**self.urls)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[World]:
        """The real program on it."""
        program = build(settings_for(self.database))
        async with serving(program) as http:
            admin = self.client("admin", http)
            yield World(program, http, self.realm, decode("realm", self.realm), admin)

    def client(self, name: str, http: object) -> Client:
        """One of its clients, not signed in yet: admin, largest, smallest, lead, hunter."""
        login = self.logins[name]
        return Client(http, login["client_id"], login["secret"], frozenset())  # type: ignore[arg-type]  # httpx's own signature


@contextmanager
def shared(suite: Suite, name: str, candidates: int) -> Iterator[Estate]:
    """The estate of this name, seeded by the first process of the run; it goes with the run."""
    state = suite.folder / f"{name}.json"
    with FileLock(suite.folder / f"{name}.lock").alone():
        if not state.exists():
            made = asyncio.run(_make(suite.database(name), candidates))
            state.write_text(json.dumps(asdict(made)), encoding="utf-8")
    yield Estate(**json.loads(state.read_text(encoding="utf-8")))


async def _make(database: TestDatabase, candidates: int) -> Estate:
    program = build(settings_for(database))
    async with serving(program) as http:
        tenants = max(4, min(100, candidates // 100))
        scale = Scale(candidates, tenants, SEED)
        seeded = await seed(program, scale, Teller(Console(quiet=True)))
        realm = encode("realm", seeded.realm_id)
        admin = Client(http, seeded.client_id, seeded.client_secret, frozenset())
        world = World(program, http, realm, seeded.realm_id, await admin.sign_in())
        largest, smallest = (encode("org", seeded.tenants[n]) for n in (0, -1))
        hunters = [encode("staff", one) for one in seeded.hunters]
        lead = await world.staff("lead")
        clients = {
            "admin": admin,
            "largest": await _isv(world, largest),
            "smallest": await _isv(world, smallest),
            "lead": lead.client,
            "hunter": await world.client({"kind": "staff", "staff_id": hunters[0]}, Role.HUNTER),
            "idle": await world.client({"kind": "staff", "staff_id": hunters[-1]}, Role.HUNTER),
        }
    await crowd(database, seeded.realm_id, seeded.tenants, scale.of_tenants())
    await analyze(database.owner_url)
    return Estate(
        urls=asdict(database),
        candidates=candidates,
        realm=realm,
        seconds=seeded.seconds,
        rows=dict(seeded.rows),
        tenants=[encode("org", one) for one in seeded.tenants],
        hunters=hunters,
        logins={
            name: {"client_id": one.client_id, "secret": one.secret}
            for name, one in clients.items()
        },
    )


async def _isv(world: World, tenant: str) -> Client:
    owner = {"kind": "isv", "organization_id": tenant}
    return await world.client(owner, Role.ISV_CLIENT)
