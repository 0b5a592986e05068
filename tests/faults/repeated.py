"""A request that is repeated with its key until it is answered, and what it must have done."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Client

OK: Final = frozenset({200, 201, 202})
WAIT: Final = frozenset({409, 429})
"""Somebody still works under the key, or the server asks to come again."""
UNAVAILABLE: Final = 503
PATIENT: Final = 100
PAUSE: Final = 0.05


class ActError(AssertionError):
    """A client was told something that is not so."""


@dataclass
class Act:
    """One request that is repeated with its key until it is answered.

    ``effect`` counts, with ``args``, what it has done; after its answer that is one. ``where``
    is a path under which what was answered is read again; ``{id}`` stands for its id.
    """

    what: str
    client: Client
    path: str
    body: Any
    effect: str
    args: tuple[Any, ...]
    where: str = ""
    same: tuple[str, ...] = ()
    version: str | None = None
    key: str = field(default_factory=lambda: uuid7().hex)
    first: tuple[int, Any] | None = None
    last: str = ""
    """How the last attempt that was not answered went."""

    @property
    def acknowledged(self) -> bool:
        """Whether the client holds an answer."""
        return self.first is not None

    async def attempt(self) -> bool:
        """Send it once. Returns whether it was answered.

        Raises:
            ActError: refused, or answered otherwise than the first time.
        """
        try:
            answer = await self._send()
        except httpx.TransportError as error:
            self.last = type(error).__name__
            return False
        if answer.status_code == UNAVAILABLE or answer.status_code in WAIT:
            self.last = answer.text
            return False
        # Any other 5xx is an error of ours, whatever dies meanwhile.
        if answer.status_code not in OK:
            raise ActError(f"{self.what}: {answer.status_code} {answer.text}")
        told = answer.status_code, self._remembered(answer)
        if self.first is None:
            self.first = told
        elif told != self.first:
            raise ActError(f"{self.what}: first {self.first}, then {told}")
        return True

    async def _send(self) -> httpx.Response:
        return await self.client.post(self.path, self.body, key=self.key, version=self.version)

    def _remembered(self, answer: httpx.Response) -> Any:
        return answer.json()

    async def check(self, admin: Plain) -> list[str]:
        """What is not so of an acknowledged act: its effect, and what one reads of it."""
        if self.first is None:
            return [f"{self.what}: never acknowledged"]
        done = await admin.fetchval(self.effect, *self.args)
        found = [] if done == 1 else [f"{self.what}: done {done} times ({self.path})"]
        return found + await self._read_again(self.first[1])

    async def _read_again(self, told: Any) -> list[str]:
        if not self.where:
            return []
        read = await self.client.read(self.where.format(id=told["id"]))
        rows = read.get("data", [read])
        row = next((one for one in rows if one["id"] == told["id"]), None)
        if row is None:
            return [f"{self.what}: {told['id']} is not there"]
        return [
            f"{self.what}: {name} was {told[name]}, is {row[name]}"
            for name in self.same
            if row[name] != told[name]
        ]


@dataclass
class SignIn(Act):
    """A token: it has no key, each is another one; the answer is that it works."""

    async def _send(self) -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        sent = await self.client.http.post(
            self.path, data=form, auth=(self.client.client_id, self.client.secret)
        )
        if sent.status_code in OK:
            token = replace(self.client, token=sent.json()["access_token"])
            seen = await token.get("/v1/organizations")
            return sent if seen.status_code in OK else seen
        return sent

    def _remembered(self, answer: httpx.Response) -> Any:
        return sorted(answer.json())


@dataclass
class ClockMove(Act):
    """A move of the clock: a repetition sweeps again, so only what it moved to is the same."""

    def _remembered(self, answer: httpx.Response) -> Any:
        return answer.json()["now"]


async def surely(client: Client, path: str, body: Any = None) -> dict[str, Any]:
    """POST what an act needs, again while the server is busy with what happened before."""
    key, answer = uuid7().hex, httpx.Response(UNAVAILABLE)
    for _ in range(PATIENT):
        answer = await client.post(path, body, key=key)
        if answer.status_code in OK:
            found: dict[str, Any] = answer.json()
            return found
        if answer.status_code != UNAVAILABLE and answer.status_code not in WAIT:
            break
        await asyncio.sleep(PAUSE)
    raise ActError(f"{path}: {answer.status_code} {answer.text}")
