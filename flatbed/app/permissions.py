"""The permission table of this program, and its agreement with the routes."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from flatbed.tenants.access.permissions import Permissions, PermissionTableError
from flatbed.tenants.access.require import Requirement

PERMISSIONS = Permissions.load(Path(__file__).with_name("permissions.toml"))


def agree(routers: tuple[APIRouter, ...], permissions: Permissions) -> None:
    """Refuse to start where a route and the table differ.

    Raises:
        PermissionTableError: a ``/v1`` route without a line, a line without a route, other scopes
            in the router than in the table, or a route that requires nothing.
    """
    seen = set()
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute) or not route.path.startswith("/v1/"):
                continue
            operation = str(route.operation_id)
            required = list(_requirements(route.dependant))
            if len(required) != 1 or set(required[0]) != set(permissions[operation].scopes):
                raise PermissionTableError(operation)
            seen.add(operation)
    missing = set(permissions.rows) - seen
    if missing:
        raise PermissionTableError(", ".join(sorted(missing)))


def _requirements(dependant: Dependant) -> Iterator[tuple[str, ...]]:
    owner = getattr(dependant.call, "__self__", None)
    if isinstance(owner, Requirement):
        yield owner.scopes
    for inner in dependant.dependencies:
        yield from _requirements(inner)
