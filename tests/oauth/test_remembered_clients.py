"""A client that has just signed in by its secret is taken at its word for a second, without SQL."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Self

import httpx
import pytest
from sqlalchemy import event

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failpoints import Failpoint
from flatbed.tenants.kit.ids import decode
from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.oauth import wiring
from flatbed.tenants.oauth.forms import AssertionProof, Form, SecretProof
from flatbed.tenants.oauth.remembered import SECONDS, RememberedClients
from tests.oauth.house import SECRET_KEY, Credentials, House, Ticks
from tests.oauth.signing import Signer
from tests.oauth.test_token import FORM, parts, refused

CLIENTS = "/v1/oauth-clients"
AGENCY = {"kind": "agency"}
A_LITTLE = 0.01


class Begun:
    """How many transactions began on the application's own connections."""

    def __init__(self, house: House) -> None:
        self.count = 0
        self._engine = house.database.engine.sync_engine

    def _note(self, _: Any) -> None:
        self.count += 1

    def __enter__(self) -> Self:
        event.listen(self._engine, "begin", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "begin", self._note)


async def execute(admin: Plain, client: Credentials, sql: str) -> None:
    """Change what is stored as another process would: this one hears nothing of it."""
    assert await admin.execute(sql, decode("client", client.client_id)) == "UPDATE 1"


@pytest.fixture
async def client(house: House) -> Credentials:
    return await house.client(AGENCY, "clients:manage", "audit:read")


class TestHit:
    async def test_it_opens_no_transaction_and_gives_another_token(
        self, house: House, client: Credentials
    ) -> None:
        first = await house.ask(client)
        with Begun(house) as begun:
            second = await house.ask(client)
        assert begun.count == 0
        told, again = first.json(), second.json()
        one, two = parts(told.pop("access_token")), parts(again.pop("access_token"))
        assert again == told
        assert one[1].pop("jti") != two[1].pop("jti")
        assert {**one[1], "iat": 0, "exp": 0} == {**two[1], "iat": 0, "exp": 0}
        assert two[1]["exp"] - two[1]["iat"] == 600

    async def test_basic_and_post_are_the_same_proof(
        self, house: House, client: Credentials
    ) -> None:
        await house.token(client)
        sent = {"client_id": client.client_id, "client_secret": client.client_secret}
        with Begun(house) as begun:
            assert (await house.http.post("/oauth/token", data=FORM | sent)).status_code == 200
        assert begun.count == 0

    async def test_each_request_has_the_scopes_that_it_asks_for(
        self, house: House, client: Credentials
    ) -> None:
        assert (await house.ask(client, scope="audit:read")).json()["scope"] == "audit:read"
        with Begun(house) as begun:
            assert (await house.ask(client)).json()["scope"] == "audit:read clients:manage"
            refused(await house.ask(client, scope="tenants:manage"), "invalid_scope")
            refused(await house.ask(client, scope="audit:read x"), "invalid_scope")
        assert begun.count == 0

    async def test_after_a_refused_scope_the_client_is_known(
        self, house: House, client: Credentials
    ) -> None:
        refused(await house.ask(client, scope="tenants:manage"), "invalid_scope")
        with Begun(house) as begun:
            assert (await house.ask(client)).status_code == 200
        assert begun.count == 0

    async def test_many_at_once_each_get_their_own(self, house: House) -> None:
        clients = [await house.client(AGENCY, "audit:read") for _ in range(3)]
        for one in clients:
            await house.token(one)
        with Begun(house) as begun:
            tokens = await asyncio.gather(*(house.token(one) for one in clients * 4))
        assert begun.count == 0
        found = [parts(token)[1]["client_id"] for token in tokens]
        assert found == [one.client_id for one in clients * 4]

    async def test_another_grant_is_refused_as_ever(
        self, house: House, client: Credentials
    ) -> None:
        await house.token(client)
        reply = await house.http.post(
            "/oauth/token",
            data={"grant_type": "password"},
            auth=(client.client_id, client.client_secret),
        )
        refused(reply, "unsupported_grant_type")


