"""The layer that numbers requests and leaves none unanswered."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from flatbed.tenants.kit.edge.requests import RequestLayer

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


class TestCancellation:
    async def test_a_server_that_stops_waiting_says_that_the_outcome_is_unknown(self) -> None:
        sent, begun = list[Message](), asyncio.Event()

        async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive, send
            begun.set()
            await asyncio.sleep(60)

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        request = asyncio.create_task(RequestLayer(stuck)(dict(SCOPE), receive, send))
        await begun.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        start, body = sent
        assert start["status"] == 503
        assert b"outcome-unknown" in body["body"]
        assert b"x-request-id" in dict(start["headers"])
