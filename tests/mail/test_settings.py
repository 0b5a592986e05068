"""Servers, senders and the outbox."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from flatbed.tenants.kit.settings import BadSettingError
from flatbed.tenants.mail.outbox import Outbox
from flatbed.tenants.mail.port import Message
from flatbed.tenants.mail.settings import MailSettings, open_mail, parse_server
from flatbed.tenants.mail.smtp import Server, SmtpMail

LOGIN = "u:p"
FROM = "Flatbed <no-reply@flatbed.example>"


class TestServer:
    @pytest.mark.parametrize(
        ("url", "server"),
        [
            (f"smtps://{LOGIN}%40s@mx.example", Server("mx.example", 465, "tls", "u", "p@s")),
            ("smtps://mx.example:1465/", Server("mx.example", 1465, "tls")),
            ("smtp://mx.example", Server("mx.example", 587, "starttls")),
            (
                f"smtp://{LOGIN}@mx.example:25?starttls=required",
                Server("mx.example", 25, "starttls", "u", "p"),
            ),
            ("smtp://relay:25?starttls=none", Server("relay", 25, "none")),
            (f"smtp://{LOGIN}@[::1]:25?starttls=none", Server("::1", 25, "none", "u", "p")),
        ],
    )
    def test_a_url_says_where_and_how(self, url: str, server: Server) -> None:
        assert parse_server(url) == server

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "canary",
            "http://canary",
            "smtp://",
            "smtp://canary:port",
            "smtp://[canary",
            "smtp://canary/path",
            "smtp://canary#x",
            "smtp://canary?starttls=optional",
            "smtp://canary?tls=none",
            "smtps://canary?starttls=none",
            "smtp://canary@mx.example",
            f"smtp://{LOGIN}@mx.example?starttls=none",
        ],
    )
    def test_another_is_told_by_its_variable_and_not_shown(self, url: str) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_SMTP_URL") as told:
            MailSettings(smtp_url=SecretStr(url), mail_from=FROM)
        assert "canary" not in str(told.value)


class TestSettings:
    def test_nothing_is_needed(self) -> None:
        settings = MailSettings()
        assert (settings.smtp_url, settings.mail_outbox) == (None, None)
        assert settings.sender.addr_spec == "no-reply@localhost"

    def test_they_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLATBED_SMTP_URL", "smtps://mx.example")
        monkeypatch.setenv("FLATBED_MAIL_FROM", "no-reply@flatbed.example")
        assert isinstance(open_mail(MailSettings(), Path()), SmtpMail)

    async def test_without_a_server_files_are_written(self, tmp_path: Path) -> None:
        message = Message("invitation", "a@x.example", "S", "T", "en")
        default = open_mail(MailSettings(), tmp_path)
        named = open_mail(MailSettings(mail_outbox=tmp_path / "named"), tmp_path)
        assert isinstance(default, Outbox)
        for mail in (default, named):
            await mail.send(message)
        for folder in ("outbox", "named"):
            assert len(list((tmp_path / folder).iterdir())) == 1

    def test_a_server_and_a_folder_are_one_too_many(self) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_MAIL_OUTBOX"):
            MailSettings(
                smtp_url=SecretStr("smtps://mx.example"), mail_from=FROM, mail_outbox=Path("x")
            )

    def test_a_server_is_told_whom_it_is_from(self) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_MAIL_FROM"):
            MailSettings(smtp_url=SecretStr("smtps://mx.example"))

    @pytest.mark.parametrize(
        "text", ["", "Flatbed", "Flatbed <>", "a@b, c@d", "Flatbed\n <a@b.example>", "a@b@c"]
    )
    def test_a_sender_is_one_address(self, text: str) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_MAIL_FROM"):
            MailSettings(mail_from=text)
