"""Rules about the edge: dependencies, layers, bodies and what an answer or a log may say."""

import ast
from collections.abc import Iterator
from typing import ClassVar

from lints.source import Rule, SourceFile

Function = ast.FunctionDef | ast.AsyncFunctionDef


class NoExceptionText(Rule):
    """No caught exception is turned into text, and no traceback is logged."""

    code: ClassVar[str] = "FB010"
    reason: ClassVar[str] = (
        "an exception's text holds statements, values and hosts; say its code, type or trail "
        "(flatbed/tenants/kit/logging.py)"
    )

    # What these say reaches only the operator who typed the command.
    TERMINAL: ClassVar[tuple[str, ...]] = (
        "flatbed/app/cli",
        "flatbed/tenants/kit/database/provision",
        "flatbed/tenants/kit/embedded",
    )
    TEXT: ClassVar[frozenset[str]] = frozenset({"ascii", "format", "repr", "str"})
    LOG: ClassVar[frozenset[str]] = frozenset(
        {"critical", "debug", "error", "exception", "info", "log", "warning"}
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but where an operator's terminal is written to."""
        return source.within("flatbed") and not source.within(*self.TERMINAL)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each place that makes text of an exception, or logs its traceback."""
        found = {line for place, name in _caught(source) for line in self._worded(place, name)}
        yield from ((line, "makes text of an exception") for line in sorted(found))
        for node in source.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=verb), keywords=keywords) if (
                    verb in self.LOG and source.resolve(owner).split(".")[-1] in {"log", "logger"}
                ):
                    if verb == "exception" or any(k.arg == "exc_info" for k in keywords):
                        yield node.lineno, "logs a traceback"
                case ast.Call(func=func) if source.resolve(func).startswith("traceback.format"):
                    yield node.lineno, "formats a traceback"

    def _worded(self, place: ast.AST, name: str) -> Iterator[int]:
        for node in ast.walk(place):
            match node:
                case ast.FormattedValue(value=ast.Name(id=said)) if said == name:
                    yield node.lineno
                case ast.Attribute(value=ast.Name(id=said), attr="args" | "params" | "statement"):
                    if said == name:
                        yield node.lineno
                case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
                    if name in _names(right):
                        yield node.lineno
                case ast.Call(func=func, args=args, keywords=keywords):
                    given = {n for a in (*args, *(k.value for k in keywords)) for n in _names(a)}
                    if name in given and self._speaks(func):
                        yield node.lineno

    def _speaks(self, func: ast.expr) -> bool:
        match func:
            case ast.Name(id=called):
                return called in self.TEXT or called.endswith(("Error", "Exception"))
            case ast.Attribute(attr=verb):
                return verb in self.LOG or verb == "format"
            case _:
                return False


class PureLayers(Rule):
    """Layers are pure ASGI, and nothing is left to be done after the answer."""

    code: ClassVar[str] = "FB011"
    reason: ClassVar[str] = (
        "a BaseHTTPMiddleware costs more than most operations and hides disconnects; what is to "
        "follow an answer is a job, enqueued in the transaction"
    )

    NAMES: ClassVar[frozenset[str]] = frozenset(
        {"BackgroundTask", "BackgroundTasks", "BaseHTTPMiddleware"}
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program."""
        return source.within("flatbed")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each import of the classes and each `@app.middleware`."""
        for node in source.nodes:
            match node:
                case ast.ImportFrom(names=aliases):
                    for alias in aliases:
                        if alias.name in self.NAMES:
                            yield node.lineno, f"imports {alias.name}"
                case ast.Attribute(attr=name) if name in self.NAMES:
                    yield node.lineno, f"uses {name}"
                case ast.Call(func=ast.Attribute(value=owner, attr="middleware" | "add_task")):
                    if source.resolve(owner).split(".")[-1] in {"app", "background", "router"}:
                        yield node.lineno, "adds a function beside the layers"


class AsyncOnly(Rule):
    """Operations and their dependencies are `async def`, and no dependency is a class."""

    code: ClassVar[str] = "FB012"
    reason: ClassVar[str] = "FastAPI hands what is not `async def` to a thread: 75 to 100 µs each"

    ROUTES: ClassVar[frozenset[str]] = frozenset(
        {"api_route", "delete", "get", "head", "options", "patch", "post", "put", "route"}
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program."""
        return source.within("flatbed")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each synchronous operation, dependency of the same file, and class."""
        sync = {n.name for n in source.nodes if isinstance(n, ast.FunctionDef)}
        sync |= {n.name for n in source.nodes if isinstance(n, ast.ClassDef)}
        for node in source.nodes:
            if isinstance(node, ast.FunctionDef) and any(map(self._routes, node.decorator_list)):
                yield node.lineno, f"the operation {node.name} is not async"
        for call in _dependencies(source):
            match call.args:
                case []:
                    yield call.lineno, "a class is a dependency"
                case [ast.Name(id=name), *_] if name in sync:
                    yield call.lineno, f"the dependency {name} is not async"

    def _routes(self, decorator: ast.expr) -> bool:
        match decorator:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=verb)):
                return verb in self.ROUTES and owner.endswith(("app", "router"))
            case _:
                return False


class CommitBeforeAnswer(Rule):
    """A dependency that yields ends before the answer is sent."""

    code: ClassVar[str] = "FB013"
    reason: ClassVar[str] = (
        'without scope="function" a transaction commits after the client was told that it did'
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program."""
        return source.within("flatbed")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each yielding dependency of the same file that lacks the scope."""
        yielding = {
            node.name
            for node in source.nodes
            if isinstance(node, Function)
            and any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))
        }
        for call in _dependencies(source):
            scopes = [k.value for k in call.keywords if k.arg == "scope"]
            match scopes:
                case [ast.Constant(value="function")]:
                    continue
                case [_, *_]:
                    yield call.lineno, "a dependency outlives the operation"
                case _ if call.args and _last_name(call.args[0]) in yielding:
                    yield call.lineno, f"{_last_name(call.args[0])} ends after the answer"


class BodiesAtTheEdge(Rule):
    """A request's body is read by the edge, the token forms and the schemas only."""

    code: ClassVar[str] = "FB014"
    reason: ClassVar[str] = (
        "size, depth, encoding and doubled keys are judged once, at the edge "
        "(flatbed/tenants/kit/edge); a second reader would judge otherwise"
    )

    READERS: ClassVar[tuple[str, ...]] = (
        "flatbed/tenants/kit/edge",
        "flatbed/tenants/oauth/forms",
        "flatbed/billing/stripe_events/router",  # a webhook's signature is over its raw bytes
        "flatbed/tenants/access/calls",  # the digest of what an Idempotency-Key is bound to
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but in the readers."""
        return source.within("flatbed") and not source.within(*self.READERS)

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each reading of a body."""
        for node in source.nodes:
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=owner, attr="body" | "form" | "json" | "stream" as verb
                    )
                ) if _last_name(owner) == "request":
                    yield node.lineno, f"reads request.{verb}()"


