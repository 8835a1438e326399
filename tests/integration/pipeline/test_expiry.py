"""Articles with an expiry date are published until it comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from publisher.articles import drafts_store
from publisher.articles.expiry_store import next_expiry_time
from publisher.articles.parsers import ParsedRecord, ParserOptions
from publisher.articles.parsers.registry import parse_file
from tests.conftest import NOW, MailKit, SiteKit, ids, issues, titles
from tests.support.use_cases import load_status, retract

OPTIONS = ParserOptions(zone=ZoneInfo("America/New_York"))
MIDNIGHT = datetime(2026, 12, 24, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def parsed(folder: Path, name: str, text: str) -> ParsedRecord:
    (folder / name).write_text(text)
    (found,) = parse_file(folder, name, OPTIONS)
    assert isinstance(found, ParsedRecord)
    return found


@pytest.mark.parametrize(
    ("line", "expires"),
    [
        ("expiryDate: 2026-12-24", MIDNIGHT),
        ("expires: 2026-12-24T00:00:00", MIDNIGHT),
        ("Expires-At: 24 December 2026", MIDNIGHT),
        ("unpublish_date: '2026-12-24 00:00'", MIDNIGHT),
        ("unpublishAt: 2026-12-24T05:00:00Z", MIDNIGHT),
        ("valid_until: 2026-12-24T06:00:00+01:00", MIDNIGHT),
        ("params: {expirationDate: 2026-12-24}", MIDNIGHT),
        ("expires: 2026-12-31\nunpublish_on: 2026-12-24", MIDNIGHT),
        ("expires:", None),
        ("expires: never", None),
        ("expires: false", None),
        ("expires: '0000-00-00 00:00:00'", None),
        ("cover: {expires: 2026-12-24}", None),
        ("expired: false", None),
    ],
)
def test_the_time_when_a_record_expires(tmp_path: Path, line: str, expires: datetime | None) -> None:
    """A day is its first instant in the site's zone, as in Hugo; the earliest of several times counts."""
    found = parsed(tmp_path, "a.md", f"---\ntitle: One\ndate: 2026-11-20\n{line}\n---\n")
    assert (found.record.expires, found.warnings) == (expires, ())


@pytest.mark.parametrize("value", ["3600", '"30 days"', "[1, 2]", "soon", "2026-13-45"])
def test_a_value_that_names_no_time_does_not_expire_an_article(tmp_path: Path, value: str) -> None:
    """Such fields also name lifetimes of caches; a published article is not withdrawn by a guess."""
    found = parsed(
        tmp_path,
        "a.json",
        json.dumps({"title": "One", "date": "2026-11-20"})[:-1]
        + f', "expires": {value if value[0] in "[3" else json.dumps(value)}}}',
    )
    assert found.record.expires is None
    assert found.warnings == ("expires is not understood, so the article does not expire. Write it as 2026-01-05.",)


def test_a_record_that_has_expired_is_a_draft(any_kit: SiteKit) -> None:
    """It is published nowhere, leaves no tombstone, and is listed with the reason."""
    kit = any_kit
    kit.article("a.md", "Old", expiryDate="2026-11-22")
    kit.write(
        "b.jsonl", json.dumps({"id": 1, "title": "Gone", "date": "2026-11-20", "expires": "2026-11-23T07:00:00Z"})
    )
    kit.article("c.md", "New")
    report = kit.publish()
    kit.open_issue()
    assert (report.exit_status, report.new, report.drafts, titles(kit), issues(kit)) == (0, 1, 2, ["New"], [["New"]])
    assert not (kit.root / "feeds/tombstones.atom").exists()
    with kit.open() as db, db.read() as connection:
        listed = [(one.where, one.statement) for one in drafts_store.list_drafts(connection)]
    assert listed == [("a.md", "expired on 2026-11-22 00:00"), ("b.jsonl:1", "expired on 2026-11-23 07:00")]


@pytest.mark.postgresql
def test_an_article_is_withdrawn_when_its_time_comes_and_returns_when_it_is_extended(any_kit: SiteKit) -> None:
    """No file needs to change for that, and not even to be there; the article keeps its ID."""
    kit = any_kit
    kit.article("a.md", "One", expires="2026-11-25")
    kit.write("b.jsonl", json.dumps({"id": 1, "title": "Two", "date": "2026-11-20", "expires": "2026-11-25"}))
    kit.article("c.md", "Three")
    kit.publish()
    before = ids(kit)
    with kit.open() as db, db.read() as connection:
        assert next_expiry_time(connection, int(NOW.timestamp())) == datetime(2026, 11, 25, tzinfo=UTC).timestamp()
    (kit.root / "articles/b.jsonl").unlink()
    assert kit.publish(NOW + DAY).withdrawn == 0 and len(ids(kit)) == 3
    report = kit.publish(NOW + 2 * DAY)
    assert (report.withdrawn, report.exit_status, titles(kit)) == (2, 0, ["Three"])
    assert (kit.root / "feeds/tombstones.atom").exists()
    found = load_status(kit.site, NOW + 2 * DAY)
    assert [(one.where, one.statement) for one in found.drafts] == [("a.md", "expired on 2026-11-25 00:00")]
    assert kit.publish(NOW + 2 * DAY).withdrawn == 0
    kit.article("a.md", "One", expires="2026-12-01")
    kit.publish(NOW + 3 * DAY)
    assert sorted(titles(kit)) == ["One", "Three"] and set(ids(kit)) <= set(before)
    kit.article("a.md", "One")
    kit.publish(NOW + 4 * DAY)
    assert kit.publish(NOW + 30 * DAY).withdrawn == 0 and sorted(titles(kit)) == ["One", "Three"]


def test_an_article_that_was_retracted_keeps_its_reason_when_it_expires(kit: SiteKit) -> None:
    """An expiry date changes nothing for what an editor has withdrawn."""
    kit.article("a.md", "One", expires="2026-11-25")
    kit.publish()
    retract(kit.site, NOW, "a.md", "Made up.")
    assert kit.publish(NOW + 3 * DAY).withdrawn == 0
    assert b"Made up." in (kit.root / "feeds/tombstones.atom").read_bytes()


def test_no_issue_carries_an_article_that_has_expired(mail_kit: MailKit) -> None:
    """It expires while it waits for the next issue."""
    kit = mail_kit
    kit.issue("one")
    kit.article("two.md", "Two", date="2026-11-23", expires="2026-11-24T06:00:00Z")
    kit.article("three.md", "Three", date="2026-11-23")
    kit.publish(NOW + timedelta(hours=1), with_issues=False)
    kit.open_issue(now=NOW + DAY)
    assert issues(kit)[-1] == ["Three"]


def test_a_dry_run_expires_nothing(kit: SiteKit) -> None:
    """It only reports the withdrawal."""
    kit.article("a.md", "One", expires="2026-11-25")
    kit.publish()
    assert kit.publish(NOW + 3 * DAY, dry_run=True).withdrawn == 1
    assert titles(kit) == ["One"]
