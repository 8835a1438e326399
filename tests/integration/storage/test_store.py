"""The store's queries, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select

from publisher.articles import sources_store as sources
from publisher.articles import store
from publisher.articles.records import record_json
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.pending_store import SkipKind
from publisher.digests.store import ApprovalRecord
from publisher.errors import StoreError
from publisher.feeds import archives_store as archives
from publisher.feeds import facets_store as facets
from publisher.feeds import store as feeds
from publisher.feeds.store import StagedFile
from publisher.model.articles import Article
from publisher.model.digests import Issue, IssueVariant
from publisher.model.problems import Problem
from publisher.model.taxonomy import ALL, FacetKind
from publisher.storage import facts
from publisher.storage.engine import Database
from publisher.storage.tables import feeds as feed_tables

pytestmark = pytest.mark.postgresql

ZONE = ZoneInfo("UTC")
NOW = 1_800_000_000


def row(seq: int, **fields: Any) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": f"urn:{seq}",
        "path": f"/{seq}",
        "asked_at": seq,
        "published_at": seq,
        "changed_at": seq,
        "updated_at": None,
        "hash": f"hash{seq}",
        "record": '{"date":"2026-01-01","title":"T"}',
        "body": "<p>b</p>",
        "source": f"{seq}.md",
        **fields,
    }


def add(db: Database, *rows: dict[str, Any]) -> None:
    with db.write() as connection:
        store.insert_articles(connection, rows)


def test_article_keys_can_be_reassigned(db: Database) -> None:
    """An article whose file another one has taken would be edited in its place."""
    add(db, row(1), row(2))
    with db.write() as connection:
        store.set_keys(connection, {"file:a": 1, "id:x": 1})
        store.set_keys(connection, {"file:a": 2})
    with db.read() as connection:
        assert store.seqs_by_key(connection, ["file:a", "id:x", "nothing"]) == {"file:a": 2, "id:x": 1}
        assert store.has_id_key(connection, 1) and not store.has_id_key(connection, 2)
        assert store.last_seq(connection) == 2 and store.count_articles(connection) == 2


def test_a_failed_transaction_is_rolled_back(db: Database) -> None:
    """A run that fails would leave half of an article in the database."""
    with pytest.raises(RuntimeError), db.write() as connection:
        store.insert_articles(connection, [row(1)])
        raise RuntimeError
    with db.read() as connection:
        assert store.last_seq(connection) == 0


def test_errors_of_the_driver_are_translated(db: Database) -> None:
    """An operator would see a traceback in place of an error with a fix."""
    add(db, row(1))
    with pytest.raises(StoreError, match=r"(?i)unique"):
        add(db, row(1))


def test_publication_times_are_distinct(db: Database) -> None:
    """Validators warn about entries with the same time."""
    add(
        db,
        row(1, asked_at=100, published_at=100),
        row(2, asked_at=100, published_at=101),
        row(3, asked_at=103, published_at=103),
    )
    with db.read() as connection:
        assert store.free_publication_times(connection, [100, 100, 200, 200, 103]) == [102, 105, 200, 201, 104]
        assert store.free_publication_times(connection, []) == []


def test_facets_are_added_once_with_distinct_slugs(db: Database) -> None:
    """The feeds of C, C++ and C# would overwrite one another."""
    tag = FacetKind.TAG
    with db.write() as connection:
        first = facets.add_facets(connection, [(tag, "C"), (tag, "C++"), (FacetKind.TOPIC, "C"), ALL])
        again = facets.add_facets(connection, [(tag, "c"), (tag, "C#")])
        slugs = {(FacetKind(row.kind), row.label): row.slug for row in connection.execute(select(feed_tables.facet))}
    assert again[tag, "c"] == first[tag, "c"]
    assert len({slugs[tag, label] for label in ("C", "C++", "C#")}) == 3
    assert slugs[FacetKind.TOPIC, "C"] == "c"
    assert len(set(first.values()) | set(again.values())) == 5


