"""The commands that serve, and the groups of the others."""

from typing import Annotated

import typer

from flatbed.app.cli import (
    billing,
    clients,
    database,
    demo,
    document,
    jobs,
    keys,
    realm,
    users,
    verify,
)
from flatbed.app.cli.fake_stripe import fake_stripe
from flatbed.app.cli.output import errors, told
from flatbed.app.cli.serving import serve_http, terminable, work_jobs
from flatbed.app.home import settled
from flatbed.tenants.kit.failpoints import arm
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.kit.settings import KernelSettings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Flatbed.")
app.add_typer(database.app, name="db")
app.add_typer(realm.app, name="realm")
app.add_typer(clients.app, name="clients")
app.add_typer(users.app, name="users")
app.add_typer(demo.app, name="demo")
app.add_typer(verify.app, name="verify")
app.add_typer(jobs.app, name="jobs")
app.add_typer(billing.app, name="billing")
app.add_typer(keys.app, name="keys")
app.command("openapi")(document.openapi)
app.command("fake-stripe")(fake_stripe)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Serve the API until interrupted."""
    configure()
    with told(), terminable(), settled(KernelSettings()) as settings:
        arm()
        serve_http(
            settings,
            host,
            port,
            ready=lambda: errors.print(
                f"Flatbed serves http://{host}:{port} (reference: /docs)", highlight=False
            ),
        )


@app.command()
def worker(
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve what is counted to this machine, on this port.")
    ] = None,
) -> None:
    """Run jobs, deadlines and sealing until interrupted."""
    configure()
    with told(), terminable(), settled(KernelSettings()) as settings:
        arm()
        work_jobs(settings, metrics_port)


def main() -> None:
    """The console script's entry."""
    app()
