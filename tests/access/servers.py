"""Processes that serve the API, and somebody who asks one of them all the time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from flatbed.app.cli.serving import serve_http, terminable
from flatbed.app.demo.processes import HOST, Processes, spare_ports, url_of
from flatbed.tenants.kit.settings import KernelSettings
from tests.api.support import Client, settings_for
from tests.support.postgres import TestDatabase

STUCK_SECONDS: Final = 30
ACCEPTED: Final = 3
"""Answers that a token must have got before anything happens: it is remembered by then."""


@contextmanager
def serving(database: TestDatabase, folder: Path, number: int) -> Iterator[list[str]]:
    """Where so many processes answer, each as `flatbed serve`; no worker runs beside them."""
    ports = spare_ports(number)
    commands = {f"serve-{port}": partial(_serve, settings_for(database), port) for port in ports}
    with Processes(url_of(ports[0]), folder, commands) as processes:
        urls = [url_of(port) for port in ports]
        for url in urls:
            asyncio.run(processes.ready(url))
        yield urls


def _serve(settings: KernelSettings, port: int) -> None:
    with terminable():
        serve_http(settings, HOST, port)


def sent_to(http: httpx.AsyncClient, client: Client) -> Client:
    """The same client with the same token, which asks another process."""
    return Client(http, client.client_id, client.secret, client.scopes, client.token, client.tenant)


@dataclass
class Felt:
    """When a process began to refuse, seconds after what happened was acknowledged."""

    seconds: float
    late: int
    """Requests that began after the acknowledgement and were accepted all the same."""
    others: Mapping[int, int]
    """Answers that were neither, by status."""
    last: float
    """When the last request that was accepted began, in the same seconds: no wait for an answer is
    in it, which a busy machine makes long."""


@dataclass
class Asker:
    """Sends one request after the other until it is refused."""

    send: Callable[[], Awaitable[httpx.Response]]
    accepted: list[float] = field(default_factory=list)
    others: dict[int, int] = field(default_factory=dict)

    async def felt(self, act: Callable[[], Awaitable[None]]) -> Felt:
        """What the act looked like from here; the token was good before it."""
        async with asyncio.timeout(STUCK_SECONDS), asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask())
            while len(self.accepted) < ACCEPTED:
                assert not asking.done(), "refused before anything happened"
                await asyncio.sleep(0.005)
            await act()
            acknowledged = time.monotonic()
            refused = await asking
        late = sum(began > acknowledged for began in self.accepted)
        last = self.accepted[-1] - acknowledged
        return Felt(max(refused - acknowledged, 0.0), late, self.others, last)

    async def _ask(self) -> float:
        while True:
            began = time.monotonic()
            answer = await self.send()
            if answer.is_success:
                self.accepted.append(began)
            elif answer.status_code == httpx.codes.UNAUTHORIZED:
                return time.monotonic()
            else:
                status = answer.status_code
                self.others[status] = self.others.get(status, 0) + 1
