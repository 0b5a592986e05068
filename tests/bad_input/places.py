"""Every place of every operation where a caller writes something, from the OpenAPI document."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.isolation.document import DOCUMENT, Operation, operations

TOKEN = "POST /oauth/token"
FORM = (
    "grant_type",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "resource",
)
WHOLE = ""
EXTRA = "*"
"""A member that no schema names, or any member of a map."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value of a request stands.

    ``where`` is path, query, header, form, body or member (a name in the body); ``name`` is the
    parameter, or the path of members in the body (``company.name``, ``[]`` for an item of a
    list), empty for the body as a whole.
    """

    operation: str
    where: str
    name: str


@cache
def places() -> tuple[Place, ...]:
    """All of them, those of the token endpoint too."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    found: list[Place] = []
    for operation in operations():
        item = document["paths"][operation.path][operation.method.lower()]
        found += _of(document, operation, item)
    found += [Place(TOKEN, "form", name) for name in (WHOLE, *FORM)]
    found += [Place(TOKEN, "header", name) for name in ("authorization", "content-type")]
    return tuple(dict.fromkeys(found))


def _of(document: Any, operation: Operation, item: Any) -> Iterator[Place]:
    for parameter in item.get("parameters", []):
        yield Place(operation.id, parameter["in"], parameter["name"].lower())
    yield Place(operation.id, "header", "authorization")
    if operation.has_body:
        yield Place(operation.id, "header", "content-type")
        yield Place(operation.id, "body", WHOLE)
        yield Place(operation.id, "member", WHOLE)
        schema = item["requestBody"]["content"]["application/json"]["schema"]
        for name in _members(document, schema, "", frozenset()):
            yield Place(operation.id, "body", name)


def _members(document: Any, schema: Any, path: str, seen: frozenset[str]) -> Iterator[str]:
    """Every member of a schema, through references, unions, lists and maps."""
    reference = schema.get("$ref")
    if reference is not None:
        if reference not in seen:
            resolved = document["components"]["schemas"][reference.rpartition("/")[2]]
            yield from _members(document, resolved, path, seen | {reference})
        return
    for kind in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(kind, []):
            yield from _members(document, option, path, seen)
    inner = dict(schema.get("properties", {}))
    if isinstance(schema.get("items"), dict):
        inner["[]"] = schema["items"]
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        inner[EXTRA] = more if isinstance(more, dict) else {}
    for name, member in inner.items():
        place = f"{path}.{name}" if path else name
        yield place
        yield from _members(document, member, place, seen)


def planted(body: Any, name: str, value: Any) -> Any:
    """A copy of the body with the value at a place, in a list's first item.

    What is missing on the way is made.
    """
    head, _, rest = name.partition(".")
    if head == "[]":
        items = body if isinstance(body, list) and body else [None]
        return [planted(items[0], rest, value) if rest else value, *items[1:]]
    members = body if isinstance(body, dict) else {}
    return {**members, head: planted(members.get(head), rest, value) if rest else value}


def reached(body: Any, name: str) -> bool:
    """Whether the body holds what the place is a member of."""
    above, _, _ = name.rpartition(".")
    for step in above.split(".") if above else ():
        if step == "[]":
            if not isinstance(body, list) or not body:
                return False
            body = body[0]
        elif not isinstance(body, dict) or step not in body:
            return False
        else:
            body = body[step]
    return isinstance(body, list if name.endswith("[]") else dict)
