"""What a browser keeps for us."""

from datetime import timedelta

import pytest

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.seals import LONGEST, Seal, Sealed

SEAL = Seal("test", timedelta(minutes=5))
KEYRING = Keyring(b"k" * 32)
NOW = system_now()
OWNER = uuid7()
TEXT = SEAL.put(KEYRING, OWNER, b"canary", NOW)


class TestOpened:
    def test_it_tells_whose_it_is_and_what_was_sealed(self) -> None:
        found = SEAL.opened(KEYRING, TEXT, NOW)
        assert found == Sealed(OWNER, b"canary")
        assert "canary" not in f"{found!r} {TEXT}"

    def test_it_is_good_for_its_time_and_no_second_longer(self) -> None:
        assert SEAL.opened(KEYRING, TEXT, NOW + SEAL.good_for) is not None
        assert SEAL.opened(KEYRING, TEXT, NOW + SEAL.good_for + timedelta(seconds=1)) is None

    def test_another_use_or_another_key_opens_nothing(self) -> None:
        assert Seal("other", SEAL.good_for).opened(KEYRING, TEXT, NOW) is None
        assert SEAL.opened(Keyring(b"l" * 32), TEXT, NOW) is None

    @pytest.mark.parametrize("text", ["", "x", TEXT[:-4], f"{TEXT[:-4]}é", "A" * (LONGEST + 1)])
    def test_other_texts_are_none_of_ours(self, text: str) -> None:
        assert SEAL.opened(KEYRING, text, NOW) is None

    def test_one_that_is_longer_than_any_of_ours_is_not_looked_at(self) -> None:
        assert SEAL.opened(KEYRING, SEAL.put(KEYRING, OWNER, b"x" * LONGEST, NOW), NOW) is None
