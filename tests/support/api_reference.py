"""The reference of the public API in Markdown: ``python -m tests.support.api_reference`` writes docs/reference.md."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import publisher
from publisher import Publisher, errors, testing
from publisher.context import Context

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference.md"
_INTRODUCTION: Final = """# Reference of the Python API

Made from the docstrings of the package. [Use publisher from Python](library.md) explains how its parts belong together.
`as_dict()` of a result is what its command prints with `--json`: the page of the command lists the keys.
"""
_OTHER_TYPES: Final = "They are described here, and may move to another module: do not import them."
_SECTION: Final = re.compile(r"^(Args|Raises|Returns|Yields):$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^    (\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ", re.MULTILINE)
_SUBJECTS: Final = [
    name for name, value in vars(Publisher).items() if isinstance(value, cached_property) and name[0] != "_"
]
_LONGEST_LINE: Final = 100
_LONGEST_DEFAULT: Final = 40


def render() -> str:
    """Return the page."""
    parts = [_INTRODUCTION, "## Publisher\n", _markdown(inspect.getdoc(Publisher) or "")]
    parts += _class(Publisher, "Publisher")
    for name in _SUBJECTS:
        subject = type(getattr(Publisher.__new__(Publisher), name))
        parts += [f"## publisher.{name}\n", _markdown(inspect.getdoc(subject) or "")]
        parts += _class(subject, f"publisher.{name}")
    functions = [getattr(publisher, name) for name in publisher.__all__ if inspect.isfunction(getattr(publisher, name))]
    parts += ["## Functions that need no site\n", *(part for one in functions for part in _function(one.__name__, one))]
    parts.append("## Records\n")
    for name in sorted(publisher.__all__):
        value = getattr(publisher, name)
        if inspect.isclass(value) and value is not Publisher:
            parts += _record(name, value)
    public = [getattr(publisher, name) for name in publisher.__all__]
    parts.append(f"## Types of fields and arguments\n\n{_OTHER_TYPES}\n")
    for value in sorted(_mentioned_types(public), key=lambda one: one.__name__):
        parts += _record(value.__name__, value)
    parts.append("## publisher.testing\n")
    for name in testing.__all__:
        value = getattr(testing, name)
        if inspect.isclass(value):
            parts += _record(name, value)
        elif inspect.isfunction(value):
            parts += _function(name, value)
    parts += ["## publisher.errors\n", f"```text\n{_tree(inspect.getdoc(errors) or '')}\n```\n"]
    return "\n".join(parts)


def _tree(text: str) -> str:
    return inspect.cleandoc(text.split("::\n", 1)[1].split("\n\nModules", 1)[0])


def _class(value: type[Any], prefix: str, heading: str = "###") -> Iterator[str]:
    """Yield the public methods of a class."""
    for name, member in vars(value).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and inspect.isfunction(function):
            yield from _function(f"{prefix}.{name}", function, heading=heading, has_self=True)


def _function(
    name: str, function: Callable[..., Any], heading: str = "###", *, has_self: bool = False
) -> Iterator[str]:
    signature = inspect.signature(function)
    parameters = [*signature.parameters.values()][has_self:]
    returned = signature.return_annotation
    if function.__code__.co_filename == contextlib.__file__:
        returned = returned.replace("Iterator[", "AbstractContextManager[", 1)
    yield f"{heading} {name}()\n"
    yield f"```python\n{_signature(name, parameters, returned)}\n```\n"
    yield _markdown(inspect.getdoc(function) or "")


def _signature(name: str, parameters: list[inspect.Parameter], returned: Any) -> str:
    shown, is_keyword_only = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not is_keyword_only:
            shown.append("*")
            is_keyword_only = True
        default = "" if one.default is one.empty else f" = {_default(one.default)}"
        shown.append(f"{one.name}: {one.annotation}{default}")
    result = f" -> {returned}" if returned is not inspect.Signature.empty else ""
    line = f"{name}({', '.join(shown)}){result}"
    if len(line) <= _LONGEST_LINE:
        return line
    return "\n".join([f"{name}(", *(f"    {one}," for one in shown), f"){result}"])


def _default(value: Any) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    text = repr(value)
    return text if isinstance(value, str | int | float | tuple | None) and len(text) <= _LONGEST_DEFAULT else "…"


def _markdown(docstring: str) -> str:
    """Return a docstring with sections as Markdown."""
    text, *sections = _SECTION.split(docstring)
    lines = [_code(text).strip(), ""]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        before, *entries = _ENTRY.split("\n" + body.strip("\n") if not body.startswith("\n") else body)
        lines += [f"**{'Arguments' if title == 'Args' else title}**", ""]
        if before.strip():
            lines += [_code(inspect.cleandoc(before)), ""]
        for name, words in zip(entries[::2], entries[1::2], strict=True):
            lines.append(f"- `{name}`: {_code(' '.join(words.split()))}")
        lines.append("")
    return "\n".join(lines)


def _code(text: str) -> str:
    return re.sub(r":func:`([^`]+)`", r"`\1()`", text).replace("``", "`")


def _record(name: str, value: type[Any]) -> Iterator[str]:
    """Yield a class with the fields of its records."""
    yield f"### {name}\n"
    yield _markdown(inspect.getdoc(value) or "")
    words = _member_descriptions(value)
    if issubclass(value, Enum):
        yield "".join(f"- `{one.name}` = `{one.value!r}`{_after_colon(words.get(one.name, ''))}\n" for one in value)
    rows = [
        _row(name, member.fget.__annotations__["return"], _value_words(inspect.getdoc(member) or ""))
        for name, member in inspect.getmembers(value, lambda member: isinstance(member, property))
        if not name.startswith("_") and value.__module__.startswith("publisher.")
    ]
    if is_dataclass(value):
        rows = [
            _row(one.name, str(one.type), words.get(one.name, "")) for one in fields(value) if one.name[0] != "_"
        ] + rows
    if rows:
        yield "\n".join(["| field | type | |", "|---|---|---|", *rows, ""])
    if hasattr(value, "as_dict") and "as_dict" not in vars(value):
        yield "`as_dict()` returns it for JSON output.\n"
    yield from _class(value, name, heading="####")


def _value_words(docstring: str) -> str:
    return re.sub("^Return (.)", lambda match: match[1].upper(), _code(docstring))


def _row(name: str, type_: str, words: str) -> str:
    cells = (text.replace("|", "\\|") for text in (f"`{name}`", f"`{type_}`", " ".join(words.split())))
    return f"| {' | '.join(cells)} |"


def _mentioned_types(public: list[Any]) -> set[type[Any]]:
    """Return the records and enumerations of the package in the annotations of public names, and in their own."""
    subjects = [type(getattr(Publisher.__new__(Publisher), name)) for name in _SUBJECTS]
    open_, found = [*public, *subjects], set[type[Any]]()
    while open_:
        for value in _types_in_annotations(open_.pop()):
            if value not in found and value not in public and (is_dataclass(value) or issubclass(value, Enum)):
                found.add(value)
                open_.append(value)
    return found - {Context}


def _types_in_annotations(value: Any) -> Iterator[type[Any]]:
    members = [value, *vars(value).values()] if inspect.isclass(value) else [value]
    for member in members:
        function = member.fget if isinstance(member, property) else member
        for annotation in (getattr(function, "__annotations__", None) or {}).values():
            for name in re.findall(r"\b[A-Z]\w+", str(annotation)):
                yield from _class_of_module(inspect.unwrap(function).__module__, name)


def _class_of_module(module_name: str, name: str) -> Iterator[type[Any]]:
    """Yield the class of the package that a name means in a module, also if only a type checker imports it."""
    defining = _imported_names(module_name).get(name, module_name)
    value = getattr(importlib.import_module(defining), name, None)
    if inspect.isclass(value) and value.__module__.startswith("publisher."):
        yield value


@lru_cache
def _imported_names(module_name: str) -> dict[str, str]:
    """Return name → the module that a module imports it from."""
    tree = ast.parse(inspect.getsource(sys.modules[module_name]))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {one.name: node.module or "" for node in imports for one in node.names}


def _after_colon(words: str) -> str:
    return f": {words[0].lower()}{words[1:]}" if words else ""


def _member_descriptions(value: type[Any]) -> dict[str, str]:
    """Return field or enumeration member → the comment that describes it, of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(value.__mro__):
        if not base.__module__.startswith("publisher."):
            continue
        words: list[str] = []
        for line in inspect.getsource(base).splitlines():
            text = line.strip()
            if text.startswith("#: "):
                words.append(text.removeprefix("#: "))
            elif words and (match := re.match(r"(\w+)(?:: | = )", text)):
                found[match[1]] = _code(" ".join(words))
                words = []
            else:
                words = []
    return found


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
