"""The edge of the real program: odd bodies, headers and queries get a problem, never a 500."""

from typing import Any

import httpx
import pytest

from tests.api.support import Client, World

GROUPS = "/v1/company-groups"
COMPANIES = "/v1/companies"
CANARY = "canary-3f1c"


async def raw(
    by: Client, body: bytes, kind: str | None = "application/json", path: str = GROUPS
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {by.token}"}
    if kind is not None:
        headers["Content-Type"] = kind
    return await by.http.post(path, content=body, headers=headers)


async def lead_of(world: World) -> Client:
    return (await world.staff("lead")).client


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 422),
            (b"[]", 422),
            (b"null", 422),
            (b'{"name":"\\u0000"}', 422),
            (b'{"name":"\\ud800"}', 422),
            (b'{"name":"x","\\u0000":1}', 422),
            (b'{"name":"x","name":"y"}', 400),
            (b'{"name":"\xff"}', 400),
            ('{"name":"x"}'.encode("utf-16"), 400),
            (b'{"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
            (b'{"name":"' + b"x" * 1_000_001 + b'"}', 413),
        ],
    )
    async def test_a_bad_body_is_refused_as_a_problem(
        self, world: World, body: bytes, status: int
    ) -> None:
        answer = await raw(await lead_of(world), body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"] == answer.json()["request_id"]

    @pytest.mark.parametrize("kind", [None, "text/plain", "///;;", "multipart/form-data"])
    async def test_another_media_type_is_refused(self, world: World, kind: str | None) -> None:
        answer = await raw(await lead_of(world), b'{"name":"x"}', kind)
        assert answer.status_code == 422

    @pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
    async def test_a_number_that_is_none_is_refused_inside_metadata_too(
        self, world: World, number: bytes
    ) -> None:
        body = b'{"name":"x","domain":"number.example","metadata":{"a":[' + number + b"]}}"
        answer = await raw(await lead_of(world), body, path=COMPANIES)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")

    async def test_a_refusal_never_repeats_what_was_sent(self, world: World) -> None:
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("/v1/staff", {"name": "x", "email": f"{CANARY}()@x.example", "role": "hunter"}),
            ("/v1/staff", {"name": "x", "email": f"a@{CANARY}..example", "role": "hunter"}),
            ("/v1/staff", {"name": "x", "email": "a@b.example", "role": CANARY}),
            ("/v1/oauth-clients", {"name": "x", "owner": {"kind": CANARY}, "scopes": ["a:b"]}),
            ("/v1/oauth-clients", {"name": "x", "owner": {"kind": "agency"}, "scopes": [CANARY]}),
            ("/v1/companies", {"name": "x", "domain": f"{CANARY}_.example"}),
            ("/v1/organizations", {"slug": f"{CANARY}!", "name": "x", "country": CANARY}),
            ("/v1/sandbox/clock", {"to": CANARY}),
        ]
        for path, body in bodies:
            answer = await world.admin.post(path, body)
            assert answer.status_code == 422, path
            assert CANARY not in answer.text, answer.text

    async def test_a_zone_of_this_machine_alone_is_none(self, world: World) -> None:
        body = {"slug": "z", "name": "Z", "country": "DE", "currency": "EUR"}
        for zone in ("localtime", "Factory", "../UTC", "Europe", "europe/berlin", "\x00"):
            answer = await world.admin.post("/v1/organizations", {**body, "time_zone": zone})
            assert answer.json()["errors"][0]["pointer"] == "/time_zone", zone
        assert (
            await world.admin.post("/v1/organizations", {**body, "time_zone": "UTC"})
        ).status_code == 201


