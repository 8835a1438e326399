"""Find every regular expression of a package by its syntax trees."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FUNCTIONS = frozenset(["compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"])
#: Functions of ``re`` that take no pattern, or only escape one.
WITHOUT_PATTERN = frozenset(["escape", "purge"])


@dataclass(frozen=True, slots=True)
class PatternUse:
    """A call of a function of ``re``, with its pattern."""

    where: str
    pattern: str | bytes
    flags: int
    #: The functions that the pattern is used with: search, match, fullmatch …
    uses: frozenset[str] = field(default=frozenset())


@cache
def _nodes(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes that the functions of this module look for; to walk through a package takes half a second."""
    wanted = (ast.Call, ast.Attribute, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    return [node for node in ast.walk(tree) if isinstance(node, wanted)]


def calls_of_re(tree: ast.AST) -> list[ast.Call]:
    """Return the calls of functions of ``re`` that take a pattern."""
    found = []
    for node in _nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr not in WITHOUT_PATTERN:
                assert node.func.attr in FUNCTIONS, f"re.{node.func.attr}"
                found.append(node)
    return found


def other_imports(tree: ast.AST) -> list[str]:
    """Return imports of ``re`` that hide its calls from this check."""
    found = []
    for node in _nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("re", "regex", "sre_compile"):
            found.append(f"from {node.module} import …")
        if isinstance(node, ast.Import):
            found += [
                f"import {name.name}"
                for name in node.names
                if name.name == "regex" or (name.name == "re" and name.asname)
            ]
    return found


def collect(folder: Path, package: str) -> tuple[list[PatternUse], int, list[str]]:
    """Return the patterns of a package, the number of calls of ``re``, and the problems of calls that cannot be checked."""
    texts = {path: path.read_text("utf-8") for path in sorted(folder.rglob("*.py"))}
    # To parse all of a package takes seconds.
    trees = {path: ast.parse(text) for path, text in texts.items() if re.search(r"\b(re|regex|sre_compile)\b", text)}
    own = {path: _uses(tree) for path, tree in trees.items()}
    uses: dict[str, set[str]] = {}
    for names_used in own.values():
        for name, methods in names_used.items():
            uses.setdefault(name, set()).update(methods)
    patterns: list[PatternUse] = []
    problems: list[str] = []
    calls = 0
    for path, tree in trees.items():
        parts = path.relative_to(folder).with_suffix("").parts
        module = ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])
        problems += [f"{module}: {statement}" for statement in other_imports(tree)]
        found = calls_of_re(tree)
        calls += len(found)
        if not found:
            continue
        namespace = vars(importlib.import_module(module))
        names = _names(tree)
        for call in found:
            where = f"{module}:{call.lineno}"
            try:
                patterns.append(_pattern_use(call, where, namespace, own[path], uses, names))
            except Exception as error:
                problems.append(f"{where}: the pattern is not a constant of the module ({error}); make it one")
    return patterns, calls, problems


def _pattern_use(
    call: ast.Call,
    where: str,
    namespace: dict[str, object],
    own: dict[str, set[str]],
    uses: dict[str, set[str]],
    names: dict[int, str],
) -> PatternUse:
    assert isinstance(call.func, ast.Attribute)
    function = call.func.attr
    arguments = {"pattern": call.args[0] if call.args else None, "flags": None}
    place = {
        "compile": 1,
        "search": 2,
        "match": 2,
        "fullmatch": 2,
        "split": 3,
        "findall": 2,
        "finditer": 2,
        "sub": 4,
        "subn": 4,
    }
    if len(call.args) > place[function]:
        arguments["flags"] = call.args[place[function]]
    for keyword in call.keywords:
        if keyword.arg in arguments:
            arguments[keyword.arg] = keyword.value
    values = {
        name: eval(compile(ast.Expression(node), where, "eval"), dict(namespace)) if node is not None else 0  # noqa: S307 - the package's own constants
        for name, node in arguments.items()
    }
    pattern = values["pattern"]
    if isinstance(pattern, re.Pattern):
        return PatternUse(where, pattern.pattern, pattern.flags, frozenset([function]))
    name = names.get(id(call), "")
    # A private name is only used in its own module.
    used = (own if name.startswith("_") else uses).get(name, set()) if function == "compile" else {function}
    return PatternUse(where, pattern, int(values["flags"]), frozenset(used))


def _names(tree: ast.AST) -> dict[int, str]:
    """Return ID of a call → the name that its result is assigned to."""
    found = {}
    for node in _nodes(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if targets and isinstance(targets[0], ast.Name) and isinstance(node.value, ast.Call):  # type: ignore[attr-defined]
            found[id(node.value)] = targets[0].id  # type: ignore[attr-defined]
    return found


def _uses(tree: ast.AST) -> dict[str, set[str]]:
    """Return name → the methods of a pattern that are called on this name, in a module."""
    found: dict[str, set[str]] = {}
    for node in _attributes(tree):
        if isinstance(node.value, ast.Name) and node.attr in FUNCTIONS:
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    return (node for node in _nodes(tree) if isinstance(node, ast.Attribute))
