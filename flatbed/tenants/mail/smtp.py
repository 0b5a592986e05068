"""Messages over SMTP: one connection each, encrypted unless the settings say otherwise."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from typing import Final, Literal

import aiosmtplib
import structlog

from flatbed.tenants.mail.composing import Composed, compose
from flatbed.tenants.mail.errors import MailDenied, MailError, MailRefused, MailUnavailable
from flatbed.tenants.mail.port import Message

log = structlog.get_logger(__name__)

Security = Literal["tls", "starttls", "none"]
STEP_SECONDS: Final = 20.0
TOTAL_SECONDS: Final = 60.0
GOODBYE_SECONDS: Final = 2.0
_PERMANENT: Final = 500


@dataclass(frozen=True, slots=True)
class Server:
    """Where messages are handed over, and who we are there."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class SmtpMail:
    """Sends by a server.

    Args:
        server: where.
        sender: whom messages are from; the server is told the same.
        trust: whose certificates are good; None: the system's.
        step_seconds: longest wait for one reply.
        total_seconds: longest time for a message.
    """

    def __init__(
        self,
        server: Server,
        sender: Address,
        *,
        trust: ssl.SSLContext | None = None,
        step_seconds: float = STEP_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._trust = trust or ssl.create_default_context()
        self._step = step_seconds
        self._total = total_seconds

    async def send(self, message: Message) -> None:
        """Hand the message to the server; it answers for it when this returns.

        Raises:
            MailRefused: the server takes no such message, or there is no such recipient.
            MailUnavailable: the server is away or asks to come back; also when the connection was
                lost after the text, and the message may go out.
            MailDenied: the server does not take us.
        """
        composed = compose(self._sender, message)
        client = self._client()
        try:
            async with asyncio.timeout(self._total):
                await self._connect(client)
                await self._hand_over(client, composed)
            log.info("mail_sent", kind=message.kind)
            # The server has it: that the good-bye fails changes nothing.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=GOODBYE_SECONDS)
        except TimeoutError:
            raise MailUnavailable("timeout") from None
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            # The name of this machine is nobody's business, and asking for it may block.
            local_hostname=self._sender.domain,
            timeout=self._step,
            use_tls=server.security == "tls",
            start_tls=False,
            tls_context=self._trust,
        )

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        server = self._server
        try:
            await client.connect()
            await client.ehlo()
            if server.security == "starttls":
                if not client.supports_extension("starttls"):
                    raise MailDenied("no-starttls")
                await client.starttls()
                await client.ehlo()
            if server.username is not None:
                if not client.supports_extension("auth"):
                    raise MailDenied("no-auth")
                await client.login(server.username, server.password or "")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _before_the_message(error) from None

    async def _hand_over(self, client: aiosmtplib.SMTP, composed: Composed) -> None:
        try:
            await client.send_message(
                composed.mail, sender=composed.sender, recipients=[composed.recipient]
            )
        except aiosmtplib.SMTPSenderRefused as error:
            raise _replied(error.code, MailDenied) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _replied(error.recipients[0].code, MailRefused) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _replied(error.code, MailRefused) from None
        except aiosmtplib.SMTPNotSupported:
            raise MailRefused("no-smtputf8") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailable(_lost(error)) from None


def _before_the_message(error: Exception) -> MailError:
    if _certificate(error) is not None:
        return MailDenied("certificate")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _replied(error.code, MailDenied)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | OSError):
        return MailUnavailable(_lost(error))
    # No way of signing in that both know.
    return MailDenied("no-common-ground")


def _certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The certificate's error behind this one; the library wraps it."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _replied(code: int, permanent: type[MailError]) -> MailError:
    kind = permanent if code >= _PERMANENT else MailUnavailable
    return kind(f"smtp-{code}")


def _lost(error: Exception) -> str:
    return "timeout" if isinstance(error, TimeoutError) else "connection"
