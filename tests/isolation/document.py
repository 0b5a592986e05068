"""The operations and their id slots, read from the committed OpenAPI document."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
ID_PATTERN = re.compile(r"^\^([a-z]+)_\[0-7\]")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of a request that takes an id: ``where`` path, query, header, cursor or body.

    ``name`` is the parameter, or the path of members in the body (``company.group_id``, ``[]``
    for an item of a list); ``prefix`` the TypeID's, empty for a cursor.
    """

    where: str
    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    id: str
    method: str
    path: str
    slots: tuple[Slot, ...]
    has_body: bool
    conditional: bool

    def of(self, *where: str) -> list[Slot]:
        """The slots in these places."""
        return [slot for slot in self.slots if slot.where in where]


def operations() -> list[Operation]:
    """Every operation under ``/v1``."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return [
        _operation(document, path, method, item[method])
        for path, item in document["paths"].items()
        if path.startswith("/v1/")
        for method in METHODS
        if method in item
    ]


def _operation(document: Any, path: str, method: str, found: Any) -> Operation:
    parameters = found.get("parameters", [])
    slots = list(_parameters(document, parameters))
    body = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "schema" in body:
        slots += _members(document, body["schema"], "", frozenset())
    conditional = any(p["name"] == "if-match" and p["required"] for p in parameters)
    return Operation(
        found["operationId"],
        method.upper(),
        path,
        tuple(dict.fromkeys(slots)),
        bool(body),
        conditional,
    )


def _parameters(document: Any, parameters: list[Any]) -> Iterator[Slot]:
    for parameter in parameters:
        if parameter["name"] == "cursor":
            yield Slot("cursor", "cursor", "")
        for prefix in _prefixes(document, parameter["schema"]):
            yield Slot(parameter["in"], parameter["name"], prefix)


def _prefixes(document: Any, schema: Any) -> list[str]:
    return [slot.prefix for slot in _members(document, schema, "", frozenset())]


def _members(document: Any, schema: Any, path: str, seen: frozenset[str]) -> Iterator[Slot]:
    """Every id inside a schema, through references, unions, lists and maps."""
    reference = schema.get("$ref")
    if reference is not None:
        if reference in seen:
            return
        resolved = document["components"]["schemas"][reference.rpartition("/")[2]]
        yield from _members(document, resolved, path, seen | {reference})
        return
    match = ID_PATTERN.match(schema.get("pattern", ""))
    if match is not None:
        yield Slot("body", path, match[1])
    for kind in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(kind, []):
            yield from _members(document, option, path, seen)
    for name, member in schema.get("properties", {}).items():
        yield from _members(document, member, f"{path}.{name}" if path else name, seen)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _members(document, items, f"{path}.[]" if path else "[]", seen)
