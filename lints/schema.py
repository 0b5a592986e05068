"""Rules about tables, row security and errors of the database."""

import ast
import re
from collections.abc import Iterator
from typing import ClassVar, Final

from lints.source import Rule, SourceFile

HELPERS: Final = "flatbed/tenants/kit/database/schema"


class TablesByHelper(Rule):
    """Tables and policies are made by the kernel's helpers only."""

    code: ClassVar[str] = "FB016"
    reason: ClassVar[str] = (
        "the helpers of flatbed/tenants/kit/database/schema.py lead keys with the tenant, force "
        "row security and make its policies; by hand one of them is forgotten"
    )

    SQL: ClassVar[re.Pattern[str]] = re.compile(
        r"\bCREATE\s+(?:UNLOGGED\s+|FOREIGN\s+|TEMP(?:ORARY)?\s+)?TABLE\b"
        r"|\b(?:CREATE|ALTER|DROP)\s+POLICY\b"
    )

    def applies(self, source: SourceFile) -> bool:
        """In migrations, and in the program but for the helpers."""
        return source.within("flatbed", "migrations") and not source.within(HELPERS)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each table or policy that is made by hand."""
        for node in source.nodes:
            match node:
                case ast.Call(func=ast.Attribute(attr="create_table")):
                    yield node.lineno, "calls create_table()"
                case ast.Call(func=ast.Attribute(value=owner, attr="create_all")):
                    if source.resolve(owner).split(".")[-1] == "metadata":
                        yield node.lineno, "calls create_all()"
        for line, text in source.strings:
            if found := self.SQL.search(text):
                yield line, f"says {' '.join(found[0].split())}"


class RowSecurityHolds(Rule):
    """Nothing opens row security, runs with its owner's rights or lets everybody through."""

    code: ClassVar[str] = "FB017"
    reason: ClassVar[str] = (
        "what is open in one statement shows every tenant's rows; a backfill uses without_force()"
    )

    SQL: ClassVar[re.Pattern[str]] = re.compile(
        r"""\bSECURITY\s+DEFINER\b
          | \b(?:DISABLE|NO\s+FORCE)\s+ROW\s+LEVEL\s+SECURITY\b
          | \b(?:USING|WITH\s+CHECK)\s*\(\s*true\s*\)
          | \bALTER\s+ROLE\b.*\b(?:BYPASSRLS|SUPERUSER)\b
          | \bCREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?VIEW\b(?!.*\bsecurity_invoker\b)
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    )

    def applies(self, source: SourceFile) -> bool:
        """In migrations, and in the program but for the helpers."""
        return source.within("flatbed", "migrations") and not source.within(HELPERS)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each such SQL text, and each policy whose condition is the word true."""
        for line, text in source.strings:
            if found := self.SQL.search(text):
                yield line, f"says {' '.join(found[0].split())[:60]}"
        for node in source.nodes:
            match node:
                case ast.Call(
                    func=ast.Name(id="policy") | ast.Attribute(attr="policy"), keywords=keywords
                ):
                    for keyword in keywords:
                        match keyword.value:
                            case ast.Constant(value=str(text)) if text.strip("() ").lower() in {
                                "true",
                                "1=1",
                            }:
                                yield node.lineno, f"has a policy with {keyword.arg}={text!r}"


class NothingSwallowed(Rule):
    """An error of the database, or any error, ends in another one, never in going on."""

    code: ClassVar[str] = "FB018"
    reason: ClassVar[str] = (
        "after an error the transaction holds half of the change: raise, or guard the statement "
        "by begin_nested() and roll back to it"
    )

    # They begin transactions or wait for them: what failed below them was rolled back already.
    OUTSIDE: ClassVar[tuple[str, ...]] = (
        "flatbed/app/cli",
        "flatbed/app/demo",
        "flatbed/app/health",  # it asks on a connection of its own
        "flatbed/app/worker",
        "flatbed/tenants/kit/database",
        "flatbed/tenants/kit/deadlines",
        "flatbed/tenants/kit/edge",
        "flatbed/tenants/kit/embedded",
        "flatbed/tenants/kit/jobs",
        "flatbed/tenants/kit/sweep",
    )
    BROAD: ClassVar[frozenset[str]] = frozenset(
        {
            "BaseException",
            "DBAPIError",
            "DataError",
            "DatabaseError",
            "Exception",
            "IntegrityError",
            "InterfaceError",
            "OperationalError",
            "PostgresError",
            "ProgrammingError",
            "SQLAlchemyError",
        }
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program where a transaction is open."""
        return source.within("flatbed") and not source.within(*self.OUTSIDE)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each handler that goes on, and each broad suppress()."""
        for node in source.nodes:
            match node:
                case (
                    ast.Try(handlers=handlers, body=body)
                    | ast.TryStar(handlers=handlers, body=body)
                ) if not _nested(body):
                    for handler in handlers:
                        if self._broad(handler.type) and not isinstance(
                            handler.body[-1], ast.Raise
                        ):
                            yield handler.lineno, "goes on after an error"
                case ast.Call(func=func, args=args) if (
                    source.resolve(func) == "contextlib.suppress"
                ):
                    if any(map(self._broad, args)):
                        yield node.lineno, "suppresses an error"

    def _broad(self, kind: ast.expr | None) -> bool:
        match kind:
            case None:
                return True
            case ast.Tuple(elts=kinds):
                return any(map(self._broad, kinds))
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name in self.BROAD
            case _:
                return False


def _nested(body: list[ast.stmt]) -> bool:
    """Whether all that is tried runs in a savepoint of its own."""
    match body:
        case [ast.AsyncWith(items=[ast.withitem(context_expr=ast.Call(func=func))])]:
            return isinstance(func, ast.Attribute) and func.attr == "begin_nested"
        case _:
            return False