class ProblemsOnly(Rule):
    """A refusal is a Problem, never the framework's exception."""

    code: ClassVar[str] = "FB015"
    reason: ClassVar[str] = (
        "clients branch on a problem's stable code, which an HTTPException has not "
        "(flatbed/tenants/kit/problems.py)"
    )

    def applies(self, source: SourceFile) -> bool:
        """Everywhere in the program but where the framework's own are translated."""
        return source.within("flatbed") and not source.within("flatbed/tenants/kit/http")

    def check(self, source: SourceFile) -> Iterator[tuple[int, str]]:
        """Yield each import and each use by a module's name."""
        for node in source.nodes:
            match node:
                case ast.ImportFrom(names=aliases):
                    if any(alias.name == "HTTPException" for alias in aliases):
                        yield node.lineno, "imports HTTPException"
                case ast.Attribute(attr="HTTPException"):
                    yield node.lineno, "uses HTTPException"


def _caught(source: SourceFile) -> Iterator[tuple[ast.AST, str]]:
    """Each place in which a name stands for an exception: handlers, and typed parameters."""
    for node in source.nodes:
        match node:
            case ast.ExceptHandler(name=str(name)):
                yield node, name
            case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args):
                for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
                    kind = _last_name(arg.annotation) if arg.annotation else ""
                    if kind.endswith(("Error", "Exception")):
                        yield node, arg.arg


def _dependencies(source: SourceFile) -> Iterator[ast.Call]:
    for node in source.nodes:
        if isinstance(node, ast.Call):
            origin = source.resolve(node.func)
            if origin.startswith("fastapi.") and origin.endswith((".Depends", ".Security")):
                yield node


def _names(node: ast.expr) -> set[str]:
    """The names that an argument hands over as they are: `error`, `(a, error)`, `*errors`."""
    match node:
        case ast.Name(id=name):
            return {name}
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return {name for element in elements for name in _names(element)}
        case _:
            return set()


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
