"""Every sentence of the product that is built has a test that names it.

`sentences/*.toml` hold the rules of the pipeline, of qualification and gaming, of acceptance and
dispute, and the formulas behind them, in the words of the product paper: one entry for each rule of
a sentence. `tests` show it; each of them names one of the `phrases`, which are parts of the text.
What is not built yet is `in = false`, and `held_by` says what it comes with.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((Path(__file__).parent / "sentences").glob("*.toml"))
SENTENCES: list[dict[str, Any]] = [
    one for file in FILES for one in tomllib.loads(file.read_text(encoding="utf-8"))["sentence"]
]
BUILT = [one for one in SENTENCES if one["in"]]
LATER = [one for one in SENTENCES if not one["in"]]
COUNTS = {
    "acceptance": 32,
    "days": 4,
    "exits": 3,
    "formulas": 26,
    "provenance": 13,
    "gaming": 8,
    "moves": 20,
    "evidence": 7,
    "qualified": 18,
    "stages": 27,
}
"""Rules that are built, by section: a rule that is dropped is noticed."""
NOT_BUILT = 6
NEVER_RUN = {"skip", "skipif", "xfail", "long", "importorskip"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def plain(text: str) -> str:
    """Text without marks, case and line breaks."""
    return " ".join(re.sub(r"[`*]", "", text).split()).casefold()


@cache
def module(path: str) -> ast.Module:
    """A test file, parsed."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def found(test: str) -> tuple[ast.Module, ast.ClassDef, Function]:
    """The test of a node id `file::class::function`, with what stands around it."""
    path, class_name, name = test.split("::")
    file = module(path)
    classes = (one for one in file.body if isinstance(one, ast.ClassDef) and one.name == class_name)
    for one in classes:
        for member in one.body:
            if isinstance(member, Function) and member.name == name:
                return file, one, member
    raise LookupError(f"{test} does not exist")


def said(test: str) -> str:
    """What a test names: its docstring and its class's, and its own name."""
    _, around, function = found(test)
    words = [ast.get_docstring(node) or "" for node in (function, around)]
    return plain(" | ".join([*words, function.name.replace("_", " ")]))


def not_run(test: str) -> Iterator[str]:
    """The marks and calls by which a test would not run, or not count."""
    file, around, function = found(test)
    marked = [node for node in file.body if isinstance(node, ast.Assign)]
    nodes: list[ast.AST] = [*marked, *function.decorator_list, *around.decorator_list]
    nodes += function.body
    for node in (inner for one in nodes for inner in ast.walk(one)):
        if isinstance(node, ast.Attribute) and node.attr in NEVER_RUN:
            yield node.attr


def ids(sentences: list[dict[str, Any]]) -> list[str]:
    """Their ids."""
    return [one["id"] for one in sentences]


class TestSentences:
    def test_each_is_listed_once(self) -> None:
        assert len(set(ids(SENTENCES))) == len(SENTENCES)
        assert len(BUILT) + len(LATER) == len(SENTENCES)

    def test_none_is_lost(self) -> None:
        sections = [one["id"].partition(".")[0] for one in BUILT]
        assert {name: sections.count(name) for name in dict.fromkeys(sections)} == COUNTS

    @pytest.mark.parametrize("sentence", BUILT, ids=ids(BUILT))
    def test_what_is_built_has_a_test_that_names_it(self, sentence: dict[str, Any]) -> None:
        assert set(sentence) == {"id", "text", "in", "phrases", "tests"}
        assert sentence["tests"]
        assert len(set(sentence["tests"])) == len(sentence["tests"])
        phrases = [plain(phrase) for phrase in sentence["phrases"]]
        assert phrases
        assert all(phrase in plain(sentence["text"]) for phrase in phrases)
        for test in sentence["tests"]:
            assert any(phrase in said(test) for phrase in phrases), test
            assert not list(not_run(test)), test

    def test_what_is_not_built_says_what_holds_it(self) -> None:
        assert [set(one) for one in LATER] == [{"id", "text", "in", "held_by"}] * len(LATER)
        assert all(one["held_by"].strip() for one in LATER)
        assert len(LATER) == NOT_BUILT


class TestTheCheckItself:
    def test_a_test_that_is_not_there_is_noticed(self) -> None:
        with pytest.raises(LookupError):
            found("tests/product/test_sentences.py::TestSentences::test_that_nobody_wrote")

    def test_a_test_is_known_by_its_docstring_and_its_name(self) -> None:
        """It is read as one line.

        Neither `marks` nor line
        breaks matter.
        """
        own = (
            "tests/product/test_sentences.py::TestTheCheckItself"
            "::test_a_test_is_known_by_its_docstring_and_its_name"
        )
        assert "neither marks nor line breaks matter" in said(own)
        assert "known by its docstring" in said(own)
        assert not list(not_run(own))
