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


#: Methods of ``monkeypatch``, and functions of ``unittest.mock.patch``, that replace something by name.
_REPLACING = frozenset({"setattr", "delattr", "setitem", "delitem"})
_PATCHING = frozenset({"object", "dict", "multiple"})


def is_replacement(call: ast.Call) -> bool:
    """Return whether a call replaces something for the time of a test."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "patch"
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = ast.unparse(call.func.value)
    is_mock = owner.endswith("patch") and call.func.attr in _PATCHING
    return call.func.attr in _REPLACING or is_mock or ast.unparse(call.func).endswith("mock.patch")


def names_in(node: ast.expr) -> Iterator[str]:
    """Yield the names in an expression, and the parts of a dotted name in a text."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from part.value.split(".")


def replaced_private_names(source: str) -> list[str]:
    """Return the private names that a module of tests replaces, or whose attributes it replaces."""
    if "patch" not in source:
        return []
    calls = [call for call in ast.walk(ast.parse(source)) if isinstance(call, ast.Call) and is_replacement(call)]
    return [
        name
        for call in calls
        for argument in call.args[:2]
        for name in names_in(argument)
        if re.fullmatch(r"_(?!_)\w+", name)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("monkeypatch.setattr(module, '_LIMIT', 1)", ["_LIMIT"]),
        ("patch.setattr('publisher.note._render', f)", ["_render"]),
        ("monkeypatch.setattr(type(web._context.db), 'read', f)", ["_context"]),
        ("patch.object(module._Folder, 'remove')", ["_Folder"]),
        ("mock.patch('publisher.note._render')", ["_render"]),
        ("patch('publisher.note._render')", ["_render"]),
        ("patch.setitem(frames._FRAMES, 'rss', f)", ["_FRAMES"]),
        ("monkeypatch.setattr(module, 'LIMIT', lambda self: self._x)", []),
        ("monkeypatch.setattr(Path, '__exit__', f)", []),
        ("web._context.db.read()", []),
    ],
)
def test_a_replaced_private_name_is_found(source: str, expected: list[str]) -> None:
    """The next test could not fail if it missed a way to replace a name."""
    assert replaced_private_names(source) == expected


def test_no_test_replaces_a_private_name() -> None:
    """A person who renames a private function would break tests whose behaviour has not changed."""
    found = {path.relative_to(ROOT).as_posix(): replaced_private_names(path.read_text("utf-8")) for path in modules()}
    assert {name: names for name, names in found.items() if names} == {}
