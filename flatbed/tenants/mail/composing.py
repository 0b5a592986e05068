"""A message as RFC 5322 wants it. No value of ours or others' can add a header or a recipient."""

import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import idna

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.schemas import LONGEST_EMAIL
from flatbed.tenants.mail.errors import MailRefused
from flatbed.tenants.mail.port import Message

BAD_MESSAGE: Final = "bad-message"
_NAMED: Final = re.compile(r'(?P<name>[^<>"]*?) *<(?P<address>[^<>]*)>')


@dataclass(frozen=True, slots=True)
class Composed:
    """The message with its envelope: the addresses that the server is told."""

    sender: str
    recipient: str = field(repr=False)
    mail: EmailMessage = field(repr=False)


def parse_sender(text: str) -> Address:
    """``Name <address>``, or an address alone.

    Raises:
        ValueError: it is neither.
    """
    named = _NAMED.fullmatch(text)
    if named is None:
        return parse_address(text)
    if not named["name"].isprintable():
        raise ValueError("no name such as Flatbed before the address")
    return parse_address(named["address"], named["name"])


def parse_address(text: str, name: str = "") -> Address:
    """One address, its domain in ASCII (IDNA).

    Raises:
        ValueError: it is none.
    """
    local, _, domain = text.rpartition("@")
    plain = text.isprintable() and not any(letter in ' <>(),;:"\\[]' for letter in text)
    if not (plain and local and domain and "@" not in local and len(text) <= LONGEST_EMAIL):
        raise ValueError("no address such as no-reply@flatbed.example")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("no address such as no-reply@flatbed.example") from None
    # The library takes an address to pieces again, and would name it in its error.
    try:
        return Address(display_name=name, username=local, domain=ascii_domain)
    except (ValueError, IndexError):
        raise ValueError("no address such as no-reply@flatbed.example") from None


def compose(sender: Address, message: Message) -> Composed:
    """The message, with a date and an id.

    Raises:
        MailRefused: its recipient is no address, or its subject no line.
    """
    try:
        recipient = parse_address(message.to)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = sender
        mail["To"] = recipient
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(system_now())
        mail["Message-ID"] = f"<{uuid7().hex}@{sender.domain}>"
        # Holiday replies, and other programs, do not answer such a message (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        # A long link survives every relay in quoted-printable alone.
        mail.set_content(message.text, cte="quoted-printable")
        mail["Content-Language"] = message.language
    except ValueError:
        # Without its cause: that holds the value.
        raise MailRefused(BAD_MESSAGE) from None
    return Composed(sender.addr_spec, recipient.addr_spec, mail)
