"""Invariant 15: the chain shows an edited, removed, inserted or reordered entry."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.usage.chain import EMPTY, Fault, Head, Link, covered, seal, verify

UTC_ONLY = st.just(UTC)
amounts = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)


def chain(values: list[int]) -> tuple[list[Link], list[Head]]:
    """Entries with these amounts, and the head after each."""
    links, heads = [], [EMPTY]
    for number, amount in enumerate(values, start=1):
        content: dict[str, Any] = {"sequence": number, "amount": amount, "unit_key": f"u{number}"}
        hash_ = seal(heads[-1], content)
        links.append(Link(number, heads[-1].hash, hash_, content))
        heads.append(Head(number, hash_))
    return links, heads


def faults(links: list[Link], head: Head | None, anchors: list[Head] | None = None) -> set[Fault]:
    return {finding.fault for finding in verify(links, head, anchors or [])}


class TestSeal:
    @given(
        st.uuids(), st.uuids(), st.none() | st.uuids(), st.text(), st.datetimes(timezones=UTC_ONLY)
    )
    def test_the_hash_is_what_anybody_makes_of_an_entry_with_a_library(
        self, id_: UUID, group: UUID, agent: UUID | None, source: str, at: datetime
    ) -> None:
        """Written apart, and over texts alike: what was sealed once is verified for ever."""
        content = {
            **dict.fromkeys(("credits_id", "tiers", "country")),
            "id": id_,
            "format": 2,
            "unit_key": f"{group}:{group}",
            "agent_ref": agent,
            "source": source,
            "occurred_at": at,
            "amount": 450_000,
        }
        texts = {
            **content,
            "id": str(id_),
            "agent_ref": None if agent is None else str(agent),
            "occurred_at": at.isoformat(timespec="microseconds"),
        }
        shown = {
            **texts,
            "unit_key": committed([str(id_), "unit_key", str(content["unit_key"])]),
            "agent_ref": agent and committed([str(id_), "agent_ref", str(agent)]),
        }
        wanted = hashlib.sha256(f"{EMPTY.hash}\n{plain(shown)}".encode()).hexdigest()
        assert seal(EMPTY, content) == seal(EMPTY, texts) == seal(EMPTY, shown) == wanted
        assert covered(covered(content)) == covered(content)


def plain(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def committed(value: list[str]) -> str:
    return f"sha256:{hashlib.sha256(plain(value).encode()).hexdigest()}"


class TestVerify:
    @given(amounts)
    def test_an_untouched_chain_agrees_with_head_and_every_anchor(self, values: list[int]) -> None:
        links, heads = chain(values)
        assert verify(links, heads[-1], heads) == []

    def test_an_empty_ledger_is_right_with_and_without_a_head(self) -> None:
        assert verify([], None) == []
        assert verify([], EMPTY) == []

    @given(amounts, st.data())
    def test_an_edited_entry_is_named(self, values: list[int], data: st.DataObject) -> None:
        links, heads = chain(values)
        at = data.draw(st.integers(0, len(links) - 1))
        links[at] = replace(links[at], content={**links[at].content, "amount": 10**9 + 1})
        findings = verify(links, heads[-1])
        assert [(f.fault, f.sequence) for f in findings] == [(Fault.EDITED, at + 1)]

    @given(amounts, st.data())
    def test_an_entry_edited_with_its_hash_leaves_the_next_or_the_head_behind(
        self, values: list[int], data: st.DataObject
    ) -> None:
        links, heads = chain(values)
        at = data.draw(st.integers(0, len(links) - 1))
        content = {**links[at].content, "amount": 10**9 + 1}
        links[at] = replace(links[at], content=content, hash=seal(heads[at], content))
        last = at == len(links) - 1
        assert faults(links, heads[-1]) == {Fault.HEAD if last else Fault.DISPLACED}

    @given(amounts, st.data())
    def test_a_removed_entry_shows_wherever_it_stood(
        self, values: list[int], data: st.DataObject
    ) -> None:
        links, heads = chain(values)
        at = data.draw(st.integers(0, len(links) - 1))
        del links[at]
        last = at == len(values) - 1
        wanted = {Fault.HEAD} if last else {Fault.MISSING, Fault.DISPLACED}
        assert faults(links, heads[-1]) == wanted

    @given(amounts, st.data())
    def test_a_tail_removed_with_the_head_shows_against_the_anchor(
        self, values: list[int], data: st.DataObject
    ) -> None:
        links, heads = chain(values)
        kept = data.draw(st.integers(0, len(links) - 1))
        assert faults(links[:kept], heads[kept]) == set()
        assert faults(links[:kept], heads[kept], [heads[-1]]) == {Fault.ANCHOR}

    @given(amounts, st.data())
    def test_a_chain_rewritten_to_its_head_shows_against_the_anchor(
        self, values: list[int], data: st.DataObject
    ) -> None:
        _, heads = chain(values)
        at = data.draw(st.integers(0, len(values) - 1))
        forged, forged_heads = chain([*values[:at], values[at] + 1, *values[at + 1 :]])
        assert faults(forged, forged_heads[-1]) == set()
        assert faults(forged, forged_heads[-1], heads) == {Fault.ANCHOR}

    @given(amounts, st.data())
    def test_an_inserted_entry_shows(self, values: list[int], data: st.DataObject) -> None:
        links, heads = chain(values)
        at = data.draw(st.integers(1, len(links)))
        content = {"sequence": at + 1, "amount": 1, "unit_key": "forged"}
        forged = Link(at + 1, heads[at].hash, seal(heads[at], content), content)
        found = faults([*links[:at], forged, *links[at:]], heads[-1])
        assert found == ({Fault.HEAD} if at == len(links) else {Fault.REPEATED, Fault.DISPLACED})

    @given(st.lists(st.integers(0, 10**9), min_size=2, max_size=12, unique=True), st.data())
    def test_swapped_entries_show_however_they_are_swapped(
        self, values: list[int], data: st.DataObject
    ) -> None:
        links, heads = chain(values)
        one = data.draw(st.integers(0, len(links) - 2))
        two = data.draw(st.integers(one + 1, len(links) - 1))
        swapped = list(links)
        swapped[one], swapped[two] = links[two], links[one]
        assert Fault.DISPLACED in faults(swapped, heads[-1])
        # As an owner would: the numbers change places, all else stays with its row.
        renumbered = list(links)
        for at, other in ((one, two), (two, one)):
            content = {**links[other].content, "sequence": at + 1}
            renumbered[at] = replace(links[other], sequence=at + 1, content=content)
        assert {Fault.EDITED, Fault.DISPLACED} <= faults(renumbered, heads[-1])
        # Or the contents change places under the hashes.
        exchanged = list(links)
        for at, other in ((one, two), (two, one)):
            content = {**links[other].content, "sequence": at + 1}
            exchanged[at] = replace(links[at], content=content)
        assert faults(exchanged, heads[-1]) == {Fault.EDITED}

    def test_a_lost_head_shows(self) -> None:
        links, _ = chain([1, 2])
        assert faults(links, None) == {Fault.HEAD}
