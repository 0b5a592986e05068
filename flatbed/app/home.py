"""The embedded default: without a database URL the program brings its own, in its data folder.

The folder also holds what such an installation generated for itself: the roles' passwords and the
deployment's secret, readable by this user alone. Nothing else has a default secret.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from flatbed.tenants.kit.database.migrate import upgrade
from flatbed.tenants.kit.database.provision import APP, BACKUP, OWNER, Provisioned, provision
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
from flatbed.tenants.kit.settings import KernelSettings

KEEPSAKE = "generated.json"


@contextmanager
def settled(settings: KernelSettings) -> Iterator[KernelSettings]:
    """Settings that name a database: those given, or those of the embedded server.

    The embedded server is started (or joined), provisioned and migrated, and left when the block
    ends; the last program to leave stops it. Blocks: enter it outside an event loop.

    Raises:
        EmbeddedPostgresError: with a text for the person at the command line.
    """
    if settings.database_url is not None:
        yield settings
        return
    folder = settings.data_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder / "postgres") as server:
        with FileLock(folder / "setup.lock").alone():
            kept = _keepsake(folder / KEEPSAKE)
            passwords = {role: kept[role] for role in (OWNER, APP, BACKUP)}
            made = asyncio.run(_prepare(server.admin_url(), passwords))
        yield settings.model_copy(
            update={
                "database_url": SecretStr(made.app_url),
                "owner_database_url": SecretStr(made.owner_url),
                "secret_key": settings.secret_key or SecretStr(kept["secret_key"]),
                "anchor_file": settings.anchor_file or folder / "ledger-anchor.jsonl",
            }
        )


async def _prepare(admin_url: str, passwords: dict[str, str]) -> Provisioned:
    made = await provision(admin_url, passwords=passwords)
    await upgrade(made.owner_url)
    return made


def _keepsake(file: Path) -> dict[str, str]:
    """What this installation generated for itself, made on first use."""
    if file.exists():
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return found
    made = {name: secrets.token_urlsafe(32) for name in (OWNER, APP, BACKUP, "secret_key")}
    # Written whole under another name: a program killed in between leaves no half file behind.
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(made, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(file)
    return made
