"""``flatbed demo``: a realm seeded and one campaign played, over HTTP with real tokens."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from flatbed.app.cli.fake_stripe import serve_fake
from flatbed.app.cli.output import FOUND, answer, console, errors, told
from flatbed.app.cli.serving import serve_http, work_jobs
from flatbed.app.demo import record, run, tables
from flatbed.app.demo.account import Account, serving, shared_account
from flatbed.app.demo.cast import Cast
from flatbed.app.demo.client import JSON, DemoError
from flatbed.app.demo.processes import HOST, Processes, free_port, spare_ports, url_of
from flatbed.app.demo.scale.plan import Scale
from flatbed.app.demo.scale.repository import analyze
from flatbed.app.demo.scale.seed import seed as fill
from flatbed.app.demo.seed import SMALL, Size
from flatbed.app.demo.teller import Teller
from flatbed.app.demo.till import Till
from flatbed.app.home import settled
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import build
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.kit.settings import KernelSettings

app = typer.Typer(no_args_is_help=True, help="A seeded sandbox and one campaign, over HTTP.")

EXIT = "DEMO_EXIT"
INTERRUPTED = 130
WATCH_SECONDS = 1
CORES_OF_OTHERS = 2
MOST_SERVERS = 3

AsJson = Annotated[bool, typer.Option("--json", help="Tell on stderr, print one JSON document.")]


@app.command("run")
def run_(
    port: Annotated[
        int | None, typer.Option(help="Port of the server; 8080 or a free one unless told.")
    ] = None,
    *,
    small: Annotated[
        bool, typer.Option("--small", help="A world of few companies: over much sooner.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Seed a fresh sandbox realm, play one campaign, bill it, and go on serving.

    Starts server, worker and a fake Stripe. Ends with the invoice paid there, its lines' evidence
    opened, a credit after a guarantee case, and a reconciliation without findings; what does not
    hold ends it with exit code 1. With DEMO_EXIT=1 it does not go on serving.
    """
    teller = _teller(as_json=as_json)
    with _failing(), told():
        chosen = free_port(port)
        with settled(KernelSettings()) as found, shared_account(found.data_dir) as account:
            settings = found.model_copy(update={"public_url": url_of(chosen)})
            ports = [chosen, *spare_ports(_servers() - 1)]
            with _processes(settings, ports, account) as processes:
                show = _Show(settings, processes, ports, account, small=small, as_json=as_json)
                asyncio.run(_all(show, teller))


