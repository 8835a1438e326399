"""Find the front matter of a Markdown file, and parse a safe subset of YAML.

The subset has mappings, sequences and scalars. A scalar stays text until the code for its field decides whether it is a
date, a number or a boolean: ``title: 2024`` is text, and so is ``author: No``. Tags (``!!python/object``) are rejected.
Aliases and merges count with their expanded size, so that a small file cannot expand to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from publisher.articles.parsers.result import PlainScalar
from publisher.errors import InvalidRecord

#: Mappings, sequences and scalars of one front matter, with aliases expanded.
MAX_NODES: Final = 10_000
#: Nesting depth of mappings and sequences.
MAX_DEPTH: Final = 32

#: Spaces after the dashes are allowed, as Jekyll allows them.
_FENCE: Final = re.compile(r"^-{3,}[^\S\n]*$", re.MULTILINE)
#: Scalars that mean no value in YAML. ``Null`` and ``NULL`` stay text, because they are also family names.
_NULL_SCALARS: Final = frozenset(["", "~", "null"])
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class _Node:
    """A value with its size and depth, which count again for each alias."""

    value: Any
    size: int = 1
    depth: int = 0


@dataclass(slots=True)
class _Container:
    """A mapping or a sequence that is not complete yet."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    line: int
    size: int = 1
    depth: int = 1
    #: The key whose value comes next; None if a key comes next.
    key: str | None = None
    #: Line of each key of this mapping, without merged keys.
    lines: dict[str, int] = field(default_factory=dict)


def split_front_matter(text: str, where: str) -> tuple[str, str]:
    """Return (front matter, body) of a text. Line numbers stay those of the file.

    Raises:
        InvalidRecord: the text does not begin with ``---``, or has no second line of dashes.
    """
    begin = _FENCE.match(text)
    if begin is None:
        raise InvalidRecord(where, "no front matter: the file must begin with --- and name title and date")
    end = _FENCE.search(text, begin.end())
    if end is None:
        raise InvalidRecord(where, "the front matter has no end. Put --- on a line of its own below the fields.")
    return text[begin.end() : end.start()], text[end.end() :]


def parse_front_matter(head: str, where: str) -> dict[str, Any]:
    """Return the fields of a front matter; scalars are text, or None without a value.

    Args:
        head: the YAML between the fences, from the line of the first fence on.

    Raises:
        InvalidRecord: not YAML, not a mapping, a duplicate key, a tag, or beyond a limit.
    """
    try:
        value = _Builder(where).build(yaml.parse(head, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise InvalidRecord(where, _syntax_error(error)) from None
    if not isinstance(value, dict):
        raise InvalidRecord(where, "the front matter names no fields; it needs title: and date:")
    return value


def _syntax_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
    line = f"line {mark.line + 1}: " if mark is not None else ""
    if problem.startswith("mapping values are not allowed"):
        return f"{line}the front matter is not YAML: a value contains ': '. Put the value in quotes."
    return f"{line}the front matter is not YAML: {problem}"


class _Builder:
    """Build values from the events of a YAML parser, without recursion and within the limits."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._open: list[_Container] = []
        self._anchors: dict[str, _Node] = {}
        self._nodes = 0
        self._result: Any = None
        self._documents = 0

    def build(self, events: Iterator[Any]) -> Any:
        for event in events:
            line = event.start_mark.line + 1
            match event:
                case yaml.DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        raise self._reject(line, "a second YAML document begins here. Remove it.")
                case yaml.ScalarEvent():
                    self._reject_tag(event, line)
                    self._add(_Node(_scalar(event)), line, event.anchor)
                case yaml.AliasEvent():
                    self._add(self._aliased(str(event.anchor), line), line, None)
                case yaml.MappingStartEvent():
                    self._reject_tag(event, line)
                    self._begin({}, event.anchor, line)
                case yaml.SequenceStartEvent():
                    self._reject_tag(event, line)
                    self._begin([], event.anchor, line)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    done = self._open.pop()
                    self._add(_Node(done.value, done.size, done.depth), done.line, done.anchor, counted=True)
        return self._result

    def _reject(self, line: int, problem: str) -> InvalidRecord:
        return InvalidRecord(self._where, f"line {line}: {problem}")

    def _reject_tag(self, event: Any, line: int) -> None:
        # The tag "!" only marks a quoted scalar as text.
        if event.tag not in (None, "!"):
            raise self._reject(line, f"the YAML tag {event.tag[:80]!r} is not supported. Remove it.")

    def _aliased(self, anchor: str, line: int) -> _Node:
        if anchor not in self._anchors:
            raise self._reject(line, f"the alias *{anchor[:80]} names no anchor that is complete before it.")
        return self._anchors[anchor]

    def _begin(self, value: dict[str, Any] | list[Any], anchor: str | None, line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise self._reject(line, "a key must be text, not a list or a mapping.")
        self._count(1, line)
        self._open.append(_Container(value, anchor, line))
        if len(self._open) > MAX_DEPTH:
            raise self._reject(line, f"values are nested more than {MAX_DEPTH} levels deep.")

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._reject(line, f"there are more than {MAX_NODES:,} values, aliases expanded.")

    def _add(self, node: _Node, line: int, anchor: str | None, *, counted: bool = False) -> None:
        """Add a complete value to the container around it."""
        if not counted:
            self._count(node.size, line)
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._result = node.value
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if len(self._open) + node.depth > MAX_DEPTH:
            raise self._reject(line, f"values are nested more than {MAX_DEPTH} levels deep.")
        if isinstance(parent.value, list):
            parent.value.append(node.value)
        elif parent.key is None:
            self._set_key(parent, node.value, line)
        else:
            self._set(parent.value, parent.key, node.value, line)
            parent.key = None

    def _set_key(self, parent: _Container, key: Any, line: int) -> None:
        if key is None:
            key = ""
        if not isinstance(key, str):
            raise self._reject(line, "a key must be text, not a list or a mapping.")
        before = parent.lines.get(key)
        if before is not None:
            raise self._reject(line, f"the key {key[:80]!r} is there twice, first in line {before}. Remove one.")
        parent.lines[key] = line
        parent.key = key

    def _set(self, fields: dict[str, Any], key: str, value: Any, line: int) -> None:
        if not (key == "<<" and isinstance(key, PlainScalar)):
            fields[str(key)] = value
            return
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise self._reject(line, "a merge (<<) needs a mapping, or a list of mappings.")
        # The mapping's own keys have priority, then earlier mappings (https://yaml.org/type/merge.html).
        for mapping in mappings:
            self._count(len(mapping), line)
            for name, item in mapping.items():
                fields.setdefault(name, item)


def _scalar(event: Any) -> str | None:
    is_plain = event.style is None or event.style == ""
    if not is_plain:
        return str(event.value)
    return None if event.value in _NULL_SCALARS else PlainScalar(event.value)
