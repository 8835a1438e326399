"""Convert records to JSON for the database, and table rows to articles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from publisher.html.urls import url_path
from publisher.model.articles import Article, Author, Correction, Enclosure, Image, Record


def record_json(record: Record) -> str:
    """Return the record without its body as canonical JSON: only set fields, keys sorted."""
    values = _set_fields(record)
    values.pop("body", None)
    return json.dumps(values, default=_json_value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _set_fields(record: Record | Author | Image | Enclosure) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in values.items() if value not in (None, "", ())}


def _json_value(value: date | Author | Image | Enclosure) -> Any:
    return value.isoformat() if isinstance(value, date) else _set_fields(value)


def record_fields(text: str, body: str) -> dict[str, Any]:
    """Parse the JSON of :func:`record_json` and return keyword arguments for :class:`Record`."""
    values: dict[str, Any] = json.loads(text)
    day = values["date"]
    values["date"] = date.fromisoformat(day) if len(day) == 10 else datetime.fromisoformat(day)
    for name in ("updated", "expires"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if "authors" in values:
        values["authors"] = tuple(Author(**author) for author in values["authors"])
    if "tags" in values:
        values["tags"] = tuple(values["tags"])
    if "image" in values:
        values["image"] = Image(**values["image"])
    if "enclosures" in values:
        values["enclosures"] = tuple(Enclosure(**file) for file in values["enclosures"])
    values["body"] = body
    return values


def to_article(
    row: Mapping[str, Any], base_url: str, zone: ZoneInfo, corrections: Sequence[tuple[int, str]] = ()
) -> Article:
    """Return the article of a full table row, with its corrections as (time, note) pairs."""
    values = record_fields(row["record"], row["body"])
    return Article(
        **values,
        id=row["id"],
        seq=row["seq"],
        link=values.get("url") or base_url + url_path(row["path"]),
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
