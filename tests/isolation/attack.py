"""Requests of strangers, and how their answers are compared."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import Client
from tests.isolation.document import Operation, Slot
from tests.isolation.samples import BODIES, planted, reaches

PARAMETER = re.compile(r"{(\w+)}")
GARBAGE = "A" * 80


@dataclass
class Tally:
    """How many cases ran, by kind, and what was wrong."""

    cases: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    principals: set[tuple[str, tuple[Role, bool]]] = field(default_factory=set)
    """Who tried which operation: his role, and whether he is a person."""

    def met(self, operation: Operation, kind: tuple[Role, bool]) -> None:
        """Note that such a principal tried the operation."""
        self.principals.add((operation.id, kind))

    def note(self, kind: str, operation: Operation, fine: bool, *answers: httpx.Response) -> None:
        """Count a case."""
        self.cases[kind] += 1
        self.answers[f"{kind} {answers[0].status_code}"] += 1
        if not fine:
            shown = " | ".join(f"{a.status_code} {a.text[:300]}" for a in answers)
            self.wrong.append(f"{kind} {operation.id}: {shown}")


def missing(prefix: str) -> str:
    """An id that nobody has."""
    return encode(prefix, uuid7())


def path_of(operation: Operation, ids: dict[str, str], **instead: str) -> str:
    """The operation's path with ids by prefix, and some parameters by name."""
    prefixes = {slot.name: slot.prefix for slot in operation.of("path")}
    return PARAMETER.sub(lambda m: instead.get(m[1]) or ids[prefixes[m[1]]], operation.path)


def bodies_of(operation: Operation, ids: dict[str, str]) -> list[Any]:
    """The sample bodies of the operation, [None] if it takes none."""
    return list(BODIES[operation.id](ids)) if operation.has_body else [None]


async def send(
    client: Client,
    operation: Operation,
    path: str,
    body: Any = None,
    *,
    params: dict[str, Any] | None = None,
    tenant: str | None = None,
) -> httpx.Response:
    """One request."""
    headers = {} if tenant is None else {"Flatbed-Tenant": tenant}
    version = 1 if operation.conditional else None
    return await client.request(
        operation.method, path, json=body, params=params, version=version, headers=headers
    )


async def plant(
    client: Client, operation: Operation, slot: Slot, own: dict[str, str], value: str
) -> list[httpx.Response]:
    """The attacker's own valid requests with another id in one slot."""
    if slot.where == "path":
        path = path_of(operation, own, **{slot.name: value})
        return [await send(client, operation, path, bodies_of(operation, own)[0])]
    path = path_of(operation, own)
    if slot.where in {"query", "cursor"}:
        return [await send(client, operation, path, params={slot.name: value})]
    if slot.where == "header":
        body = bodies_of(operation, own)[0]
        return [await send(client, operation, path, body, tenant=value)]
    return [
        await send(client, operation, path, planted(body, slot.name, value))
        for body in bodies_of(operation, own)
        if reaches(body, slot.name)
    ]


def same(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers cannot be told apart but for the request's own id."""
    return one.status_code == other.status_code and _content(one) == _content(other)


def _content(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    body = answer.json()
    if isinstance(body, dict):
        body.pop("request_id", None)
    return body
