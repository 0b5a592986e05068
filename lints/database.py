"""Rules about transactions, SQL and what a transaction may see."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from lints.agency_plane import ENTRANCES
from lints.source import Finding, Rule, SourceFile

KERNEL: Final = "flatbed/tenants/kit"
DATABASE: Final = "flatbed/tenants/kit/database"


class NoCommit(Rule):
    """No `.commit()` or `.rollback()` outside the kernel's database package."""

    code: ClassVar[str] = "FB001"
    reason: ClassVar[str] = (
        "one request is one transaction, which the kernel ends; a feature that ends it splits it"
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but in the kernel's database package."""
        return source.within("flatbed") and not source.within(DATABASE)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each call that ends a transaction."""
        for node in source.nodes:
            match node:
                case ast.Call(func=ast.Attribute(attr="commit" | "rollback" as verb)):
                    yield node.lineno, f"calls .{verb}()"


class SqlInRepositories(Rule):
    """SQL is built and executed in repositories, the kernel and migrations only."""

    code: ClassVar[str] = "FB002"
    reason: ClassVar[str] = "only a repository builds SQL, so that a reviewer knows where to look"

    BUILDERS: ClassVar[frozenset[str]] = frozenset(
        {"delete", "insert", "select", "text", "union", "union_all", "update", "values"}
    )
    RUNNERS: ClassVar[frozenset[str]] = frozenset(
        {
            "exec_driver_sql",
            "execute",
            "get",
            "get_one",
            "scalar",
            "scalar_one",
            "scalars",
            "stream",
            "stream_scalars",
        }
    )
    RECEIVER: ClassVar[re.Pattern[str]] = re.compile(r"(^|_)(session|connection|conn|db)$")

    def applies(self, source: SourceFile) -> bool:
        """In the program outside the kernel and outside a repository module or package."""
        names = {source.path.stem, *source.path.parent.parts}
        return source.within("flatbed") and not source.within(KERNEL) and "repository" not in names

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each call that builds a statement or runs one on a session."""
        for node in source.nodes:
            if not isinstance(node, ast.Call):
                continue
            library, _, name = source.resolve(node.func).rpartition(".")
            if library.split(".")[0] == "sqlalchemy" and name in self.BUILDERS:
                # A model's partial index or server default is schema, not a statement.
                if name == "text" and _is_schema(source):
                    continue
                yield node.lineno, f"builds SQL with {name}()"
            elif isinstance(node.func, ast.Attribute) and node.func.attr in self.RUNNERS:
                receiver = _last_name(node.func.value)
                if self.RECEIVER.search(receiver):
                    yield node.lineno, f"calls {receiver}.{node.func.attr}()"


class NoSessionSettings(Rule):
    """No setting outlives its transaction, and only the kernel makes any."""

    code: ClassVar[str] = "FB003"
    reason: ClassVar[str] = (
        "a setting that outlives its transaction shows the next tenant on that connection "
        "this one's rows; context is made by the kernel, with SET LOCAL"
    )

    # `Set` with one capital is prose, and so is `set it to whatever follows`.
    SESSION: ClassVar[re.Pattern[str]] = re.compile(
        r"""(?:^|;)\s*(?:
            (?:SET|set)\s+(?!(?i:LOCAL)\b)(?:(?i:SESSION)\s+)?
                (?: [\w."{}]+\s*=
                  | [\w."{}]+\s+(?i:TO)\s+(?:'[^']*'|[\w."{}:-]+)(?:\s*,\s*\S+)*\s*(?:;|$)
                  | (?i:ROLE|AUTHORIZATION|CHARACTERISTICS|NAMES|TIME\s+ZONE)\b )
          | (?:RESET|reset)\s+["\w.{}]+\s*(?:;|$)
          | (?:DISCARD|discard)\s+\w+\s*(?:;|$)
        )""",
        re.VERBOSE,
    )
    LOCAL: ClassVar[re.Pattern[str]] = re.compile(r"(?:^|;)\s*(?:SET|set)\s+(?i:LOCAL)\b")
    CONFIG: ClassVar[re.Pattern[str]] = re.compile(r"\bset_config\s*\(", re.IGNORECASE)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each SQL text that sets or resets something it must not."""
        may_set_local = source.within(KERNEL, "migrations")
        for line, text in source.strings:
            if self.SESSION.search(text):
                yield line, "changes a setting of the session"
            elif self.CONFIG.search(text):
                yield line, "calls set_config()"
            elif self.LOCAL.search(text) and not may_set_local:
                yield line, "uses SET LOCAL outside the kernel"
        for node in source.nodes:
            match node:
                case ast.Call(func=ast.Attribute(attr="set_config")):
                    yield node.lineno, "calls set_config()"


class AgencyPlaneListed(Rule):
    """The agency plane is entered from listed files only, and every listed file enters it."""

    code: ClassVar[str] = "FB004"
    reason: ClassVar[str] = (
        "the agency plane sees every tenant's rows; list the file in lints/agency_plane.py "
        "with the reason it must"
    )

    DOORS: ClassVar[frozenset[str]] = frozenset(
        {"agency_plane", "agency_plane_to_read", "agency_of_login", "tenant_of_login"}
    )

    def __init__(self, entrances: Mapping[str, str] = ENTRANCES) -> None:
        self.entrances = entrances

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but where the plane is defined, and in listed files."""
        listed = str(source.path) in self.entrances
        return source.within("flatbed") and not source.within(DATABASE) and not listed

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each import and each call of the context managers."""
        for line in self._mentions(source):
            yield line, "enters the agency plane"

    def stale(self, sources: Mapping[str, SourceFile]) -> Iterator[Finding]:
        """Entries that no longer hold: their file is gone, or enters nothing."""
        for path in self.entrances:
            if path not in sources or not any(self._mentions(sources[path])):
                yield Finding(
                    "lints/agency_plane.py", 1, self.code, f"{path} is listed and enters nothing"
                )

    def _mentions(self, source: SourceFile) -> Iterator[int]:
        for node in source.nodes:
            match node:
                case ast.ImportFrom(names=aliases):
                    if any(alias.name in self.DOORS for alias in aliases):
                        yield node.lineno
                case ast.Call(func=func) if _last_name(func) in self.DOORS:
                    yield node.lineno


def _is_schema(source: SourceFile) -> bool:
    return not {source.path.stem, *source.path.parent.parts}.isdisjoint({"models", "tables"})


def _last_name(node: ast.expr) -> str:
    """The last name of `session`, `self.session` or `self._session()`, else ""."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return _last_name(func)
        case _:
            return ""
