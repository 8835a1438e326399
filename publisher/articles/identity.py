"""Match a record to a stored article, or assign a permanent ID and path. Pure.

A record matches the article with the same ID, else the same URL, else the same file name, else the
same content if the article's file was removed (a renamed file). A record with its own ID never
matches an article that is known by a different ID.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

from publisher.articles.parsers import DraftRecord, ParsedRecord
from publisher.articles.store import ArticleRow
from publisher.cadence import to_local
from publisher.html.urls import slugify
from publisher.model.articles import Record

#: External IDs that are used unchanged as article IDs.
_URI_ID = re.compile(r"(?:urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|tag:[^\s\"<>]{3,200})", re.IGNORECASE)


def record_keys(parsed: ParsedRecord | DraftRecord, name: str) -> tuple[str, ...]:
    """Return the keys that identify a record of the file NAME (relative to articles/), most reliable first."""
    record = parsed.record if isinstance(parsed, ParsedRecord) else parsed
    return tuple(
        key
        for key in (
            f"id:{record.external_id}" if record.external_id else "",
            f"url:{record.url}" if record.url else "",
            f"file:{name}" if not parsed.shares_file else "",
        )
        if key
    )


def content_hash(record_json: str, body: str) -> str:
    """Return a hash of a record's JSON and body."""
    return hashlib.sha256(f"{record_json}\0{body}".encode()).hexdigest()[:32]


def match_article(
    keys: Iterable[str],
    known: Mapping[str, int],
    has_id: Callable[[int], bool],
    moved: Iterable[ArticleRow],
    is_there: Callable[[str], bool],
) -> int | None:
    """Return the arrival number of the article that a record matches, or None.

    Args:
        keys: the keys of the record, most reliable first.
        known: stored key → arrival number.
        has_id: whether an article has an external ID.
        moved: articles with the same content hash.
        is_there: whether a file is still in articles/.
    """
    own_id = False
    for key in keys:
        seq = known.get(key)
        if key.startswith("id:"):
            own_id = True
        elif seq is not None and own_id and has_id(seq):
            continue
        if seq is not None:
            return seq
    for row in moved:
        if not is_there(row.source) and not (own_id and has_id(row.seq)):
            return row.seq
    return None


def new_article_id(record: Record, keys: tuple[str, ...], namespace: uuid.UUID, taken: Callable[[str], bool]) -> str:
    """Return the permanent ID of a new article: its URN or tag URI, else a UUID of its key.

    The UUID is version 5 (RFC 9562 section 5.5), not random, so that two clones of a site assign the same
    IDs, and a lost database is rebuilt with the same IDs.
    """
    if record.external_id and _URI_ID.fullmatch(record.external_id) and not taken(record.external_id):
        return record.external_id
    seed, suffix = keys[0], 1
    while taken(article_id := uuid.uuid5(namespace, seed).urn):
        # An article was renamed, and a new article now uses its old file name.
        suffix += 1
        seed = f"{keys[0]}#{suffix}"
    return article_id


def new_article_path(
    pattern: str, record: Record, article_id: str, zone: ZoneInfo, taken: Callable[[str], bool]
) -> str:
    """Return the permanent URL path of a new article, below ``base_url``.

    Args:
        pattern: the setting ``article_url``.
        zone: the site's time zone, for year, month and day.
        taken: whether another article has a path.
    """
    day = record.date.astimezone(zone) if isinstance(record.date, datetime) else record.date
    slug = slugify(record.slug or record.title)
    values = {
        "year": f"{day.year:04}",
        "month": f"{day.month:02}",
        "day": f"{day.day:02}",
        "topic": slugify(record.topic) if record.topic else "news",
        "id": article_id.rpartition(":")[2],
    }
    suffix = 1
    while True:
        path = pattern.format(**values, slug=slug if suffix == 1 else f"{slug}-{suffix}")
        if not taken(path):
            return path
        suffix += 1
        if "{slug}" not in pattern:
            pattern += "-{slug}"


def requested_time(record: Record, zone: ZoneInfo) -> int:
    """Return the publication time that a record names, in seconds since 1970.

    A date without a time means midnight in ZONE, or the first instant after it if a clock change
    skips midnight.
    """
    if isinstance(record.date, datetime):
        return int(record.date.timestamp())
    midnight = datetime.combine(record.date, time())
    return int(to_local(midnight, zone).timestamp())
