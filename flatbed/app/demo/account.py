"""The account at the fake Stripe that all demos of a data folder share, and which one serves it."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.processes import HOST, free_port, url_of
from flatbed.app.demo.record import write_file
from flatbed.tenants.kit.embedded.locks import FileLock

FILE: Final = "demo-stripe.json"
STATE: Final = "demo-stripe.jsonl"
LOCK: Final = "demo-stripe.lock"
FAKE_PORT: Final = 8090
NO_PROXY: Final = ("no_proxy", "NO_PROXY")
SECRETS: Final = {
    "key": "sk_test",
    "webhook_secret": "whsec",  # pragma: allowlist secret - a prefix
}
"""Made for the folder when it has none; they guard made-up invoices, and no other account's."""


@dataclass(frozen=True)
class Account:
    """Where it is. ``serves``: this demo has to serve it, no other one does."""

    port: int
    state: Path
    key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    serves: bool

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return url_of(self.port)

    @property
    def known(self) -> JSON:
        """For ``var/demo.json``."""
        return {"base_url": self.base_url, "key": self.key}


@contextmanager
def shared_account(folder: Path) -> Iterator[Account]:
    """The folder's account; whoever comes first serves it, and others join.

    It is remembered from demo to demo, as their invoices are in the one database: a worker that
    compares the books of an earlier demo's ISVs finds them there. While the block lasts, programs
    that are built in this process and its children collect there, whatever was set before: a
    demo never reaches for anybody's real account.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    serves = lock.try_alone()
    try:
        kept = _kept(folder / FILE)
        if serves:
            generated = {name: f"{kind}_{secrets.token_hex(16)}" for name, kind in SECRETS.items()}
            fresh = {**generated, **kept, "port": free_port(None, FAKE_PORT)}
            write_file(folder / FILE, fresh)
            kept = fresh
        elif not kept:
            raise DemoError("another demo is just starting: try again in a moment")
        found = Account(kept["port"], folder / STATE, kept["key"], kept["webhook_secret"], serves)
        with _environment(
            {
                "FLATBED_STRIPE_KEY": found.key,
                "FLATBED_STRIPE_BASE_URL": found.base_url,
                "FLATBED_STRIPE_WEBHOOK_SECRET": found.webhook_secret,
                **dict.fromkeys(NO_PROXY, _direct()),
            }
        ):
            yield found
    finally:
        lock.release()


def serving(account: Account, webhook_url: str, serve: Callable[..., None]) -> Callable[[], None]:
    """What the process that serves it does."""

    def work() -> None:
        serve(account.port, account.state, webhook_url, account.webhook_secret, account.key)

    return work


def _direct() -> str:
    """Where no proxy of the environment is asked: what was named there, and this machine."""
    named = (os.environ.get(name) for name in NO_PROXY)
    return ",".join(dict.fromkeys(one for one in (*named, HOST) if one))


def _kept(file: Path) -> JSON:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise DemoError(f"{file} is not JSON") from None
    if not isinstance(found, dict) or not {*SECRETS, "port"} <= set(found):
        raise DemoError(f"{file} was not written by the demo")
    return found


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
