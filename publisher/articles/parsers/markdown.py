"""Parse Markdown with YAML front matter into a record. The only user of markdown-it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from publisher.articles.parsers.decode import read_text
from publisher.articles.parsers.fields import parse_record
from publisher.articles.parsers.result import DraftRecord, ParsedRecord, ParserOptions

__all__ = ["markdown_to_html", "parse_markdown"]


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def markdown_to_html(text: str) -> str:
    """Return CommonMark, with tables and strikethrough, as HTML that is still to be sanitised."""
    html: str = _parser().render(text)
    return html


def parse_markdown(stream: BinaryIO, where: str, options: ParserOptions) -> Iterator[ParsedRecord | DraftRecord]:
    """Yield the one record of a Markdown file. A first ``# Heading`` stands in for a missing title.

    Raises:
        InvalidRecord: no front matter, front matter that is not YAML or not a mapping, or fields
            that make no record.
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
    """Return (text, rest of the body) of an ATX heading that a body begins with, or None."""
    line, _, rest = body.lstrip().partition("\n")
    marker, text = line[:1], line[1:]
    if marker != "#" or text[:1] not in (" ", "\t"):
        return None
    title = text.strip()
    # A closing run of # belongs to the heading's text where no space stands before it (CommonMark 4.2).
    unclosed = title.rstrip("#")
    if unclosed[-1:] in ("", " ", "\t"):
        title = unclosed.rstrip()
    return (title, rest) if title else None
