"""The OpenAPI document is a product: valid, committed as it is, and whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from flatbed.app.cli.document import document
from flatbed.app.openapi import STATUS_TEXT, permission_page
from flatbed.app.permissions import PERMISSIONS, agree
from flatbed.app.routers import ROUTERS
from flatbed.tenants.access.permissions import Permissions, PermissionTableError
from flatbed.tenants.kit.problems import Problem, catalogue

ROOT = Path(__file__).parents[2]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document())
    return found


def _operations(made: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, item[method])
        for path, item in made["paths"].items()
        for method in METHODS
        if method in item
    ]


class TestDocument:
    """openapi/openapi.json."""

    def test_it_is_valid_openapi_3_1(self, made: dict[str, Any]) -> None:
        validate(made)
        assert made["openapi"].startswith("3.1")

    def test_the_committed_files_are_what_the_code_says(self) -> None:
        committed = (ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8")
        page = (ROOT / "docs" / "reference" / "permissions.md").read_text(encoding="utf-8")
        assert committed == document()
        assert page == permission_page()

    def test_every_operation_names_itself_its_tag_and_its_security(
        self, made: dict[str, Any]
    ) -> None:
        operations = _operations(made)
        names = [operation["operationId"] for _, _, operation in operations]
        assert len(set(names)) == len(names) > 90
        for path, _, operation in operations:
            assert operation["tags"], path
            assert operation["description"], path
            needs = path.startswith("/v1/")
            assert bool(operation["security"]) is needs, path

    def test_every_response_member_is_required_and_has_no_default(
        self, made: dict[str, Any]
    ) -> None:
        """A client must not have to guess whether a member comes."""
        replies = {
            name: schema
            for name, schema in made["components"]["schemas"].items()
            if name.endswith(("Read", "Page", "Detail"))
        }
        assert len(replies) > 30
        for name, schema in replies.items():
            assert set(schema.get("required", [])) == set(schema["properties"]), name

    def test_no_schema_comes_in_an_input_and_an_output_form(self, made: dict[str, Any]) -> None:
        """`X-Input` and `X-Output` pairs break client generators."""
        names = made["components"]["schemas"]
        assert not [name for name in names if name.endswith(("-Input", "-Output"))]

    def test_what_changes_a_version_needs_if_match(self, made: dict[str, Any]) -> None:
        for path, method, operation in _operations(made):
            header = [p for p in operation.get("parameters", []) if p["name"] == "if-match"]
            needs = method in {"patch", "put", "delete"} or path.endswith("/transitions")
            if needs and method != "get":
                assert header, path
                assert header[0]["required"], path

    def test_every_operation_documents_what_the_gate_and_the_edge_answer(
        self, made: dict[str, Any]
    ) -> None:
        """Also 404 without an id in the path: the tenant that a header names may be missing."""
        always = {"400", "401", "403", "404", "414", "422", "431", "503"}
        seen = 0
        for path, method, operation in _operations(made):
            if not path.startswith("/v1/"):
                continue
            seen += 1
            answers = operation["responses"]
            assert always <= set(answers), path
            assert ({"408", "413"} <= set(answers)) is ("requestBody" in operation), path
            assert ("409" in answers) is (method != "get"), path
            for status in set(answers) & set(STATUS_TEXT):
                assert answers[status] == {"$ref": f"#/components/responses/Problem{status}"}, path
        assert seen > 90


class TestPermissionTable:
    """Routes and table agree, or the program does not start."""

    def test_the_routes_and_the_table_agree(self) -> None:
        agree(ROUTERS, PERMISSIONS)

    def test_a_line_without_a_route_and_a_route_without_a_line_stop_the_start(self) -> None:
        rows = dict(PERMISSIONS.rows)
        with pytest.raises(PermissionTableError, match="another"):
            agree(ROUTERS, Permissions({**rows, "another": rows["get_usage"]}))
        del rows["get_usage"]
        with pytest.raises(PermissionTableError, match="get_usage"):
            agree(ROUTERS, Permissions(rows))

    def test_another_scope_in_the_table_than_in_the_router_stops_the_start(self) -> None:
        rows = dict(PERMISSIONS.rows)
        rows["get_usage"] = rows["list_audit"]
        with pytest.raises(PermissionTableError, match="get_usage"):
            agree(ROUTERS, Permissions(rows))


class TestProblems:
    """Every problem type has a page."""

    def test_codes_are_unique_but_for_those_that_narrow_another(self) -> None:
        found: dict[str, type[Problem]] = {}
        for problem in catalogue():
            known = found.setdefault(problem.code, problem)
            assert known is problem or issubclass(problem, known) or issubclass(known, problem), (
                problem.code
            )
        assert len(found) > 40

    def test_each_says_what_it_means_and_what_to_do_next(self) -> None:
        for problem in catalogue():
            assert problem.__doc__, problem
            assert problem.advice, problem
            assert problem.title, problem
            assert 400 <= problem.status < 600, problem
