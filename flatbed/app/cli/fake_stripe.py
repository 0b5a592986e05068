"""``flatbed fake-stripe``: an account at a Stripe of our own, for a demo or a test."""

import asyncio
import secrets
import socket
from pathlib import Path
from typing import Annotated

import httpx
import typer
import uvicorn

from flatbed.app.cli.output import errors, refuse, told
from flatbed.app.cli.serving import CannotListenError, terminable
from flatbed.billing.gateway.fake.app import KEY, FakeStripe
from flatbed.billing.gateway.fake.server import configured, serve
from flatbed.billing.gateway.fake.store import StateFileError
from flatbed.billing.gateway.fake.validation import (
    DocumentMissingError,
    Validator,
    stripe_document,
)
from flatbed.billing.gateway.fake.webhooks import Endpoint, poster
from flatbed.billing.gateway.port import SUBSCRIBED
from flatbed.billing.gateway.settings import mode_of
from flatbed.tenants.kit.logging import configure

HOST = "127.0.0.1"
WEBHOOK_SECONDS = 10


def fake_stripe(
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine only.")] = 8090,
    state: Annotated[
        Path | None, typer.Option(help="File that remembers it; without one it forgets.")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where events are sent; absent: nowhere.")
    ] = None,
    webhook_secret: Annotated[
        str | None,
        typer.Option(
            envvar="FLATBED_STRIPE_WEBHOOK_SECRET",
            help="What they are signed with; absent: one is made and printed.",
        ),
    ] = None,
    key: Annotated[
        str, typer.Option(envvar="FLATBED_STRIPE_KEY", help="The secret key that it accepts.")
    ] = KEY,
) -> None:
    """Serve a fake Stripe until interrupted."""
    configure()
    with told(), terminable():
        if not _is_test_key(key):
            refuse("the fake takes a test key: sk_test_…")
        secret = webhook_secret or f"whsec_{secrets.token_hex(16)}"
        if webhook_url and not webhook_secret:
            _say(f"Webhooks are signed with {secret}")
        try:
            serve_fake(port, state, webhook_url, secret, key)
        except StateFileError as error:
            refuse(str(error))


def serve_fake(
    port: int, state: Path | None, webhook_url: str | None, secret: str, key: str
) -> None:
    """Serve a fake Stripe until interrupted.

    Args:
        port: on this machine; 0: any.
        state: the file that remembers it; None: it forgets.
        webhook_url: where events are sent; None: nowhere.
        secret: what they are signed with.
        key: the secret key that it accepts.

    Raises:
        CannotListenError: another program has the port.
        StateFileError: the file is none of its own.
    """
    asyncio.run(_serve(port, state, webhook_url, secret, key, _validator()))


def _is_test_key(key: str) -> bool:
    try:
        return mode_of(key) == "test"
    except ValueError:
        return False


def _validator() -> Validator | None:
    try:
        return stripe_document()
    except DocumentMissingError as error:
        _say(f"{error}: requests are not held against Stripe's OpenAPI document")
        return None


def _say(text: str) -> None:
    errors.print(text, highlight=False, soft_wrap=True)


async def _serve(
    port: int,
    state: Path | None,
    webhook_url: str | None,
    secret: str,
    key: str,
    validator: Validator | None,
) -> None:
    try:
        listener = socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {HOST}:{port}: {error.strerror}") from None
    base = f"http://{HOST}:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(timeout=WEBHOOK_SECONDS, trust_env=False) as client:
        endpoint = (
            Endpoint(poster(client, webhook_url), secret, frozenset(SUBSCRIBED))
            if webhook_url
            else None
        )
        with listener:
            fake = FakeStripe(
                key=key, endpoint=endpoint, validator=validator, state=state, public_url=base
            )
            _say(f"Fake Stripe answers at {base} (FLATBED_STRIPE_BASE_URL)")
            if endpoint is not None:
                _say(f"Webhooks go to {webhook_url}")
            await serve(fake, listener, uvicorn.Server(configured(fake)))
