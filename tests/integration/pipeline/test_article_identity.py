"""Articles keep their ID, address and time through edits, new files, formats, hosts and databases."""

from __future__ import annotations

import json
from datetime import timedelta

import feedparser

from tests.conftest import NOW, SiteKit, ids, issues, titles


def test_an_edited_headline_keeps_its_id_and_address(any_kit: SiteKit) -> None:
    """Feed readers would show an edited article as a new one, and links to it would break."""
    kit = any_kit
    kit.article(title="Old headline")
    kit.open_issue()
    before, link = ids(kit), feedparser.parse((kit.root / "feeds/all.rss").read_bytes()).entries[0].link
    kit.article(title="New headline")
    report = kit.publish(NOW + timedelta(days=1))
    assert (report.new, report.edited) == (0, 1)
    assert ids(kit) == before
    assert titles(kit) == ["New headline"]
    assert feedparser.parse((kit.root / "feeds/all.rss").read_bytes()).entries[0].link == link
    assert issues(kit) == [["Old headline"]]


def test_a_typo_edit_does_not_move_updated(kit: SiteKit) -> None:
    """Feed readers would mark an article as unread for each corrected letter."""
    kit.article(body="Tpyo.")
    kit.publish()
    before = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries[0].updated
    kit.article(body="Typo.")
    kit.publish()
    entry = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries[0]
    assert (entry.updated, "Typo." in entry.content[0].value) == (before, True)


def test_updated_is_shown_and_never_lies_in_the_future(kit: SiteKit) -> None:
    """Validators and feed readers reject entries that were changed in the future."""
    kit.article("a.md", updated="2026-11-21T10:00:00Z")
    kit.article("b.md", updated="2027-01-01T10:00:00Z")
    report = kit.publish()
    updated = {entry.updated for entry in feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries}
    assert "2026-11-21T10:00:00+00:00" in updated and not any(moment.startswith("2027") for moment in updated)
    assert [one.where for one in report.warnings] == ["b.md"]


def test_a_renamed_file_is_the_same_article(kit: SiteKit) -> None:
    """Subscribers would get an article twice because an editor renamed its file."""
    path = kit.article("a.md")
    kit.publish()
    before = ids(kit)
    path.rename(path.with_name("b.md"))
    report = kit.publish()
    assert (report.new, ids(kit)) == (0, before)
    kit.article("b.md", title="Edited")
    kit.publish()
    assert ids(kit) == before
    kit.article("a.md", title="Another story")
    kit.publish()
    assert len(set(ids(kit))) == 2


def test_a_record_with_an_id_keeps_it_in_another_file_and_format(kit: SiteKit) -> None:
    """Subscribers would get the whole archive again when a site changes its export format."""
    kit.article("a.md", id="17")
    kit.publish()
    before = ids(kit)
    (kit.root / "articles/a.md").unlink()
    kit.write("b.json", json.dumps({"id": 17, "title": "Edited", "date": "2026-11-19"}))
    report = kit.publish()
    assert (report.new, report.edited, ids(kit)) == (0, 1, before)


def test_another_id_in_the_same_file_is_another_article(kit: SiteKit) -> None:
    """An export that reuses a file name would replace the article of yesterday in every feed reader."""
    kit.article("a.md", id="17")
    kit.publish()
    kit.article("a.md", title="Two", id="18")
    assert kit.publish().new == 1
    assert sorted(titles(kit)) == ["One", "Two"]


def test_ids_survive_the_loss_of_the_database_and_a_new_host(kit: SiteKit) -> None:
    """A site that loses its database, or moves, would deliver its archive to every subscriber again."""
    kit.add_settings("")
    text = (kit.root / "publisher.toml").read_text()
    kit.settings('id = "seed"\n' + text)
    kit.article()
    kit.publish()
    before = ids(kit)
    (kit.root / "publisher.db").unlink()
    kit.settings('id = "seed"\n' + text.replace("https://review.example", "http://new.example"))
    kit.publish()
    assert ids(kit) == before
    assert b"http://new.example/2026/11/one" in kit.staged()["feeds/all.rss"]


def test_removed_files_do_not_remove_articles(kit: SiteKit) -> None:
    """An operator who clears a folder would withdraw the articles in it without a word."""
    path = kit.article()
    kit.publish()
    path.unlink()
    assert not kit.publish().changed
    assert titles(kit) == ["One"]


def test_articles_of_one_day_stand_at_distinct_stable_instants(kit: SiteKit) -> None:
    """Validators warn about entries with the same time, and feed readers would reorder articles at each run."""
    for name in ("c", "a", "b"):
        kit.article(f"{name}.md", title=name)
    kit.publish()
    kit.article("d.md", title="d")
    kit.publish()
    entries = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries
    assert {entry.title: entry.updated[11:19] for entry in entries} == {
        "a": "00:00:00",
        "b": "00:00:01",
        "c": "00:00:02",
        "d": "00:00:03",
    }


def test_the_same_article_in_two_files_is_a_warning(kit: SiteKit) -> None:
    """An editor would not learn that one of two files has no effect."""
    kit.article("a.md", title="A", id="1")
    kit.article("b.md", title="B", id="1")
    report = kit.publish()
    assert report.new == 1
    assert [(one.where, one.reason) for one in report.warnings] == [("b.md", "the same article as in a.md")]
    assert titles(kit) == ["B"]
