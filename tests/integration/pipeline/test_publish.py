"""publish now: feeds and issues from records, incrementally, with failures at any step."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from publisher.errors import PublisherError, StageError
from publisher.feeds import stage_feeds as feeds_action
from tests.conftest import NOW, SiteKit, ids, issues, titles

NS = {"atom": "http://www.w3.org/2005/Atom"}


def test_a_record_becomes_feeds_and_an_issue(any_kit: SiteKit) -> None:
    """A label without its feed, or an issue without its files, is missing for everyone who follows it."""
    kit = any_kit
    kit.article(topic="Water", region="Asia", brand="B", tags="[T]", author="Ann Lee")
    report = kit.publish(with_issues=False)
    assert (report.new, report.edited, report.exit_status) == (1, 0, 0)
    assert {path.removesuffix(".rss") for path in kit.staged() if path.endswith(".rss")} == {
        f"feeds/{name}" for name in ("all", "topic/water", "region/asia", "brand/b", "tag/t", "author/ann-lee")
    }
    kit.open_issue()
    assert len(kit.staged()) == (6 * 3 + 5) * 3 + 4
    assert sorted(path.name for path in kit.issue_file("message.eml").parent.iterdir()) == [
        "index.html",
        "issue.json",
        "message.eml",
        "message.txt",
    ]


def test_a_second_run_changes_nothing(any_kit: SiteKit) -> None:
    """Feed readers would fetch every feed again, and a run would cost the whole archive, after each cron minute."""
    kit = any_kit
    kit.article()
    kit.open_issue()
    before = {
        path: path.stat().st_mtime_ns
        for path in kit.root.rglob("*")
        if "publisher.db" not in path.name and path.name != ".publish.lock"
    }
    report = kit.publish(NOW + timedelta(hours=1))
    assert not report.changed
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert report.waiting[0].reason == "nothing new"


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


def test_an_edit_of_a_tag_moves_the_article_between_feeds(kit: SiteKit) -> None:
    """The feed of the old tag would keep the article, and the feed of the new one would miss it."""
    kit.article("a.md", tags="[Old, Both]")
    kit.article("b.md", tags="[Both]")
    kit.publish()
    kit.article("a.md", tags="[New, Both]")
    report = kit.publish()
    assert not (kit.root / "feeds/tag/old.rss").exists()
    assert "feeds/tag/old.rss" in report.feeds_removed
    assert titles(kit, "tag/new") == ["One"]
    assert len(titles(kit, "tag/both")) == 2
    assert "tag/old" not in (kit.root / "feeds/index.html").read_text()


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
    os.unlink(kit.root / "articles/a.md")
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
    os.unlink(kit.root / "publisher.db")
    kit.settings('id = "seed"\n' + text.replace("https://review.example", "http://new.example"))
    kit.publish()
    assert ids(kit) == before
    assert b"http://new.example/2026/11/one" in kit.staged()["feeds/all.rss"]


def test_a_new_host_shows_in_every_feed(kit: SiteKit) -> None:
    """Feeds that are not staged again would lead readers to the host that is switched off."""
    kit.article(tags="[T]")
    kit.publish()
    before = ids(kit)
    kit.settings((kit.root / "publisher.toml").read_text().replace("review.example", "new.example"))
    report = kit.publish()
    assert ids(kit) == before
    assert len(report.feeds_changed) == 6 + 4
    assert not any(b"review.example" in data for path, data in kit.staged().items() if path.startswith("feeds/"))


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


def test_a_future_article_is_published_at_its_time(any_kit: SiteKit) -> None:
    """An article under embargo would be in feeds and mail before its time, or never."""
    kit = any_kit
    kit.article("a.md", title="Now")
    kit.article("b.md", title="Later", date="2026-11-24T09:00:00Z", tags="[T]")
    kit.open_issue()
    assert titles(kit) == ["Now"]
    assert not (kit.root / "feeds/tag").exists()
    report = kit.publish(NOW + timedelta(days=2))
    assert titles(kit) == ["Later", "Now"] and titles(kit, "tag/t") == ["Later"]
    kit.open_issue(now=NOW + timedelta(days=2))
    assert issues(kit) == [["Now"], ["Later"]]
    assert report.new == 0 and report.changed
    kit.publish(NOW)
    assert titles(kit) == ["Now"]


def test_a_feed_carries_the_newest_up_to_its_limit(kit: SiteKit) -> None:
    """Feeds would grow with the archive, and an edit of an old article would change feeds that do not carry it."""
    kit.add_settings(
        '\n[feeds]\nlimit = 2\nformats = ["rss", "atom"]\n[feeds.channels.whole]\ntitle = "W"\nlimit = "all"\n'
    )
    for day in range(10, 15):
        kit.article(f"{day}.md", title=str(day), date=f"2026-11-{day}")
    kit.publish()
    assert titles(kit) == ["14", "13"]
    assert len(titles(kit, "whole")) == 5
    assert not (kit.root / "feeds/all.json").exists()
    kit.article("10.md", title="ten", date="2026-11-10")
    report = kit.publish()
    assert {"feeds/whole.rss", "feeds/whole.atom"} <= set(report.feeds_changed)
    assert "feeds/all.rss" not in report.feeds_changed


def test_a_custom_feed_follows_its_settings(kit: SiteKit) -> None:
    """A feed would go on carrying articles of labels that its operator has removed."""
    text = (kit.root / "publisher.toml").read_text()
    for name in ("Water", "Trade"):
        kit.article(f"{name}.md", title=name, topic=name)
    kit.settings(text + '\n[feeds.channels.mine]\ntitle = "Mine"\ntopic = ["water"]\n')
    kit.publish()
    assert titles(kit, "mine") == ["Water"]
    kit.settings(text + '\n[feeds.channels.mine]\ntitle = "Mine"\ntopic = ["Trade", "Water"]\n')
    kit.publish()
    assert len(titles(kit, "mine")) == 2
    kit.settings(text)
    report = kit.publish()
    assert "feeds/mine.rss" in report.feeds_removed
    assert not (kit.root / "feeds/mine.rss").exists()


def test_feeds_of_removed_kinds_and_formats_are_deleted(kit: SiteKit) -> None:
    """Feed readers would poll a feed that is never updated again."""
    text = (kit.root / "publisher.toml").read_text()
    kit.article(tags="[T]", topic="Water")
    kit.publish()
    kit.settings(text + '\n[feeds]\nby = ["topic"]\nformats = ["json"]\n')
    kit.publish()
    assert sorted(path for path in kit.staged() if re.fullmatch(r"feeds/.*\.(json|rss|atom)", path)) == [
        "feeds/all.json",
        "feeds/topic/water.json",
    ]


def test_deleted_or_changed_staged_files_are_restored(kit: SiteKit) -> None:
    """A deleted or damaged file would stay broken for readers until its article changes."""
    kit.article(tags="[T]")
    target = kit.open_issue()
    before = kit.staged()
    (kit.root / "feeds/all.rss").unlink()
    (kit.root / "feeds/tag/t.atom").write_text("scribble")
    (kit.root / "feeds/index.html").unlink()
    shutil.rmtree(kit.root / "outbox")
    report = kit.publish()
    assert report.restaged == [f"outbox/{target}"] and report.changed
    assert kit.staged() == before
    assert not kit.publish().changed


def test_an_edited_site_template_takes_effect(kit: SiteKit) -> None:
    """A designer would see no effect of an edit, or a broken template would take the page away from readers."""
    kit.article()
    kit.publish()
    own = kit.root / "templates/feeds/index.html.j2"
    own.parent.mkdir(parents=True)
    own.write_text('{% extends "default/feeds/index.html.j2" %}{% block header %}OURS{% endblock %}')
    assert kit.publish().feeds_changed == ["feeds/index.html"]
    assert "OURS" in (kit.root / "feeds/index.html").read_text()
    own.write_text("{{ nothing }}")
    report = kit.publish()
    assert report.exit_status == 1 and "'nothing' is undefined" in report.rejected[0].reason
    assert "OURS" in (kit.root / "feeds/index.html").read_text()


def test_an_article_without_a_valid_entry_stops_nothing(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """One article that cannot be rendered would keep all others from readers."""
    from publisher.feeds.formats import entry

    real = entry.render_entry

    def fussy(article: Any, site_info: Any) -> Any:
        if article.title == "Bad":
            raise ValueError("no")
        return real(article, site_info)

    kit.article("a.md", title="Good")
    kit.article("b.md", title="Bad")
    with monkeypatch.context() as patch:
        patch.setattr(entry, "render_entry", fussy)
        report = kit.publish()
        assert titles(kit) == ["Good"]
        again = kit.publish()
    assert report.exit_status == 1 and "was not made: ValueError: no (reference " in report.rejected[0].reason
    assert again.rejected == report.rejected
    assert kit.publish().exit_status == 0
    assert sorted(titles(kit)) == ["Bad", "Good"]


def test_a_rejected_edit_keeps_the_article(kit: SiteKit) -> None:
    """An editor's slip would take a published article away from every feed."""
    kit.article()
    kit.publish()
    kit.write("one.md", "---\ntitle: One\n---\n")
    report = kit.publish()
    assert report.exit_status == 1 and report.rejected[0].reason.startswith("no date")
    assert titles(kit) == ["One"]
    again = kit.publish()
    assert again.exit_status == 1 and again.rejected == report.rejected
    kit.article(title="Mended")
    assert kit.publish().exit_status == 0
    assert titles(kit) == ["Mended"]