def test_a_feed_has_the_latest_published_changes(db: Database) -> None:
    """A feed would show articles before their time, or in the wrong order."""
    offsets = ((1, -30), (2, 10), (3, -20), (4, -10))
    add(db, *(row(seq, published_at=NOW + at, changed_at=NOW + at) for seq, at in offsets))
    with db.write() as connection:
        number = facets.add_facets(connection, [ALL])[ALL]
        rows = [{"facet_id": number, "changed_at": NOW + at, "article_seq": seq} for seq, at in offsets]
        facets.replace_memberships(connection, [], rows)
        assert feeds.newest_articles(connection, number, NOW, None) == [4, 3, 1]
        assert feeds.newest_articles(connection, number, NOW, 2) == [4, 3]
        assert feeds.sort_by_change_time(connection, [1, 3, 4]) == [4, 3, 1]
        assert store.newest_seqs(connection, NOW, None) == [4, 3, 1] and store.newest_seqs(connection, NOW, 1) == [4]
        assert store.newest_among(connection, [1, 3, 4], 2) == [4, 3]
        assert store.published_since(connection, NOW - 25, NOW, 9) == [(4, "hash4"), (3, "hash3")]
        assert feeds.count_articles(connection, number, NOW) == 3
        assert store.seqs_changed_between(connection, NOW, NOW + 10) == [2]
        assert facets.memberships(connection, [1]) == {number}
        facets.empty_facet(connection, number)
        assert feeds.newest_articles(connection, number, NOW, None) == []


def test_entries_are_of_one_revision_and_come_in_the_order_asked_for(db: Database) -> None:
    """Feeds would go on showing entries of an old version or of other settings."""
    add(db, row(3), row(4))
    made = {"body": None, "rss": b"r", "atom": b"a", "json": b"j"}
    with db.write() as connection:
        assert feeds.stale_entries(connection, [3, 4], "f") == [3, 4]
        feeds.save_entries(connection, [{"article_seq": seq, "revision": f"hash{seq}:f", **made} for seq in (3, 4)])
        assert feeds.stale_entries(connection, [3, 4], "f") == []
        assert feeds.stale_entries(connection, [3, 4], "g") == [3, 4]
        feeds.save_entries(connection, [{"article_seq": 4, "revision": "x", **made, "body": "own"}])
        assert list(feeds.load_entries(connection, [4, 3], "rss")) == [("own", b"r"), ("<p>b</p>", b"r")]
        assert feeds.last_change_time(connection, [3, 4]) == 4
        assert feeds.last_change_time(connection, []) is None
        feeds.delete_entries(connection, [4])
        assert list(feeds.load_entries(connection, [4, 3], "rss")) == [("<p>b</p>", b"r")]


def test_change_times_are_distinct_and_never_in_the_future(db: Database) -> None:
    """Feed readers reject entries from the future, and validators warn about equal times."""
    add(db, row(1, published_at=100, changed_at=200), row(2, published_at=201, changed_at=201))
    with db.read() as connection:
        assert store.free_change_times(connection, [200, 300, 300], 1000, {302}) == [202, 300, 301]
        assert store.free_change_times(connection, [201], 201, set()) == [199]
        assert store.free_publication_times(connection, [200]) == [202]


def test_an_article_keeps_its_archive_page(db: Database) -> None:
    """Archive pages that feed readers have stored would change."""
    add(db, *(row(seq) for seq in (1, 2, 3, 4)))
    with db.write() as connection:
        number = facets.add_facets(connection, [ALL])[ALL]
        feeds.mark_dirty(connection, [number])
        archives.add_to_archives(connection, [(number, seq) for seq in (1, 2, 3)], [])
        archives.add_to_archives(connection, [(number, 3), (number, 4)], [3, 4])
        assert archives.unpaged_articles(connection, number, 3) == [1, 2, 3]
        assert archives.last_page_number(connection, number) == 0
        archives.fill_page(connection, number, 1, [1, 2])
        assert archives.unpaged_articles(connection, number, 9) == [3, 4]
        assert archives.page_articles(connection, number, 1, 9) == [2, 1]
        assert archives.dirty_pages(connection, number) == [1]
        archives.clear_dirty_pages(connection, number, [1])
        archives.mark_pages_dirty(connection, [3, 4])
        assert archives.dirty_pages(connection, number) == []
        archives.mark_pages_dirty(connection, [1, 3])
        archives.mark_all_pages_dirty(connection)
        assert archives.dirty_pages(connection, number) == [1]
        archives.remove_from_archives(connection, [1, 3], {(number, 3)})
        assert archives.page_articles(connection, number, 1, 9) == [2]
        archives.replace_archived_articles(connection, number, [3, 4])
        assert archives.last_page_number(connection, number) == 0
        archives.delete_archives(connection, FacetKind.ALL)
        assert archives.unpaged_articles(connection, number, 9) == archives.dirty_pages(connection, number) == []


