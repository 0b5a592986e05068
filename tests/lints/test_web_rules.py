"""Each rule about the edge: what it must find, and what it must leave alone."""

import pytest

from lints.source import Rule, SourceFile
from lints.web import (
    AsyncOnly,
    BodiesAtTheEdge,
    CommitBeforeAnswer,
    NoExceptionText,
    ProblemsOnly,
    PureLayers,
)

SERVICE = "flatbed/app/candidates/service.py"
ROUTER = "flatbed/app/candidates/router.py"
DEPENDS = "from fastapi import Depends\n"


def lines(rule: Rule, text: str, path: str = SERVICE) -> list[int]:
    """The lines of a file at which a rule finds something."""
    return [finding.line for finding in rule.findings(SourceFile(path, text))]


class TestNoExceptionText:
    @pytest.mark.parametrize(
        "saying",
        [
            "raise ConflictError(str(error)) from error",
            "raise ConflictError(error) from error",
            "raise ConflictError(extra={'why': f'it said {error}'})",
            "raise ConflictError(extra={'why': f'{error!r}'})",
            "raise ConflictError('it said %s' % error)",
            "raise ConflictError('it said {}'.format(error))",
            "raise ConflictError(error.args[0])",
            "why = error.statement",
            "log.warning('failed', error=error)",
            "log.warning('failed %s', error)",
            "print(repr(error))",
        ],
    )
    def test_an_exception_that_becomes_text_is_found(self, saying: str) -> None:
        text = f"try:\n    f()\nexcept ValueError as error:\n    {saying}\n"
        assert lines(NoExceptionText(), text) == [4]

    def test_an_exception_that_is_handed_in_is_one_too(self) -> None:
        text = "def problem(error: SQLAlchemyError) -> Problem:\n    return Problem(str(error))\n"
        assert lines(NoExceptionText(), text) == [2]

    @pytest.mark.parametrize(
        "saying",
        [
            "log.exception('failed')",
            "logger.error('failed', exc_info=True)",
            "self.log.info('failed', exc_info=error)",
        ],
    )
    def test_a_logged_traceback_is_found(self, saying: str) -> None:
        assert lines(NoExceptionText(), f"{saying}\n") == [1]
        assert lines(NoExceptionText(), "import traceback\nx = traceback.format_exc()\n") == [2]

    def test_its_type_code_and_trail_are_left_alone(self) -> None:
        text = (
            "try:\n    f()\nexcept DBAPIError as error:\n"
            "    log.error('failed', code=failure_code(error), **trail(error))\n"
            "    kind = type(error).__name__\n"
            "    state = error.orig.sqlstate\n"
            "    raise ConflictError from error\n"
        )
        assert lines(NoExceptionText(), text) == []

    def test_a_name_that_is_no_exception_is_left_alone(self) -> None:
        text = "def challenge(error: str) -> str:\n    return f'Bearer error={error}'\n"
        assert lines(NoExceptionText(), text) == []

    @pytest.mark.parametrize(
        "path", ["flatbed/app/cli/output.py", "flatbed/tenants/kit/embedded/home.py", "tests/a.py"]
    )
    def test_an_operators_terminal_and_a_test_may_say_it(self, path: str) -> None:
        text = "try:\n    f()\nexcept OSError as error:\n    print(f'{error}')\n"
        assert lines(NoExceptionText(), text, path) == []


class TestPureLayers:
    @pytest.mark.parametrize(
        "text",
        [
            "from starlette.middleware.base import BaseHTTPMiddleware\n",
            "import starlette.middleware.base as b\n\nclass Layer(b.BaseHTTPMiddleware): ...\n",
            "@app.middleware('http')\nasync def layer(request, call_next): ...\n",
            "from fastapi import BackgroundTasks\n",
            "from starlette.background import BackgroundTask\n",
            "background.add_task(send, mail)\n",
        ],
    )
    def test_a_heavy_layer_or_work_after_the_answer_is_found(self, text: str) -> None:
        assert len(lines(PureLayers(), text, "flatbed/app/main.py")) == 1

    def test_a_pure_layer_and_a_docstring_are_left_alone(self) -> None:
        text = (
            '"""Pure ASGI: a BaseHTTPMiddleware would cost more."""\n'
            "app.add_middleware(RequestLayer)\n"
            "group.create_task(step())\n"
        )
        assert lines(PureLayers(), text, "flatbed/app/main.py") == []


