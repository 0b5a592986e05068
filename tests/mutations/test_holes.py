"""The suite notices the holes: ten of them in ``make check``, all in ``make check-long``."""

from pathlib import Path

import pytest

from tests.mutations.catalogue import load
from tests.mutations.trial import check, try_all

HOLES = load()
SHORT = tuple(hole for hole in HOLES if hole.short)
THIRTY = 30


class TestCatalogue:
    def test_every_hole_fits_the_program_of_today(self) -> None:
        assert check(HOLES) == []
        assert len(HOLES) >= THIRTY
        assert len(SHORT) == 10

    def test_the_short_form_holds_holes_of_each_file(self) -> None:
        folder = Path(__file__).parent / "holes"
        for path in folder.glob("*.toml"):
            text = path.read_text(encoding="utf-8")
            assert any(f'name = "{hole.name}"' in text for hole in SHORT), path.name


class TestHoles:
    @pytest.mark.timeout(600)
    def test_ten_holes_ten_caught(self) -> None:
        verdicts = try_all(SHORT)
        assert [one for one in verdicts if one.said != "caught"] == []
        assert len(verdicts) == 10

    @pytest.mark.long
    @pytest.mark.timeout(3_600)
    def test_every_hole_is_caught(self) -> None:
        verdicts = try_all(HOLES, jobs=2)
        assert [one for one in verdicts if one.said != "caught"] == []
        assert len(verdicts) >= THIRTY
