"""Elements of HTML text, found in one pass: regular expressions for them take quadratic time on hostile text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

__all__ = ["limit_attributes", "limit_depth", "replace_elements"]


_ANY_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"[^\s/>\"'=]+")
#: Elements without content, and those that the next one of their kind ends.
_NOT_NESTED: Final = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
    ]
)
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


def limit_depth(source: str, deepest: int) -> tuple[str, int]:
    """Return the HTML without the tags that are nested deeper, and how many start tags that were; text stays.

    Browsers and sanitisers take quadratic time for deep nesting. Where nothing is too deep the text is as it was.

    Args:
        source: any HTML, before it is sanitised.
        deepest: the greatest number of elements inside each other.
    """
    if source.count("<") <= deepest:
        return source, 0
    stack: list[str] = []
    inside: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    made: list[str] = []
    at = cut = 0
    for match in _ANY_TAG.finditer(source):
        name = match[2].lower()
        if name in _NOT_NESTED:
            continue
        if not match[1] and len(stack) < deepest:
            stack.append(name)
            inside[name] += 1
            continue
        if match[1] and not dropped[name]:
            # An end tag ends what is open inside its element, too.
            while inside[name]:
                last = stack.pop()
                inside[last] -= 1
                if last == name:
                    break
            continue
        dropped[name] += -1 if match[1] else 1
        cut += not match[1]
        made.append(source[at : match.start()])
        at = match.end()
    return "".join([*made, source[at:]]), cut


def limit_attributes(source: str, longest: int, most: int) -> tuple[str, int]:
    """Return the HTML with bare start tags where one has too many attributes, and how many those were.

    Parsers compare each attribute with all before it.

    Args:
        source: any HTML, before it is sanitised.
        longest: a tag of fewer characters is not looked at.
        most: the greatest number of attributes.
    """
    made: list[str] = []
    at = cut = 0
    for match in _ANY_TAG.finditer(source):
        if match.end() - match.start() > longest and len(_ATTRIBUTE.findall(match[3])) > most:
            made += [source[at : match.start()], f"<{match[1]}{match[2]}>"]
            at, cut = match.end(), cut + 1
    return "".join([*made, source[at:]]), cut
