"""Where a form of ours may lead by way of redirects, as a source of a content security policy.

Browsers hold a form to its policy through every redirect that answers it, also to one that only
the page after it makes.
"""

import re
from typing import Final

_HTTP: Final = re.compile(r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)(?:/[^\s]*)?")
_LOOPBACK_V6: Final = re.compile(r"http://\[::1\](?::[0-9]{1,5})?(?:/[^\s]*)?")
_PRIVATE: Final = re.compile(r"([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+:)/[^\s]*")
"""A private scheme has a dot in it: ``javascript:`` and ``data:`` have none."""


def source_of(uri: str) -> str | None:
    """The origin, or the private scheme, of an absolute URI; None of anything else.

    Nothing of the text gets into the policy but what the patterns name: it may be anybody's.
    """
    if _LOOPBACK_V6.fullmatch(uri):
        # A policy knows no addresses of IPv6.
        return "http:"
    for pattern in (_HTTP, _PRIVATE):
        found = pattern.fullmatch(uri)
        if found is not None:
            return found[1]
    return None
