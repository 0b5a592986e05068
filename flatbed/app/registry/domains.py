"""One spelling of a company's domain: the registrable part, in lower-case A-labels."""

import re
from functools import cache
from urllib.parse import urlsplit

import idna
from publicsuffixlist import PublicSuffixList

_PATH = re.compile("[/?#]")


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
        # The standard library knows IDNA 2003 only, in which straße.de is strasse.de.
        name = idna.encode(host, uts46=True).decode()
    except UnicodeError:
        raise NoDomainError from None
    found: str | None = _suffixes().privatesuffix(name)
    if found is None or name.rpartition(".")[2].isdigit():
        raise NoDomainError
    return found


def _host(text: str) -> str:
    if "://" in text:
        try:
            return (urlsplit(text).hostname or "").rstrip(".")
        except ValueError:
            raise NoDomainError from None
    bare = _PATH.split(text, maxsplit=1)[0].rpartition("@")[2]
    return bare.partition(":")[0].rstrip(".")
