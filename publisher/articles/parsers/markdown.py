"""Parse Markdown files with YAML front matter into records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from publisher.articles.parsers.decode import read_text
from publisher.articles.parsers.fields import parse_record
from publisher.articles.parsers.result import DraftRecord, ParsedRecord, ParserOptions


def parse_markdown(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParsedRecord | DraftRecord]:
    """Yield the one record of a Markdown file; a first ``# Heading`` can be the title.

    Raises:
        InvalidRecord: there is no front matter, it is not a YAML mapping, or a field is missing or invalid.
    """
    from publisher.articles.parsers.front_matter import parse_front_matter, split_front_matter

    text, warnings = read_text(stream, where, options.max_bytes)
    head, body = split_front_matter(text, where)
    fields = parse_front_matter(head, where)
    heading = None if fields.get("title") or fields.get("headline") else _first_heading(body)
    if heading is not None:
        fields["title"], body = heading
    yield parse_record(fields, where, options, body=body, body_format="markdown", warnings=warnings)


def _first_heading(body: str) -> tuple[str, str] | None:
    """Return (text, rest of the body) of a leading ATX heading of level 1, or None."""
    line, _, rest = body.lstrip().partition("\n")
    marker, text = line[:1], line[1:]
    if marker != "#" or text[:1] not in (" ", "\t"):
        return None
    title = text.strip()
    # A closing run of # is part of the text unless a space precedes it (CommonMark 0.31 section 4.2).
    unclosed = title.rstrip("#")
    if unclosed[-1:] in ("", " ", "\t"):
        title = unclosed.rstrip()
    return (title, rest) if title else None
