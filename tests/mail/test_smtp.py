"""Sending by a real server on loopback."""

import asyncio
import ssl
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog

from flatbed.tenants.mail.errors import MailDenied, MailError, MailRefused, MailUnavailable
from flatbed.tenants.mail.port import Message
from flatbed.tenants.mail.smtp import Security, Server, SmtpMail
from tests.mail.server import PASSWORD, USER, Post, Trust, certificate, knows, post_office

SENDER = Address("Flatbed", "no-reply", "flatbed.example")
LINK = "https://flatbed.example/invitations/" + "a" * 120 + "?x=1"
TO = "kim.canary@partner.example"
MESSAGE = Message("invitation", TO, "Größe – für Sie", f"Hallo,\n\n{LINK}\n.\nEnde\n", "de")


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return certificate(tmp_path)


def mail(
    post: Post,
    security: Security = "none",
    trust: ssl.SSLContext | None = None,
    *,
    login: tuple[str, str] | None = None,
    **how: float,
) -> SmtpMail:
    user, password = login or (None, None)
    server = Server("127.0.0.1", post.port, security, user, password)
    return SmtpMail(server, SENDER, trust=trust, **how)


def read(post: Post) -> EmailMessage:
    content = post.envelopes[-1].content
    assert isinstance(content, bytes)
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


async def failed(sender: SmtpMail, message: Message = MESSAGE) -> MailError:
    with structlog.testing.capture_logs() as logs, pytest.raises(MailError) as told:
        await sender.send(message)
    # Whoever sends logs it: once, and knowing whether it is tried again.
    assert logs == []
    # A log or a dead letter may hold the error: no address, and nothing behind it.
    assert "canary" not in f"{told.value!r}"
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None
    return told.value


class TestSend:
    async def test_the_message_arrives_as_it_was_written(self) -> None:
        async with post_office() as post:
            await mail(post).send(MESSAGE)
        envelope, found = post.envelopes[0], read(post)
        assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@flatbed.example", [TO])
        assert found["From"] == "Flatbed <no-reply@flatbed.example>"
        assert (found["To"], found["Subject"]) == (TO, "Größe – für Sie")
        assert found.get_content().replace("\r\n", "\n") == MESSAGE.text
        assert found.get_content_type() == "text/plain"
        assert not found.is_multipart()

    async def test_each_has_a_date_and_an_id_of_its_own_and_nobody_answers_it(self) -> None:
        async with post_office() as post:
            await mail(post).send(MESSAGE)
            first = read(post)
            await mail(post).send(MESSAGE)
            second = read(post)
        assert first["Message-ID"].endswith("@flatbed.example>")
        assert first["Message-ID"] != second["Message-ID"]
        assert first["Date"].datetime.tzinfo is not None
        assert (first["Auto-Submitted"], first["Content-Language"]) == ("auto-generated", "de")

    async def test_a_domain_of_other_letters_is_sent_in_ascii(self) -> None:
        async with post_office() as post:
            await mail(post).send(Message("password-reset", "kim@münchen.example", "S", "T", "de"))
        assert post.envelopes[0].rcpt_tos == ["kim@xn--mnchen-3ya.example"]

    async def test_a_server_that_knows_no_smtputf8_takes_no_such_mailbox(self) -> None:
        async with post_office(enable_SMTPUTF8=False) as post:
            error = await failed(
                mail(post), Message("password-reset", "jürgen.canary@x.example", "S", "T", "de")
            )
        assert (type(error), error.code) == (MailRefused, "no-smtputf8")

    async def test_only_the_kind_is_logged(self) -> None:
        with structlog.testing.capture_logs() as logs:
            async with post_office() as post:
                await mail(post).send(MESSAGE)
        assert logs == [{"event": "mail_sent", "kind": "invitation", "log_level": "info"}]
        assert "canary" not in repr(MESSAGE)


class TestInjection:
    @pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r", "\r\n\r\n", "\n\n"])
    async def test_a_subject_with_a_line_break_is_refused(self, breaks: str) -> None:
        subject = f"Hello{breaks}Bcc: eve@evil.example"
        async with post_office() as post:
            error = await failed(mail(post), Message("invitation", TO, subject, "T", "en"))
        assert (type(error), post.envelopes) == (MailRefused, [])

    @pytest.mark.parametrize(
        "to",
        [
            "",
            "kim",
            "@x.example",
            "kim@",
            "kim@x.example, eve@evil.example",
            "kim@x.example eve@evil.example",
            "kim@x.example\r\nBcc: eve@evil.example",
            "kim@x.example\r\nRCPT TO:<eve@evil.example>",
            "kim@x.example\x00",
            "Kim <kim@x.example>",
            "<kim@x.example>",
            '"kim"@x.example',
            "kim@evil@x.example",
            "kim@x.example> SIZE=1",
            "kim@xn--\u2028.example",
            f"{'k' * 250}@x.example",
        ],
    )
    async def test_what_is_not_one_address_is_refused(self, to: str) -> None:
        async with post_office() as post:
            error = await failed(mail(post), Message("invitation", to, "S", "T", "en"))
        assert (type(error), error.code) == (MailRefused, "bad-message")
        assert post.envelopes == []

    async def test_the_text_cannot_end_the_message(self) -> None:
        text = "one\r\n.\r\nMAIL FROM:<eve@evil.example>\n.\nQUIT\n"
        async with post_office() as post:
            await mail(post).send(Message("invitation", TO, "S", text, "en"))
        assert len(post.envelopes) == 1
        assert read(post).get_content().splitlines() == text.splitlines()


