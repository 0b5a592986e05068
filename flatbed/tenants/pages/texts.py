"""What pages say, in English and German: one catalogue a language, with the same keys."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

Language = Literal["en", "de"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de")
NAMES: Final[Mapping[Language, str]] = {"en": "English", "de": "Deutsch"}
_QUALITY: Final = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_FOLDER: Final = Path(__file__).with_name("words")


def _flat(found: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            texts |= _flat(value, f"{name}.")
        else:
            texts[name] = str(value)
    return texts


def catalogue(language: Language) -> dict[str, str]:
    """Every text of a language, by its dotted key."""
    file = _FOLDER / f"{language}.toml"
    return _flat(tomllib.loads(file.read_text(encoding="utf-8")))


TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    language: catalogue(language) for language in LANGUAGES
}


def text(language: Language, key: str, **values: str) -> str:
    """The text of a key, with its places filled.

    Raises:
        KeyError: no catalogue holds the key, or a place has no value.
    """
    return TEXTS[language][key].format(**values)


def chosen(asked: str | None) -> Language | None:
    """The first of ``ui_locales`` (BCP 47 tags with spaces between) that we speak."""
    return next((known for tag in (asked or "").split(" ") if (known := _known(tag))), None)


def accepted(header: str) -> Language:
    """The language of an ``Accept-Language``: the one that is wanted most, else English."""
    wanted: list[tuple[float, Language]] = []
    for part in header.split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        language = _known(tag)
        if language is not None:
            wanted.append((_weight(parameters), language))
    best = max((weight for weight, _ in wanted), default=0.0)
    return next((language for weight, language in wanted if weight == best and best > 0), "en")


def _known(tag: str) -> Language | None:
    head = tag.partition("-")[0].lower()
    return next((language for language in LANGUAGES if language == head), None)


def _weight(parameters: Sequence[str]) -> float:
    """RFC 9110 12.4.2; what is no weight wants nothing."""
    if not parameters:
        return 1.0
    found = _QUALITY.fullmatch(parameters[0])
    return float(found[1]) if found else 0.0
