"""An older release published drafts: status lists them before the next run withdraws them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine, text

from publisher.cli.status import lines
from publisher.storage.migrate import upgrade
from tests.conftest import NOW, SiteKit, ids, titles
from tests.support.use_cases import load_status

#: Key and title of each article that the older release published.
PUBLISHED = (("file:a.md", "A"), ("file:_posts/b.md", "B"), ("id:1", "C1"), ("id:2", "C2"), ("file:_drafts/d.md", "D"))


@pytest.fixture
def old_site(kit: SiteKit, database_url: str) -> SiteKit:
    """A site whose database has the schema before drafts, with articles of every kind of file."""
    kit.add_settings(f'\n[database]\nurl = "{database_url}"\n')
    kit.article("a.md", title="A")
    kit.article("_posts/b.md", title="B", draft="true")
    records = [{"id": 1, "status": "draft"}, {"id": 2, "draft": 1}, {"id": 2, "title": "C2", "date": "2026-11-20"}]
    kit.write("c.jsonl", "".join(json.dumps(one) + "\n" for one in records))
    kit.article("_drafts/d.md", title="D")
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, "0006")
        connection.execute(text("INSERT INTO meta VALUES ('ingest_rules', '2 UTC {}')"))
        for seq, (key, title) in enumerate(PUBLISHED, 1):
            values = {
                "seq": seq,
                "id": f"urn:{seq}",
                "path": f"/{seq}",
                "at": int(NOW.timestamp()) - seq,
                "record": json.dumps({"date": "2026-11-20", "title": title}),
                "source": key.removeprefix("file:") if key.startswith("file:") else "c.jsonl",
                "key": key,
            }
            connection.execute(
                text(
                    "INSERT INTO article (seq, id, path, asked_at, published_at, changed_at, hash, record, body, source)"
                    " VALUES (:seq, :id, :path, :at, :at, :at, 'h', :record, '', :source)"
                ),
                values,
            )
            connection.execute(text("INSERT INTO article_key VALUES (:key, :seq)"), values)
    engine.dispose()
    return kit


def test_status_lists_published_drafts_before_the_next_run_withdraws_them(old_site: SiteKit) -> None:
    """The list is made from the files, and the database keeps its old schema until the run."""
    kit = old_site
    for _ in range(2):
        found = load_status(kit.site, NOW)
        assert [(one.where, one.statement, one.title) for one in found.published_drafts] == [
            ("_drafts/d.md", "in a _drafts folder", "D"),
            ("_posts/b.md", "draft: true", "B"),
            ("c.jsonl:1", "status: draft", "C1"),
            ("c.jsonl:2", "draft: 1", "C2"),
        ]
    shown = "\n".join(lines(kit.site, found))
    assert "4 published articles say that they are drafts; the next run withdraws them:\n  _drafts/d.md: " in shown
    assert len(json.loads(json.dumps(found.as_dict()))["published_drafts"]) == 4
    report = kit.publish()
    assert (report.withdrawn, report.new, report.exit_status) == (4, 0, 0)
    assert titles(kit) == ["A"] and ids(kit) == ["urn:1"]
    assert load_status(kit.site, NOW).published_drafts == ()


def test_one_published_draft_is_listed_in_the_singular(old_site: SiteKit) -> None:
    """An article that is no draft any more is not listed."""
    kit = old_site
    kit.article("_posts/b.md", title="B")
    kit.write("c.jsonl", json.dumps({"id": 1, "title": "C1", "date": "2026-11-20"}))
    found = load_status(kit.site, NOW)
    assert "1 published article says that it is a draft; the next run withdraws it:" in lines(kit.site, found)


def test_a_dry_run_reports_withdrawals(old_site: SiteKit) -> None:
    """``publish now --dry-run`` works on a database of an older release, and changes nothing."""
    for _ in range(2):
        report = old_site.publish(dry_run=True)
        assert (report.withdrawn, report.drafts) == (4, 4)
    assert old_site.staged() == {}
