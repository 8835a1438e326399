"""Apply limits to values that make an article expensive to publish: labels, links, files, lengths.

Values beyond a limit are left out or cut, with a warning. The article is published.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, Final

from publisher.articles.parsers.result import ParsedRecord
from publisher.model.articles import Record

MAX_TAGS: Final = 100
MAX_AUTHORS: Final = 50
MAX_ENCLOSURES: Final = 50
#: Links in the body.
MAX_LINKS: Final = 5_000
#: Characters of a topic, region, brand, tag or author name. Each of them has a feed.
MAX_LABEL: Final = 200
_MAX_TEXTS: Final = {"title": 1_000, "dek": 10_000, "slug": 1_000}
_MAX_URL: Final = 2_000
_MAX_ID: Final = 500
_LINK: Final = re.compile(r"</?a\b[^<>]*>")


def apply_limits(parsed: ParsedRecord) -> ParsedRecord:
    """Apply the limits to a parsed record, with a warning for each value that changes."""
    changes, warnings = _changes(parsed.record)
    if not changes:
        return parsed
    return replace(parsed, record=replace(parsed.record, **changes), warnings=(*parsed.warnings, *warnings))


def _changes(record: Record) -> tuple[dict[str, Any], list[str]]:
    """Return the fields to change with their new values, and the warnings."""
    changes: dict[str, Any] = {}
    warnings: list[str] = []
    for name, most in (("tags", MAX_TAGS), ("authors", MAX_AUTHORS), ("enclosures", MAX_ENCLOSURES)):
        values = getattr(record, name)
        kept = [value for value in values if len(_label(value)) <= MAX_LABEL][:most]
        if len(kept) < len(values):
            changes[name] = tuple(kept)
            omitted = f"{len(values) - len(kept):,} of {len(values):,} {name} were left out"
            warnings.append(f"{omitted}: {_allowed(name, most)}")
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
        # The hash covers the whole ID: two IDs with the same beginning must stay different.
        changes["external_id"] = f"sha256:{hashlib.sha256(str(record.external_id).encode()).hexdigest()}"
        warnings.append(f"the id has more than {_MAX_ID} characters; it is replaced by a hash")
    if record.body.count("<a ") > MAX_LINKS:
        changes["body"] = _remove_extra_links(record.body)
        warnings.append(f"links beyond the first {MAX_LINKS:,} of the body are plain text")
    return changes, warnings


def _label(value: Any) -> str:
    return value if isinstance(value, str) else str(getattr(value, "name", ""))


def _allowed(name: str, most: int) -> str:
    allowed = f"an article may have {most}"
    return allowed if name == "enclosures" else f"{allowed}, of up to {MAX_LABEL} characters"


def _remove_extra_links(body: str) -> str:
    *kept, rest = body.split("<a ", MAX_LINKS + 1)
    return "<a ".join(kept) + _LINK.sub("", "<a " + rest)