class TestCommit:
    async def test_a_request_that_was_rolled_back_is_no_memory(
        self, house: House, client: Credentials, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read of the client is gone with the transaction: memory would answer 500."""

        def lost(_: Failpoint) -> None:
            raise UnavailableError

        with monkeypatch.context() as patch:
            patch.setattr(wiring, "failpoint", lost)
            assert (await house.ask(client)).status_code == 503
        with Begun(house) as begun:
            assert (await house.ask(client)).status_code == 200
        assert begun.count == 1


class TestEnd:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE client_secret SET revoked_at = now() WHERE oauth_client_id = $1",
            "UPDATE client_secret SET expires_at = now() WHERE oauth_client_id = $1",
            "UPDATE oauth_client SET active = false WHERE id = $1",
            "UPDATE oauth_client SET active = false, deleted_at = now() WHERE id = $1",
            "UPDATE oauth_client SET allowed_cidrs = '{192.0.2.0/24}' WHERE id = $1",
        ],
    )
    async def test_what_another_process_took_away_is_gone_after_a_second(
        self, house: House, admin_connection: Plain, client: Credentials, sql: str
    ) -> None:
        await house.token(client)
        await execute(admin_connection, client, sql)
        house.ticks.seconds += SECONDS - A_LITTLE
        assert (await house.ask(client)).status_code == 200
        house.ticks.seconds += A_LITTLE
        refused(await house.ask(client), "invalid_client")
        refused(await house.ask(client), "invalid_client")

    async def test_a_token_of_that_second_is_of_no_use(
        self, house: House, admin_connection: Plain, client: Credentials
    ) -> None:
        await house.token(client)
        sql = "UPDATE oauth_client SET active = false WHERE id = $1"
        await execute(admin_connection, client, sql)
        headers = {"Authorization": f"Bearer {await house.token(client)}"}
        assert (await house.http.get(CLIENTS, headers=headers)).status_code == 401

    async def test_a_suspended_isv_gets_no_token_after_a_second(self, house: House) -> None:
        isv = await house.isv("acme")
        client = await house.client({"kind": "isv", "organization_id": isv["id"]}, "campaigns:read")
        await house.token(client)
        await house.change(f"/v1/organizations/{isv['id']}", {"status": "suspended"})
        house.later()
        refused(await house.ask(client), "invalid_client")

    async def test_asking_again_does_not_make_it_longer(
        self, house: House, admin_connection: Plain, client: Credentials
    ) -> None:
        await house.token(client)
        sql = "UPDATE client_secret SET revoked_at = now() WHERE oauth_client_id = $1"
        await execute(admin_connection, client, sql)
        for _ in range(3):
            house.ticks.seconds += SECONDS / 4
            assert (await house.ask(client)).status_code == 200
        house.ticks.seconds += SECONDS / 4
        refused(await house.ask(client), "invalid_client")

    async def test_the_second_begins_before_the_database_is_asked(
        self, house: House, admin_connection: Plain, client: Credentials
    ) -> None:
        """A revocation that comes while the request waits for a row is not seen by it."""
        sql = "SELECT 1 FROM client_secret WHERE oauth_client_id = $1 FOR UPDATE"
        async with admin_connection.transaction():
            await admin_connection.execute(sql, decode("client", client.client_id))
            asked = asyncio.create_task(house.ask(client))
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while not await admin_connection.fetchval(waits):
                assert not asked.done()
                await asyncio.sleep(A_LITTLE)
            house.later()
        assert (await asked).status_code == 200
        with Begun(house) as begun:
            assert (await house.ask(client)).status_code == 200
        assert begun.count > 0

    async def test_the_use_of_a_secret_is_noted_when_it_ends(
        self, house: House, admin_connection: Plain, client: Credentials
    ) -> None:
        async def noted() -> bool:
            sql = "SELECT last_used_at > now() - interval '30 seconds' FROM client_secret"
            found = await admin_connection.fetchval(
                f"{sql} WHERE oauth_client_id = $1", decode("client", client.client_id)
            )
            return found is True

        await house.token(client)
        assert await noted()
        sql = "UPDATE client_secret SET last_used_at = now() - interval '1 hour'"
        await execute(admin_connection, client, f"{sql} WHERE oauth_client_id = $1")
        await house.token(client)
        house.later()
        assert not await noted()
        await house.token(client)
        assert await noted()


class TestMiss:
    async def test_a_wrong_secret_is_refused_beside_the_remembered_one(
        self, house: House, client: Credentials
    ) -> None:
        await house.token(client)
        other = await house.client(AGENCY, "audit:read")
        await house.token(other)
        secret = client.client_secret
        for wrong in (secret[:-1], secret + "x", secret.swapcase(), other.client_secret, "x"):
            reply = await house.ask(Credentials(client.client_id, wrong))
            refused(reply, "invalid_client")
        name = client.client_id
        for strange in (name.upper(), name + " ", name[:-1], other.client_id):
            refused(await house.ask(Credentials(strange, secret)), "invalid_client")
        refused(await house.ask(Credentials(name + secret[0], secret[1:])), "invalid_client")
        assert (await house.ask(client)).status_code == 200

    async def test_a_refusal_is_not_remembered(
        self, house: House, admin_connection: Plain, client: Credentials
    ) -> None:
        for verb in ("now()", "NULL"):
            sql = f"UPDATE client_secret SET revoked_at = {verb} WHERE oauth_client_id = $1"
            await execute(admin_connection, client, sql)
            assert (await house.ask(client)).status_code == (200 if verb == "NULL" else 401)

    async def test_from_elsewhere_it_is_not_known(self, house: House) -> None:
        body = {
            "name": "A client",
            "owner": AGENCY,
            "scopes": ["audit:read"],
            "allowed_cidrs": ["192.0.2.0/24"],
        }
        made = await house.made(CLIENTS, body)
        login = (made["client_id"], made["client_secret"])

        async def at(address: str) -> httpx.Response:
            async with house.at(address) as http:
                return await http.post("/oauth/token", data=FORM, auth=login)

        assert (await at("192.0.2.1")).status_code == 200
        for other in ("198.51.100.7", "2001:db8::1", "testclient"):
            refused(await at(other), "invalid_client")
        with Begun(house) as begun:
            assert (await at("::ffff:192.0.2.1")).status_code == 200
            assert begun.count == 0
            assert (await at("192.0.2.2")).status_code == 200
            assert begun.count > 0

    async def test_an_assertion_is_good_once_however_soon(self, signer: Signer) -> None:
        sent = signer.assertion()
        assert (await signer.ask(sent)).status_code == 200
        refused(await signer.ask(sent), "invalid_client")


class TestMemory:
    STANDING: Any = object()

    def form(self, client: str = "a", secret: str = "b", address: str | None = None) -> Form:
        at = None if address is None else ip_address(address)
        return Form({"grant_type": "client_credentials"}, SecretProof(client, secret), at, "")

    def memory(self, most: int = 3) -> tuple[RememberedClients, Ticks]:
        ticks = Ticks()
        return RememberedClients(Keyring(SECRET_KEY), ticks, most), ticks

    def knows(self, memory: RememberedClients, **said: Any) -> bool:
        return memory.recall(self.form(**said)) is self.STANDING

    def test_it_is_bounded_and_forgets_who_asked_longest_ago(self) -> None:
        memory, _ = self.memory(most=3)
        for name in "abc":
            memory.remember(self.form(name), self.STANDING, 0.0)
        assert self.knows(memory, client="a")
        for name in "de":
            memory.remember(self.form(name), self.STANDING, 0.0)
        assert len(memory) == 3
        known = [name for name in "abcde" if self.knows(memory, client=name)]
        assert known == ["a", "d", "e"]

    def test_remembered_again_it_counts_once_and_from_then(self) -> None:
        memory, ticks = self.memory()
        memory.remember(self.form(), self.STANDING, memory.now())
        ticks.seconds = SECONDS / 2
        memory.remember(self.form(), self.STANDING, memory.now())
        ticks.seconds = SECONDS
        assert self.knows(memory)
        assert len(memory) == 1
        ticks.seconds = SECONDS * 1.5
        assert not self.knows(memory)
        assert len(memory) == 0

    @pytest.mark.parametrize(
        "other",
        [
            {"client": "ab", "secret": ""},
            {"client": "", "secret": "ab"},
            {"client": "a", "secret": "b\0"},  # pragma: allowlist secret - made up
            {"client": 'a", "b', "secret": ""},
            {"address": "192.0.2.1"},
            {"address": "::1"},
        ],
    )
    def test_what_differs_in_anything_is_another_proof(self, other: Mapping[str, str]) -> None:
        memory, _ = self.memory()
        memory.remember(self.form(), self.STANDING, 0.0)
        assert self.knows(memory)
        assert not self.knows(memory, **other)

    def test_an_assertion_is_neither_kept_nor_known(self) -> None:
        memory, _ = self.memory()
        form = replace(self.form(), proof=AssertionProof("a", "b"))
        memory.remember(form, self.STANDING, 0.0)
        memory.remember(self.form(), self.STANDING, 0.0)
        assert len(memory) == 1
        assert memory.recall(form) is None

    def test_no_secret_stands_in_it(self) -> None:
        memory, _ = self.memory()
        memory.remember(self.form("name", "geheim"), self.STANDING, 0.0)
        assert "geheim" not in repr(vars(memory))
        assert b"geheim" not in b"".join(memory._found)
