"""How messages go out (``FLATBED_SMTP_URL``, ``FLATBED_MAIL_…``). Without a server: into files."""

from email.headerregistry import Address
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from flatbed.tenants.kit.settings import PREFIX, BadSettingError, ToldSettings
from flatbed.tenants.mail.composing import parse_sender
from flatbed.tenants.mail.outbox import Outbox
from flatbed.tenants.mail.port import Mail
from flatbed.tenants.mail.smtp import Security, Server, SmtpMail

NOBODY: Final = "Flatbed <no-reply@localhost>"
OUTBOX: Final = "outbox"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS: Final = {"smtps": 465, "smtp": 587}


def parse_server(url: str) -> Server:
    """``smtps://host:465`` or ``smtp://host:587?starttls=required``, a user and password before it.

    ``smtp`` means STARTTLS unless it says ``starttls=none``, which only a server on this machine
    may be given a password with.

    Raises:
        ValueError: it is no such URL. The text never holds a part of it.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("no URL such as smtps://mx.example:465") from None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    is_whole = parts.scheme in _PORTS and host and parts.path in {"", "/"} and not parts.fragment
    if not is_whole or host is None:
        raise ValueError("no URL such as smtps://mx.example:465")
    wanted = query.pop("starttls", None)
    if query or wanted not in {None, "required", "none"}:
        raise ValueError("after the question mark only starttls=required or starttls=none")
    if parts.scheme == "smtps" and wanted is not None:
        raise ValueError("smtps is encrypted from the start: leave starttls out")
    security: Security = "tls" if parts.scheme == "smtps" else "starttls"
    if wanted == "none":
        security = "none"
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a user without a password, or the other way round")
    if security == "none" and parts.username is not None and host not in LOOPBACK:
        raise ValueError("the password would travel unencrypted: use smtps or starttls=required")
    return Server(
        host=host,
        port=port or _PORTS[parts.scheme],
        security=security,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


class MailSettings(ToldSettings):
    """The server, whom messages are from, and where they are written without a server."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtps://mx.example:465, a user and password before the host; absent: files.",
    )
    mail_from: str = Field(default=NOBODY, description="Whom messages are from.")
    mail_outbox: Path | None = Field(
        default=None, description="Folder of the files; absent: outbox in the data folder."
    )

    @property
    def sender(self) -> Address:
        """Whom messages are from."""
        return parse_sender(self.mail_from)

    @field_validator("smtp_url")
    @classmethod
    def _is_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parse_server(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_sender(cls, text: str) -> str:
        parse_sender(text)
        return text

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.smtp_url is not None and self.mail_outbox is not None:
            raise BadSettingError(f"{PREFIX}MAIL_OUTBOX: messages go to {PREFIX}SMTP_URL")
        if self.smtp_url is not None and self.mail_from == NOBODY:
            raise BadSettingError(f"{PREFIX}MAIL_FROM: a server wants to know whom they are from")
        return self


def open_mail(settings: MailSettings, data_dir: Path) -> Mail:
    """The way out that the settings name.

    Args:
        settings: how messages go out.
        data_dir: the program's folder, for the outbox where none is named.
    """
    if settings.smtp_url is None:
        return Outbox(settings.mail_outbox or data_dir / OUTBOX, settings.sender)
    return SmtpMail(parse_server(settings.smtp_url.get_secret_value()), settings.sender)
