"""Elements of HTML text, found in one pass: regular expressions for them take quadratic time on hostile text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

__all__ = ["replace_elements"]


_START: Final = re.compile(r"<([a-z][a-z0-9]{0,15})(?=[\s/>])", re.IGNORECASE)


def replace_elements(source: str, names: Collection[str], replace: Callable[[str, str], str]) -> str:
    """Return the text with each element of these names replaced.

    An element goes from its start tag to the first end tag of its name; one without an end tag stays.

    Args:
        source: HTML. In attribute values ``<`` and ``>`` are escaped, as nh3 writes them.
        names: lower-case names of elements.
        replace: called with the name and the whole element, tags included.
    """
    made: list[str] = []
    unclosed: set[str] = set()
    lowered = source.lower()
    if len(lowered) != len(source):
        # A few letters change their length in lower case; tags are ASCII.
        lowered = source
    at = 0
    for match in _START.finditer(source):
        name = match[1].lower()
        if name not in names or match.start() < at or name in unclosed:
            continue
        end = lowered.find(f"</{name}", match.end())
        end = source.find(">", end) + 1 if end >= 0 else 0
        if not end:
            unclosed.add(name)
            continue
        made += [source[at : match.start()], replace(name, source[match.start() : end])]
        at = end
    return "".join([*made, source[at:]])
