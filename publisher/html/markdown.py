"""Convert CommonMark to HTML. The only module that uses markdown-it. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _converter() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def markdown_to_html(text: str) -> str:
    """Return CommonMark with tables and strikethrough as HTML. The caller must sanitise it."""
    html: str = _converter().render(text)
    return html
