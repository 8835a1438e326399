"""Split the tags of a text export, which are joined without a separator: ``RussiaFranceMali``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Final

from publisher.html.text import contains_phrase, one_line

_CLOSING: Final = frozenset(")]}’”'\"")
#: An acronym before a word (``NATOVladimir``) or a digit before a capital (``F-16Grain``): the border is ambiguous.
_ACRONYM_THEN_WORD: Final = re.compile(r"[A-Z]{3}[a-z]{2}|\d[A-Z][a-z]|\.[A-Z][a-z]{2}")


#: Characters of the joined tags that are split.
_MAX_RUN_LENGTH: Final = 10_000
#: Characters of the article in which phrases are looked up.
_MAX_TEXT_LENGTH: Final = 200_000
#: Phrases that are looked up in the text; further ones count as unknown.
_MAX_LOOKUPS: Final = 2_000


def split_tags(run: str, text: str, vocabulary: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags, and those of them that could not be split with certainty.

    A capital after a lower-case letter or a bracket begins a new tag, unless both sides together are a
    known phrase (``McDonald``). Between an acronym and a word, known tags and phrases of the article's
    text decide, longest match first. Other joined tags are not split.

    Args:
        text: title, dek and body of the article, in which phrases are looked up.
    """
    # Linear time for a line of any length. The limits of an article apply to the resulting tags.
    run = one_line(run[:_MAX_RUN_LENGTH])
    text = text[:_MAX_TEXT_LENGTH]
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
        for chunk in _join_phrases(_split_at_capitals(part), known):
            pieces = _split_chunk(chunk, known)
            tags.extend(pieces)
            if len(pieces) == 1 and not known(chunk) and _ACRONYM_THEN_WORD.search(chunk):
                ambiguous.append(chunk)
    return tuple(dict.fromkeys(tag for tag in tags if tag)), tuple(dict.fromkeys(ambiguous))


def _split_at_capitals(run: str) -> list[str]:
    """Split before capitals that follow a lower-case letter, a closing bracket or a quote."""
    borders = [
        at
        for at, character in enumerate(run)
        if at
        and character.isupper()
        and (run[at - 1] in _CLOSING or (run[at - 1].isalpha() and not run[at - 1].isupper()))
    ]
    return [run[start:end].strip() for start, end in pairwise([0, *borders, len(run)])]


def _join_phrases(chunks: list[str], known: Callable[[str], bool]) -> list[str]:
    """Join neighbouring chunks that form a known phrase (``Mc`` + ``Donald``), longest first."""
    result: list[str] = []
    at = 0
    while at < len(chunks):
        length = next((n for n in (4, 3, 2) if at + n <= len(chunks) and known("".join(chunks[at : at + n]))), 1)
        result.append("".join(chunks[at : at + length]))
        at += length
    return result


def _split_chunk(chunk: str, known: Callable[[str], bool]) -> list[str]:
    """Split a chunk into known phrases; return it whole if that is not possible."""
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
        """Return the shortest split of ``chunk[start:]`` into known phrases, or None."""
        if start == len(chunk):
            return ()
        shortest: tuple[str, ...] | None = None
        for end in [*reversed([border for border in borders if border > start]), len(chunk)]:
            if known(chunk[start:end]):
                rest = best(end)
                if rest is not None and (shortest is None or len(rest) + 1 < len(shortest)):
                    shortest = (chunk[start:end], *rest)
        return shortest

    return list(best(0) or (chunk,))
