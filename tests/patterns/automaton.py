"""Turn a regular expression into an automaton.

The automaton has a state for each position of the pattern that consumes a character. A search that fails at one start
begins again at the next, so its automaton has a loop over all characters in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

#: A repeat with a larger upper bound counts as unbounded.
BOUNDED = 100
#: Copies of the body of a bounded repeat in the automaton: more copies add no other kind of loop.
COPIES = 6
Edges = dict[int, dict[int, tuple[int, int]]]
_SAMPLES = " \t\n\r\x0b\x0c\x1c\x85\xa0\u2028\ufeff_-.,:;!?'\"()[]{}<>/\\|@#$%&*+=~^`aAzZgG059éßж中\u0661\u200b\ud800\U0001f600\x00\x7f"


@dataclass(slots=True)
class Part:
    """A part of the pattern: its first states and its last states, each with the conditions of its edges."""

    first: list[tuple[int, tuple[Any, ...]]]
    last: list[tuple[int, tuple[Any, ...]]]
    #: The conditions under which it matches the empty text; None if it always consumes a character.
    empty: tuple[Any, ...] | None


@dataclass(slots=True)
class Automaton:
    """States with their characters (bits of an alphabet), and the edges between them, with their multiplicity."""

    chars: list[int] = field(default_factory=list)
    #: state → next state → (multiplicity of the edge, characters that it accepts).
    edges: Edges = field(default_factory=dict)
    #: States at which the whole pattern has matched, whatever comes next.
    accepting: set[int] = field(default_factory=set)


class Unsupported(Exception):
    """The checker does not support this construct."""


class PatternAutomaton:
    """The automaton of a pattern, and the characters that tell its states apart."""

    def __init__(self, pattern: str, flags: int, mode: str) -> None:
        """Build it for a mode: search, match or fullmatch."""
        tree = _parser.parse(pattern, flags)
        self.flags = tree.state.flags
        self.mode = mode
        #: Distinct sets of characters of the pattern, by their text, and their bits.
        self.sets: dict[str, Any] = {}
        self.bits_of: dict[str, int] = {}
        self.groups: dict[int | None, list[Any]] = {}
        self.automaton = Automaton()
        self._collect(tree)
        self._alphabet()
        whole = self._sequence(list(tree))
        self._close(whole)

    # -- characters ------------------------------------------------------------------------------

    def _collect(self, tree: Any) -> None:
        for op, value in tree:
            if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
                self.sets[repr((op, value))] = (op, value)
            elif op is sre.BRANCH:
                for one in value[1]:
                    self._collect(one)
            elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
                self._collect(value[2])
            elif op is sre.SUBPATTERN:
                self._collect(value[3])
            elif op in (sre.ASSERT, sre.ASSERT_NOT):
                self._collect(value[1])
            elif op is sre.ATOMIC_GROUP:
                self._collect(value)
            elif op is sre.GROUPREF_EXISTS:
                raise Unsupported(str(op))

    def _alphabet(self) -> None:
        points = set(map(ord, _SAMPLES))
        for op, value in self.sets.values():
            for kind, argument in [(op, value)] if op is not sre.IN else value:
                if kind in (sre.LITERAL, sre.NOT_LITERAL):
                    points.update((argument - 1, argument, argument + 1))
                elif kind is sre.RANGE:
                    points.update((argument[0] - 1, argument[0], argument[1], argument[1] + 1))
        groups: dict[tuple[bool, ...], str] = {}
        for point in sorted(points):
            if 0 <= point <= 0x10FFFF:
                character = chr(point)
                traits = (
                    character == "\n",
                    self._is_word(character),
                    *(self._matches(one, character) for one in self.sets.values()),
                )
                groups.setdefault(traits, character)
        self.alphabet = list(groups.values())
        self.every = (1 << len(self.alphabet)) - 1
        self.words = self._bits(self._is_word)
        self.newline = self._bits(lambda one: one == "\n")

    def _set(self, op: Any, value: Any) -> int:
        """Return the bits of a set of characters."""
        key = repr((op, value))
        if key not in self.bits_of:
            self.bits_of[key] = self._bits(lambda one: self._matches((op, value), one))
        return self.bits_of[key]

    def _bits(self, test: Any) -> int:
        return sum(1 << at for at, character in enumerate(self.alphabet) if test(character))

    def _is_word(self, character: str) -> bool:
        return re.match(r"\w", character, self.flags & re.ASCII) is not None

    def _matches(self, what: tuple[Any, Any], character: str) -> bool:
        op, value = what
        if self.flags & re.IGNORECASE:
            return any(self._in(op, value, one) for one in {character, character.lower()[:1], character.upper()[:1]})
        return self._in(op, value, character)

    def _in(self, op: Any, value: Any, character: str) -> bool:
        if op is sre.ANY:
            return bool(self.flags & re.DOTALL) or character != "\n"
        if op is sre.LITERAL:
            return ord(character) == value
        if op is sre.NOT_LITERAL:
            return ord(character) != value
        items = list(value)
        negated = items[0][0] is sre.NEGATE
        return negated != any(self._item(kind, argument, character) for kind, argument in items[negated:])

    def _item(self, kind: Any, argument: Any, character: str) -> bool:
        if kind is sre.LITERAL:
            return ord(character) == argument
        if kind is sre.RANGE:
            return bool(argument[0] <= ord(character) <= argument[1])
        if kind is sre.CATEGORY:
            name = str(argument).removeprefix("CATEGORY_")
            letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.removeprefix("NOT_")]
            return (
                re.match(
                    "\\" + (letter.upper() if name.startswith("NOT_") else letter), character, self.flags & re.ASCII
                )
                is not None
            )
        raise Unsupported(str(kind))

    # -- states and edges ------------------------------------------------------------------------

    def _state(self, chars: int) -> int:
        self.automaton.chars.append(chars)
        return len(self.automaton.chars) - 1

    def _edge(self, before: int, after: int, conditions: tuple[Any, ...]) -> None:
        chars = self._allowed(before, after, conditions)
        if chars:
            row = self.automaton.edges.setdefault(before, {})
            count, others = row.get(after, (0, 0))
            row[after] = (count + 1, others | chars)

    def _allowed(self, before: int, after: int, conditions: tuple[Any, ...]) -> int:
        """Return the characters with which ``after`` may follow ``before``."""
        left, right = self.automaton.chars[before], self.automaton.chars[after]
        for kind, chars in conditions:
            if kind == "before":
                left &= chars
            elif kind == "after":
                right &= chars
            elif kind in ("boundary", "no boundary"):
                after_word, after_other = (~self.words, self.words) if kind == "boundary" else (self.words, ~self.words)
                right &= (after_word if left & self.words else 0) | (after_other if left & ~self.words else 0)
            elif kind == "never":
                return 0
        return right if left else 0

    def _sequence(self, items: list[Any]) -> Part:
        whole = Part([], [], ())
        for op, value in items:
            whole = self._joined(whole, self._part(op, value))
        return whole

    def _joined(self, one: Part, other: Part) -> Part:
        for before, leaving in one.last:
            for after, entering in other.first:
                self._edge(before, after, leaving + entering)
        first = one.first + (
            [(state, one.empty + entering) for state, entering in other.first] if one.empty is not None else []
        )
        last = other.last + (
            [(state, leaving + other.empty) for state, leaving in one.last] if other.empty is not None else []
        )
        empty = one.empty + other.empty if one.empty is not None and other.empty is not None else None
        return Part(first, last, empty)

    def _part(self, op: Any, value: Any) -> Part:  # noqa: PLR0911 - one branch for each construct
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            state = self._state(self._set(op, value))
            return Part([(state, ())], [(state, ())], None)
        if op is sre.SUBPATTERN:
            self.groups[value[0]] = list(value[3])
            return self._sequence(list(value[3]))
        if op is sre.GROUPREF:
            # An over-approximation: every text that the group can match.
            return self._sequence(self.groups[value])
        if op is sre.ATOMIC_GROUP:
            return self._sequence(list(value))
        if op is sre.BRANCH:
            parts = [self._sequence(list(one)) for one in value[1]]
            empties = [one.empty for one in parts if one.empty is not None]
            return Part(
                [s for one in parts for s in one.first],
                [s for one in parts for s in one.last],
                empties[0] if empties else None,
            )
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self._repeat(op, *value)
        if op is sre.AT:
            return Part([], [], (self._at(value),))
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            return self._look(op, *value)
        raise Unsupported(str(op))

    def _at(self, where: Any) -> tuple[str, int]:
        if where is sre.AT_BEGINNING_STRING or (where is sre.AT_BEGINNING and not self.flags & re.MULTILINE):
            return ("never", 0)
        if where is sre.AT_BEGINNING:
            return ("before", self.newline)
        if where is sre.AT_END and self.flags & re.MULTILINE:
            return ("after", self.newline)
        if where is sre.AT_END:
            return ("after", self.newline)
        if where is sre.AT_END_STRING:
            return ("never", 0)
        return ("boundary" if where is sre.AT_BOUNDARY else "no boundary", 0)

    def _look(self, op: Any, direction: int, inner: Any) -> Part:
        items = list(inner)
        if len(items) == 1 and items[0][0] in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            chars = self._set(*items[0])
            chars = chars if op is sre.ASSERT else self.every & ~chars
            return Part([], [], (("before" if direction < 0 else "after", chars),))
        if direction < 0:
            # A lookbehind has a fixed width, so its cost is constant.
            return Part([], [], (("may fail", 0),))
        # A lookahead consumes text and then gives it back.
        part = self._sequence(items)
        return Part(part.first, [], (("may fail", 0),))

    def _repeat(self, op: Any, low: int, high: Any, inner: Any) -> Part:
        items = list(inner)
        if high is not sre.MAXREPEAT and high <= BOUNDED:
            return self._chain(min(low, COPIES), min(high, COPIES), items)
        whole = Part([], [], ())
        for _ in range(min(low, 3) - 1):
            whole = self._joined(whole, self._sequence(items))
        loop = self._sequence(items)
        for before, leaving in loop.last:
            for after, entering in loop.first:
                self._edge(before, after, leaving + entering)
        if (
            op is sre.POSSESSIVE_REPEAT
            and len(loop.first) == 1
            and len(self.automaton.edges.get(loop.first[0][0], {})) == 1
        ):
            # A possessive loop ends only where it cannot continue.
            chars = self.automaton.chars[loop.first[0][0]]
            loop = Part(
                loop.first,
                [(state, (*leaving, ("after", self.every & ~chars))) for state, leaving in loop.last],
                loop.empty,
            )
        if low == 0:
            loop = Part(loop.first, loop.last, ())
        return self._joined(whole, loop)

    def _chain(self, low: int, high: int, items: list[Any]) -> Part:
        """Return copies of a part, each of which may be the last: one path for each number of repetitions."""
        if not high:
            return Part([], [], ())
        whole = self._sequence(items)
        last = list(whole.last) if low <= 1 else []
        before = whole
        for number in range(2, high + 1):
            part = self._sequence(items)
            self._joined(Part([], before.last, None), Part(part.first, [], None))
            if number >= low:
                last += part.last
            before = part
        return Part(whole.first, last, () if low == 0 else whole.empty)

    def _close(self, whole: Part) -> None:
        """Add the loop of a search in front, and mark the accepting states."""
        self.prefix: list[int] = []
        if self.mode == "search":
            self.prefix = [self._state(1 << at) for at in range(len(self.alphabet))]
            for before in self.prefix:
                for after in self.prefix:
                    self._edge(before, after, ())
                for state, entering in whole.first:
                    self._edge(before, state, entering)
        if self.mode != "fullmatch":
            self.automaton.accepting = {state for state, leaving in whole.last if not leaving}
