"""The layer that reads and refuses bodies before anything else happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from flatbed.tenants.kit.edge.bodies import (
    LARGEST_HEADERS,
    LONGEST_TARGET,
    MOST_PARTS,
    BodyLayer,
    check_json,
)
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.problems import MalformedError

JSON = {"content-type": "application/json; charset=utf-8"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Say how long the body was."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def client(*, largest: int = 1_000, seconds: float = 10) -> httpx.AsyncClient:
    app = RequestLayer(BodyLayer(echo, largest=largest, seconds=seconds))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")


class TestCheckJson:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b'{"a":1,"a":2}',
            b'[{"a":{"b":1,"b":1}}]',
            b"NaN",
            b'{"a":Infinity}',
            b'{"a":[-Infinity]}',
            b"1e999",
            b"-1e999",
            b'"\xff"',
            '{"a":1}'.encode("utf-16"),
            '{"a":1}'.encode("utf-16-le"),
            b"\xef\xbb\xbf{}",
            b"[" * 33 + b"1" + b"]" * 33,
            b'{"a":' * 33 + b"1" + b"}" * 33,
            b"[" * 100_000 + b"]" * 100_000,
            b"9" * 5_000,
            b"{} {}",
            b"[" + b"0," * MOST_PARTS + b"0]",
        ],
    )
    def test_what_readers_would_read_differently_is_refused(self, body: bytes) -> None:
        with pytest.raises(MalformedError):
            check_json(body)

    @pytest.mark.parametrize(
        "body",
        [
            b"null",
            b'{"a":[1.5,-0.0,1e300,true,null,"x"]}',
            b"[" * 32 + b"1" + b"]" * 32,
            b"[[],[],{}]",
            json.dumps({"ü": "\ud83d\ude00", "a": {"a": 1}}).encode(),
        ],
    )
    def test_plain_json_passes(self, body: bytes) -> None:
        check_json(body)

    def test_the_costliest_document_that_passes_costs_little_of_the_loop(self) -> None:
        body = b"[" + b"{}," * (MOST_PARTS // 2 - 2) + b"0]"
        started = time.process_time()
        check_json(body)
        passing = time.process_time() - started
        started = time.process_time()
        with pytest.raises(MalformedError):
            check_json(b"[" + b"{}," * 333_000 + b"0]")
        refused = time.process_time() - started
        assert refused < passing < 0.25


class TestBodyLayer:
    async def test_a_body_passes_whole(self) -> None:
        async with client() as http:
            assert (await http.post("/", content=b"[1]", headers=JSON)).text == "3"
            assert (await http.post("/", content=b"")).text == "0"
            assert (await http.post("/", content=b"\xff\x00")).text == "2"
            assert (await http.get("/")).text == "0"

    async def test_bad_json_is_a_problem_with_its_request_id(self) -> None:
        async with client() as http:
            answer = await http.post("/", content=b"{secret", headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "secret" not in answer.text

    async def test_a_body_that_is_too_large_is_refused_announced_or_not(self) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x" * 100

        async with client() as http:
            for content in (b"x" * 1_001, chunks()):
                answer = await http.post("/", content=content)
                assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
                assert answer.headers["connection"] == "close"
            assert (await http.post("/", content=b"x" * 1_000)).text == "1000"
            sent = {"content-length": "9" * 5_000}
            assert (await http.post("/", content=b"x", headers=sent)).status_code == 413

    async def test_all_bodies_together_hold_no_more_than_the_process_has_room_for(self) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            begun.set()
            await go_on.wait()
            await echo(scope, receive, send)

        async def broken() -> AsyncIterator[bytes]:
            yield b"x" * 600
            yield b"x" * 500

        app = RequestLayer(BodyLayer(held, largest=1_000, most_held=1_500))
        transport = httpx.ASGITransport(app)
        async with (
            asyncio.timeout(5),
            httpx.AsyncClient(transport=transport, base_url="http://x") as http,
        ):
            first = asyncio.create_task(http.post("/", content=b"x" * 1_000))
            await begun.wait()
            answer = await http.post("/", content=b"x" * 501)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
            # What is refused, for whatever reason, holds nothing any more.
            assert (await http.post("/", content=broken())).status_code == 503
            fits = asyncio.create_task(http.post("/", content=b"x" * 500))
            await asyncio.sleep(0)
            go_on.set()
            assert [(await one).text for one in (first, fits)] == ["1000", "500"]
            assert (await http.post("/", content=b"x" * 1_000)).text == "1000"

    async def test_a_slow_body_is_answered_in_time(self) -> None:
        async def forever() -> AsyncIterator[bytes]:
            yield b"["
            await asyncio.sleep(60)
            yield b"]"

        async with client(seconds=0.05) as http:
            answer = await http.post("/", content=forever(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (408, "body-timeout")
        assert answer.headers["connection"] == "close"

    async def test_a_client_that_went_away_costs_nothing(self) -> None:
        async def gone() -> Message:
            return {"type": "http.disconnect"}

        async def nobody(_: Message) -> None:
            raise AssertionError

        scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await BodyLayer(echo)(scope, gone, nobody)


class TestHead:
    """What stands before the body."""

    async def test_a_target_up_to_the_limit_passes_and_one_byte_more_does_not(self) -> None:
        start = "/v1?"
        fits = start + "q" * (LONGEST_TARGET - len(start) + 1)  # the question mark counts not
        async with client() as http:
            assert (await http.get(fits)).status_code == 200
            for target in (fits + "q", "/" + "%20" * (LONGEST_TARGET // 3 + 1)):
                answer = await http.get(target)
                assert (answer.status_code, answer.json()["code"]) == (414, "target-too-long")
                assert len(answer.content) < 1_000

    async def test_headers_up_to_the_limit_pass_and_one_byte_more_does_not(self) -> None:
        async with client() as http:
            usual = http.build_request("GET", "/").headers.raw
            room = LARGEST_HEADERS - sum(len(name) + len(value) for name, value in usual)
            fits = {"x": "a" * (room - 1)}
            assert (await http.get("/", headers=fits)).status_code == 200
            many = {f"x-{n:03}": "a" * 95 for n in range(LARGEST_HEADERS // 100)}
            for headers in ({"x": "a" * room}, many):
                answer = await http.get("/", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (431, "headers-too-large")
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
