"""Links that mails carry: an id and our HMAC of it, so that nothing of them need be stored.

Whoever knows the id alone opens nothing, and the job that sends the mail can make the same link
again. Whether the link is still good, its row says.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.crypto import Keyring, same
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode

LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a link is for: ``use`` keys its HMAC, so that none opens another purpose's door.

    ``prefix`` is the TypeID's, ``path`` the page's.
    """

    use: str
    prefix: str
    path: str


INVITATION: Final = Purpose("invitation", "inv", "/invitations")
PASSWORD_RESET: Final = Purpose("password-reset", "reset", "/password-reset")


def link_token(keyring: Keyring, purpose: Purpose, id_: UUID) -> str:
    """``<TypeID>.<HMAC>``."""
    seal = urlsafe_b64encode(keyring.mac(purpose.use, id_.bytes)).rstrip(b"=").decode()
    return f"{encode(purpose.prefix, id_)}.{seal}"


def link(keyring: Keyring, purpose: Purpose, id_: UUID, public_url: str) -> str:
    """The whole link."""
    return f"{public_url.rstrip('/')}{purpose.path}/{link_token(keyring, purpose, id_)}"


def read_link(keyring: Keyring, purpose: Purpose, token: str) -> UUID | None:
    """The id of a token that we made for this purpose, None for any other text.

    One spelling is taken: the text that we would write is compared, not what it decodes to.
    """
    if len(token) > LONGEST or not token.isascii():
        return None
    try:
        id_ = decode(purpose.prefix, token.partition(".")[0])
    except InvalidIdError:
        return None
    expected = link_token(keyring, purpose, id_)
    return id_ if same(expected.encode(), token.encode()) else None
