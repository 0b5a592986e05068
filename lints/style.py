"""Rules about money, time, length and unfinished work."""

import ast
import re
from collections.abc import Iterator
from typing import ClassVar

from lints.source import Rule, SourceFile


class NoFloats(Rule):
    """No float literal, annotation, conversion or column type in billing."""

    code: ClassVar[str] = "FB005"
    reason: ClassVar[str] = "money is Decimal or whole minor units; a float loses cents"

    NAMES: ClassVar[frozenset[str]] = frozenset(
        {"DOUBLE", "DOUBLE_PRECISION", "Double", "FLOAT", "Float", "REAL", "float"}
    )
    WORD: ClassVar[re.Pattern[str]] = re.compile(r"\bfloat\b")

    def applies(self, source: SourceFile) -> bool:
        """In billing."""
        return source.within("flatbed/billing")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each mention of a float."""
        for node in source.nodes:
            match node:
                case ast.Constant(value=float(number)):
                    yield node.lineno, f"has the float literal {number}"
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in self.NAMES:
                    yield node.lineno, f"uses {name}"
                case (
                    ast.arg(annotation=ast.Constant(value=str(text)))
                    | ast.AnnAssign(annotation=ast.Constant(value=str(text)))
                    | ast.FunctionDef(returns=ast.Constant(value=str(text)))
                    | ast.AsyncFunctionDef(returns=ast.Constant(value=str(text)))
                ) if self.WORD.search(text):
                    yield node.lineno, "uses float"


class FileLength(Rule):
    """No file is longer than 400 lines, except a migration, which is never changed again."""

    code: ClassVar[str] = "FB006"
    reason: ClassVar[str] = "a file that long holds two things; split it by verb"

    LIMIT: ClassVar[int] = 400

    def applies(self, source: SourceFile) -> bool:
        """Every file that is read, but migrations."""
        return not source.within("migrations/versions")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield the first line too many."""
        lines = len(source.text.splitlines())
        if lines > self.LIMIT:
            yield self.LIMIT + 1, f"has {lines} lines, more than {self.LIMIT}"


class NothingUnfinished(Rule):
    """No reminder of work to do, and no function that is not there yet."""

    code: ClassVar[str] = "FB007"
    reason: ClassVar[str] = "what is here is whole, and what is not whole is not here yet"

    REMINDER: ClassVar[re.Pattern[str]] = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

    def applies(self, source: SourceFile) -> bool:
        """Everywhere."""
        del source
        return True

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each reminder in a comment or docstring, and each NotImplementedError."""
        docstrings = ((constant.lineno, text) for constant, text in source.docstrings)
        for line, text in (*source.comments, *docstrings):
            if found := self.REMINDER.search(text):
                yield line, f"says {found[0]}"
        for node in source.nodes:
            match node:
                case ast.Name(id="NotImplementedError"):
                    yield node.lineno, "mentions NotImplementedError"


class SuppressionsReasoned(Rule):
    """Every suppression of a linter names its code and says why, on its line."""

    code: ClassVar[str] = "FB008"
    reason: ClassVar[str] = "a finding that is silenced without a reason is silenced for ever"

    SUPPRESSION: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<kind>type:\s*ignore|(?:ruff:\s*|flake8:\s*)?noqa|pyright:\s*ignore"
        r"|pragma:\s*no\s+(?:cover|branch)|pragma:\s*allowlist\s+(?:nextline\s+)?secret|nosec)"
        r"(?P<codes>\[[^\]]*\]|(?::\s*|(?<=nosec)\s+)[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?",
    )
    REASON: ClassVar[re.Pattern[str]] = re.compile(r"\w\S*\s+\w")

    def applies(self, source: SourceFile) -> bool:
        """Everywhere."""
        del source
        return True

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each suppression that lacks its code or its reason."""
        for line, text in source.comments:
            for found in self.SUPPRESSION.finditer(text):
                kind = " ".join(found["kind"].split())
                if not found["codes"] and "pragma" not in kind:
                    yield line, f"suppresses everything with {kind!r}"
            rest, suppressions = self.SUPPRESSION.subn("", text)
            if suppressions and not self.REASON.search(rest):
                yield line, "suppresses a finding without saying why"


class ClockOnly(Rule):
    """No reading of the system's wall clock outside the kernel's clock."""

    code: ClassVar[str] = "FB009"
    reason: ClassVar[str] = (
        "every rule asks the realm's clock (flatbed/tenants/kit/clock.py); "
        "a sandbox whose clock was moved would be wrong"
    )

    READERS: ClassVar[frozenset[str]] = frozenset(
        {
            "datetime.date.today",
            "datetime.datetime.now",
            "datetime.datetime.today",
            "datetime.datetime.utcnow",
            "time.gmtime",
            "time.localtime",
            "time.time",
            "time.time_ns",
        }
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but in the clock itself."""
        return source.within("flatbed") and not source.within("flatbed/tenants/kit/clock")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each reading, also one handed on as a function."""
        for node in source.nodes:
            match node:
                case ast.Attribute() | ast.Name(ctx=ast.Load()):
                    if (reader := source.resolve(node)) in self.READERS:
                        yield node.lineno, f"reads {reader}()"
