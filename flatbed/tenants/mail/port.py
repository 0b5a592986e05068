"""What may be asked of the mail: that a message goes out."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Language = Literal["de", "en"]
Notice = Literal["password-changed", "second-factor-on", "second-factor-off", "recovery-codes-made"]
"""What a person is told after it has happened to his account."""
Kind = Literal["invitation", "password-reset"] | Notice


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one person, in plain text.

    ``kind`` is all that a log may say of it: the rest is a person's, or opens a door.
    """

    kind: Kind
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: Language


class Mail(Protocol):
    """A way out for messages."""

    async def send(self, message: Message) -> None:
        """Hand the message over. One that was handed over twice arrives twice.

        Raises:
            MailError: it was not handed over, or nobody knows; ``is_worth_repeating`` says what to
                do about it.
        """
        ...
