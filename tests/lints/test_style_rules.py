"""Each rule about money, time, length and unfinished work."""

import pytest

from lints.source import Rule, SourceFile
from lints.style import ClockOnly, FileLength, NoFloats, NothingUnfinished, SuppressionsReasoned

BILLING = "flatbed/billing/usage/service.py"
SERVICE = "flatbed/app/candidates/service.py"


def lines(rule: Rule, text: str, path: str = SERVICE) -> list[int]:
    """The lines of a file at which a rule finds something."""
    return [finding.line for finding in rule.findings(SourceFile(path, text))]


class TestNoFloats:
    @pytest.mark.parametrize(
        "text",
        [
            "rate = 0.19\n",
            "def f(amount: float) -> None: ...\n",
            "def f() -> 'float | None': ...\n",
            "amount: 'float' = 1\n",
            "x = float('1.5')\n",
            "amount = mapped_column(Float)\n",
            "amount = mapped_column(sa.DOUBLE_PRECISION)\n",
        ],
    )
    def test_a_float_in_billing_is_found(self, text: str) -> None:
        assert lines(NoFloats(), text, BILLING) == [1]

    def test_decimals_and_whole_units_are_left_alone(self) -> None:
        text = "x: Decimal = Decimal('0.19')\ny: int = 1900\n'a float would lose cents'\n"
        assert lines(NoFloats(), text, BILLING) == []

    def test_a_measure_outside_billing_may_be_a_float(self) -> None:
        assert lines(NoFloats(), "half_life = 14.0\n", SERVICE) == []


class TestFileLength:
    def test_line_401_is_found(self) -> None:
        assert lines(FileLength(), "x = 1\n" * 401) == [401]
        assert lines(FileLength(), "x = 1\n" * 401, "tests/test_long.py") == [401]

    def test_400_lines_and_a_long_migration_are_left_alone(self) -> None:
        assert lines(FileLength(), "x = 1\n" * 400) == []
        assert lines(FileLength(), "x = 1\n" * 401, "migrations/versions/0001_all.py") == []


class TestNothingUnfinished:
    @pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
    def test_a_reminder_is_found(self, word: str) -> None:
        assert lines(NothingUnfinished(), f"x = 1  # {word}: later\n") == [1]
        assert lines(NothingUnfinished(), f'def f() -> None:\n    """{word} write."""\n') == [2]

    @pytest.mark.parametrize("raised", ["NotImplementedError", "NotImplementedError('later')"])
    def test_a_function_that_is_not_there_yet_is_found(self, raised: str) -> None:
        assert lines(NothingUnfinished(), f"def f():\n    raise {raised}\n") == [2]

    def test_a_string_and_the_operator_protocol_are_left_alone(self) -> None:
        text = "kind = 'TODO'\ndef __eq__(a, b):\n    return NotImplemented\n"
        assert lines(NothingUnfinished(), text) == []


class TestSuppressionsReasoned:
    @pytest.mark.parametrize(
        "comment",
        [
            "# type: ignore[arg-type]",
            "# noqa: S608",
            "# noqa: S608, S603",
            "# type: ignore[misc]  # noqa: A001",
            "# noqa: S608 ok",
            "# pragma: no cover",
            "# nosec B608",
            "# pragma: allowlist secret",
            "# pragma: allowlist nextline secret",
        ],
    )
    def test_a_suppression_without_a_reason_is_found(self, comment: str) -> None:
        assert lines(SuppressionsReasoned(), f"x = 1  {comment}\n") == [1]

    @pytest.mark.parametrize("comment", ["# noqa", "# type: ignore", "# ruff: noqa", "# nosec"])
    def test_one_that_names_no_code_is_found_whatever_it_says(self, comment: str) -> None:
        assert lines(SuppressionsReasoned(), f"x = 1  {comment} - the reason is good\n") == [1]

    @pytest.mark.parametrize(
        "comment",
        [
            "# type: ignore[arg-type]  # the stubs lack this overload",
            "# noqa: ANN401 - SQLAlchemy's adapter",
            "# noqa: S608 - names come from the catalogue",
            "# nosec B608 - names come from the catalogue",
            "# pragma: allowlist secret - a guess that must be refused",
            "# the noise of the world",
        ],
    )
    def test_a_reasoned_one_and_a_plain_comment_are_left_alone(self, comment: str) -> None:
        assert lines(SuppressionsReasoned(), f"x = 1  {comment}\n") == []


class TestClockOnly:
    @pytest.mark.parametrize(
        "text",
        [
            "from datetime import datetime, UTC\nx = datetime.now(UTC)\n",
            "import datetime as dt\nx = dt.datetime.utcnow()\n",
            "from datetime import date\nx = date.today()\n",
            "import time\nx = time.time()\n",
            "from time import time\nx = time()\n",
            "from datetime import datetime\nField(default_factory=datetime.now)\n",
        ],
    )
    def test_a_reading_of_the_wall_clock_is_found(self, text: str) -> None:
        assert lines(ClockOnly(), text) == [2]

    def test_the_kernel_clock_reads_it(self) -> None:
        text = "from datetime import UTC, datetime\nx = datetime.now(UTC)\n"
        assert lines(ClockOnly(), text, "flatbed/tenants/kit/clock.py") == []

    def test_the_realms_clock_and_a_stopwatch_are_left_alone(self) -> None:
        text = "import time\nfrom datetime import datetime\nx = clock.now()\ntime.monotonic()\n"
        assert lines(ClockOnly(), text) == []
