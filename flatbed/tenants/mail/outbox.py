"""Messages as files: one ``.eml`` each, in a folder that only we may read."""

import asyncio
import os
from contextlib import suppress
from email.headerregistry import Address
from pathlib import Path

import structlog

from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.mail.composing import compose
from flatbed.tenants.mail.errors import MailUnavailable
from flatbed.tenants.mail.port import Message

log = structlog.get_logger(__name__)


class Outbox:
    """Writes messages into a folder. Their names sort by time.

    Args:
        folder: made when it is missing.
        sender: whom they are from.
    """

    def __init__(self, folder: Path, sender: Address) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, message: Message) -> None:
        """Write the message; it is there, whole and on disk, when this returns.

        Raises:
            MailRefused: its recipient is no address, or its subject no line.
            MailUnavailable: the folder cannot be written.
        """
        composed = compose(self._sender, message)
        try:
            await asyncio.to_thread(_write, self._folder, composed.mail.as_bytes())
        except OSError:
            raise MailUnavailable("outbox") from None
        log.info("mail_written", kind=message.kind)


def _write(folder: Path, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = uuid7().hex
    # Written whole under another name: a program killed in between leaves no half message behind.
    draft, file = folder / f".{name}.new", folder / f"{name}.eml"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(file)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    listing = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)
