"""Secrets, their pictures, and recovery codes."""

import re
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
import segno

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.totp import (
    TotpUnreadableError,
    accepted_step,
    new_recovery_codes,
    new_secret,
    opened,
    provisioning_uri,
    qr_code,
    recovery_digest,
    sealed,
)

KEYRING = Keyring(b"k" * 32)
PERSON, OTHER = uuid7(), uuid7()


class TestSecret:
    def test_it_has_160_bits_and_is_new(self) -> None:
        made = {new_secret() for _ in range(100)}
        assert len(made) == 100
        assert all(re.fullmatch("[A-Z2-7]{32}", secret) for secret in made)

    def test_a_box_opens_for_its_person_alone(self) -> None:
        secret = new_secret()
        box = sealed(KEYRING, PERSON, secret)
        assert secret.encode() not in box
        assert opened(KEYRING, PERSON, box) == secret
        for keyring, person, what in (
            (KEYRING, OTHER, box),
            (Keyring(b"l" * 32), PERSON, box),
            (KEYRING, PERSON, box[:-1]),
            (KEYRING, PERSON, b""),
            (KEYRING, PERSON, KEYRING.box("signing-key").encrypt(PERSON.bytes + b"A")),
        ):
            with pytest.raises(TotpUnreadableError) as told:
                opened(keyring, person, what)
            assert str(told.value) == ""


class TestUri:
    def test_it_names_issuer_person_and_secret_and_the_defaults_of_every_device(self) -> None:
        secret = new_secret()
        uri = provisioning_uri(secret, "kim+a&b@x.example")
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
        assert parts.path == "/Flatbed:kim%2Ba%26b%40x.example"
        assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Flatbed"]}


class TestQrCode:
    def test_a_strict_policy_lets_it_pass(self) -> None:
        picture = qr_code(provisioning_uri(new_secret(), "kim@x.example"))
        tree = ET.fromstring(picture)  # noqa: S314 - our own text of a moment ago
        assert {element.tag for element in tree.iter()} == {"svg", "path"}
        attributes = {name for element in tree.iter() for name in element.attrib}
        assert attributes <= {"viewBox", "d", "fill", "stroke"}
        assert ":" not in picture

    def test_it_shows_the_address_dark_on_light_with_its_margin(self) -> None:
        uri = provisioning_uri(new_secret(), "kim@x.example")
        tree = ET.fromstring(qr_code(uri))  # noqa: S314 - our own text of a moment ago
        size = int(tree.attrib["viewBox"].split()[2])
        ground, dark = list(tree)
        assert ground.attrib == {"fill": "#fff", "d": f"M0 0h{size}v{size}h-{size}z"}
        assert dark.attrib["stroke"] == "#000"
        matrix = [[bool(cell) for cell in row] for row in segno.make_qr(uri, error="m").matrix]
        assert size == len(matrix) + 8
        assert drawn(dark.attrib["d"], size) == matrix


def drawn(path: str, size: int) -> list[list[bool]]:
    """The modules that a path of horizontal strokes covers, without the margin."""
    cells = [[False] * size for _ in range(size)]
    x, y = 0.0, 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path):
        if command == "h":
            for column in range(int(x), int(x + float(first))):
                cells[int(y)][column] = True
            x += float(first)
        elif command == "m":
            x, y = x + float(first), y + float(second)
        else:
            x, y = float(first), float(second)
    return [row[4:-4] for row in cells[4:-4]]


class TestRecoveryCodes:
    def test_ten_that_differ(self) -> None:
        codes = new_recovery_codes()
        assert len({*codes, *new_recovery_codes()}) == 20
        assert all(re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-?){4}", code) for code in codes)

    def test_a_digest_is_of_one_code_of_one_person(self) -> None:
        one, two, *_ = new_recovery_codes()
        digest = recovery_digest(KEYRING, PERSON, one)
        assert digest is not None
        assert len(digest) == 32
        assert digest == recovery_digest(KEYRING, PERSON, f" {one.lower().replace('-', ' ')}")
        others = {
            recovery_digest(KEYRING, PERSON, two),
            recovery_digest(KEYRING, OTHER, one),
            recovery_digest(Keyring(b"l" * 32), PERSON, one),
        }
        assert len({digest, *others}) == 4
        assert recovery_digest(KEYRING, PERSON, "no code") is None

    def test_a_code_of_the_device_is_none(self) -> None:
        assert recovery_digest(KEYRING, PERSON, "123456") is None
        assert accepted_step(new_secret(), new_recovery_codes()[0], 1_800_000_000, None) is None