def test_the_same_article_in_two_files_is_a_warning(kit: SiteKit) -> None:
    """An editor would not learn that one of two files has no effect."""
    kit.article("a.md", title="A", id="1")
    kit.article("b.md", title="B", id="1")
    report = kit.publish()
    assert report.new == 1
    assert [(one.where, one.reason) for one in report.warnings] == [("b.md", "the same article as in a.md")]
    assert titles(kit) == ["B"]


def test_changed_parser_settings_read_all_files_again(kit: SiteKit) -> None:
    """An operator who adds known tags would see them in new articles only."""
    kit.write("a.txt", "T\n\nNovember 1, 2026 Tags: NATOWorld\n\nT\n\nText.")
    assert len(kit.publish().warnings) == 1
    kit.add_settings('\n[ingest]\ntags = ["NATO", "World"]\n')
    report = kit.publish()
    assert (report.files_read, report.edited, report.warnings) == (1, 1, [])
    assert titles(kit, "tag/world") == ["T"]


def test_many_files_are_read_by_workers(kit: SiteKit) -> None:
    """A large archive would lose articles between processes, or show no progress to its operator."""
    lines = [json.dumps({"id": n, "title": f"T{n}", "date": "2026-11-01", "tags": [f"t{n % 3}"]}) for n in range(1200)]
    kit.write("many.jsonl", "\n".join(lines))
    for number in range(1100):
        kit.article(f"{number:04}.md", title=f"F{number}")
    kit.add_settings('\n[feeds]\nlimit = "all"\n')
    told: list[tuple[str, int, int]] = []
    report = kit.publish(progress=lambda *arguments: told.append(arguments))
    assert report.new == 2300 and len(titles(kit)) == 2300
    assert told[0][0] == "reading articles" and told[-1][0] == "staging feeds"
    assert not kit.publish().changed


