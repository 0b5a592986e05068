"""The permission table: operation × principal, read from one file that docs and tests read too.

Each line of the file names an operation (its OpenAPI operationId), the scopes of which a token
needs one, the plane of its transaction and who may call it. A hunter's word says what binds him,
``step_up`` that a person must have proved lately who he is.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.scopes import SCOPES


class OperationPlane(StrEnum):
    """The transaction that an operation runs in.

    ``either``: the tenant's for an ISV, and for staff who name one; else the agency's.
    """

    TENANT = "tenant"
    AGENCY = "agency"
    EITHER = "either"


class HunterBinding(StrEnum):
    """What binds a hunter: the path's candidate, the path's campaign, or himself alone."""

    CANDIDATE = "candidate"
    CAMPAIGN = "campaign"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Permission:
    """One line of the table."""

    operation: str
    scopes: tuple[str, ...]
    plane: OperationPlane
    roles: frozenset[Role]
    hunter: HunterBinding | None
    step_up: bool = False


class PermissionTableError(ValueError):
    """The table contradicts itself or the code; the program does not start."""


@dataclass(frozen=True)
class Permissions:
    """The whole table."""

    rows: Mapping[str, Permission]

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read and check the file."""
        lines = tomllib.loads(file.read_text(encoding="utf-8"))
        return cls({name: _row(name, line) for name, line in lines.items()})

    def __getitem__(self, operation: str) -> Permission:
        """The line of an operation."""
        try:
            return self.rows[operation]
        except KeyError:
            raise PermissionTableError(operation) from None

    def __iter__(self) -> Iterator[Permission]:
        """The lines in the file's order."""
        return iter(self.rows.values())

    def scopes_of(self, role: Role) -> frozenset[str]:
        """The scopes that are of use to a role: a client of that role may hold no other."""
        return frozenset(scope for row in self if role in row.roles for scope in row.scopes)


def _row(name: str, line: Mapping[str, object]) -> Permission:
    scope = line["scope"]
    scopes = tuple(scope) if isinstance(scope, list) else (str(scope),)
    allow = line["allow"]
    if not isinstance(allow, list) or not set(scopes) <= SCOPES:
        raise PermissionTableError(name)
    roles = frozenset(Role(role) for role in allow)
    binding = line.get("hunter")
    hunter = None if binding is None else HunterBinding(str(binding))
    if (Role.HUNTER in roles) != (hunter is not None):
        raise PermissionTableError(name)
    plane, step_up = OperationPlane(str(line["plane"])), line.get("step_up", False) is True
    return Permission(name, scopes, plane, roles, hunter, step_up)
