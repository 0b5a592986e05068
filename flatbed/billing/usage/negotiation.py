"""Which representation and language a client accepts: the first that it prefers and we have."""

from collections.abc import Iterator, Mapping

from flatbed.billing.documents.languages import Language
from flatbed.billing.usage.schemas import Format


def accepted_format(accept: str, media: Mapping[str, Format]) -> Format:
    """The format of the most preferred media type that is ours; JSON for any other."""
    for name in _preferred(accept):
        if name in media:
            return media[name]
        if name in {"*/*", "application/json", "application/*"}:
            break
    return Format.JSON


def accepted_language(accept: str) -> Language:
    """The most preferred language that is ours, whatever its region; else English."""
    for name in _preferred(accept):
        primary = name.partition("-")[0]
        if primary in set(Language):
            return Language(primary)
    return Language.EN


def _preferred(header: str) -> Iterator[str]:
    """The names in a header of choices, by weight, then by place; those of weight 0 left out."""
    choices = []
    for place, choice in enumerate(header.split(",")):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        weight = _weight(parameters)
        if name and weight > 0:
            choices.append((-weight, place, name))
    return (name for _, _, name in sorted(choices))


def _weight(parameters: list[str]) -> int:
    """Thousandths; what cannot be read counts whole."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        whole, _, fraction = value.strip().partition(".")
        if name.strip() == "q" and whole in {"0", "1"} and (fraction + "0").isdecimal():
            return min(1000, int(whole) * 1000 + int((fraction + "000")[:3]))
    return 1000
