"""What a rule sees of a file, and what it answers."""

import ast
import io
import tokenize
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import ClassVar


@dataclass(frozen=True, order=True)
class Finding:
    """One breach of a rule at one line of a file."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.message}"


class SourceFile:
    """A Python file: its path from the root of the repository, its text, tree and comments."""

    def __init__(self, path: str, text: str) -> None:
        self.path = PurePosixPath(path)
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; raises SyntaxError for a file that Python cannot read."""
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, parents before their children."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def comments(self) -> tuple[tuple[int, str], ...]:
        """Line and text of every comment; a `#` inside a string is none."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return tuple((t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT)

    @cached_property
    def docstrings(self) -> tuple[tuple[ast.Constant, str], ...]:
        """Every docstring, as its node and its text."""
        found: list[tuple[ast.Constant, str]] = []
        for node in self.nodes:
            if not isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ):
                continue
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str(text)) as constant), *_]:
                    found.append((constant, text))
        return tuple(found)

    @cached_property
    def strings(self) -> tuple[tuple[int, str], ...]:
        """Line and text of every string but docstrings; an f-string's fields read as `{}`."""
        pieces: set[int] = {id(constant) for constant, _ in self.docstrings}
        found: list[tuple[int, str]] = []
        for node in self.nodes:
            match node:
                case ast.JoinedStr(values=values):
                    pieces.update(id(value) for value in values)
                    found.append((node.lineno, "".join(map(_piece, values))))
                case ast.Constant(value=str(text)) if id(node) not in pieces:
                    found.append((node.lineno, text))
        return tuple(found)

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each imported local name stands for, dotted: `{"sel": "sqlalchemy.select"}`."""
        names: dict[str, str] = {}
        for node in self.nodes:
            match node:
                case ast.Import(names=aliases):
                    for alias in aliases:
                        if alias.asname:
                            names[alias.asname] = alias.name
                        else:
                            root = alias.name.split(".")[0]
                            names[root] = root
                case ast.ImportFrom(module=str(module), names=aliases, level=0):
                    for alias in aliases:
                        names[alias.asname or alias.name] = f"{module}.{alias.name}"
        return names

    def resolve(self, node: ast.expr) -> str:
        """The dotted origin of an expression such as `sa.select`, or "" for any other kind."""
        match node:
            case ast.Name(id=name):
                return self.imported.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                owner = self.resolve(value)
                return f"{owner}.{attr}" if owner else ""
            case _:
                return ""

    def within(self, *places: str) -> bool:
        """Whether the file is one of the places or below one; a module may become a package."""
        spellings = {str(self.path), str(self.path.with_suffix(""))}
        spellings.update(str(parent) for parent in self.path.parents)
        return not spellings.isdisjoint(places)


def _piece(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text
        case _:
            return "{}"


class Rule(ABC):
    """One rule: a code, the reason it stands for, where it holds and what it finds."""

    code: ClassVar[str]
    reason: ClassVar[str]

    def applies(self, source: SourceFile) -> bool:
        """Whether the rule holds in this file."""
        return source.within("flatbed", "migrations")

    @abstractmethod
    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield the line and a short description of each breach."""

    def findings(self, source: SourceFile) -> Iterator[Finding]:
        """The breaches of one file, each with the reason of the rule."""
        if not self.applies(source):
            return
        for line, what in self.check(source):
            yield Finding(str(source.path), line, self.code, f"{what}: {self.reason}")
