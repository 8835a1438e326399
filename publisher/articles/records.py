"""Convert records to JSON for the database, and table rows to articles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from publisher.html.urls import url_path
from publisher.model.articles import Article, Author, Correction, Enclosure, Image, Record


def record_json(record: Record) -> str:
    """Return the record without its body as canonical JSON: only set fields, keys sorted."""
    fields: dict[str, Any] = {
        "title": record.title,
        "date": record.date.isoformat(),
        "dek": record.dek,
        "authors": [_non_empty(name=author.name, bio=author.bio, url=author.url) for author in record.authors],
        "topic": record.topic,
        "region": record.region,
        "brand": record.brand,
        "tags": list(record.tags),
        "external_id": record.external_id,
        "url": record.url,
        "slug": record.slug,
        "updated": record.updated.isoformat() if record.updated else None,
        "language": record.language,
        "expires": record.expires.isoformat() if record.expires else None,
    }
    if (image := record.image) is not None:
        fields["image"] = _non_empty(
            url=image.url,
            credit=image.credit,
            alt=image.alt,
            caption=image.caption,
            width=image.width,
            height=image.height,
            length=image.length,
        )
    fields["enclosures"] = [
        _non_empty(url=file.url, type=file.type, length=file.length, title=file.title, duration=file.duration)
        for file in record.enclosures
    ]
    return json.dumps(_non_empty(**fields), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _non_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def record_fields(text: str, body: str) -> dict[str, Any]:
    """Parse the JSON of :func:`record_json` and return keyword arguments for :class:`Record`."""
    fields: dict[str, Any] = json.loads(text)
    day = fields["date"]
    fields["date"] = date.fromisoformat(day) if len(day) == 10 else datetime.fromisoformat(day)
    for name in ("updated", "expires"):
        if name in fields:
            fields[name] = datetime.fromisoformat(fields[name])
    if "authors" in fields:
        fields["authors"] = tuple(Author(**author) for author in fields["authors"])
    if "tags" in fields:
        fields["tags"] = tuple(fields["tags"])
    if "image" in fields:
        fields["image"] = Image(**fields["image"])
    if "enclosures" in fields:
        fields["enclosures"] = tuple(Enclosure(**file) for file in fields["enclosures"])
    fields["body"] = body
    return fields


def to_article(
    row: Mapping[str, Any], base_url: str, zone: ZoneInfo, corrections: Sequence[tuple[int, str]] = ()
) -> Article:
    """Return the article of a full table row, with its corrections as (time, note) pairs."""
    fields = record_fields(row["record"], row["body"])
    return Article(
        **fields,
        id=row["id"],
        seq=row["seq"],
        link=fields.get("url") or base_url + url_path(row["path"]),
        published=datetime.fromtimestamp(row["published_at"], UTC).astimezone(zone),
        changed=datetime.fromtimestamp(row["changed_at"], UTC).astimezone(zone),
        corrections=tuple(
            Correction(at=datetime.fromtimestamp(at, UTC).astimezone(zone), note=note) for at, note in corrections
        ),
    )


_ROW_COLUMNS = ("record", "body", "id", "seq", "path", "published_at", "changed_at")


def article_text(row: Mapping[str, Any], corrections: Sequence[tuple[int, str]] = ()) -> str:
    """Return a full table row and its corrections as JSON, to render the article later as it is now."""
    values = {column: row[column] for column in _ROW_COLUMNS}
    return json.dumps({**values, "corrections": list(corrections)}, ensure_ascii=False)


def is_edited(before: str, after: str) -> bool:
    """Return whether the article itself differs between two results of :func:`article_text`. Pure."""
    first, second = json.loads(before), json.loads(after)
    return any(first[column] != second[column] for column in ("record", "body", "path"))


def is_corrected(before: str, after: str) -> bool:
    """Return whether a correction was published between two results of :func:`article_text`. Pure."""
    return bool(json.loads(before)["corrections"] != json.loads(after)["corrections"])


def article_from_text(text: str, base_url: str, zone: ZoneInfo) -> Article:
    """Return the article of :func:`article_text`."""
    values = json.loads(text)
    return to_article(values, base_url, zone, values["corrections"])