class TestAsyncOnly:
    @pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
    def test_a_synchronous_operation_is_found(self, verb: str) -> None:
        text = f"@router.{verb}('/x')\ndef operation(): ...\n"
        assert lines(AsyncOnly(), text, ROUTER) == [2]
        assert lines(AsyncOnly(), text.replace("def", "async def"), ROUTER) == []

    def test_a_synchronous_dependency_is_found_where_it_is_used(self) -> None:
        text = f"{DEPENDS}def filters(): ...\nFilters = Annotated[F, Depends(filters)]\n"
        assert lines(AsyncOnly(), text, ROUTER) == [3]
        assert lines(AsyncOnly(), text.replace("def", "async def"), ROUTER) == []

    def test_a_class_as_a_dependency_is_found(self) -> None:
        assert lines(AsyncOnly(), f"{DEPENDS}x = Annotated[Listing, Depends()]\n", ROUTER) == [2]
        text = f"{DEPENDS}class Listing: ...\nx = Annotated[Listing, Depends(Listing)]\n"
        assert lines(AsyncOnly(), text, ROUTER) == [3]

    def test_commands_and_other_decorators_are_left_alone(self) -> None:
        text = "@app.command()\ndef serve(): ...\n@client.get('/x')\ndef f(): ...\n"
        assert lines(AsyncOnly(), text, "flatbed/app/cli/main.py") == []


class TestCommitBeforeAnswer:
    OPENER = f"{DEPENDS}async def opened():\n    async with database() as s:\n        yield s\n"

    @pytest.mark.parametrize("call", ["Depends(opened)", 'Depends(opened, scope="request")'])
    def test_a_transaction_that_outlives_its_operation_is_found(self, call: str) -> None:
        assert lines(CommitBeforeAnswer(), f"{self.OPENER}x = {call}\n", ROUTER) == [5]

    def test_a_method_that_yields_is_found_too(self) -> None:
        text = f"{DEPENDS}class A:\n    async def opened(self):\n        yield 1\n"
        assert lines(CommitBeforeAnswer(), f"{text}x = Depends(a.opened)\n", ROUTER) == [5]

    def test_one_that_ends_with_its_operation_is_left_alone(self) -> None:
        text = f'{self.OPENER}x = Depends(opened, scope="function")\ny = Depends(version)\n'
        assert lines(CommitBeforeAnswer(), text, ROUTER) == []


class TestBodiesAtTheEdge:
    @pytest.mark.parametrize("verb", ["body", "form", "json", "stream"])
    def test_another_reader_of_the_body_is_found(self, verb: str) -> None:
        assert lines(BodiesAtTheEdge(), f"x = request.{verb}()\n", ROUTER) == [1]
        assert lines(BodiesAtTheEdge(), f"x = call.request.{verb}()\n", ROUTER) == [1]

    def test_the_edge_and_other_json_are_left_alone(self) -> None:
        text = "x = request.stream()\n"
        assert lines(BodiesAtTheEdge(), text, "flatbed/tenants/kit/edge/bodies.py") == []
        assert lines(BodiesAtTheEdge(), "x = response.json()\ny = json.loads(z)\n", ROUTER) == []


class TestProblemsOnly:
    @pytest.mark.parametrize(
        "text",
        [
            "from fastapi import HTTPException\n",
            "from starlette.exceptions import HTTPException as Refused\n",
            "raise fastapi.HTTPException(404)\n",
        ],
    )
    def test_the_frameworks_exception_is_found(self, text: str) -> None:
        assert lines(ProblemsOnly(), text, ROUTER) == [1]

    def test_a_problem_and_the_translation_are_left_alone(self) -> None:
        assert lines(ProblemsOnly(), "raise NotFoundError\n", ROUTER) == []
        text = "from starlette.exceptions import HTTPException\n"
        assert lines(ProblemsOnly(), text, "flatbed/tenants/kit/http.py") == []
