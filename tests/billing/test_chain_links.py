"""The hash of an entry covers the one before: an edit cannot be hidden by mending its neighbour."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.usage.chain import EMPTY, Fault, Head, Link, seal, verify

amounts = st.lists(st.integers(0, 10**9), min_size=2, max_size=12)


class TestLinks:
    @given(amounts, st.data())
    def test_an_entry_edited_with_its_hash_and_its_followers_pointer_shows_at_the_follower(
        self, values: list[int], data: st.DataObject
    ) -> None:
        links, head = list[Link](), EMPTY
        for number, amount in enumerate(values, start=1):
            content: dict[str, Any] = {"sequence": number, "amount": amount}
            hash_ = seal(head, content)
            links.append(Link(number, head.hash, hash_, content))
            head = Head(number, hash_)
        at = data.draw(st.integers(0, len(links) - 2))
        edited = {**links[at].content, "amount": 10**9 + 1}
        forged = seal(Head(at, links[at].previous_hash), edited)
        links[at] = replace(links[at], content=edited, hash=forged)
        links[at + 1] = replace(links[at + 1], previous_hash=forged)
        found = [(one.fault, one.sequence) for one in verify(links, head)]
        assert found == [(Fault.EDITED, at + 2)]
