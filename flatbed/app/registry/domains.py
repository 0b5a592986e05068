"""One spelling of a company's domain: the registrable part, in lower-case A-labels."""

from functools import cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

LONGEST = 253


class NoDomainError(ValueError):
    """The text holds no registrable domain."""


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=False)


def registrable(text: str) -> str:
    """The registrable domain of a domain name, an address or an e-mail address.

    ``https://www.Müller.example/impressum`` gives ``xn--mller-kva.example``.

    Raises:
        NoDomainError: a bare suffix, an IP address, or no name at all.
    """
    host = _host(text.strip())
    try:
        name = host.encode("idna").decode().lower()
    except UnicodeError:
        raise NoDomainError from None
    found: str | None = _suffixes().privatesuffix(name)
    if found is None or len(name) > LONGEST or not _labels(name):
        raise NoDomainError
    return found


def _host(text: str) -> str:
    if "://" in text:
        try:
            return (urlsplit(text).hostname or "").rstrip(".")
        except ValueError:
            raise NoDomainError from None
    bare = text.rpartition("@")[2].partition("/")[0]
    return bare.partition(":")[0].rstrip(".")


def _labels(name: str) -> bool:
    labels = name.split(".")
    letters = all(
        label and label.replace("-", "").isalnum() and label.isascii() for label in labels
    )
    return letters and not labels[-1].isdigit()
