"""Ledgers in a database of its own, made once for a run by whichever process asks first."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from flatbed.app.wiring import build
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.ids import decode, encode
from tests.api.support import Client, World, new_world, serving, settings_for
from tests.scale.ledger_rows import YEAR, analyze, fill
from tests.support.postgres import Suite, TestDatabase


@dataclass(frozen=True)
class Ledger:
    """An ISV, the units that it metered within a year, and its client."""

    tenant: str
    units: int
    client_id: str
    secret: str

    @property
    def tenant_id(self) -> UUID:
        return decode("org", self.tenant)


@dataclass(frozen=True)
class Ledgers:
    """A realm whose ISVs have ledgers: those that are measured, in the order asked for."""

    urls: dict[str, str]
    realm: str
    made_at: str
    units: int
    measured: tuple[Ledger, ...]

    @property
    def database(self) -> TestDatabase:
        return TestDatabase(**self.urls)

    @property
    def year(self) -> dict[str, str]:
        """The parameters of a report of the year."""
        made = datetime.fromisoformat(self.made_at)
        return {"from": (made - YEAR).isoformat(), "to": made.isoformat()}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[World]:
        """The real program on it."""
        program = build(settings_for(self.database))
        async with serving(program) as http:
            nobody = Client(http, "", "", frozenset())
            yield World(program, http, self.realm, decode("realm", self.realm), nobody)


@contextmanager
def shared(
    suite: Suite, name: str, measured: Sequence[int], others: Sequence[int] = ()
) -> Iterator[Ledgers]:
    """The ledgers of this name: those that are measured, among others of these sizes."""
    state = suite.folder / f"{name}.json"
    with FileLock(suite.folder / f"{name}.lock").alone():
        if not state.exists():
            made = asyncio.run(_make(suite.database(name), measured, others))
            state.write_text(json.dumps(asdict(made)), encoding="utf-8")
    found = json.loads(state.read_text(encoding="utf-8"))
    yield Ledgers(**{**found, "measured": tuple(Ledger(**one) for one in found["measured"])})


async def _make(database: TestDatabase, measured: Sequence[int], others: Sequence[int]) -> Ledgers:
    async with new_world(database) as world:
        now = system_now()
        sizes = [*measured, *others]
        tenants = await fill(database, sizes, realm_id=world.realm_id, now=now)
        await analyze(database)
        found = []
        for tenant_id, units in zip(tenants, measured, strict=False):
            tenant = encode("org", tenant_id)
            owner = {"kind": "isv", "organization_id": tenant}
            client = await world.client(owner, Role.ISV_CLIENT)
            found.append(Ledger(tenant, units, client.client_id, client.secret))
        return Ledgers(asdict(database), world.realm, now.isoformat(), sum(sizes), tuple(found))
