"""``var/demo.json``: how to reach what the demo left, for the person who goes on with it."""

import json
import os
from pathlib import Path
from typing import Any, Final

import httpx

from flatbed.app.demo.cast import MAIL_PATH, Cast, Isv, Staff
from flatbed.app.demo.client import JSON, Client, DemoError

FILE: Final = "demo.json"
MEMBERS: Final = frozenset({"base_url", "realm", "stripe", "clients", "objects"})
"""`people` too, once the story's people have accepted their invitations."""
OURS_ALONE: Final = 0o600


def contents(base_url: str, cast: Cast, objects: JSON, stripe: JSON | None = None) -> JSON:
    """What the file holds: clients with their secrets, and the ids of what was made.

    ``stripe`` is the fake's address and key; None where it is not known.
    """
    return {
        "base_url": base_url,
        "realm": cast.realm,
        "stripe": stripe,
        "clients": [
            {
                "name": client.name,
                "client_id": client.client_id,
                "client_secret": client.secret,
                "owner": client.owner,
                "scopes": list(client.scopes),
            }
            for client in cast.clients()
        ],
        "objects": {
            "organizations": [
                {
                    "id": isv.id,
                    "slug": isv.slug,
                    "name": isv.name,
                    "country": isv.country,
                    "currency": isv.currency,
                    "client": isv.client.name,
                    "integration": isv.integration.name,
                    "users": [one.name for one in isv.users],
                }
                for isv in cast.isvs
            ],
            "staff": [{"id": one.id, "name": one.name, "role": one.role} for one in cast.staff],
            **objects,
        },
    }


def write(folder: Path, found: JSON) -> Path:
    """Write the file of a demo."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_file(folder / FILE, found)


def write_file(file: Path, found: JSON) -> Path:
    """Write a file whole or not at all, readable by this user alone."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS_ALONE)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(found, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    draft.replace(file)
    return file


def read(folder: Path) -> JSON:
    """What an earlier demo left.

    Raises:
        DemoError: nothing, or something else.
    """
    file = folder / FILE
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DemoError(f"{file} is missing: run `flatbed demo run` first") from None
    except ValueError:
        raise DemoError(f"{file} is not JSON") from None
    if not isinstance(found, dict) or not set(found) >= MEMBERS:
        raise DemoError(f"{file} was not written by the demo")
    return found


def reopened(http: httpx.AsyncClient, found: JSON) -> Cast:
    """The cast of an earlier demo, with its clients."""
    clients = [
        Client(
            http,
            one["name"],
            one["client_id"],
            one["client_secret"],
            one["owner"],
            tuple(one["scopes"]),
        )
        for one in found["clients"]
    ]
    objects = found["objects"]
    by_name = {client.name: client for client in clients}
    cast = Cast(http, found["realm"], clients[0])
    cast.staff = [
        Staff(one["id"], one["name"], one["role"], by_name[one["name"]])
        for one in objects.get("staff", ())
    ]
    cast.isvs = [
        Isv(
            one["id"],
            one["slug"],
            one["name"],
            one["country"],
            one["currency"],
            by_name[one["client"]],
            _delivering(by_name[one["integration"]], one["id"]),
            tuple(by_name[name] for name in one["users"]),
        )
        for one in objects.get("organizations", ())
    ]
    return cast


def _delivering(client: Client, organization: str) -> Client:
    """Who delivers an ISV's touches: the agency's mail path names the ISV, its own client not."""
    return client.at(organization) if client.name == MAIL_PATH else client
