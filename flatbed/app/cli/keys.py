"""``flatbed keys``: the keys that sign access tokens. Private parts are never shown."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer

from flatbed.app.cli.output import answer, console
from flatbed.app.cli.running import run
from flatbed.app.wiring import Program
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.oauth.keys.rotation import Rotation, Rotor
from flatbed.tenants.oauth.rules.rotation import KeyRecord, is_published

app = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens.")

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List all keys that there ever were, the one that signs first."""
    keys, now = _run(Program.guard, Rotor.keys), system_now()
    shown = [_shown(key, now) for key in keys]
    if as_json:
        answer({"keys": shown}, as_json=True)
        return
    for one in shown:
        words = " ".join(f"{name}={value}" for name, value in one.items() if value is not None)
        console.print(words, highlight=False, soft_wrap=True)


@app.command()
def rotate(
    *,
    at_once: Annotated[
        bool, typer.Option("--now", help="Do not wait until the next key was published for 24 h.")
    ] = False,
    revoke: Annotated[
        list[str] | None,
        typer.Option(help="Take this key away (kid): its tokens are refused. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let the next key sign, if it was published for 24 hours, or say from when it may.

    For a compromised key: `--now --revoke KID`. Processes know of it after five minutes at most,
    those that are started again at once.
    """
    # As the server would: another secret is refused, and there is a key that signs.
    done = _run(Program.start, lambda rotor: rotor.rotate(at_once=at_once, revoke=revoke or ()))
    answer(_told(done), as_json=as_json)


def _run(begin: Callable[[Program], Awaitable[None]], work: Callable[[Rotor], Awaitable[T]]) -> T:
    configure()
    return run(lambda program: work(program.rotor), begin)


def _shown(key: KeyRecord, now: datetime) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "state": key.state,
        "published": is_published(key, now),
        "created_at": _text(key.created_at),
        "activated_at": _text(key.activated_at),
        "retired_at": _text(key.retired_at),
        "revoked_at": _text(key.revoked_at),
    }


def _told(done: Rotation) -> dict[str, Any]:
    return {
        "rotated": done.retired is not None,
        "active": done.active.kid,
        "retired": done.retired,
        "revoked": sorted(done.revoked),
        "next": done.following.kid,
        "next_may_sign_from": _text(done.next_from),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
