"""Parse the author line and the image credit at the end of a text export."""

from __future__ import annotations

import re
from typing import Final

from publisher.html.text import contains_phrase, one_line
from publisher.model.articles import Author, Image

# These patterns match text on one line, with single spaces between words.
_VERB: Final = re.compile(r",? (?:(?:is|was) (?:an?|the|our)\b|writes\b|are\b|covers\b|reports\b|serves as\b)")
_PARTICLES: Final = frozenset(
    [
        "de",
        "del",
        "della",
        "der",
        "den",
        "di",
        "da",
        "dos",
        "du",
        "la",
        "le",
        "van",
        "von",
        "bin",
        "ibn",
        "ter",
        "ten",
        "y",
        "al",
        "el",
    ]
)
_SUFFIX: Final = re.compile(r",? (?:Jr|Sr|II|III|IV|PhD|Ph\.D|MD|M\.D|Esq)\.?,?$")
_BETWEEN_NAMES: Final = re.compile(r", ?(?:and|&) | (?:and|&) |, ")
_SENTENCE_END: Final = re.compile(
    # Three letters before the full stop, so that "Dr. Jane Doe" is one sentence.
    r"(?:(?<=[a-z]{3}[.!?])|(?<=[.!?][)”’\"])|(?<=[)”’\"][.!?])) (?=[^\W\d_a-z])"
)
#: Occupations and verbs of authors. One of these makes the line an author line also if the name is in the body.
_OCCUPATION: Final = re.compile(
    r"\b(?:writer|reporter|editor|journalist|correspondent|columnist|contributor|author|fellow|professor|lecturer|"
    r"analyst|scholar|researcher|historian|student|critic|novelist|essayist|poet|photographer|blogger|commentator|"
    r"intern|staff|translator|writes|covers|reports|freelances?)s?\b",
    re.IGNORECASE,
)
_MAX_LINE_LENGTH = 1500
_IMAGE: Final = re.compile(r"Images?(?:: ?| by | (?=[A-Z©])|(?=[^\sa-z\d:]))(?P<credit>.*)")
_MAX_CREDIT_LENGTH = 200


def _names(run: str) -> list[str]:
    """Return the names in ``A``, ``A and B`` or ``A, B, and C``; empty if any is no name."""
    run = re.sub(r"^About the authors?:?\s+", "", run, flags=re.IGNORECASE)
    run = _SUFFIX.sub("", run)
    names = [name for name in _BETWEEN_NAMES.split(run) if name]
    return names if names and all(_is_name(name) for name in names) else []


def _is_name(name: str) -> bool:
    words = name.split()
    if not 2 <= len(words) <= 6 or words[0].lower() in ("the", "a", "an", "this", "in", "on", "it"):
        return False
    capital = [word[0].isupper() and not any(character.isdigit() for character in word) for word in words]
    if not (capital[0] or words[0].lower() in _PARTICLES) or not capital[-1]:
        return False
    return all(
        is_capital or word.lower() in _PARTICLES or re.match(r"(?:d|l|al|el)[-'’][A-Z]", word)
        for word, is_capital in zip(words, capital, strict=True)
    )


def parse_author_line(paragraph: str, body: str) -> tuple[Author, ...]:
    """Return the authors that the last paragraph introduces; empty if it is body text.

    A name is the run of capitalised words before ``is a``, ``writes``, ``are`` and similar. A sentence
    that begins with another name introduces another author. ``Emmanuel Macron is the president of
    France.`` is body text, because the article mentions the person and the line names no occupation of
    authors.

    Args:
        paragraph: the last paragraph, plain text.
        body: the paragraphs before it.
    """
    line = one_line(paragraph)
    if len(line) > _MAX_LINE_LENGTH:
        return ()
    groups: list[tuple[list[str], str]] = []
    for sentence in _SENTENCE_END.split(line):
        verb = _VERB.search(sentence)
        names = _names(sentence[: verb.start()]) if verb else []
        if names:
            groups.append((names, sentence))
        elif groups:
            groups[-1] = (groups[-1][0], f"{groups[-1][1]} {sentence}")
        else:
            return ()
    for names, text in groups:
        is_mentioned = any(contains_phrase(name.split()[-1], body) for name in names)
        if is_mentioned and not _OCCUPATION.search(text):
            return ()
    return tuple(Author(name=name, bio=text) for names, text in groups for name in names)


def parse_image_line(paragraph: str) -> Image | None:
    """Parse an image credit: ``ImageWikipedia``, ``Image: Reuters``; None for body text."""
    line = one_line(paragraph)
    match = _IMAGE.match(line) if len(line) <= _MAX_CREDIT_LENGTH and "\n" not in paragraph.strip() else None
    if match is None:
        return None
    credit = match["credit"].strip()
    if credit.endswith(".") and not re.search(r"\.\w+\.$|\b(?:Inc|Ltd|Co|Jr|Sr)\.$", credit):
        credit = credit[:-1]
    return Image(credit=credit or None)
