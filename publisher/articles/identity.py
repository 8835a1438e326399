"""Which article a record is, and what a new one is called for ever. Pure.

A record is the article of the same id; failing that, of the same address; failing that, of the
same file name; failing that, of a file that went away and held exactly this record (a rename).
A record with an id of its own is never an article that is known under another id.
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

__all__ = ["content_hash", "match_article", "new_article_id", "new_article_path", "record_keys", "requested_time"]

#: Ids that are ids already: they are taken over as they are.
_URI_ID = re.compile(r"(?:urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|tag:[^\s\"<>]{3,200})", re.IGNORECASE)


def record_keys(found: ParsedRecord | DraftRecord, name: str) -> tuple[str, ...]:
    """Return the keys that a record is known by, the most trusted first.

    Args:
        found: the record.
        name: its file, relative to articles/.
    """
    record = found.record if isinstance(found, ParsedRecord) else found
    return tuple(
        key
        for key in (
            f"id:{record.external_id}" if record.external_id else "",
            f"url:{record.url}" if record.url else "",
            f"file:{name}" if not found.shares_file else "",
        )
        if key
    )


def content_hash(record_json: str, body: str) -> str:
    """Return a hash that is equal for records that say the same."""
    return hashlib.sha256(f"{record_json}\0{body}".encode()).hexdigest()[:32]


def match_article(
    keys: Iterable[str],
    known: Mapping[str, int],
    has_id: Callable[[int], bool],
    moved: Iterable[ArticleRow],
    is_there: Callable[[str], bool],
) -> int | None:
    """Return the arrival number of the article that a record is, or None for a new one.

    Args:
        keys: the record's, the most trusted first.
        known: key → arrival number, of the keys that the store knows.
        has_id: whether an article is known under an id.
        moved: articles whose record was byte for byte this one.
        is_there: whether a file still lies in articles/.
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
    for one in moved:
        if not is_there(one.source) and not (own_id and has_id(one.seq)):
            return one.seq
    return None


def new_article_id(record: Record, keys: tuple[str, ...], namespace: uuid.UUID, taken: Callable[[str], bool]) -> str:
    """Return an article's id, for ever: the record's own if it is one, else a UUID of its first key.

    A UUIDv5 (RFC 9562 §5.5) and not a random one, so that two clones of a site agree, and a
    database that was lost comes back with the same ids.
    """
    if record.external_id and _URI_ID.fullmatch(record.external_id) and not taken(record.external_id):
        return record.external_id
    seed, copy = keys[0], 1
    while taken(minted := uuid.uuid5(namespace, seed).urn):
        # A file name that an article left behind by moving has been given to another one.
        copy += 1
        seed = f"{keys[0]}#{copy}"
    return minted


def new_article_path(
    pattern: str, record: Record, article_id: str, zone: ZoneInfo, taken: Callable[[str], bool]
) -> str:
    """Return the path of an article's address below the site's, for ever.

    Args:
        pattern: ``article_url`` of the settings.
        record: the article.
        article_id: its id.
        zone: the newsroom's clock, for year, month and day.
        taken: whether another article has the path.
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
    copy = 1
    while True:
        path = pattern.format(**values, slug=slug if copy == 1 else f"{slug}-{copy}")
        if not taken(path):
            return path
        copy += 1
        if "{slug}" not in pattern:
            pattern += "-{slug}"


def requested_time(record: Record, zone: ZoneInfo) -> int:
    """Return the instant that a record asks to be published at, seconds since 1970.

    A day without a time is its midnight in ``zone``, or the first instant after it where a clock
    change skips midnight.
    """
    if isinstance(record.date, datetime):
        return int(record.date.timestamp())
    midnight = datetime.combine(record.date, time())
    return int(to_local(midnight, zone).timestamp())
