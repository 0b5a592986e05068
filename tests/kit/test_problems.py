"""A problem says what its class says, whatever the driver's text holds."""

from collections.abc import Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from structlog.typing import EventDict

from flatbed.tenants.kit import http

CANARY = "canary-8d20"
STATES = (*http.BY_SQLSTATE, "42501", "XX000", None)


class DriverError(Exception):
    """Stands for a driver's exception: its text holds a row's values."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(f"duplicate key (name)=({CANARY}) violates unique {CANARY}")
        self.sqlstate = sqlstate
        self.detail = self.hint = self.constraint_name = CANARY


def errors() -> Iterator[SQLAlchemyError]:
    for sqlstate in STATES:
        original = DriverError(sqlstate)
        yield DBAPIError(f"INSERT {CANARY}", {"name": CANARY}, original)
        yield IntegrityError(f"INSERT {CANARY}", {"name": CANARY}, original)
    yield StatementError(CANARY, f"INSERT {CANARY}", {"name": CANARY}, DriverError(None))
    yield StaleDataError(CANARY)


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as found:
        yield found


class TestFramework:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, "malformed-body"),
            (401, "not-found"),
            (404, "not-found"),
            (405, "method-not-allowed"),
            (418, "not-found"),
            (500, "internal-error"),
            (503, "internal-error"),
        ],
    )
    async def test_what_the_framework_refuses_is_the_clients_and_never_its_text(
        self, status: int, code: str
    ) -> None:
        app = FastAPI()
        http.install(app)

        @app.get("/")
        async def refuse() -> None:
            raise HTTPException(status, CANARY)

        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t.example") as client:
            answer = await client.get("/")
        assert answer.json()["code"] == code
        assert answer.status_code == answer.json()["status"]
        assert CANARY not in answer.text


class TestDatabaseErrors:
    async def test_neither_the_answer_nor_the_log_holds_the_drivers_text(
        self, lines: list[EventDict]
    ) -> None:
        app, waiting = FastAPI(), list(errors())
        http.install(app)

        @app.get("/")
        async def fail() -> None:
            raise waiting[0]

        transport = httpx.ASGITransport(app=app)
        codes = set()
        async with httpx.AsyncClient(transport=transport, base_url="http://t.example") as client:
            while waiting:
                answer = await client.get("/")
                assert answer.status_code >= 400
                assert CANARY not in answer.text
                assert CANARY not in str(answer.headers)
                codes.add(answer.json()["code"])
                waiting.pop(0)
        assert len(codes) >= 4
        assert len(lines) >= 2 * len(STATES)
        assert CANARY not in str(lines)


class Form(BaseModel):
    """One member, and no other."""

    model_config = ConfigDict(extra="forbid")
    name: str


def small() -> httpx.AsyncClient:
    """Two routes on one path, one on another."""
    app = FastAPI()
    http.install(app)

    @app.get("/things")
    async def read() -> None: ...

    @app.post("/things")
    async def write(body: Form) -> None: ...

    @app.patch("/things/{thing}")
    async def change(thing: int) -> None: ...

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t.example")


class TestFindings:
    async def test_fifty_are_told_of_ten_thousand_and_each_in_few_words(self) -> None:
        wrong = {f"{n}{'k' * 300}": n for n in range(10_000)}
        async with small() as client:
            answer = await client.post("/things", json=wrong)
            few = await client.post("/things", json=dict(list(wrong.items())[:3]))
        assert answer.status_code == few.status_code == 422
        found = answer.json()["errors"]
        assert len(found) == http.MOST_FINDINGS == 50
        assert len(answer.content) < 20_000
        assert len(few.json()["errors"]) == 4
        assert max(len(finding["pointer"]) for finding in found) == http.LONGEST_STEP + 1


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("DELETE", "/things", "GET, POST"),
            ("HEAD", "/things", "GET, POST"),
            ("BREW", "/things", "GET, POST"),
            ("GET", "/things/1", "PATCH"),
        ],
    )
    async def test_another_method_is_told_all_that_the_path_takes(
        self, method: str, path: str, allowed: str
    ) -> None:
        async with small() as client:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
            assert method == "HEAD" or answer.json()["code"] == "method-not-allowed"
            unknown = await client.request(method, "/nothing")
        assert (unknown.status_code, unknown.headers.get("allow")) == (404, None)
