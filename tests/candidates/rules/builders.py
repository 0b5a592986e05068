"""Touches for the tests of the pure rules, in days of a simulated calendar."""

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from flatbed.app.candidates.rules.touches import (
    OUR_CLASSES,
    PARTNER_CLASSES,
    Provenance,
    Side,
    Touch,
    TouchClass,
    Verdict,
)

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PEOPLE: tuple[UUID | None, ...] = (None, UUID(int=901), UUID(int=902), UUID(int=903))
ASKED = UUID(int=800)
_ids = itertools.count(1)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def verdict(
    kind: Literal["audit", "lowering"],
    cls: TouchClass,
    at: float,
    elicited_by: UUID | None = None,
) -> Verdict:
    return Verdict(kind, cls, elicited_by, day(at))


def touch(
    at: float,
    cls: TouchClass,
    *,
    side: Side | None = None,
    provenance: Provenance = Provenance.SYSTEM,
    person: UUID | None = PEOPLE[1],
    channel: str = "email",
    elicited_by: UUID | None = None,
    unrequested_ask: bool = False,
    verdicts: Iterable[Verdict] = (),
    number: int | None = None,
) -> Touch:
    return Touch(
        id=UUID(int=next(_ids) if number is None else number),
        side=side or (Side.AGENCY if cls in OUR_CLASSES else Side.PARTNER),
        proposed=cls,
        occurred_at=day(at),
        provenance=provenance,
        contact_id=person,
        c_level=False,
        channel=channel,
        elicited_by=elicited_by,
        unrequested_ask=unrequested_ask,
        verdicts=tuple(verdicts),
    )


def series(rows: Iterable[tuple[float, str]], names: Mapping[str, str]) -> list[Touch]:
    return [touch(at, TouchClass(names.get(cls, cls))) for at, cls in rows]


times = st.integers(0, 60 * 24 * 4).map(lambda quarters: quarters / 96)


@st.composite
def verdicts_for(draw: st.DrawFn, classes: tuple[TouchClass, ...]) -> Verdict:
    kind: Literal["audit", "lowering"] = draw(st.sampled_from(("audit", "lowering")))
    elicited_by = draw(st.sampled_from((None, ASKED)))
    return verdict(kind, draw(st.sampled_from(classes)), draw(times), elicited_by)


@st.composite
def any_touch(
    draw: st.DrawFn,
    provenances: tuple[Provenance, ...] = (Provenance.ATTESTED, Provenance.SYSTEM),
    *,
    judged: bool = True,
) -> Touch:
    side = draw(st.sampled_from(Side))
    classes = PARTNER_CLASSES if side is Side.PARTNER else OUR_CLASSES
    return touch(
        draw(times),
        draw(st.sampled_from(classes)),
        side=side,
        provenance=draw(st.sampled_from(provenances)),
        person=draw(st.sampled_from(PEOPLE)),
        channel=draw(st.sampled_from(("email", "phone", "meeting"))),
        elicited_by=draw(st.sampled_from((None, None, ASKED))),
        unrequested_ask=draw(st.booleans()),
        verdicts=draw(st.lists(verdicts_for(classes), max_size=2)) if judged else (),
    )


def histories(
    provenances: tuple[Provenance, ...] = (Provenance.ATTESTED, Provenance.SYSTEM),
    *,
    judged: bool = True,
) -> st.SearchStrategy[list[Touch]]:
    return st.lists(any_touch(provenances, judged=judged), max_size=14)
