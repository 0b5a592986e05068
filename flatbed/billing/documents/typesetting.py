"""Setting pages with typst: data in as JSON, PDF/A-3b out, the same bytes for the same data.

Templates are ours and the only markup; what others wrote reaches them as JSON strings. Only the
fonts that typst carries are used, no file is read and nothing is fetched.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any, Final

import typst

from flatbed.billing.documents.errors import TypesettingError

# A page of the standard PDF/A-3b must not hold a character that no font draws.
_MISSING: Final = re.compile('the text `"(.*?)"` could not be displayed')
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
_REPLACEMENT: Final = "\ufffd"
_FIRST_OF_MANY: Final = 0x80
"""Below is ASCII, which every font draws."""
_ATTEMPTS: Final = 3
# typst remembers what it set for ten more documents: 150 kB a line, which nobody asks for again.
_MUCH: Final = 300_000
_MEMORY: Final = 11


def set_pages(template: str, data: dict[str, Any], *, day: date, xml: bytes = b"") -> bytes:
    """A PDF/A-3b of the data.

    A character that none of the fonts draws (such as Chinese, or an emoji) becomes U+FFFD.

    Args:
        template: the name of a ``.typ`` file beside this module.
        data: JSON values; what the template shows, each text ready.
        day: when the document was made, for its metadata: the clock is not asked.
        xml: what the template may attach.

    Raises:
        TypesettingError: typst refused it.
    """
    source = _template("page.typ") + _template(template)
    text = json.dumps(data, sort_keys=True)
    for _ in range(_ATTEMPTS):
        try:
            return _compiled(source, text, xml, day)
        except typst.TypstError as refusal:
            missing = _missing(refusal.diagnostic)
            if not missing:
                raise TypesettingError(refusal.message) from refusal
        text = json.dumps(_mapped(json.loads(text), _without(missing)), sort_keys=True)
    raise TypesettingError("no font for some text")


def _compiled(source: bytes, text: str, xml: bytes, day: date) -> bytes:
    try:
        return typst.compile(
            source,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"data": text, "xml": xml.decode()},
            pdf_standards="a-3b",
            timestamp=datetime.combine(day, time(), UTC),
        )
    finally:
        if len(text) > _MUCH:
            for _ in range(_MEMORY):
                typst.compile(b"", font_paths=_fonts(), ignore_system_fonts=True)


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False)


@cache
def _template(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _missing(diagnostic: str) -> frozenset[str]:
    clusters = "".join(_MISSING.findall(diagnostic))
    plain = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), clusters)
    return frozenset(one for one in plain if ord(one) >= _FIRST_OF_MANY)


def _without(missing: frozenset[str]) -> Callable[[str], str]:
    table = str.maketrans(dict.fromkeys(missing, _REPLACEMENT))
    return lambda text: text.translate(table)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON's own type
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(one, change) for one in value]
        case dict():
            return {name: _mapped(one, change) for name, one in value.items()}
        case _:
            return value
