"""Markdown with YAML front matter → a record. The only user of markdown-it and python-frontmatter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from publisher.errors import RecordRefused
from publisher.ingest.decode import read_text
from publisher.ingest.fields import build_record
from publisher.ingest.result import Found, Options

__all__ = ["markdown_to_html", "read_markdown"]

_FIRST_HEADING = re.compile(r"\A\s*#[ \t]+(?P<title>[^\n]+?)[ \t]*#*[ \t]*(?:\n|\Z)")


@lru_cache(maxsize=1)
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def markdown_to_html(text: str) -> str:
    """Return CommonMark, with tables and strikethrough, as HTML that is still to be sanitised."""
    html: str = _parser().render(text)
    return html


def read_markdown(stream: BinaryIO, where: str, options: Options) -> Iterator[Found]:
    """Yield the one record of a Markdown file. A first ``# Heading`` stands in for a missing title.

    Raises:
        RecordRefused: no front matter, front matter that is not YAML or not a table, or fields
            that make no record.
    """
    import yaml
    from frontmatter.default_handlers import YAMLHandler

    text, warnings = read_text(stream, where, options.max_bytes)
    handler = YAMLHandler()
    if not handler.detect(text):
        raise RecordRefused(where, "no front matter: the file must begin with --- and name title and date")
    try:
        head, body = handler.split(text)
        fields = handler.load(head, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RecordRefused(where, f"the front matter is not YAML: {reason}") from None
    if not isinstance(fields, dict):
        raise RecordRefused(where, "the front matter names no fields; it needs title: and date:")
    heading = None if fields.get("title") or fields.get("headline") else _FIRST_HEADING.match(body)
    if heading:
        fields["title"] = heading["title"]
        body = body[heading.end() :]
    record, mended = build_record(fields, where, options, body=body, body_format="markdown")
    yield Found(record=record, where=where, warnings=(*warnings, *mended))
