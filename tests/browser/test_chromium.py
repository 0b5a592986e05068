"""Where the Chromium of the tests comes from, and what happens where there is none."""

from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.tools import missing


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Chromium and apt."""
    for name in ("INSTALLED", "ROOT", "UNPACKED"):
        monkeypatch.setattr(chromium, name, tmp_path / name)
    monkeypatch.setattr(chromium, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.GIVEN, raising=False)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def tool(place: Path, text: str = "#!/bin/sh\n") -> None:
    place.write_text(text)
    place.chmod(0o755)


class TestFind:
    """`chromium.find`."""

    def test_the_one_that_is_named_goes_before_the_systems(
        self, bare: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert chromium.find() is None
        tool(bare / "UNPACKED")
        assert chromium.find() == bare / "UNPACKED"
        tool(bare / "INSTALLED")
        assert chromium.find() == bare / "INSTALLED"
        tool(bare / "mine")
        monkeypatch.setenv(chromium.GIVEN, str(bare / "mine"))
        assert chromium.find() == bare / "mine"
        monkeypatch.setenv(chromium.GIVEN, str(bare / "gone"))
        with pytest.raises(chromium.NoChromiumError, match="gone is no program"):
            chromium.find()


@pytest.mark.usefixtures("bare")
class TestInstall:
    """`make browser`."""

    def test_without_apt_it_says_so_and_only_ci_fails(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chromium.main() == 0
        assert "no apt to get one" in capsys.readouterr().err
        monkeypatch.setenv("CI", "true")
        assert chromium.main() == 1

    def test_what_apt_said_last_is_told_and_nothing_is_left_as_if_complete(
        self, bare: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tool(bare / "apt-get", "#!/bin/sh\necho no such mirror\nexit 100\n")
        tool(bare / "dpkg-deb")
        assert chromium.main() == 0
        assert "apt-get ended with 100:\nno such mirror" in capsys.readouterr().err
        assert chromium.find() is None


class TestMissing:
    """`tools.missing`."""

    def test_it_skips_with_the_reason_but_fails_in_ci(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="no Chromium"):
            missing("no Chromium")
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="no Chromium"):
            missing("no Chromium")
