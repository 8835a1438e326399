"""The conventions of tests: one sentence that says what a test is for, sizes, and no access to private names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent

MAX_MODULE_LINES = 400
_SENTENCE_END = re.compile(r"[.!?]\s+[A-Z`\"(]")


def modules() -> list[Path]:
    return sorted(TESTS.rglob("*.py"))


def functions_of(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the test functions of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def is_one_sentence(docstring: str | None) -> bool:
    """Return whether a docstring is one sentence that ends with a full stop."""
    text = (docstring or "").strip()
    return text.endswith(".") and _SENTENCE_END.search(text) is None


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Subscribers would get an issue twice.", True),
        ("Feed readers, e.g. newsboat, keep No. 3\nof ``a.b`` for one day.", True),
        ("One. Two.", False),
        ("One.\n\nTwo.", False),
        ("One", False),
        ("", False),
        (None, False),
    ],
)
def test_a_docstring_of_no_or_several_sentences_is_found(docstring: str | None, expected: bool) -> None:
    """The next test could not fail if every docstring passed."""
    assert is_one_sentence(docstring) is expected


def test_each_test_says_in_one_sentence_what_it_is_for() -> None:
    """A person who breaks a test could not tell for whom the behaviour matters."""
    found = [
        f"{path.relative_to(ROOT)}: {test.name}"
        for path in modules()
        for test in functions_of(path.read_text("utf-8"))
        if not is_one_sentence(ast.get_docstring(test))
    ]
    assert found == []


def test_no_module_of_tests_is_longer_than_400_lines() -> None:
    """A person who looks for the tests of a subject would have to read those of others."""
    lines = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8").count("\n") for path in modules()}
    assert {name: count for name, count in lines.items() if count > MAX_MODULE_LINES} == {}
