"""Security headers stand on every response, whoever made it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from flatbed.tenants.kit.edge import bodies
from tests.api.support import World

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")
WANTED = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
"""Written out: what the program sends is what is judged here."""


def operations() -> list[tuple[str, str]]:
    paths: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, item in paths.items()
        for method in METHODS
        if method in item
    ]


def secure(answer: httpx.Response, **own: str) -> None:
    """The response carries each header once, with our value unless it has one of its own."""
    where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    for name, usual in WANTED.items():
        values = answer.headers.get_list(name)
        wanted = own.get(name.replace("-", "_"), usual)
        assert values == [wanted], f"{where}: {name} {values}"
    assert "server" not in answer.headers, where


class TestHeaderLayer:
    async def test_every_operation_carries_them(self, world: World) -> None:
        seen = operations()
        assert len(seen) > 90
        statuses = set()
        for method, path in seen:
            answer = await world.http.request(method, path)
            if path == "/oauth/jwks" or path.startswith("/.well-known/"):
                secure(answer, cache_control="public, max-age=300")
            else:
                secure(answer)
            statuses.add(answer.status_code)
        assert {200, 401} <= statuses

    async def test_refusals_of_every_layer_carry_them(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        http, kind = world.http, {"Content-Type": "application/json"}

        async def slow() -> Any:
            yield b"{"
            raise TimeoutError

        def explode(*_: object) -> None:
            raise RuntimeError

        answers = {
            404: await http.get("/nothing/here"),
            405: await http.delete("/healthz"),
            400: await http.post("/v1/staff", content=b"{", headers=kind),
            413: await http.post("/v1/staff", content=b"1" * 1_000_001, headers=kind),
            408: await http.post("/v1/staff", content=slow(), headers=kind),
        }
        monkeypatch.setattr(bodies, "check_json", explode)
        answers[500] = await http.post("/v1/staff", content=b"{}", headers=kind)
        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            secure(answer)

    async def test_a_token_and_a_read_row_carry_them(self, world: World) -> None:
        form = {"grant_type": "client_credentials"}
        login = (world.admin.client_id, world.admin.secret)
        token = await world.http.post("/oauth/token", data=form, auth=login)
        assert token.status_code == 200
        secure(token)
        secure(await world.http.post("/oauth/token", data=form, auth=("a", "b")))
        rows = await world.admin.get("/v1/organizations")
        assert rows.status_code == 200
        secure(rows)

    async def test_the_reference_may_run_its_own_scripts_and_keep_them(self, world: World) -> None:
        page = await world.http.get("/docs")
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        secure(page, content_security_policy=policy)
        for name in ("scalar.js", "start.js"):
            script = await world.http.get(f"/docs/{name}")
            assert script.status_code == 200
            secure(script, cache_control="public, max-age=3600")
        for path in ("/problems", "/problems/not-found", "/problems/none", "/docs/none"):
            secure(await world.http.get(path))
