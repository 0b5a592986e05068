"""Messages as files."""

import asyncio
import os
import stat
from email import message_from_bytes, policy
from email.headerregistry import Address
from pathlib import Path

import pytest
import structlog

from flatbed.tenants.mail.errors import MailRefused, MailUnavailable
from flatbed.tenants.mail.outbox import Outbox
from flatbed.tenants.mail.port import Message

SENDER = Address("Flatbed", "no-reply", "localhost")
MESSAGE = Message("password-reset", "kim.canary@x.example", "Größe", "Grüße\n\nhttps://x\n", "de")


def named(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(folder.glob(pattern))


class TestSend:
    async def test_a_message_is_a_file_that_mail_programs_open(self, tmp_path: Path) -> None:
        await Outbox(tmp_path / "a" / "b", SENDER).send(MESSAGE)
        (file,) = (tmp_path / "a" / "b").iterdir()
        found = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert file.suffix == ".eml"
        assert (found["To"], found["Subject"]) == ("kim.canary@x.example", "Größe")
        assert found.get_content().replace("\r\n", "\n") == MESSAGE.text

    async def test_only_we_may_read_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "outbox"
        before = os.umask(0)
        try:
            await Outbox(folder, SENDER).send(MESSAGE)
        finally:
            os.umask(before)
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    async def test_names_sort_by_time_and_never_meet(self, tmp_path: Path) -> None:
        outbox = Outbox(tmp_path, SENDER)
        for number in range(3):
            await outbox.send(Message("invitation", "a@x.example", f"{number}", "T", "en"))
        files = named(tmp_path)
        found = [message_from_bytes(f.read_bytes(), policy=policy.default) for f in files]
        assert [message["Subject"] for message in found] == ["0", "1", "2"]
        await asyncio.gather(*(outbox.send(MESSAGE) for _ in range(20)))
        assert len(named(tmp_path, "*.eml")) == 23

    async def test_only_the_kind_is_logged(self, tmp_path: Path) -> None:
        with structlog.testing.capture_logs() as logs:
            await Outbox(tmp_path, SENDER).send(MESSAGE)
        assert logs == [{"event": "mail_written", "kind": "password-reset", "log_level": "info"}]

    async def test_what_is_no_address_is_refused_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(MailRefused):
            await Outbox(tmp_path, SENDER).send(Message("invitation", "a\n@b", "S", "T", "en"))
        assert named(tmp_path) == []


class TestInTheMiddle:
    async def test_a_half_written_one_has_another_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[list[str]] = []

        def look(_: int) -> None:
            seen.append([file.suffix for file in tmp_path.iterdir()])

        monkeypatch.setattr(os, "fsync", look)
        await Outbox(tmp_path, SENDER).send(MESSAGE)
        # Before the content is on disk no reader of *.eml finds it; then the name is made to last.
        assert seen == [[".new"], [".eml"]]

    async def test_a_disk_that_fails_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "no space for kim.canary")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(MailUnavailable) as told:
            await Outbox(tmp_path, SENDER).send(MESSAGE)
        assert told.value.is_worth_repeating
        assert "canary" not in str(told.value)
        assert named(tmp_path) == []

    async def test_a_folder_that_is_none_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "outbox").write_text("")
        with pytest.raises(MailUnavailable):
            await Outbox(tmp_path / "outbox", SENDER).send(MESSAGE)
