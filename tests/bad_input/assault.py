"""One value into one place: send it, judge the answer, and look whether a refusal left a trace."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from flatbed.tenants.kit.database.urls import Plain
from tests.bad_input.asgi import Answer, Asked, ask
from tests.bad_input.corpus import Value
from tests.bad_input.places import TOKEN, Place
from tests.bad_input.scene import CLOCK, ONCE, RENEWING, Scene, request_of

SLOWEST = 1.0
"""Seconds."""
LARGEST_REFUSAL = 20_000
"""Bytes: a refusal does not grow with what was sent."""
TELLING = 12
"""Bytes: shorter values stand in our own words by chance."""
SAFE = {"GET", "HEAD"}
# Written by admitting a request, not by what it does; queues are emptied by nobody here.
ADMITTING = ("access_log", "client_secret", "wakeup")

Fingerprint = dict[str, tuple[Any, Any]]
"""By table: how many rows, and a sum over who wrote them."""


@dataclass
class Tally:
    """What ran and what was wrong."""

    places: Counter[Place] = field(default_factory=Counter)
    values: Counter[Value] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    untouched: int = 0
    """Refused writes after which every table was compared."""
    stale: int = 0
    slowest: float = 0.0

    @property
    def requests(self) -> int:
        """How many values were judged."""
        return self.places.total()


@dataclass
class Assault:
    """Sends values and keeps the tally; every ``watched``-th write is watched in the database."""

    scene: Scene
    app: ASGIApp
    connection: Plain
    watched: int = 20
    tally: Tally = field(default_factory=Tally)
    writes: int = 0
    """Requests so far that may write."""
    _tables: str = ""

    async def strike(self, place: Place, value: Value) -> None:
        """One value into one place."""
        if place.operation in RENEWING and place.operation not in self.scene.own:
            await self.scene.renew(place.operation)
        asked = request_of(self.scene, place, value)
        before = await self._before(asked)
        answer = await ask(self.app, asked)
        found = list(faults(place, value, answer))
        if before and answer.status >= 400:
            self.tally.untouched += 1
            after = await self._fingerprint()
            changed = sorted(name for name in after if after[name] != before.get(name))
            if changed:
                found.append(f"refused, and something was written: {changed}")
        await self._follow(place, asked, answer)
        if answer.seconds > SLOWEST:
            found += await self._slow(place, value)
        self._note(place, value, answer, found)

    def _note(self, place: Place, value: Value, answer: Answer, found: list[str]) -> None:
        self.tally.places[place] += 1
        self.tally.values[value] += 1
        self.tally.statuses[answer.status] += 1
        self.tally.slowest = max(self.tally.slowest, answer.seconds)
        shown = f"{place} <- {value.family} {value.token[:80]!r} ({len(value.token)})"
        for fault in found:
            self.tally.wrong.append(f"{shown}: {fault}: {answer.status} {answer.body[:300]!r}")

    async def _follow(self, place: Place, asked: Asked, answer: Answer) -> None:
        """Keep up with what a success has changed."""
        if answer.status < 300:
            if place.operation in RENEWING and place.operation not in ONCE:
                await self.scene.renew(place.operation)
            elif "etag" in answer.headers:
                self.scene.versions.learn(asked.path, answer.headers["etag"])
        if answer.status == 412 and place.name != "if-match":
            self.tally.stale += 1

    async def _slow(self, place: Place, value: Value) -> list[str]:
        """A slow value is slow each time; a busy machine is not."""
        times = []
        for _ in range(2):
            asked = request_of(self.scene, place, value)
            answer = await ask(self.app, asked)
            await self._follow(place, asked, answer)
            times.append(answer.seconds)
        return [f"slow: {min(times):.2f} s"] if min(times) > SLOWEST else []

    async def _before(self, asked: Asked) -> Fingerprint:
        if asked.method in SAFE:
            return {}
        self.writes += 1
        return await self._fingerprint() if self.writes % self.watched == 0 else {}

    async def _fingerprint(self) -> Fingerprint:
        """What any inserted, updated or deleted row changes."""
        if not self._tables:
            names = await self.connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename <> ALL($1) ORDER BY tablename",
                list(ADMITTING),
            )
            # Whoever writes a row leaves the number of his transaction in it.
            self._tables = " UNION ALL ".join(
                f"SELECT '{row['tablename']}', count(*), sum(xmin::text::bigint)"
                f' FROM "{row["tablename"]}"'
                for row in names
            )
            assert len(names) > 40
        rows = await self.connection.fetch(self._tables)
        return {name: (count, writers) for name, count, writers in rows}


FILES = ("text/csv", "application/pdf", "application/vnd.openxmlformats-officedocument")
"""What else than JSON answers, from a report that is wanted as a file."""


def faults(place: Place, value: Value, answer: Answer) -> Iterator[str]:
    """What is wrong with an answer."""
    if not 200 <= answer.status < 500:
        yield "status"
    if answer.status in {401, 403} and not _of_admission(place):
        yield "died at admission"
    if answer.body and not answer.headers.get("content-type", "").startswith(FILES):
        try:
            body = answer.json()
        except ValueError:
            yield "not JSON"
            return
        if answer.status >= 400:
            yield from _problem_faults(place, value, answer, body)


def _problem_faults(place: Place, value: Value, answer: Answer, body: Any) -> Iterator[str]:
    standard = place.operation == TOKEN and isinstance(body.get("error"), str)
    if not standard and (
        answer.headers.get("content-type") != "application/problem+json"
        or not all(isinstance(body.get(name), str) for name in ("code", "type", "request_id"))
        or body["status"] != answer.status
    ):
        yield "no problem document"
    if len(answer.body) > LARGEST_REFUSAL:
        yield f"{len(answer.body)} bytes"
    # A wrong member's name stands in the pointer to it.
    if place.where != "member" and len(value.text) >= TELLING and _echoed(value, answer.body):
        yield "echo"


def _echoed(value: Value, body: bytes) -> bool:
    if value.text[:1] in b"{[":
        return False  # names of members again, in pointers
    text = value.text[:200]
    quoted = json.dumps(text.decode(errors="replace"))[1:-1].encode()
    return text in body or quoted in body


def _of_admission(place: Place) -> bool:
    if place.operation == TOKEN:
        return True
    return place.where in {"path", "header"} and place.name not in {"if-match", "idempotency-key"}


def cover(
    rng: random.Random, places: Sequence[Place], values: Sequence[Value], each: int
) -> list[tuple[Place, Value]]:
    """Pairs in which each place has ``each`` values and all values have their turn."""
    shuffled = list(places)
    rng.shuffle(shuffled)
    turn: list[Value] = []
    pairs = []
    for place in shuffled:
        for _ in range(each):
            if not turn:
                turn = rng.sample(list(values), len(values))
            pairs.append((place, turn.pop()))
    # What moves the clock comes last: it lets everybody's deadlines pass.
    return sorted(pairs, key=lambda pair: (pair[0].operation == CLOCK, pair[0].operation))
