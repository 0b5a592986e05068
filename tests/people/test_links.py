"""Links in mails: whoever knows an id opens nothing, and one text opens one thing."""

import string
from base64 import urlsafe_b64decode

import pytest

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.people.links import (
    INVITATION,
    PASSWORD_RESET,
    Purpose,
    link,
    link_token,
    read_link,
)

KEYS = Keyring(b"a secret of thirty-two bytes or more")
OTHERS = Keyring(b"another secret of thirty-two bytes..")
PURPOSES = (INVITATION, PASSWORD_RESET)


class TestRead:
    @pytest.mark.parametrize("purpose", PURPOSES)
    def test_what_we_made_is_read(self, purpose: Purpose) -> None:
        id_ = uuid7()
        assert read_link(KEYS, purpose, link_token(KEYS, purpose, id_)) == id_

    def test_no_letter_of_it_may_be_another(self) -> None:
        """Nor one that decodes to the same bytes: the last one of Base64 has two spare bits."""
        token = link_token(KEYS, INVITATION, uuid7())
        letters = string.ascii_letters + string.digits + "-_=.+/ "
        for place in range(len(token)):
            for letter in letters:
                altered = token[:place] + letter + token[place + 1 :]
                assert altered == token or read_link(KEYS, INVITATION, altered) is None

    @pytest.mark.parametrize("more", ["=", "==", "\n", " ", "\x00", ".", "A", "é", "?x=1", "/"])
    def test_nothing_may_stand_around_it(self, more: str) -> None:
        token = link_token(KEYS, INVITATION, uuid7())
        assert read_link(KEYS, INVITATION, token + more) is None
        assert read_link(KEYS, INVITATION, more + token) is None

    @pytest.mark.parametrize(
        "text", ["", ".", "inv_.", "inv", "inv_00000000000000000000000000", "\ud800", "x" * 1000]
    )
    def test_other_texts_are_none(self, text: str) -> None:
        assert read_link(KEYS, INVITATION, text) is None

    def test_the_seal_of_one_id_opens_no_other(self) -> None:
        first, second = (link_token(KEYS, INVITATION, uuid7()) for _ in range(2))
        mixed = f"{first.partition('.')[0]}.{second.partition('.')[2]}"
        assert read_link(KEYS, INVITATION, mixed) is None

    def test_a_reset_is_no_invitation_whatever_it_is_called(self) -> None:
        id_ = uuid7()
        seal = link_token(KEYS, PASSWORD_RESET, id_).partition(".")[2]
        assert read_link(KEYS, INVITATION, f"{encode('inv', id_)}.{seal}") is None
        assert read_link(KEYS, INVITATION, link_token(KEYS, PASSWORD_RESET, id_)) is None

    def test_another_deployments_is_none(self) -> None:
        assert read_link(KEYS, INVITATION, link_token(OTHERS, INVITATION, uuid7())) is None


class TestLink:
    def test_it_leads_to_the_page_of_its_purpose(self) -> None:
        id_ = uuid7()
        token = link_token(KEYS, INVITATION, id_)
        for url in ("https://flatbed.example", "https://flatbed.example/"):
            found = link(KEYS, INVITATION, id_, url)
            assert found == f"https://flatbed.example/invitations/{token}"

    def test_its_seal_is_of_256_bits(self) -> None:
        seal = link_token(KEYS, INVITATION, uuid7()).partition(".")[2]
        assert len(urlsafe_b64decode(f"{seal}=")) == 32
