"""Decide whether a regular expression backtracks super-linearly.

A pattern does if two successive loops of its automaton consume the same text (Weber & Seidl 1991; Weideman et al. 2016)
and the rest can fail; it does so exponentially if one loop can consume a text in two ways.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from tests.patterns.automaton import Edges, PatternAutomaton


def is_linear(pattern: str | bytes, flags: int, uses: Iterable[str]) -> str:
    """Return the reason why a pattern is not linear, or an empty text."""
    if isinstance(pattern, bytes):
        pattern = pattern.decode("latin-1")
        flags |= re.ASCII
    known = set(uses) - {"compile"} or {"search", "fullmatch"}
    reasons = []
    for mode in ("search", "match", "fullmatch"):
        if mode in known or (mode == "search" and known - {"match", "fullmatch"}):
            reason = _Check(pattern, flags, mode).reason()
            if reason:
                reasons.append(f"{mode}: {reason}")
    return "; ".join(reasons)


class _Check(PatternAutomaton):
    def reason(self) -> str:
        """Return the reason why the pattern is not linear, or an empty text."""
        edges = self.automaton.edges
        loops = self._loops(edges)
        for state, row in edges.items():
            for to, (count, chars) in row.items():
                is_loop = loops.get(state) is not None and loops.get(state) == loops.get(to)
                # Nothing is tried again after the pattern has matched.
                if count > 1 and is_loop and to not in self.automaton.accepting:
                    return f"two ways through one loop over {self._shown(chars)}"
        for end, own in loops.items():
            if own is None or end in self.prefix or end in self.automaton.accepting:
                continue
            if self.prefix and self._restarts(end, edges, loops):
                return f"a search begins again within {self._shown(self.automaton.chars[end])}"
            for start, other in loops.items():
                if (
                    other is not None
                    and start != end
                    and start not in self.prefix
                    and self._is_ambiguous(start, end, edges, loops)
                ):
                    return f"two loops over {self._shown(self.automaton.chars[end])}"
        return ""

    def _restarts(self, end: int, edges: Edges, loops: dict[int, int | None]) -> bool:  # noqa: C901 - one search
        """Return whether a search that starts inside a text that the loop of ``end`` consumes enters that loop.

        The first run stays in the loop in front, so its state is the last character.
        """
        chars = self.automaton.chars[end]
        enters = {
            at: [(to, mask) for to, (_, mask) in edges.get(state, {}).items() if to not in self.prefix]
            for at, state in enumerate(self.prefix)
        }
        for begin in range(len(self.alphabet)):
            if not chars >> begin & 1:
                continue
            seen: set[tuple[int, int, int]] = {(-1, begin, end)}
            waiting = deque(seen)
            while waiting:
                second, last, third = waiting.popleft()
                for after, (_, mask) in edges.get(third, {}).items():
                    if loops[after] != loops[end]:
                        continue
                    following: list[tuple[int, int, int]] = []
                    ways = (
                        enters[last] if second < 0 else [(to, more) for to, (_, more) in edges.get(second, {}).items()]
                    )
                    for to, more in ways:
                        common = mask & more
                        if to == end and after == end and common >> begin & 1:
                            return True
                        if common:
                            following.append((to, -1, after))
                    if second < 0:
                        following += [(-1, at, after) for at in range(len(self.alphabet)) if mask >> at & 1]
                    for states in following:
                        if states not in seen:
                            seen.add(states)
                            waiting.append(states)
        return False

    def _loops(self, edges: Edges) -> dict[int, int | None]:
        """Return state → the loop (strongly connected component) that it is in, or None."""
        reach = {state: self._reach(state, edges) for state in range(len(self.automaton.chars))}
        loops: dict[int, int | None] = {}
        for state, reached in reach.items():
            is_in_loop = state in reached
            loops[state] = min(other for other in reached if state in reach[other]) if is_in_loop else None
        return loops

    @staticmethod
    def _reach(state: int, edges: Edges) -> set[int]:
        seen: set[int] = set()
        waiting = [state]
        while waiting:
            for to in edges.get(waiting.pop(), {}):
                if to not in seen:
                    seen.add(to)
                    waiting.append(to)
        return seen

    def _is_ambiguous(self, start: int, end: int, edges: Edges, loops: dict[int, int | None]) -> bool:
        """Return whether one text leads from ``start`` to itself and to ``end``, and from ``end`` to itself."""
        begin = (start, start, end)
        seen = {begin}
        waiting = deque([begin])
        while waiting:
            for following in self._steps(waiting.popleft(), edges, loops, (loops[start], loops[end])):
                if following == (start, end, end):
                    return True
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return False

    @staticmethod
    def _steps(
        state: tuple[int, int, int], edges: Any, loops: Any, within: tuple[Any, Any]
    ) -> Iterable[tuple[int, int, int]]:
        """Yield the next states of three runs over one text; the first and the third stay in their loops."""
        one, two, three = state
        for first, (_, chars) in edges.get(one, {}).items():
            if loops[first] != within[0]:
                continue
            for third, (_, others) in edges.get(three, {}).items():
                common = chars & others
                if loops[third] != within[1] or not common:
                    continue
                for second, (_, more) in edges.get(two, {}).items():
                    if common & more:
                        yield first, second, third

    def _shown(self, chars: int) -> str:
        return repr("".join(character for at, character in enumerate(self.alphabet) if chars >> at & 1)[:12])
