"""How a message fails to go out, by what can be done about it.

No text of a server or of a driver is kept, since it repeats addresses: only a code, ours or
``smtp-`` and the reply's three digits.
"""

from datetime import timedelta
from typing import ClassVar

from flatbed.tenants.kit.jobs.failures import SlowError


class MailError(SlowError):
    """The message has not gone out, or nobody knows.

    ``is_worth_repeating``: the same message may go out later. A job tries for half an hour, as
    servers want it that do not know us (greylisting); then it is held, and can be revived.
    """

    first_pause = timedelta(minutes=1)
    is_worth_repeating: ClassVar[bool]

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MailUnavailable(MailError):
    """The server is away, slow, or asks to come back later (4xx). Repeat it after a while."""

    is_worth_repeating = True


class MailDenied(MailError):
    """The server does not take us: no TLS, its certificate, our password, our sender's address.

    Nothing is wrong with the message: it goes out when the settings are mended.
    """

    is_worth_repeating = True


class MailRefused(MailError):
    """The server takes no such message, or there is no such recipient (5xx). Do not repeat it."""

    is_worth_repeating = False
