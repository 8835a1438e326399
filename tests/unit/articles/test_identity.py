"""Matching records to articles, and permanent IDs and paths of new ones."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from publisher.articles.identity import match_article, new_article_id, new_article_path, record_keys, requested_time
from publisher.articles.parsers import ParsedRecord
from publisher.articles.store import ArticleRow
from publisher.model.articles import Record

NAMESPACE = uuid.UUID("b2a86d4c-0d64-5b0c-8b7a-000000000000")
UTC_ZONE = ZoneInfo("UTC")
STORED = ArticleRow(
    seq=7,
    id="urn:7",
    path="/p",
    asked_at=0,
    published_at=0,
    changed_at=0,
    updated_at=None,
    retracted_at=None,
    hash="h",
    source="old.txt",
)


def record(**fields: object) -> Record:
    return Record(**{"title": "T", "date": date(2026, 11, 20), **fields})  # type: ignore[arg-type]


def found(shares_file: bool = False, **fields: object) -> ParsedRecord:
    return ParsedRecord(record=record(**fields), where="f", shares_file=shares_file)


def test_keys_are_id_then_url_then_file_name() -> None:
    """The file name is no key if the file holds several records."""
    assert record_keys(found(external_id="1", url="https://a.example/"), "f.md") == (
        "id:1",
        "url:https://a.example/",
        "file:f.md",
    )
    assert record_keys(found(shares_file=True, external_id="1"), "f.jsonl") == ("id:1",)


@pytest.mark.parametrize(
    ("keys", "known", "has_id", "moved", "there", "expected"),
    [
        (("id:1", "file:f"), {"id:1": 1, "file:f": 2}, True, (), True, 1),
        (("url:u", "file:f"), {"url:u": 1, "file:f": 2}, False, (), True, 1),
        (("file:f",), {"file:f": 2}, True, (), True, 2),
        (("id:1", "file:f"), {"file:f": 2}, True, (), True, None),
        (("id:1", "file:f"), {"file:f": 2}, False, (), True, 2),
        (("file:g",), {}, False, (STORED,), False, 7),
        (("file:g",), {}, False, (STORED,), True, None),
        (("id:1", "file:g"), {}, True, (STORED,), False, None),
    ],
)
def test_a_record_matches_the_article_of_its_most_reliable_key(
    keys: tuple[str, ...],
    known: dict[str, int],
    has_id: bool,
    moved: tuple[ArticleRow, ...],
    there: bool,
    expected: int | None,
) -> None:
    """A record with its own ID never matches an article with another ID."""
    assert match_article(keys, known, lambda _: has_id, moved, lambda _: there) == expected


def test_ids_are_the_same_in_two_clones_and_differ_between_sites() -> None:
    """An ID depends on the key and the site, not on the text."""
    first = new_article_id(record(), ("file:a",), NAMESPACE, lambda _: False)
    assert first == new_article_id(record(title="Edited"), ("file:a",), NAMESPACE, lambda _: False)
    assert first != new_article_id(record(), ("file:a",), uuid.uuid4(), lambda _: False)
    assert first.startswith("urn:uuid:")


def test_a_reused_file_name_gives_another_id() -> None:
    """The ID of the renamed article stays unique."""
    first = new_article_id(record(), ("file:a",), NAMESPACE, lambda _: False)
    assert new_article_id(record(), ("file:a",), NAMESPACE, {first}.__contains__) != first


def test_urns_and_tag_uris_are_used_as_ids() -> None:
    """Other external IDs become UUIDs."""
    tag = "tag:old.example,2019:17"
    assert new_article_id(record(external_id=tag), ("id:" + tag,), NAMESPACE, lambda _: False) == tag
    assert new_article_id(record(external_id=tag), ("id:" + tag,), NAMESPACE, {tag}.__contains__) != tag
    assert new_article_id(record(external_id="17"), ("id:17",), NAMESPACE, lambda _: False).startswith("urn:uuid:")


def test_paths_are_unique() -> None:
    """A number is appended to the slug until the path is free."""
    assert new_article_path("/{year}/{month}/{slug}", record(), "urn:1", UTC_ZONE, lambda _: False) == "/2026/11/t"
    assert (
        new_article_path("/{year}/{slug}", record(), "urn:1", UTC_ZONE, {"/2026/t", "/2026/t-2"}.__contains__)
        == "/2026/t-3"
    )
    assert (
        new_article_path("/{topic}/{day}/{slug}", record(slug="A b"), "urn:1", UTC_ZONE, lambda _: False)
        == "/news/20/a-b"
    )
    assert new_article_path("/{id}", record(topic="X"), "urn:uuid:9", UTC_ZONE, {"/9"}.__contains__) == "/9-t-2"


def test_a_day_begins_at_local_midnight_or_right_after() -> None:
    """A clock change may skip midnight."""
    london, beirut = ZoneInfo("Europe/London"), ZoneInfo("Asia/Beirut")
    assert requested_time(record(date=date(2026, 7, 1)), london) == datetime(2026, 6, 30, 23, tzinfo=UTC).timestamp()
    # In Beirut the clocks go forward at midnight.
    assert requested_time(record(date=date(2026, 3, 29)), beirut) == datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp()
    moment = datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert requested_time(record(date=moment), london) == moment.timestamp()
