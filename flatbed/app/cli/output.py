"""How commands answer: tables for people, one JSON document with ``--json``, an exit code.

0 done · 1 found something wrong (verify, status) · 2 wrong usage · 3 cannot be done here.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg
import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from flatbed.app.cli.serving import CannotListenError
from flatbed.app.wiring import SettingsMissingError
from flatbed.tenants.kit.crypto import WeakSecretError
from flatbed.tenants.kit.database.guard import UnsafeRoleError
from flatbed.tenants.kit.database.provision import ProvisionError
from flatbed.tenants.kit.database.urls import BadAddressError
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError
from flatbed.tenants.kit.failpoints import FailpointSpecError
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.problems import Problem
from flatbed.tenants.kit.settings import BadSettingError
from flatbed.tenants.oauth.keys.rotation import UnknownSigningKeyError
from flatbed.tenants.oauth.wiring import SigningKeyUnreadableError

TOLD = (
    BadAddressError,
    BadSettingError,
    CannotListenError,
    EmbeddedPostgresError,
    FailpointSpecError,
    ProvisionError,
    SigningKeyUnreadableError,
    UnknownSigningKeyError,
    UnsafeRoleError,
)
"""Their texts are ours, for the person at the command line."""
FOUND = 1
CANNOT = 3

console = Console()
errors = Console(stderr=True)


def answer(values: Mapping[str, Any], *, as_json: bool, title: str | None = None) -> None:
    """Print a command's result."""
    if as_json:
        json.dump(values, sys.stdout, default=str)
        sys.stdout.write("\n")
        return
    if title:
        console.print(f"[bold]{title}[/bold]")
    for name, value in values.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)


@contextmanager
def told() -> Iterator[None]:
    """Turn what stops a command into one line on stderr and exit code 3."""
    try:
        yield
    except TOLD as error:
        refuse(str(error))
    except SettingsMissingError as error:
        refuse(f"{error} is not set, and nothing has a default for it")
    except WeakSecretError:
        refuse("FLATBED_SECRET_KEY is shorter than 32 bytes")
    except Problem as problem:
        # Where places are named, they say more than the advice to look at them.
        places = "; ".join(f"{one.pointer} {one.message}" for one in problem.errors)
        refuse(f"{problem.title}: {places or problem.detail}")
    except (OSError, asyncpg.PostgresError) as error:
        # The server's text may repeat a value; its kind says enough here.
        refuse(f"the database did not answer as needed ({type(error).__name__})")
    except SQLAlchemyError as error:
        code = failure_code(error)
        refuse(f"the database did not answer as needed ({code}): see `flatbed db status`")


def refuse(text: str) -> None:
    """Say why it cannot be done and end with code 3."""
    errors.print(text, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(CANNOT)
