"""How long after a revocation in one process another one still takes a token: not one request.

No feed tells a process of revocations: each request asks the database. So there is nothing that
could be cut off; what is tried instead is a deployment without a worker, and one whose every
database connection is killed in the moment before.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
import structlog

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.oauth.remembered import SECONDS as REMEMBERED_SECONDS
from tests.access.endings import MEMBERS, end
from tests.access.servers import Asker, Felt, sent_to, serving
from tests.api.support import Client, World
from tests.support.people import CALLER
from tests.support.postgres import TestDatabase

WITHIN_SECONDS = 2.0
log = structlog.get_logger(__name__)
CAMPAIGNS, STAFF = "/v1/campaigns", "/v1/staff"
Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Pair:
    """One process in which things are revoked, another one that is asked meanwhile."""

    world: World
    connection: Plain
    here: httpx.AsyncClient
    there: httpx.AsyncClient

    async def cut(self) -> None:
        """Kill every connection that the program has to this database."""
        killed = await self.connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'flatbed_app'"
        )
        assert killed
        # This process's own are among them, and nobody sends again what it asks.
        await self.world.program.database.engine.dispose()

    async def change(self, path: str, body: object, *, by: Client | None = None) -> None:
        """PATCH over the one process."""
        client = sent_to(self.here, by or self.world.admin)
        etag = (await client.get(path)).headers["etag"]
        answer = await client.patch(path, body, version=etag)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def urls(database: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with serving(database, tmp_path_factory.mktemp("servers"), 2) as found:
        yield found


@pytest_asyncio.fixture
async def pair(world: World, urls: list[str], admin_connection: Plain) -> AsyncIterator[Pair]:
    here, there = (httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) for url in urls)
    async with here, there:
        yield Pair(world, admin_connection, here, there)


@dataclass(frozen=True)
class Case:
    """Somebody who is asked for all the time, and what is then done to him."""

    name: str
    client: Client
    path: str
    act: Act


async def cases(pair: Pair) -> list[Case]:
    """A grant, client, membership, staff member, user and tenant; people and machines."""
    world, found = pair.world, []

    def add(name: str, client: Client, act: Act, path: str = CAMPAIGNS) -> None:
        found.append(Case(name, client, path, act))

    def switched(path: str, by: Client | None = None) -> Act:
        return lambda: pair.change(path, {"active": False}, by=by)

    for name in ("the grant is revoked", "the grant is over"):
        one = await world.member(await world.isv(), "owner")
        add(name, one, lambda n=name, o=one: end(pair.connection, o, MEMBERS[n]))  # type: ignore[misc]  # bound now
    isv = await world.isv()
    one = await world.member(isv, "owner")
    add("the application", one, switched(f"/v1/oauth-clients/{one.client_id}"))
    isv = await world.isv()
    member = await world.member(isv, "viewer")
    place = member.actor.partition(":")[2]
    add("the membership", member, switched(f"/v1/members/{place}", isv.client))
    for client in ("person", "machine"):
        staff = await world.staff("admin", new=True)
        who = await world.person(staff) if client == "person" else staff.client
        add(f"the staff member, by his {client}", who, switched(f"{STAFF}/{staff.id}"), STAFF)
    for client in ("person", "machine"):
        isv = await world.isv()
        who = await world.member(isv, "manager") if client == "person" else isv.client
        act = _suspending(pair, isv.id)
        add(f"the tenant, by its {client}", who, act)
    isv = await world.isv()
    add("the client", isv.client, switched(f"/v1/oauth-clients/{isv.client.client_id}"))
    owner = await world.member(await world.isv(), "owner")
    add("the user", owner, lambda: _disabled(pair, owner.lender.user_id.hex))
    return found


def _suspending(pair: Pair, isv_id: str) -> Act:
    return lambda: pair.change(f"/v1/organizations/{isv_id}", {"status": "suspended"})


async def _disabled(pair: Pair, user: str) -> None:
    """As ``flatbed users disable``, in a third process: this one."""
    program = pair.world.program
    async with program.database.login(caller=CALLER) as session:
        await program.people.accounts.disable(session, f"{user}@people.example")


async def _felt(pair: Pair, case: Case, *, cut: bool) -> Felt:
    client = sent_to(pair.there, case.client)

    async def act() -> None:
        if cut:
            await pair.cut()
        await case.act()

    return await Asker(lambda: client.get(case.path)).felt(act)


def _judge(found: dict[str, Felt], *, least: int) -> None:
    slowest = max(found, key=lambda name: found[name].seconds)
    log.info(
        "revocations_felt",
        cases=len(found),
        slowest=slowest,
        milliseconds=round(found[slowest].seconds * 1e3, 1),
    )
    assert len(found) >= least
    assert {name: one.late for name, one in found.items() if one.late} == {}
    assert found[slowest].seconds <= WITHIN_SECONDS


async def _rounds(pair: Pair, rounds: int) -> None:
    """Each case with its connections left alone, and with all of them killed just before."""
    found = {}
    for number in range(rounds):
        for cut in (False, True):
            for case in await cases(pair):
                felt = await _felt(pair, case, cut=cut)
                found[f"{case.name}, {number}, {cut}"] = felt
                # A connection that died is noticed, and what it was for is done again.
                assert felt.others.keys() <= ({503} if cut else set()), (case.name, felt)
    _judge(found, least=20 * rounds)


class TestAccessTokens:
    @pytest.mark.timeout(300)
    async def test_no_process_takes_one_that_was_revoked_in_another(self, pair: Pair) -> None:
        await _rounds(pair, 1)

    @pytest.mark.long
    @pytest.mark.timeout(1800)
    @pytest.mark.usefixtures("lasting_tokens")
    async def test_nor_in_twenty_rounds(self, pair: Pair) -> None:
        await _rounds(pair, 20)


class TestTokenRequests:
    @pytest.mark.timeout(120)
    async def test_a_client_that_was_disabled_in_one_process_gets_no_token_of_another(
        self, pair: Pair
    ) -> None:
        """It is remembered for a moment, in which its tokens are good for nothing."""
        isv = await pair.world.isv()
        there = sent_to(pair.there, isv.client)
        form = {"grant_type": "client_credentials"}
        answers = []

        async def ask() -> httpx.Response:
            answer = await there.http.post(
                "/oauth/token", data=form, auth=(there.client_id, there.secret)
            )
            answers.append(answer)
            return answer

        path = f"/v1/oauth-clients/{isv.client.client_id}"
        felt = await Asker(ask).felt(lambda: pair.change(path, {"active": False}))
        assert felt.last <= REMEMBERED_SECONDS
        assert felt.seconds <= WITHIN_SECONDS
        last = [one for one in answers if one.is_success][-1].json()["access_token"]
        headers = {"Authorization": f"Bearer {last}"}
        assert (await there.http.get(CAMPAIGNS, headers=headers)).status_code == 401
