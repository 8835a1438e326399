"""Limits of an article in what it costs to publish: labels make feeds, links and files are checked one by one.

What is beyond a limit is left out, with a warning: the article itself is published.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

from publisher.articles.parsers.result import ParsedRecord
from publisher.model.articles import Record

__all__ = ["MAX_AUTHORS", "MAX_ENCLOSURES", "MAX_LABEL", "MAX_LINKS", "MAX_TAGS", "apply_limits"]

MAX_TAGS: Final = 100
MAX_AUTHORS: Final = 50
MAX_ENCLOSURES: Final = 50
#: Links in the body.
MAX_LINKS: Final = 5_000
#: Characters of a topic, a region, a brand, a tag or an author's name: each names a feed.
MAX_LABEL: Final = 200
_MAX_TEXTS: Final = {"title": 1_000, "dek": 10_000, "slug": 1_000}
_MAX_URL: Final = 2_000
_MAX_ID: Final = 500
_LINK: Final = re.compile(r"</?a\b[^<>]*>")


def apply_limits(found: ParsedRecord) -> ParsedRecord:
    """Return a parsed article within the limits, with a warning for each that it was beyond."""
    changes, warnings = _limited(found.record)
    if not changes:
        return found
    return replace(found, record=replace(found.record, **changes), warnings=(*found.warnings, *warnings))


def _limited(record: Record) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that have to change, and why."""
    changes: dict[str, Any] = {}
    warnings: list[str] = []
    for name, most in (("tags", MAX_TAGS), ("authors", MAX_AUTHORS), ("enclosures", MAX_ENCLOSURES)):
        every = getattr(record, name)
        kept = [one for one in every if len(_label(one)) <= MAX_LABEL][:most]
        if len(kept) < len(every):
            changes[name] = tuple(kept)
            warnings.append(f"{len(every) - len(kept):,} of {len(every):,} {name} were left out: {_why(name, most)}")
    for name in ("topic", "region", "brand"):
        if len(getattr(record, name) or "") > MAX_LABEL:
            changes[name] = None
            warnings.append(f"the {name} was left out: it has more than {MAX_LABEL} characters")
    for name, most in _MAX_TEXTS.items():
        text = getattr(record, name)
        if text is not None and len(text) > most:
            changes[name] = text[: most - 1].rstrip() + ("…" if name != "slug" else "")
            warnings.append(f"the {name} was cut: it has more than {most:,} characters")
    if len(record.url or "") > _MAX_URL:
        changes["url"] = None
        warnings.append(f"the url was left out: it has more than {_MAX_URL:,} characters")
    if len(record.external_id or "") > _MAX_ID:
        # Another id of the same length would be another article, so nothing of it may be lost.
        changes["external_id"] = f"sha256:{hashlib.sha256(str(record.external_id).encode()).hexdigest()}"
        warnings.append(f"the id has more than {_MAX_ID} characters; a hash stands for it")
    if record.body.count("<a ") > MAX_LINKS:
        changes["body"] = _fewer_links(record.body)
        warnings.append(f"links beyond the first {MAX_LINKS:,} of the body are plain text")
    return changes, warnings


def _label(one: Any) -> str:
    return one if isinstance(one, str) else str(getattr(one, "name", ""))


def _why(name: str, most: int) -> str:
    allowed = f"an article may have {most}"
    return allowed if name == "enclosures" else f"{allowed}, of up to {MAX_LABEL} characters"


def _fewer_links(body: str) -> str:
    *kept, rest = body.split("<a ", MAX_LINKS + 1)
    return "<a ".join(kept) + _LINK.sub("", "<a " + rest)
