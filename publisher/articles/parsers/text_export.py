"""Parse the text export of a newsroom into a record.

A file has the title, a date line with labels, the title again, dek, body, author line and image credit, as paragraphs
separated by blank lines. docs/articles.md describes the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import BinaryIO, Final

from publisher.articles.parsers.byline import parse_author_line, parse_image_line
from publisher.articles.parsers.dates import DATE_PATTERN, date_from_match, parse_date, to_instant
from publisher.articles.parsers.decode import read_text
from publisher.articles.parsers.publication import Publication, parse_publication, release_fields
from publisher.articles.parsers.result import DraftRecord, ParsedRecord, ParserOptions
from publisher.articles.parsers.tags import split_tags
from publisher.errors import InvalidRecord
from publisher.html.sanitize import paragraphs_to_html
from publisher.html.text import one_line
from publisher.model.articles import Author, Image, Record

_LABEL: Final = re.compile(
    r"\b(Topics?|Regions?|Blog Brands?|Brands?|Tags?|Status|Draft|Published|Publish|Visibility|Embargo(?: until)?)\s*:\s*",
    re.IGNORECASE,
)
#: A line that may make the text a draft.
_STATEMENT: Final = re.compile(r"(Status|Draft|Published|Publish|Visibility)\s*:\s*(\S.{0,40})", re.IGNORECASE)
_GAP: Final = re.compile(r"\n[^\S\n]*\n\s*")
#: A longer first paragraph is body, not a dek.
_MAX_DEK_LENGTH = 250
#: Lines from the top in which the date line is searched.
_HEAD_LINES = 12


def parse_text_export(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParsedRecord | DraftRecord]:
    """Yield the one record of a text export, or a draft if a label or line makes it one.

    Raises:
        InvalidRecord: the file is empty, binary or too large, or has no title or no valid date.
    """
    text, warnings = read_text(stream, where, options.max_bytes)
    statement = find_draft_statement(text)
    try:
        title, day, labels_text, rest = _head(text, where)
    except InvalidRecord:
        if not statement:
            raise
        yield DraftRecord(where=where, statement=statement, warnings=tuple(warnings))
        return
    labels, unknown = _labels(labels_text)
    if unknown:
        warnings.append(f"did not understand {unknown[:60]!r} on the date line")
    paragraphs = [block.strip() for block in _GAP.split(rest) if block.strip()]
    if paragraphs and one_line(paragraphs[0]).casefold() == title.casefold():
        del paragraphs[0]
    image, authors = _tail(paragraphs)
    dek = _dek(paragraphs)
    tags, ambiguous = split_tags(labels.get("tag", ""), "\n".join([title, dek or "", *paragraphs]), options.tags)
    warnings.extend(f"cannot split {tag!r} into tags. Add the tags to ingest.tags" for tag in ambiguous)
    record = Record(
        title=title,
        date=day,
        dek=dek,
        body=paragraphs_to_html(paragraphs),
        authors=authors,
        topic=labels.get("topic") or None,
        region=labels.get("region") or None,
        brand=labels.get("brand") or None,
        tags=tags,
        image=image,
    )
    publication = parse_publication(labels)
    warnings.extend(publication.warnings)
    statement = publication.draft or statement
    if statement:
        yield DraftRecord(where=where, statement=statement, warnings=tuple(warnings), record=record)
        return
    record = replace(record, date=_release(day, labels, where, options))
    yield ParsedRecord(record=record, where=where, warnings=tuple(warnings))


def _release(day: date, labels: Mapping[str, str], where: str, options: ParserOptions) -> date:
    """Return the latest of the day and of the dates that labels such as "Embargo until" name.

    Raises:
        InvalidRecord: a label names an impossible date.
    """
    for name, value in release_fields(labels).items():
        try:
            release = parse_date(value, options.zone)
        except ValueError as error:
            raise InvalidRecord(where, f"impossible {name}: {error}") from None
        day = max(day, release, key=lambda moment: to_instant(moment, options.zone))
    return day


def find_draft_statement(text: str) -> str:
    """Return the line near the top or at the end that makes the text a draft, or ""."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line in (*lines[:_HEAD_LINES], *lines[_HEAD_LINES:][-2:]):
        match = _STATEMENT.fullmatch(line)
        publication = parse_publication({match[1]: match[2]}) if match else Publication()
        if publication.draft and not publication.warnings:
            return publication.draft
    return ""


def _head(text: str, where: str) -> tuple[str, date, str, str]:
    """Return the title, the date, the labels after it, and the text after that paragraph."""
    title: list[str] = []
    at = 0
    for number, line in enumerate(text.split("\n")):
        match = DATE_PATTERN.match(line.strip())
        # A title may begin with a date. The first line is a date line only if labels follow the date.
        if match and (title or _LABEL.search(line.strip(), match.end())):
            try:
                day = date_from_match(match)
            except ValueError as error:
                raise InvalidRecord(where, f"impossible date {match[0]!r}: {error}") from None
            if not title:
                raise InvalidRecord(where, "no title above the date line. Add one as the first line")
            gap = _GAP.search(text, at)
            end = gap.start() if gap else len(text)
            labels = one_line(text[at:end])[len(one_line(match[0])) :]
            return one_line(" ".join(title)), day, labels, text[end:]
        if number > _HEAD_LINES:
            break
        if line.strip():
            title.append(line.strip())
        at += len(line) + 1
    raise InvalidRecord(where, "no date line, as in 'April 1, 2022 Topic: …', below the title")


def _labels(text: str) -> tuple[dict[str, str], str]:
    """Return the values by label, and the text before the first label."""
    parts = _LABEL.split(text)
    values: dict[str, str] = {}
    for label, value in zip(parts[1::2], parts[2::2], strict=True):
        name = label.lower().removeprefix("blog ")
        name = name if name == "status" else name.rstrip("s")
        values.setdefault(name, value.strip())
    return values, parts[0].strip(" ,;|\u00b7")


def _tail(paragraphs: list[str]) -> tuple[Image | None, tuple[Author, ...]]:
    """Remove the image credit and the author line from the end, in either order."""
    image: Image | None = None
    authors: tuple[Author, ...] = ()
    for _ in range(2):
        if not paragraphs:
            break
        parsed = parse_image_line(paragraphs[-1]) if image is None else None
        if parsed is not None:
            image = parsed
            paragraphs.pop()
        elif not authors:
            authors = parse_author_line(paragraphs[-1], "\n".join(paragraphs[:-1]))
            if not authors:
                break
            paragraphs.pop()
    return image, authors


def _dek(paragraphs: list[str]) -> str | None:
    """Remove the dek from the front: one short paragraph that is followed by body text."""
    if len(paragraphs) < 2 or len(paragraphs[0]) > _MAX_DEK_LENGTH:
        return None
    return one_line(paragraphs.pop(0))