def test_dirty_feeds_are_marked_once_and_cleaned(db: Database) -> None:
    """A changed feed would not be staged, or an unchanged one at every run."""
    with db.write() as connection:
        numbers = facets.add_facets(connection, [(FacetKind.TAG, "a"), (FacetKind.TAG, "b")])
        one = numbers[FacetKind.TAG, "a"]
        feeds.mark_dirty(connection, [one])
        feeds.mark_dirty(connection, [one])
        assert [facet.id for facet in feeds.dirty_facets(connection)] == [one]
        feeds.mark_all_dirty(connection)
        assert len(feeds.dirty_facets(connection)) == 2
        feeds.clear_dirty(connection, list(numbers.values()))
        assert feeds.dirty_facets(connection) == []


def test_staged_files_are_stored_by_owner(db: Database) -> None:
    """Files of a removed feed would stay public."""

    def file(path: str, owner: str, size: int = 1) -> StagedFile:
        return StagedFile(path=path, owner=owner, sha256="s", size=size, mtime_ns=1)

    with db.write() as connection:
        feeds.save_staged_files(connection, [file("feeds/a", "feed:1"), file("feeds/b", "feed:2")])
        feeds.save_staged_files(connection, [file("feeds/a", "feed:1", 2)])
        assert [one.size for one in feeds.staged_files(connection, "feed:1")] == [2]
        feeds.delete_staged_files(connection, ["feeds/a"])
        assert [one.path for one in feeds.staged_files(connection)] == ["feeds/b"]


def issue(number: int, slot: datetime) -> Issue:
    return Issue(
        digest="daily",
        slot=slot,
        name=f"n{number}",
        number=number,
        subject="S",
        files={"a.txt": b"\x00\xff"},
        variants=(IssueVariant(articles=(1, 2), placeholder_hash="0" * 12, html=b"<p>", text=b"t"),),
        errors=0,
    )


def add_issue(connection: Connection, made: Issue, carried: list[int]) -> int:
    """Approve an issue with these articles."""
    record = ApprovalRecord(hash="h", at=NOW, editorial="{}", mail_settings="{}")
    return issues.add_issue(connection, made, dict.fromkeys(carried, "{}"), record)


def test_an_issue_is_stored_with_its_articles_and_files(db: Database) -> None:
    """Pending articles are removed, passed over and restored by the steps of its approval."""
    slot = datetime(2026, 11, 23, 7, tzinfo=UTC)
    add(db, *(row(seq) for seq in (1, 2, 3)))
    with db.write() as connection:
        pending.start_digest(connection, "daily", since_seq=0)
        pending.add_pending(connection, [("daily", 1), ("daily", 2), ("daily", 3)])
        pending.add_pending(connection, [("daily", 1)])
        number = add_issue(connection, issue(1, slot), [1])
        pending.remove_pending(connection, "daily", [1])
        pending.mark_carried_over(connection, "daily", [2])
        waiting = pending.pending_articles(connection, "daily", NOW, slot)
        assert [(one.seq, one.carried_over) for one in waiting] == [(2, True), (3, False)]
        assert [one.seq for one in pending.pending_articles(connection, "daily", 2, slot)] == [2]
        pairs = [("daily", 1), ("daily", 2), ("other", 1)]
        assert pending.without_carried(connection, pairs) == [("daily", 2), ("other", 1)]
        assert issues.issues_to_stage(connection) == [number]
        assert dict(issues.issue_files(connection, number)) == {"a.txt": b"\x00\xff"}
        issues.mark_staged(connection, number)
        assert issues.issues_to_stage(connection) == []
        (found,) = issues.list_issues(connection)
        assert (found.slot, found.articles, found.is_staged, found.is_waiting) == (slot, 1, True, True)
        assert issues.last_issue_number(connection, "daily") == 1
        assert issues.slots_with_issues(connection, "daily", slot) == {slot}
        assert issues.slots_with_issues(connection, "daily", slot + timedelta(minutes=1)) == set()
        assert pending.started_digests(connection) == {"daily": 0}


def test_skipped_articles_wait_for_a_later_slot_or_for_undo(db: Database) -> None:
    """Discarded articles return only by a command, kept ones by a later slot."""
    slot = datetime(2026, 11, 23, 7, tzinfo=UTC)
    later = slot + timedelta(days=7)
    add(db, *(row(seq) for seq in (1, 2, 3)))

    def seqs(connection: Connection, at: datetime) -> list[int]:
        return [one.seq for one in pending.pending_articles(connection, "daily", NOW, at)]

    with db.write() as connection:
        pending.start_digest(connection, "daily", since_seq=0)
        pending.add_pending(connection, [("daily", 1), ("daily", 2), ("daily", 3)])
        pending.skip_articles(connection, "daily", [1], SkipKind.DISCARDED)
        pending.skip_articles(connection, "daily", [2], SkipKind.LATER, slot)
        assert (seqs(connection, slot), seqs(connection, later)) == ([3], [2, 3])
        assert pending.restore_skipped(connection, "daily", [SkipKind.DISCARDED]) == [1]
        assert seqs(connection, later) == [1, 2, 3]
        pending.skip_articles(connection, "daily", [1], SkipKind.DISCARDED)
        pending.delete_discarded(connection, "daily")
        assert pending.restore_skipped(connection, "daily", [SkipKind.DISCARDED]) == []
        assert seqs(connection, later) == [2, 3]


