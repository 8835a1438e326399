"""The text export's tags run together without a separator: ``RussiaFranceMali``. Part them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Final

from publisher.html.text import contains_phrase, one_line

__all__ = ["split_tags"]

#: An acronym meets a word (``NATOVladimir``), or a digit meets a capital (``F-16Grain``): no border shows.
_CLOSING: Final = frozenset(")]}’”'\"")
_ACRONYM_THEN_WORD: Final = re.compile(r"[A-Z]{3}[a-z]{2}|\d[A-Z][a-z]|\.[A-Z][a-z]{2}")


#: Characters of the tags, and of the text in which phrases are looked up.
_LONGEST_RUN: Final = 10_000
_LONGEST_TEXT: Final = 200_000
#: Phrases that are looked up in the text; the rest counts as not known.
_MAX_LOOKUPS: Final = 2_000


def split_tags(run: str, text: str, vocabulary: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags and those of them that stayed ambiguous.

    A border stands where a lower-case letter or a bracket meets a capital, unless the two sides
    together are a known phrase (``McDonald``). Where an acronym meets a word no border shows:
    there the phrases of the vocabulary and of the article's own text decide, longest match
    first. What they do not settle stays whole.

    Args:
        run: the tags as exported.
        text: the article's title, dek and body, to find phrases in.
        vocabulary: tags that the site knows.
    """
    # A label line of any length is looked at up to here; limits of tags apply to what it names.
    run = one_line(run[:_LONGEST_RUN])
    text = text[:_LONGEST_TEXT]
    if not run:
        return (), ()
    lookups = 0
    lowered = {tag.casefold() for tag in vocabulary}

    @cache
    def known(phrase: str) -> bool:
        nonlocal lookups
        if phrase.casefold() in lowered:
            return True
        lookups += 1
        return lookups <= _MAX_LOOKUPS and contains_phrase(phrase, text)

    tags: list[str] = []
    ambiguous: list[str] = []
    separated = [part.strip() for part in re.split(r"[,;|]", run)] if re.search(r"[,;|]", run) else [run]
    for part in separated:
        for chunk in _rejoined(_chunks(part), known):
            pieces = _pieces(chunk, known)
            tags.extend(pieces)
            if len(pieces) == 1 and not known(chunk) and _ACRONYM_THEN_WORD.search(chunk):
                ambiguous.append(chunk)
    return tuple(dict.fromkeys(tag for tag in tags if tag)), tuple(dict.fromkeys(ambiguous))


def _chunks(run: str) -> list[str]:
    """Part the run where a capital follows a lower-case letter, a closing bracket or a quote."""
    borders = [
        at
        for at, character in enumerate(run)
        if at
        and character.isupper()
        and (run[at - 1] in _CLOSING or (run[at - 1].isalpha() and not run[at - 1].isupper()))
    ]
    return [run[start:end].strip() for start, end in pairwise([0, *borders, len(run)])]


def _rejoined(chunks: list[str], known: Callable[[str], bool]) -> list[str]:
    """Undo a border inside a known phrase (``Mc`` + ``Donald``): longest phrase first."""
    result: list[str] = []
    at = 0
    while at < len(chunks):
        length = next((n for n in (4, 3, 2) if at + n <= len(chunks) and known("".join(chunks[at : at + n]))), 1)
        result.append("".join(chunks[at : at + length]))
        at += length
    return result


def _pieces(chunk: str, known: Callable[[str], bool]) -> list[str]:
    """Part a chunk at borders that only known phrases show; whole if they do not settle it."""
    if known(chunk):
        return [chunk]
    borders = [
        at
        for at in range(1, len(chunk))
        if chunk[at].isupper() and (chunk[at - 1].isupper() or chunk[at - 1].isdigit() or chunk[at - 1] == ".")
    ]
    if not borders or len(borders) > 60:
        return [chunk]

    @cache
    def best(start: int) -> tuple[str, ...] | None:
        """The fewest pieces from ``start`` on, all of them known, or None."""
        if start == len(chunk):
            return ()
        found: tuple[str, ...] | None = None
        for end in [*reversed([border for border in borders if border > start]), len(chunk)]:
            if known(chunk[start:end]):
                rest = best(end)
                if rest is not None and (found is None or len(rest) + 1 < len(found)):
                    found = (chunk[start:end], *rest)
        return found

    return list(best(0) or (chunk,))