def test_a_file_of_many_records_is_read_a_few_at_a_time(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large export would fill the memory, or an interrupted run would store some of its records twice."""
    from publisher.pipeline import article_batch, parsing

    monkeypatch.setattr(parsing, "_BATCH", 10)
    records = [{"id": n, "title": f"T{n}", "date": "2026-11-01", "tags": ["t"]} for n in range(40)]
    lines = [json.dumps(one) for one in records]
    lines[3], lines[37] = "{broken", '{"id": 37, "title": "No date"}'
    kit.write("many.jsonl", "\n".join(lines))
    told: list[tuple[str, int, int]] = []
    report = kit.publish(progress=lambda *arguments: told.append(arguments))
    assert (report.files_read, report.new) == (1, 38)
    assert ("reading records", 10, 0) in told and ("reading articles", 1, 1) in told
    assert [one.where for one in report.rejected] == ["many.jsonl:4", "many.jsonl:38"]
    assert len(titles(kit)) == 38
    assert kit.publish().rejected == report.rejected

    real, calls = article_batch.ArticleBatch.store, 0

    def failing(self: Any, results: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(self, results)

    kit.write("many.jsonl", "\n".join(json.dumps({**one, "title": "Edited"}) for one in records))
    with monkeypatch.context() as patch:
        patch.setattr(article_batch.ArticleBatch, "store", failing)
        with pytest.raises(KeyboardInterrupt):
            kit.publish()
    report = kit.publish()
    assert (report.new, report.edited, report.rejected) == (1, 19, [])
    assert set(titles(kit)) == {"Edited"} and len(titles(kit)) == 40


def test_a_dry_run_reports_and_writes_nothing(any_kit: SiteKit) -> None:
    """An operator who only wants to look would publish."""
    kit = any_kit
    kit.article()
    kit.open_issue()
    before = kit.staged()
    kit.article("two.md", title="Two")
    report = kit.publish(NOW + timedelta(hours=1), dry_run=True)
    assert report.new == 1 and report.issue_drafts and "feeds/all.rss" in report.feeds_changed
    assert kit.staged() == before
    real = kit.publish(NOW + timedelta(hours=1))
    assert (real.new, real.feeds_changed) == (report.new, report.feeds_changed)


def test_a_dry_run_of_a_new_site_writes_nothing(kit: SiteKit) -> None:
    """A dry run would create a database, and with it the start of every newsletter."""
    kit.article()
    assert kit.publish(dry_run=True).new == 1
    assert sorted(os.listdir(kit.root)) == ["articles", "publisher.toml"]


@pytest.mark.parametrize("folder", ["feeds", "outbox"])
def test_a_full_disk_loses_nothing(kit: SiteKit, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Articles that were read while files could not be written would never reach readers."""
    kit.article()
    (kit.root / folder).write_text("a file where a folder should be")
    with pytest.raises(StageError, match="a file in place of a folder"):
        kit.publish()
    (kit.root / folder).unlink()
    kit.open_issue(now=NOW + timedelta(hours=1))
    assert titles(kit) == ["One"] and issues(kit) == [["One"]]


STEPS = ["_store_incoming", "stage_feed", "save_draft", "put"]


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
def test_the_next_run_recovers_from_a_failure_at_any_step(
    make_kit: Callable[[str], SiteKit], monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    """A killed run would leave feeds or drafts incomplete for ever."""
    from publisher.digests import issue_drafts_store
    from publisher.pipeline import article_batch
    from publisher.staging.folder import StagedFolder

    kits = [make_kit("whole"), make_kit("broken")]
    for kit in kits:
        for number in range(6):
            kit.article(f"{number}.md", title=str(number), tags=f"[t{number % 2}]")
    kits[0].publish()
    owner: Any = {
        "_store_incoming": article_batch.ArticleBatch,
        "stage_feed": feeds_action._FeedStager,
        "save_draft": issue_drafts_store,
        "put": StagedFolder,
    }[step]
    real, calls = getattr(owner, step), 0

    def failing(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, failing)
        try:
            kits[1].publish()
        except KeyboardInterrupt:
            pass
    kits[1].publish()
    assert kits[1].staged() == kits[0].staged()


def test_every_staged_feed_is_parsed_without_errors(kit: SiteKit) -> None:
    """Feed readers would drop a whole feed because of a character in one title."""
    kit.article(
        "a.md",
        title="R&D <b> ]]> 😀",
        tags='["a&b", "<c>"]',
        dek="'x'",
        body="<p>unclosed <b>bold\n\n<script>x</script>",
    )
    kit.article("b.md", title="عنوان", language="ar", author="ليلى")
    kit.publish()
    for path, data in kit.staged().items():
        if path.endswith((".rss", ".atom")):
            assert feedparser.parse(data).bozo == 0, path
        elif path.startswith("feeds/") and path.endswith(".json"):
            assert json.loads(data)["items"]
        elif path.endswith(".opml"):
            etree.fromstring(data)


def test_links_out_of_the_site_and_folders_in_it(kit: SiteKit, tmp_path: Path) -> None:
    """A link in the articles folder would publish a private file of the machine."""
    secret = tmp_path / "secret.md"
    secret.write_text("---\ntitle: Secret\ndate: 2026-01-01\n---\n")
    (kit.root / "articles/link.md").symlink_to(secret)
    kit.article("2026/11/deep.md", title="Deep")
    kit.write(".hidden.md", "x")
    kit.write("backup.md~", "x")
    kit.write("picture.jpg", b"\xff\xd8\xff")
    report = kit.publish()
    assert titles(kit) == ["Deep"]
    assert [one.where for one in report.rejected] == ["link.md"]


def test_a_file_name_that_is_not_utf_8_is_skipped(kit: SiteKit) -> None:
    """One file with an old encoding in its name would stop the publication of all others."""
    kit.article("good.md", title="Good")
    folder = os.fsencode(kit.root / "articles")
    for name in (b"bad-\xff.md", b"bad-\xff-folder/deep.md"):
        os.makedirs(os.path.dirname(folder + b"/" + name), exist_ok=True)
        with open(folder + b"/" + name, "w") as file:
            file.write("---\ntitle: T\ndate: 2026-11-01\n---\n")
    report = kit.publish()
    assert [one.where for one in report.rejected] == ["bad-\\xff-folder/deep.md", "bad-\\xff.md"]
    assert all("not UTF-8; rename it" in one.reason for one in report.rejected)
    assert titles(kit) == ["Good"]


def test_no_articles_folder_is_a_settings_error(kit: SiteKit) -> None:
    """A mistyped folder in the settings would look like a site without news."""
    shutil.rmtree(kit.root / "articles")
    with pytest.raises(PublisherError, match="paths.articles") as error:
        kit.publish()
    assert error.value.exit_status == 2