class TestHeaders:
    @pytest.mark.parametrize("header", ["Authorization", "Flatbed-Tenant", "Idempotency-Key"])
    async def test_a_header_that_decides_is_sent_once(self, world: World, header: str) -> None:
        isv, lead = await world.isv(), await lead_of(world)
        sent = {
            "Authorization": f"Bearer {lead.token}",
            "Flatbed-Tenant": isv.id,
            "Idempotency-Key": "k",
        }
        twice = [*sent.items(), (header, sent[header])]
        answer = await world.http.get("/v1/campaigns", headers=twice)
        assert (answer.status_code, answer.json()["code"]) == (400, "repeated-header")
        assert (await world.http.get("/v1/campaigns", headers=sent)).status_code == 200

    @pytest.mark.parametrize("query", ["limit=1&limit=2", "a=1&a=1", "status=&status=draft"])
    async def test_no_second_value_of_a_parameter_is_passed_over(
        self, world: World, query: str
    ) -> None:
        isv = await world.isv()
        answer = await isv.client.get(f"/v1/campaigns?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "repeated-parameter")
        assert (await isv.client.get("/v1/campaigns?limit=1&status=draft")).status_code == 200

    @pytest.mark.parametrize("named", ["", "x" * 5_000, "org_\xff", "ORG", "staff"])
    async def test_an_isv_that_cannot_be_is_a_missing_one(self, world: World, named: str) -> None:
        lead = await lead_of(world)
        headers = [
            (b"Authorization", f"Bearer {lead.token}".encode()),
            (b"Flatbed-Tenant", named.encode("latin-1")),
        ]
        answer = await world.http.get("/v1/campaigns", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    async def test_an_isv_naming_another_finds_nothing(self, world: World) -> None:
        mine, other = await world.isv(), await world.isv()
        answer = await mine.client.acting_for(other.id).get("/v1/campaigns")
        assert answer.status_code == 404
        assert (await mine.client.acting_for(mine.id).get("/v1/campaigns")).status_code == 200

    async def test_staff_naming_another_realms_isv_find_nothing(
        self, world: World, second: World
    ) -> None:
        foreign = await second.isv()
        answer = (await lead_of(world)).acting_for(foreign.id)
        assert (await answer.get("/v1/campaigns")).status_code == 404


class TestIdempotency:
    async def test_a_key_belongs_to_one_client_tenant_and_request(self, world: World) -> None:
        one, two = await world.isv(), await world.isv()
        body = {"name": "A", "programmes": [{"code": "dach", "countries": ["DE"]}]}
        lead = await lead_of(world)
        made = [
            await by.post("/v1/offerings", body, key="same")
            for by in (
                one.client,
                two.client,
                lead.acting_for(one.id),
                lead.acting_for(two.id),
                await world.integration(one),
            )
        ]
        assert [answer.status_code for answer in made] == [201] * 5
        assert len({answer.json()["id"] for answer in made}) == 5
        other = await one.client.post("/v1/offerings?x=1", body, key="same")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")

    async def test_a_replay_asks_for_the_role_of_today(self, world: World) -> None:
        staff = await world.staff("lead", new=True)
        body = {"name": "Nord"}
        assert (await staff.client.post(GROUPS, body, key="k")).status_code == 201
        path = f"/v1/staff/{staff.id}"
        await world.admin.patch(path, {"role": "finance"}, version=1)
        assert (await staff.client.post(GROUPS, body, key="k")).status_code == 403
        await world.admin.patch(path, {"role": "lead", "active": False}, version=2)
        assert (await staff.client.post(GROUPS, body, key="k")).status_code == 401
        await world.admin.patch(path, {"active": True}, version=3)
        again = await staff.client.post(GROUPS, body, key="k")
        assert again.headers["idempotent-replayed"] == "true"

    async def test_an_inactive_clients_token_is_refused_at_once(self, world: World) -> None:
        isv = await world.isv()
        path = f"/v1/oauth-clients/{isv.client.client_id}"
        answer = await world.admin.patch(path, {"active": False}, version=1)
        assert answer.status_code == 200
        refused = await isv.client.get("/v1/campaigns")
        assert refused.status_code == 401
        challenge = refused.headers["www-authenticate"]
        assert challenge.startswith('Bearer error="invalid_token", resource_metadata="http')


class TestQueries:
    @pytest.mark.parametrize("query", ["object_id=%00", "action=%00", "action=" + "x" * 101])
    async def test_what_cannot_be_stored_cannot_be_asked_for(
        self, world: World, query: str
    ) -> None:
        answer = await (await lead_of(world)).get(f"/v1/audit?{query}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"].startswith("query:")

    @pytest.mark.parametrize("cursor", ["", "x", "%00", "%ff", "a" * 499])
    async def test_a_cursor_that_is_not_ours_is_refused(self, world: World, cursor: str) -> None:
        answer = await (await lead_of(world)).get(f"{COMPANIES}?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