def test_no_slot_and_no_number_has_two_issues_and_no_id_is_used_again(db: Database) -> None:
    """Links in mails name the ID of an issue."""
    slot = datetime(2026, 11, 23, 7, tzinfo=UTC)
    add(db, row(1), row(2))
    with db.write() as connection:
        pending.start_digest(connection, "daily", since_seq=0)
        first = add_issue(connection, issue(1, slot), [1])
    with pytest.raises(StoreError, match=r"(?i)unique"), db.write() as connection:
        add_issue(connection, issue(2, slot), [2])
    with pytest.raises(StoreError, match=r"(?i)unique"), db.write() as connection:
        add_issue(connection, issue(1, slot + timedelta(minutes=1)), [2])
    with db.write() as connection:
        issues.delete_issue(connection, first)
        assert issues.list_issues(connection) == []
        assert add_issue(connection, issue(1, slot), [1]) == first + 1


def test_source_files_and_their_problems_are_stored(db: Database) -> None:
    """An editor would stop seeing that a file is skipped, or be told of one that was mended."""
    problem = Problem(where="a.md:3", is_rejected=True, reason="R")
    with db.write() as connection:
        sources.save_sources(connection, [("a.md", 1, "s"), ("b.md", 2, "s")], {"a.md": [problem]})
        sources.save_sources(
            connection, [("a.md", 1, "t")], {"a.md": [problem, Problem(where="a.md", is_rejected=False, reason="W")]}
        )
        assert sources.sources_in_buckets(connection, [1]) == {"a.md": "t"}
        assert sources.list_problems(connection, rejected=True) == [problem]
        assert len(sources.list_problems(connection)) == 2
        sources.delete_sources(connection, ["a.md"])
        assert sources.list_problems(connection) == [] and sources.count_sources(connection) == 1
        sources.save_buckets(connection, {1: "x"})
        sources.save_buckets(connection, {1: "y", 2: "z"})
        assert sources.bucket_fingerprints(connection) == {1: "y", 2: "z"}
        sources.save_buckets(connection, {})
        assert facts.get_fact(connection, "k") is None
        facts.set_fact(connection, "k", "1")
        facts.set_fact(connection, "k", "2")
        assert facts.get_fact(connection, "k") == "2"


def test_articles_are_loaded_as_they_were_stored(db: Database) -> None:
    """Feeds and issues would lose a field of the record."""
    from publisher.articles.parsers import ParserOptions
    from publisher.articles.parsers.fields import build_record

    raw = {
        "title": "T",
        "date": "2026-11-20T07:00:00+01:00",
        "updated": "2026-11-21T07:00:00+01:00",
        "authors": [{"name": "A", "bio": "B", "url": "https://a.example/"}],
        "tags": ["x", "y"],
        "image": {"url": "/a.jpg", "width": 3},
        "topic": "W",
        "body": "<p>b</p>",
        "language": "ar",
    }
    record, _ = build_record(raw, "x", ParserOptions(zone=ZONE))
    add(db, row(1, record=record_json(record), body=record.body))
    with db.read() as connection:
        article = store.articles_by_seq(connection, [1], "https://base.example", ZONE)[1]
        (page,) = store.iterate_articles(connection, "https://base.example", ZONE)
    assert isinstance(article, Article) and page == [article]
    assert article.link == "https://base.example/1"
    for name in record.__dataclass_fields__:
        assert getattr(article, name) == getattr(record, name), name


def test_a_dry_run_changes_nothing(database_url: str) -> None:
    """A dry run would publish what it only should show."""
    with Database.open(database_url) as db:
        add(db, row(1))
    with Database.open(database_url, dry_run=True) as db:
        add(db, row(2))
        with db.read() as connection:
            assert store.count_articles(connection) == 2
    with Database.open(database_url) as db, db.read() as connection:
        assert store.count_articles(connection) == 1
