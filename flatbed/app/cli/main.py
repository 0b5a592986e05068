"""The commands that serve, and the groups of the others."""

import asyncio
import signal
from typing import Annotated

import typer
import uvicorn

from flatbed.app.cli import database, demo, document, realm, verify
from flatbed.app.cli.output import errors, told
from flatbed.app.home import settled
from flatbed.app.main import create_app
from flatbed.app.wiring import build
from flatbed.app.worker import run_worker
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.kit.settings import KernelSettings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Flatbed.")
app.add_typer(database.app, name="db")
app.add_typer(realm.app, name="realm")
app.add_typer(demo.app, name="demo")
app.add_typer(verify.app, name="verify")
app.command("openapi")(document.openapi)

GRACE_SECONDS = 10


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Serve the API until interrupted."""
    configure()
    with told(), settled(KernelSettings()) as settings:
        config = uvicorn.Config(
            create_app(lambda: build(settings)),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        errors.print(f"Flatbed serves http://{host}:{port} (reference: /docs)", highlight=False)
        uvicorn.Server(config).run()


@app.command()
def worker() -> None:
    """Run jobs, deadlines and sealing until interrupted."""
    configure()
    with told(), settled(KernelSettings()) as settings:
        asyncio.run(_work(settings))


async def _work(settings: KernelSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    program = build(settings)
    try:
        await program.start()
        await run_worker(program, stop)
    finally:
        await program.close()


def main() -> None:
    """The console script's entry."""
    app()
