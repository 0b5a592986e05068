"""/metrics: what was counted, without a word of a client's, for the deployment alone."""

import math
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import SecretStr

from flatbed.app.wiring import build
from flatbed.tenants.kit import metrics
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import BASE_URL, World, serving, settings_for
from tests.support.postgres import TestDatabase

TOKEN = "a metrics token of some length"
PAGE = {"method": "GET", "route": "/metrics", "status": "2xx"}
MACHINE = {"Host": "localhost:8080"}
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")


def samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def value(text: str, name: str, **labels: str) -> float:
    found = [one.value for one in samples(text) if (one.name, one.labels) == (name, labels)]
    assert len(found) == 1, f"{name} {labels}: {len(found)} samples"
    return found[0]


async def from_address(app: FastAPI, host: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        return await http.get("/metrics", headers={**MACHINE, **headers})


async def page(world: World) -> str:
    answer = await world.http.get("/metrics", headers=MACHINE)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text


def app_of(http: httpx.AsyncClient) -> FastAPI:
    app: FastAPI = http._transport.app  # type: ignore[attr-defined]  # httpx hides it
    return app


class TestFigures:
    async def test_requests_are_counted_by_template_and_status_class(self, world: World) -> None:
        isv = await world.isv()
        name = "flatbed_http_requests_total"
        labels = {"method": "GET", "route": "/v1/organizations/{organization_id}"}
        for _ in range(2):
            assert (await world.admin.get(f"/v1/organizations/{isv.id}")).status_code == 200
        before = await page(world)
        assert (await world.admin.get(f"/v1/organizations/{isv.id}")).status_code == 200
        assert (await world.http.get(f"/v1/organizations/{isv.id}")).status_code == 401
        after = await page(world)
        assert value(after, name, **labels, status="2xx") == 1 + value(
            before, name, **labels, status="2xx"
        )
        assert value(after, name, **labels, status="4xx") >= 1
        timed = "flatbed_http_request_duration_seconds_count"
        assert value(after, timed, **labels) == 2 + value(before, timed, **labels)

    async def test_what_clients_send_never_becomes_a_label(self, world: World) -> None:
        isv = await world.isv()
        canary = f"canary-{uuid7().hex}"
        await world.http.get(f"/{canary}")
        await world.http.get(f"/v1/campaigns/{canary}")
        await world.http.request(canary.upper(), "/healthz")
        await isv.client.get(f"/v1/campaigns?x={canary}")
        text = await page(world)
        assert canary not in text.lower()
        for secret in (isv.id, isv.slug, world.realm, str(world.realm_id), str(isv.tenant_id)):
            assert secret not in text
        requests = "flatbed_http_requests_total"
        assert value(text, requests, method="GET", route="none", status="4xx") >= 1
        assert value(text, requests, method="other", route="/healthz", status="4xx") >= 1
        routes = {one.labels["route"] for one in samples(text) if one.name == requests}
        assert len(routes) > 3
        assert all(route == "none" or route.startswith("/") for route in routes)

    async def test_the_pool_and_the_process_are_shown_with_help(self, world: World) -> None:
        text = await page(world)
        assert value(text, "flatbed_database_connections_limit") == 10
        assert value(text, "flatbed_database_connections_checked_out") == 0
        assert value(text, "flatbed_http_requests_in_flight") >= 1
        again = await page(world)
        assert value(again, "flatbed_http_requests_total", **PAGE) >= 1
        assert value(text, "process_resident_memory_bytes") > 0
        families = list(text_string_to_metric_families(text))
        ours = [family for family in families if family.name.startswith("flatbed_")]
        assert len(ours) > 12
        assert all(
            family.documentation.endswith(".") or "`" in family.documentation for family in ours
        )
        counters = [family.name for family in ours if family.type == "counter"]
        assert counters
        assert all(f"{name}_total" in text for name in counters)

    async def test_what_only_a_worker_counts_is_shown_by_a_worker_alone(self, world: World) -> None:
        """A 0 where nobody counts would say that all is well."""
        names = {
            "flatbed_oldest_wakeup_age_seconds",
            "flatbed_jobs_queued",
            "flatbed_jobs_dead",
            "flatbed_deadlines_dead",
        }
        assert not names & {one.name for one in samples(await page(world))}
        with metrics.exported():
            text = await page(world)
            assert all(math.isnan(value(text, name)) for name in names)
            for gauge in metrics.COUNTED:
                gauge.set(7)
            text = await page(world)
            assert {value(text, name) for name in names} == {7}
        assert not names & {one.name for one in samples(await page(world))}

    async def test_admission_and_what_it_shed_is_shown(self, database: TestDatabase) -> None:
        few = {"pool_size": 2, "admission_seconds": 0.1}
        program = build(settings_for(database).model_copy(update=few))
        async with serving(program) as http:
            assert program.admission.take()
            assert program.admission.take()
            assert (await http.get("/v1/campaigns")).status_code == 503
            text = (await http.get("/metrics", headers=MACHINE)).text
            assert value(text, "flatbed_admission_running") == 2
            assert value(text, "flatbed_admission_waiting") == 0
            assert value(text, "flatbed_admission_shed_total") == 1


class TestAccess:
    async def test_without_a_token_only_the_machine_itself_is_answered(self, world: World) -> None:
        app = app_of(world.http)
        for host in ("127.0.0.1", "127.8.0.1", "::1"):
            assert (await from_address(app, host)).status_code == 200
        refused = [await from_address(app, host) for host in ("10.0.0.1", "203.0.113.9", "", "x")]
        refused += [await from_address(app, "127.0.0.1", **{name: "x"}) for name in FORWARDED]
        # A proxy here that says nothing of itself keeps the name that was asked for.
        refused.append(await from_address(app, "127.0.0.1", Host="flatbed.example"))
        unknown = (await world.http.get("/nothing")).json()
        for answer in refused:
            assert answer.status_code == 404
            assert {**answer.json(), "request_id": ""} == {**unknown, "request_id": ""}

    @pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "TRACE", "PUT", "FOO"])
    async def test_for_others_it_does_not_exist_by_any_method(
        self, world: World, method: str
    ) -> None:
        transport = httpx.ASGITransport(app_of(world.http), client=("10.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            answer, unknown = [await http.request(method, p) for p in ("/metrics", "/nothing")]
        assert answer.status_code == unknown.status_code == 404
        answer = await world.http.request(method, "/metrics", headers=MACHINE)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")

    async def test_with_a_token_only_its_bearer_is_answered(self, database: TestDatabase) -> None:
        settings = settings_for(database).model_copy(update={"metrics_token": SecretStr(TOKEN)})
        async with serving(build(settings)) as http:
            app = app_of(http)
            right = f"Bearer {TOKEN}"
            for host in ("10.0.0.1", "127.0.0.1"):
                assert (await from_address(app, host, Authorization=right)).status_code == 200
                wrong = ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN)
                for sent in wrong:
                    answer = await from_address(app, host, Authorization=sent)
                    assert answer.status_code == 404, sent
                assert (await from_address(app, host)).status_code == 404
            twice = [("Authorization", right), ("Authorization", right)]
            assert (await http.get("/metrics", headers=twice)).status_code == 404
            odd = [(b"Authorization", b"Bearer \xe9")]
            assert (await http.get("/metrics", headers=odd)).status_code == 404
            forwarded = await from_address(
                app, "127.0.0.1", Authorization=right, **{"X-Forwarded-For": "10.0.0.1"}
            )
            assert forwarded.status_code == 200

    async def test_it_is_not_in_the_document(self, world: World) -> None:
        document = (await world.http.get("/openapi.json")).json()
        assert "/healthz" in document["paths"]
        assert "/metrics" not in document["paths"]
