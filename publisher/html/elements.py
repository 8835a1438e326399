"""Find and limit HTML elements in one pass, in linear time for any input. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

_ANY_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"[^\s/>\"'=]+")
HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
#: Elements of articles that begin on a new line.
BLOCK_ELEMENTS: Final = frozenset(
    [
        *HEADINGS,
        *["address", "article", "aside", "details", "div", "footer", "header", "section", "summary"],
        *["blockquote", "br", "figcaption", "figure", "hr", "p", "pre"],
        *["dd", "dl", "dt", "li", "ol", "ul"],
        *["table", "td", "th", "tr"],
    ]
)
#: Elements without content.
VOID_ELEMENTS: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
#: Elements without content, and elements that a following element of the same name closes.
_NOT_NESTED: Final = VOID_ELEMENTS | {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot"}
_START: Final = re.compile(r"<([a-z][a-z0-9]{0,15})(?=[\s/>])", re.IGNORECASE)


def replace_elements(source: str, names: Collection[str], replace: Callable[[str, str], str]) -> str:
    """Replace each element with one of these names.

    An element extends from its start tag to the first end tag of its name. Without an end tag it is not replaced.

    Args:
        source: HTML with escaped ``<`` and ``>`` in attribute values, as nh3 writes it.
        names: lower-case element names.
        replace: called with the name and the whole element, including its tags.
    """
    parts: list[str] = []
    unclosed: set[str] = set()
    lowered = source.lower()
    if len(lowered) != len(source):
        # Lower case changed the length of a non-ASCII letter, so positions would differ.
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
        parts += [source[at : match.start()], replace(name, source[match.start() : end])]
        at = end
    return "".join([*parts, source[at:]])


def limit_depth(source: str, max_depth: int) -> tuple[str, int]:
    """Remove tags nested deeper than MAX_DEPTH; return the HTML and how many there were.

    Their text stays. Browsers and sanitisers take quadratic time for deep nesting.

    Args:
        source: HTML that is not sanitised yet.
    """
    if source.count("<") <= max_depth:
        return source, 0
    stack: list[str] = []
    open_elements: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    parts: list[str] = []
    at = cut = 0
    for match in _ANY_TAG.finditer(source):
        name = match[2].lower()
        if name in _NOT_NESTED:
            continue
        if not match[1] and len(stack) < max_depth:
            stack.append(name)
            open_elements[name] += 1
            continue
        if match[1] and not removed[name]:
            # An end tag also closes the elements that are open inside its element.
            while open_elements[name]:
                last = stack.pop()
                open_elements[last] -= 1
                if last == name:
                    break
            continue
        removed[name] += -1 if match[1] else 1
        cut += not match[1]
        parts.append(source[at : match.start()])
        at = match.end()
    return "".join([*parts, source[at:]]), cut


def limit_attributes(source: str, min_length: int, max_attributes: int) -> tuple[str, int]:
    """Remove all attributes of tags with too many; return the HTML and how many tags.

    Parsers compare each attribute with all earlier ones, which takes quadratic time.

    Args:
        source: HTML that is not sanitised yet.
        min_length: only longer tags are checked, in characters.
    """
    parts: list[str] = []
    at = cut = 0
    for match in _ANY_TAG.finditer(source):
        if match.end() - match.start() > min_length and len(_ATTRIBUTE.findall(match[3])) > max_attributes:
            parts += [source[at : match.start()], f"<{match[1]}{match[2]}>"]
            at, cut = match.end(), cut + 1
    return "".join([*parts, source[at:]]), cut
