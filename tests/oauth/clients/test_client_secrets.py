"""/v1/oauth-clients/{client_id}/secrets."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode, uuid7
from flatbed.tenants.oauth.clients.secrets import well_formed
from tests.oauth.house import Credentials, House
from tests.oauth.signing import new_signer
from tests.oauth.test_token import refused

CLIENTS = "/v1/oauth-clients"
AGENCY = {"kind": "agency"}


@pytest.fixture
async def client(house: House) -> Credentials:
    return await house.client(AGENCY, "clients:manage")


def path(client: Credentials, *more: str) -> str:
    return "/".join((CLIENTS, client.client_id, "secrets", *more))


async def add(house: House, client: Credentials, **more: Any) -> httpx.Response:
    return await house.call("POST", path(client), {"label": "second", **more})


async def listed(house: House, client: Credentials) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await house.call("GET", f"{CLIENTS}/{client.client_id}")).json()[
        "secrets"
    ]
    return found


async def first(house: House, client: Credentials) -> str:
    return str((await listed(house, client))[0]["id"])


async def roll(
    house: House, client: Credentials, secret: str, overlap: str = "0", **more: Any
) -> httpx.Response:
    return await house.call("POST", path(client, secret, "roll"), {"overlap": overlap, **more})


async def revoke(house: House, client: Credentials, secret: str) -> httpx.Response:
    etag = (await house.call("GET", f"{CLIENTS}/{client.client_id}")).headers["etag"]
    return await house.call("DELETE", path(client, secret), headers={"If-Match": etag})


def with_secret(client: Credentials, reply: httpx.Response) -> Credentials:
    assert reply.status_code == 201, reply.text
    return Credentials(client.client_id, reply.json()["client_secret"])


async def actions(house: House, admin: Plain) -> list[str]:
    rows = await admin.fetch(
        "SELECT action FROM agency_audit_pending WHERE realm_id = $1 ORDER BY id",
        decode("realm", house.realm.realm_id),
    )
    return [row["action"] for row in rows]


class TestCreate:
    async def test_a_second_secret_is_shown_once_and_works_beside_the_first(
        self, house: House, client: Credentials
    ) -> None:
        reply = await add(house, client)
        made = reply.json()
        second = with_secret(client, reply)
        assert well_formed(second.client_secret)
        assert made["last_four"] == second.client_secret[-4:]
        assert made["last_used_at"] is None
        assert (await house.ask(client)).status_code == 200
        assert (await house.ask(second)).status_code == 200
        read = await house.call("GET", f"{CLIENTS}/{client.client_id}")
        assert [one["label"] for one in read.json()["secrets"]] == ["first", "second"]
        assert second.client_secret not in read.text

    async def test_a_replay_does_not_hold_the_secret(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        key = {"Idempotency-Key": uuid7().hex}
        once, again = [
            await house.call("POST", path(client), {"label": "x"}, headers=key) for _ in range(2)
        ]
        assert again.status_code == 201
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json() == {**once.json(), "client_secret": None}
        assert len(await listed(house, client)) == 2
        rows = await admin_connection.fetch("SELECT body FROM agency_idempotency_key")
        assert all(once.json()["client_secret"] not in row["body"] for row in rows)

    async def test_it_lives_365_days_or_as_long_as_is_said(
        self, house: House, client: Credentials
    ) -> None:
        made = (await add(house, client)).json()
        lives = instant(made["expires_at"]) - instant(made["created_at"])
        assert lives == timedelta(days=365)
        await revoke(house, client, made["id"])
        end = (system_now() + timedelta(days=30)).replace(microsecond=0)
        made = (await add(house, client, expires_at=end.isoformat())).json()
        assert instant(made["expires_at"]) == end

    @pytest.mark.parametrize("days", [-1, 0, 366, 4000])
    async def test_a_wrong_expiry_is_refused(
        self, house: House, client: Credentials, days: int
    ) -> None:
        end = (system_now() + timedelta(days=days)).isoformat()
        reply = await add(house, client, expires_at=end)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["code"] == "expiry-out-of-range"

    @pytest.mark.parametrize(
        "body", [{}, {"label": ""}, {"label": " "}, {"expires_at": None}, {"client_secret": "x"}]
    )
    async def test_a_wrong_body_is_refused(
        self, house: House, client: Credentials, body: dict[str, Any]
    ) -> None:
        sent = body if body in ({}, {"label": ""}) else {"label": "x", **body}
        assert (await house.call("POST", path(client), sent)).status_code == 422

    async def test_a_third_is_refused_and_nothing_is_changed(
        self, house: House, client: Credentials
    ) -> None:
        await add(house, client)
        reply = await add(house, client)
        assert reply.status_code == 409
        assert reply.json()["code"] == "too-many-secrets"
        assert len(await listed(house, client)) == 2

    async def test_an_expired_or_revoked_one_makes_room(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        await add(house, client)
        await admin_connection.execute(
            "UPDATE client_secret SET expires_at = now() - interval '1 second'"
            " WHERE oauth_client_id = $1 AND label = 'first'",
            decode("client", client.client_id),
        )
        third = await add(house, client)
        assert third.status_code == 201
        await revoke(house, client, third.json()["id"])
        assert (await add(house, client)).status_code == 201

    async def test_of_eight_creations_at_once_one_gets_the_second_place(
        self, house: House, client: Credentials
    ) -> None:
        token = await house.token(house.agency)
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(5):
            replies = await asyncio.gather(
                *(
                    house.http.post(path(client), json={"label": "r"}, headers=headers)
                    for _ in range(8)
                )
            )
            assert sorted(reply.status_code for reply in replies) == [201] + [409] * 7
            secrets = await listed(house, client)
            assert len(secrets) == 2
            assert (await revoke(house, client, secrets[1]["id"])).status_code == 204

    async def test_the_change_is_audited_and_raises_the_clients_version(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        before = len(await actions(house, admin_connection))
        made = (await add(house, client)).json()
        assert (await actions(house, admin_connection))[before:] == ["client_secret.created"]
        read = await house.call("GET", f"{CLIENTS}/{client.client_id}")
        assert read.headers["etag"] == '"2"'
        rows = await admin_connection.fetch("SELECT * FROM agency_audit_pending")
        assert made["client_secret"] not in str([dict(row) for row in rows])

    async def test_a_client_with_keys_gets_none(self, house: House) -> None:
        signer = await new_signer(house)
        reply = await add(house, Credentials(signer.client_id, ""))
        assert reply.status_code == 409
        assert reply.json()["code"] == "client-has-keys"

    async def test_its_use_is_noted(self, house: House, client: Credentials) -> None:
        second = with_secret(client, await add(house, client))
        await house.token(second)
        used = [one["last_used_at"] for one in await listed(house, client)]
        assert used[0] is None
        assert abs(instant(used[1]) - system_now()) < timedelta(minutes=1)


class TestRoll:
    @pytest.mark.parametrize(("overlap", "hours"), [("1h", 1), ("24h", 24), ("7d", 168)])
    async def test_the_old_one_goes_on_for_the_overlap(
        self, house: House, client: Credentials, overlap: str, hours: int
    ) -> None:
        reply = await roll(house, client, await first(house, client), overlap)
        fresh = with_secret(client, reply)
        assert (await house.ask(client)).status_code == 200
        assert (await house.ask(fresh)).status_code == 200
        old, new = await listed(house, client)
        left = instant(old["expires_at"]) - system_now()
        assert timedelta(hours=hours, minutes=-2) < left <= timedelta(hours=hours)
        assert new["label"] == old["label"] == "first"
        assert instant(new["expires_at"]) - system_now() > timedelta(days=364)

    async def test_after_the_overlap_the_old_one_is_refused(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        fresh = with_secret(client, await roll(house, client, await first(house, client), "1h"))
        await admin_connection.execute(
            "UPDATE client_secret SET expires_at = expires_at - interval '1 hour'"
            " WHERE oauth_client_id = $1",
            decode("client", client.client_id),
        )
        refused(await house.ask(client), "invalid_client")
        assert (await house.ask(fresh)).status_code == 200

    async def test_without_an_overlap_the_old_one_ends_at_once(
        self, house: House, client: Credentials
    ) -> None:
        reply = await roll(house, client, await first(house, client), label="renamed")
        refused(await house.ask(client), "invalid_client")
        assert (await house.ask(with_secret(client, reply))).status_code == 200
        assert [one["label"] for one in await listed(house, client)] == ["renamed"]

    async def test_a_secret_never_gains_time_by_it(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        await admin_connection.execute(
            "UPDATE client_secret SET expires_at = now() + interval '5 minutes'"
            " WHERE oauth_client_id = $1",
            decode("client", client.client_id),
        )
        before = (await listed(house, client))[0]["expires_at"]
        assert (await roll(house, client, await first(house, client), "7d")).status_code == 201
        assert (await listed(house, client))[0]["expires_at"] == before

    async def test_two_are_live_at_most(self, house: House, client: Credentials) -> None:
        await add(house, client)
        secret = await first(house, client)
        assert (await roll(house, client, secret, "1h")).status_code == 409
        assert (await house.ask(client)).status_code == 200
        assert (await roll(house, client, secret, "0")).status_code == 201
        assert len(await listed(house, client)) == 2
        assert (await roll(house, client, secret, "0")).status_code == 404

    async def test_of_eight_rolls_at_once_one_is_made(
        self, house: House, client: Credentials
    ) -> None:
        secret, token = await first(house, client), await house.token(house.agency)
        replies = await asyncio.gather(
            *(
                house.http.post(
                    path(client, secret, "roll"),
                    json={"overlap": "24h"},
                    headers={"Authorization": f"Bearer {token}"},
                )
                for _ in range(8)
            )
        )
        assert sorted(reply.status_code for reply in replies) == [201] + [409] * 7
        assert len(await listed(house, client)) == 2

    async def test_a_replay_does_not_hold_the_secret(
        self, house: House, client: Credentials
    ) -> None:
        secret, key = await first(house, client), {"Idempotency-Key": uuid7().hex}
        once, again = [
            await house.call("POST", path(client, secret, "roll"), {"overlap": "0"}, headers=key)
            for _ in range(2)
        ]
        assert again.json() == {**once.json(), "client_secret": None}

    @pytest.mark.parametrize("overlap", ["", "2h", "1H", "24", 0, 3600, None, "8d"])
    async def test_another_overlap_is_refused(
        self, house: House, client: Credentials, overlap: Any
    ) -> None:
        assert (await roll(house, client, await first(house, client), overlap)).status_code == 422

    async def test_it_is_audited(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        before = len(await actions(house, admin_connection))
        await roll(house, client, await first(house, client))
        found = (await actions(house, admin_connection))[before:]
        assert sorted(found) == ["client_secret.created", "client_secret.rolled"]


class TestRevoke:
    async def test_it_ends_at_once_and_is_not_found_again(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        second = with_secret(client, await add(house, client))
        secret = await first(house, client)
        assert (await revoke(house, client, secret)).status_code == 204
        refused(await house.ask(client), "invalid_client")
        assert (await house.ask(second)).status_code == 200
        assert (await revoke(house, client, secret)).status_code == 404
        assert (await actions(house, admin_connection)).count("client_secret.revoked") == 1

    async def test_it_needs_the_clients_version(self, house: House, client: Credentials) -> None:
        secret = await first(house, client)
        assert (await house.call("DELETE", path(client, secret))).status_code == 428
        stale = {"If-Match": '"9"'}
        reply = await house.call("DELETE", path(client, secret), headers=stale)
        assert reply.status_code == 412
        assert (await house.ask(client)).status_code == 200


class TestAttacks:
    async def test_a_secret_of_another_client_is_not_found_by_it(
        self, house: House, client: Credentials
    ) -> None:
        """A secret's id opens nothing under another client's path, and no client of no realm."""
        other = await house.client(AGENCY, "clients:manage")
        secret = await first(house, other)
        for holder in (client, Credentials(encode("client", uuid7()), "")):
            assert (await roll(house, holder, secret)).status_code == 404
            reply = await house.call("DELETE", path(holder, secret), headers={"If-Match": '"1"'})
            assert reply.status_code == 404
        assert (await house.ask(other)).status_code == 200
        crossed = Credentials(client.client_id, other.client_secret)
        refused(await house.ask(crossed), "invalid_client")

    async def test_a_revoked_or_expired_secret_is_refused(
        self, house: House, client: Credentials, admin_connection: Plain
    ) -> None:
        """Each of two secrets ends by itself."""
        second = with_secret(client, await add(house, client))
        await revoke(house, client, await first(house, client))
        refused(await house.ask(client), "invalid_client")
        await admin_connection.execute(
            "UPDATE client_secret SET expires_at = now() WHERE oauth_client_id = $1",
            decode("client", client.client_id),
        )
        refused(await house.ask(second), "invalid_client")

    @pytest.mark.parametrize("role", ["hunter", "lead", "finance", "compliance"])
    async def test_staff_without_the_right_get_no_secret_of_anybody(
        self, house: House, client: Credentials, role: str
    ) -> None:
        """Who gets a client's secret is that client."""
        by = await house.staff_client(role, "pipeline:read")
        secret = await first(house, client)
        for where, body in ((path(client), {"label": "x"}), (path(client, secret, "roll"), {})):
            assert (await house.call("POST", where, body, by=by)).status_code == 403
        assert len(await listed(house, client)) == 1


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