class TestTls:
    async def test_starttls_before_anything_is_said(self, trust: Trust) -> None:
        async with post_office(trust.server, require_starttls=True) as post:
            await mail(post, "starttls", trust.client).send(MESSAGE)
        assert post.encrypted == [True]

    async def test_a_server_without_starttls_gets_nothing(self, trust: Trust) -> None:
        async with post_office() as post:
            error = await failed(mail(post, "starttls", trust.client, login=(USER, PASSWORD)))
        assert (type(error), error.code, post.envelopes) == (MailDenied, "no-starttls", [])

    async def test_tls_from_the_start(self, trust: Trust) -> None:
        async with post_office(trust.server, from_the_start=True) as post:
            await mail(post, "tls", trust.client).send(MESSAGE)
        assert len(post.envelopes) == 1

    @pytest.mark.parametrize("security", ["tls", "starttls"])
    async def test_a_certificate_that_nobody_trusts_gets_nothing(
        self, trust: Trust, security: Security
    ) -> None:
        async with post_office(trust.server, from_the_start=security == "tls") as post:
            error = await failed(mail(post, security))
        assert (type(error), error.code, post.envelopes) == (MailDenied, "certificate", [])

    @pytest.mark.parametrize("security", ["tls", "starttls"])
    async def test_nor_one_of_another_host(self, tmp_path: Path, security: Security) -> None:
        other = certificate(tmp_path, "127.0.0.2")
        async with post_office(other.server, from_the_start=security == "tls") as post:
            error = await failed(mail(post, security, other.client))
        assert (type(error), error.code, post.envelopes) == (MailDenied, "certificate", [])


class TestSigningIn:
    async def test_the_password_opens(self, trust: Trust) -> None:
        async with post_office(trust.server, authenticator=knows, auth_required=True) as post:
            await mail(post, "starttls", trust.client, login=(USER, PASSWORD)).send(MESSAGE)
        assert len(post.envelopes) == 1

    async def test_a_wrong_one_does_not(self, trust: Trust) -> None:
        async with post_office(trust.server, authenticator=knows, auth_required=True) as post:
            error = await failed(mail(post, "starttls", trust.client, login=(USER, "canary")))
        assert (type(error), error.code) == (MailDenied, "smtp-535")

    async def test_a_server_that_asks_for_none_is_not_the_one_that_was_meant(
        self, trust: Trust
    ) -> None:
        async with post_office(trust.server, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as post:
            error = await failed(mail(post, "starttls", trust.client, login=(USER, PASSWORD)))
        assert (type(error), post.envelopes) == (MailDenied, [])

    def test_the_password_is_not_shown(self) -> None:
        assert PASSWORD not in repr(Server("h", 1, "tls", USER, PASSWORD))


class TestAnswers:
    @pytest.mark.parametrize(
        ("step", "answer", "kind", "again"),
        [
            ("rcpt", "450 kim.canary: try later", MailUnavailable, True),
            ("rcpt", "550 no such kim.canary", MailRefused, False),
            ("data", "451 try later", MailUnavailable, True),
            ("data", "554 spam of kim.canary", MailRefused, False),
            ("mail", "421 going down", MailUnavailable, True),
            ("mail", "550 we do not relay for you", MailDenied, True),
        ],
    )
    async def test_each_says_whether_trying_again_helps(
        self, step: str, answer: str, kind: type[MailError], again: bool
    ) -> None:
        async with post_office() as post:
            setattr(post, step, answer)
            error = await failed(mail(post))
        assert (type(error), error.is_worth_repeating) == (kind, again)
        assert error.code == f"smtp-{answer[:3]}"

    async def test_nobody_there(self) -> None:
        async with post_office() as post:
            pass
        error = await failed(mail(post))
        assert (type(error), error.code) == (MailUnavailable, "connection")

    @pytest.mark.parametrize(
        ("greeting", "kind", "code"),
        [
            (b"554 go away canary\r\n", MailDenied, "smtp-554"),
            (b"421 too many\r\n", MailUnavailable, "smtp-421"),
            (b"", MailUnavailable, "connection"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", MailError, ""),
        ],
    )
    async def test_a_door_that_is_shut(
        self, greeting: bytes, kind: type[MailError], code: str
    ) -> None:
        async def shut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            writer.close()

        server = await asyncio.start_server(shut, "127.0.0.1", 0)
        async with server:
            error = await failed(mail(Post(server.sockets[0].getsockname()[1])))
        assert isinstance(error, kind)
        assert code in {"", error.code}

    @pytest.mark.parametrize("how", [{"step_seconds": 0.2}, {"total_seconds": 0.2}])
    async def test_a_server_that_does_not_answer_is_not_waited_for(
        self, how: dict[str, Any]
    ) -> None:
        async with post_office() as post:
            post.slow = 30
            async with asyncio.timeout(10):
                error = await failed(mail(post, **how))
        assert (type(error), error.code) == (MailUnavailable, "timeout")