@app.command()
def seed(
    base_url: Annotated[str | None, typer.Option(help="The server.")] = None,
    realm: Annotated[str | None, typer.Option(help="The realm's id.")] = None,
    client_id: Annotated[str | None, typer.Option(help="The realm's first client.")] = None,
    client_secret: Annotated[
        str | None, typer.Option(envvar="FLATBED_DEMO_CLIENT_SECRET", help="Its secret.")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(min=1, help="Instead: so many candidates in a fresh realm, without a server."),
    ] = None,
    tenants: Annotated[int, typer.Option(min=1, max=10_000, help="With --scale.")] = 100,
    dice: Annotated[int, typer.Option("--seed", help="With --scale: draws the same again.")] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Seed an empty sandbox realm of a running server (see `flatbed realm create`).

    With --scale it writes straight to the database, as the program's own role: candidates over
    skewed tenants (of 100, the largest holds a tenth), and prints what it wrote. The planner's
    statistics are brought up to date where FLATBED_OWNER_DATABASE_URL or the embedded server lets
    it; elsewhere autovacuum does that within minutes.
    """
    teller = _teller(as_json=as_json)
    with _failing(), told():
        if scale is not None:
            if base_url is not None or realm is not None:
                raise DemoError(
                    "--scale makes a realm of its own: leave --base-url and --realm out"
                )
            with settled(KernelSettings()) as settings:
                order = Scale(scale, tenants, dice)
                answer(asyncio.run(_scale(settings, order)), as_json=as_json)
            return
        if base_url is None or realm is None or client_id is None or client_secret is None:
            raise DemoError(
                "name --base-url, and of an empty sandbox --realm, --client-id and --client-secret"
            )
        found = asyncio.run(_seed(teller, base_url.rstrip("/"), realm, client_id, client_secret))
    _summary(found, as_json=as_json)


@app.command()
def play(
    base_url: Annotated[str | None, typer.Option(help="The server, if it has moved.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Play and bill it in the realm that var/demo.json names; each time with a new campaign."""
    teller = _teller(as_json=as_json)
    with _failing(), told():
        found = asyncio.run(_play(teller, base_url))
    _summary(found, as_json=as_json)


def _processes(settings: KernelSettings, ports: Sequence[int], account: Account) -> Processes:
    def serve(port: int) -> None:
        configure()
        serve_http(settings, HOST, port)

    def worker() -> None:
        configure()
        work_jobs(settings)

    url = url_of(ports[0])
    commands: dict[str, Callable[[], None]] = {
        "serve": partial(serve, ports[0]),
        "worker": worker,
    }
    for number, port in enumerate(ports[1:], 2):
        commands[f"serve-{number}"] = partial(serve, port)
    if account.serves:
        commands["fake-stripe"] = serving(account, f"{url}/stripe/webhooks", serve_fake)
    return Processes(url, settings.data_dir, commands)


def _servers() -> int:
    """As many as leave a core each to the demo itself, and to worker and PostgreSQL."""
    return min(max((os.cpu_count() or 1) - CORES_OF_OTHERS, 1), MOST_SERVERS)


@dataclass(frozen=True)
class _Show:
    """What a run of the demo works with."""

    settings: KernelSettings
    processes: Processes
    ports: Sequence[int]
    account: Account
    small: bool
    as_json: bool


async def _all(show: _Show, teller: Teller) -> None:
    settings, processes, account = show.settings, show.processes, show.account
    url, folder = processes.base_url, settings.data_dir
    async with (
        run.client_of(url, show.ports) as http,
        run.client_of(account.base_url) as stripe,
    ):
        till = Till(stripe, account.key)
        with teller.part("start"):
            for port in show.ports:
                await processes.ready(url_of(port))
            await till.ready()
            teller.say(f"server {url}, reference {url}/docs, logs {folder}/demo-*.log")
            teller.say(f"fake Stripe {account.base_url}")
        cast = await run.fresh_realm(settings, http)
        teller.say(f"sandbox realm {cast.realm}")
        size = SMALL if show.small else Size()
        found = await run.seed_realm(cast, teller, folder, url, size, account.known, till)
        compare = run.comparing(settings)
        found = await run.play_story(cast, teller, folder, url, found, till, compare)
    tables.seconds(teller)
    teller.say(f"clients and their secrets: {folder / record.FILE}")
    if show.as_json:
        _summary(found, as_json=True)
    if os.environ.get(EXIT) == "1":
        return
    teller.say(f"[bold]Flatbed goes on serving {url} until Ctrl-C.[/bold]")
    await _serving(processes)


async def _serving(processes: Processes) -> None:
    """Until somebody stops us; from here on that is no failure."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        processes.check()
        try:
            await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
        except TimeoutError:
            continue


async def _seed(teller: Teller, base_url: str, realm: str, client_id: str, secret: str) -> JSON:
    async with run.client_of(base_url) as http:
        scopes = tuple(sorted(PERMISSIONS.scopes_of(Role.AGENCY_CLIENT)))
        admin = run.administration(http, client_id, secret, scopes)
        cast = Cast(http, realm, admin)
        return await run.seed_realm(cast, teller, KernelSettings().data_dir, base_url)


async def _scale(settings: KernelSettings, order: Scale) -> JSON:
    program = build(settings)
    try:
        await program.start()
        seeded = await fill(program, order, Teller(errors))
        if settings.owner_database_url is not None:
            await analyze(settings.owner_database_url.get_secret_value())
    finally:
        await program.close()
    return {
        "realm": encode("realm", seeded.realm_id),
        "client_id": seeded.client_id,
        "client_secret": seeded.client_secret,
        "largest": encode("org", seeded.tenants[0]),
        "busiest": encode("staff", seeded.hunters[0]),
        "seconds": round(seeded.seconds, 1),
        "rows": dict(sorted(seeded.rows.items())),
    }


async def _play(teller: Teller, base_url: str | None) -> JSON:
    folder = KernelSettings().data_dir
    found = record.read(folder)
    url = (base_url or found["base_url"]).rstrip("/")
    found["base_url"] = url
    known = found["stripe"] or {"base_url": url}
    async with run.client_of(url) as http, run.client_of(known["base_url"]) as stripe:
        cast = record.reopened(http, found)
        till = run.till_of(stripe, found)
        return await run.play_story(cast, teller, folder, url, found, till)


def _teller(*, as_json: bool) -> Teller:
    return Teller(errors if as_json else console)


def _summary(found: JSON, *, as_json: bool) -> None:
    """What was made, without a secret."""
    if as_json:
        kept = {name: found[name] for name in ("base_url", "realm", "objects")}
        answer(kept, as_json=True)
        sys.stdout.flush()


@contextmanager
def _failing() -> Iterator[None]:
    """A demo that goes wrong says so in words and ends with code 1; a stopped one with 130."""
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        yield
    except DemoError as error:
        errors.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(FOUND) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
