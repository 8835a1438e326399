"""Find out which article a part of an issue's HTML belongs to, from the links to the article."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from publisher.findings import Finding
from publisher.findings.mail_rules import finding

#: Set in the parsed document only, never in a message.
_ATTRIBUTE: Final = "data-article-names"
#: The label of elements that are in no story.
_OUTSIDE: Final = ""


def mark_stories(root: Any, stories: Mapping[str, tuple[str, ...]], *, is_outside: Callable[[Any], bool]) -> None:
    """Mark the story of each named article: the largest elements that link to this article and to no other one.

    Args:
        root: the parsed document, which is changed.
        stories: URL → names of each article in the issue; no names for those that no setting names.
        is_outside: whether a link, ``h1`` or ``address`` is never in a story.
    """
    if not any(stories.values()):
        return
    links: list[tuple[Any, str]] = []
    labels: dict[Any, set[str]] = defaultdict(set)
    for element in root.iter("a", "h1", "address"):
        url = (element.get("href") or "").strip()
        if url in stories:
            links.append((element, url))
        elif not is_outside(element):
            continue
        for above in (element, *element.iterancestors()):
            labels[above].add(url if url in stories else _OUTSIDE)
    for link, url in links:
        story = link
        while (parent := story.getparent()) is not None and parent.tag != "body" and labels[parent] == {url}:
            story = parent
        if stories[url]:
            story.set(_ATTRIBUTE, "\n".join(stories[url]))


def article_of(element: Any) -> tuple[str, ...]:
    """Return the names of the article that an element belongs to; empty outside of marked stories."""
    for above in (element, *element.iterancestors()):
        if (names := above.get(_ATTRIBUTE)) is not None:
            return tuple(names.split("\n"))
    return ()


def element_finding(rule: str, element: Any, message: str) -> Finding:
    """Return a violation by an element, with the names of the article that it belongs to."""
    return finding(rule, message, entry=f"<{element.tag}>", line=element.sourceline, article=article_of(element))
