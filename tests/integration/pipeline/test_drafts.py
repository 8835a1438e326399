"""Drafts are never published, and a published article that becomes a draft is withdrawn."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta
from typing import Any

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from publisher.articles.public_articles import article_at, newest_articles
from publisher.cli.now import summary
from publisher.delivery.issue_life.approval import hold_reason
from publisher.delivery.public_issues import issue_page
from publisher.digests import approval_store as approvals
from publisher.digests import store as issue_store
from publisher.digests.lookup import find_issue
from publisher.errors import SettingsError
from tests.conftest import NOW, MailKit, SiteKit, ids, issues, titles
from tests.support.use_cases import check_site, correct, load_status, open_context, reinstate, retract, set_note
from tests.unit.articles.test_publication import DRAFTS, spellings

LATER = NOW + timedelta(hours=1)
AT = {"at": "http://purl.org/atompub/tombstones/1.0"}


def staged_text(kit: SiteKit) -> bytes:
    """Return every staged byte, compressed files unpacked."""
    return b"\n".join(
        gzip.decompress(data) if path.endswith(".gz") else data
        for path, data in kit.staged().items()
        if not path.endswith(".br")
    )


def test_drafts_of_every_format_are_staged_nowhere(any_kit: SiteKit) -> None:
    """They are counted and listed, and they are no error: the exit status is 0."""
    kit = any_kit
    kit.add_settings("\n[feeds]\nlimit = 2\n")
    kit.article("out.md", title="Out", date="2026-11-22")
    kit.article("a.md", title="Marker A", body="Marker", draft="true", tags="[MarkerTag]")
    kit.article("b.md", title="Marker B", date="2026-11-22", published="false")
    kit.write("c.json", json.dumps({"title": "Marker C", "date": "2026-11-22", "status": "Private"}))
    kit.write("d.json", json.dumps([{"status": "draft"}, {"id": 1, "title": "Marker D", "Draft": 1}]))
    kit.write("e.jsonl", '{"draft": "yes"}\n{"id": 2, "title": "In", "date": "2026-11-21", "status": "published"}\n')
    kit.write("_drafts/f.md", "Marker F, without front matter.")
    kit.write("blog/_drafts/g.txt", "Marker G\n\nNovember 20, 2026 Topic: Marker\n\nBody.")
    kit.write("_drafts/h.jsonl", "{broken\n")
    kit.article("i.md", title="Marker I", draft="maybe")
    report = kit.publish()
    assert report.exit_status == 0 and (report.new, report.drafts) == (2, 10)
    kit.open_issue()
    assert titles(kit) == ["Out", "In"] and issues(kit) == [["Out", "In"]]
    assert b"Marker" not in staged_text(kit)
    assert [one.where for one in report.warnings] == ["i.md"]
    assert "10 files read: 2 new, 0 edited, 10 drafts" in "\n".join(summary(kit.site, report, kit.root))
    assert report.as_dict()["records"]["drafts"] == 10
    found = load_status(kit.site, NOW)
    assert [(one.where, one.statement) for one in found.drafts] == [
        ("_drafts/f.md", "in a _drafts folder"),
        ("_drafts/h.jsonl:1", "in a _drafts folder"),
        ("a.md", "draft: true"),
        ("b.md", "published: false"),
        ("blog/_drafts/g.txt", "in a _drafts folder"),
        ("c.json", "status: Private"),
        ("d.json[1]", "status: draft"),
        ("d.json[2]", "Draft: 1"),
        ("e.jsonl:1", "draft: yes"),
        ("i.md", "draft: maybe"),
    ]
    assert found.articles == 2 and not found.refused and not found.published_drafts
    again = kit.publish()
    assert again.drafts == 10 and not again.changed
    # A file that was written just before the first run is read again by the second one.
    again = kit.publish()
    assert "nothing new to read, 10 drafts" in "\n".join(summary(kit.site, again, kit.root))
    assert check_site(kit.site, [], NOW).findings == 0


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(spellings(), min_size=1, max_size=30))
def test_no_draft_is_in_a_staged_byte(kit: SiteKit, spelled: list[tuple[str, Any]]) -> None:
    """Nothing of a draft is staged, whatever spelling marks it as one."""
    every = [*DRAFTS, *spelled, ("draft", "maybe"), ("status", "future-ish"), ("published", "soon")]
    lines = [
        json.dumps({"id": number, "title": f"Marker{number}", "date": "2026-11-20", "tags": ["Marker"], name: value})
        for number, (name, value) in enumerate(every)
    ]
    kit.write("drafts.jsonl", "\n".join(lines))
    for number, (name, value) in enumerate(spelled[:5]):
        if isinstance(value, str) and "\u200b" not in value:
            fields = {"title": f"Marker{number}", "date": "2026-11-20", name: value}
            head = "\n".join(f"{json.dumps(key)}: {json.dumps(text)}" for key, text in fields.items())
            kit.write(f"{number}.md", f"---\n{head}\n---\nMarker")
    kit.article("out.md", title="Out")
    report = kit.publish()
    assert report.new <= 1 and report.exit_status == 0
    assert b"Marker" not in staged_text(kit) and titles(kit) == ["Out"]


@pytest.mark.postgresql
def test_an_article_that_becomes_a_draft_is_withdrawn_and_can_return(any_kit: SiteKit) -> None:
    """It leaves feeds, archive pages, lists and pages without a notice, and returns with its old id."""
    kit = any_kit
    kit.add_settings("\n[feeds]\nlimit = 2\n")
    for number in range(5):
        kit.article(f"{number}.md", title=f"Headline{number}", date=f"2026-11-1{number}", tags=f"[T{number}, Both]")
    kit.article("n.md", title="HeadlineN", date="2026-11-22T10:00:00Z")
    target = kit.open_issue()
    before = {title: ids(kit)[titles(kit).index(title)] for title in titles(kit)}
    kit.article("0.md", title="Headline0", date="2026-11-10", tags="[T0, Both]", draft="true")
    kit.article("n.md", title="HeadlineN", date="2026-11-22T10:00:00Z", status="draft")
    report = kit.publish(LATER)
    assert (report.withdrawn, report.drafts, report.exit_status) == (2, 2, 0)
    for path, data in kit.staged().items():
        if path.startswith("feeds/") and not path.endswith((".gz", ".br")):
            assert b"HeadlineN" not in data and b"Headline0" not in data, path
    stones = etree.parse(kit.root / "feeds/tombstones.atom").getroot().findall("at:deleted-entry", AT)
    assert len(stones) == 2 and before["HeadlineN"] in {stone.get("ref") for stone in stones}
    assert all(stone.find("at:comment", AT) is None for stone in stones)
    assert b"no longer available" in (kit.root / "feeds/gone/2026/11/headlinen.html").read_bytes()
    assert not (kit.root / "feeds/tag/t0.rss").exists()
    assert check_site(kit.site, [], LATER).findings == 0
    with open_context(kit.site, LATER) as context:
        assert article_at(context, "/2026/11/headlinen") is None
        assert "HeadlineN" not in {one.title for one in newest_articles(context, 10)}
        page = issue_page(context, *target.split("/"))
    assert page is None or ("HeadlineN" not in page.html and len(page.other_articles) == 4)
    found = load_status(kit.site, LATER)
    assert (found.articles, found.withdrawn, len(found.drafts)) == (4, 0, 2)
    kit.publish(LATER + timedelta(days=1))
    assert issues(kit) == [["HeadlineN", "Headline4", "Headline3", "Headline2", "Headline1", "Headline0"]]

    again = LATER + timedelta(days=2)
    kit.article("n.md", title="HeadlineN", date="2026-11-22T10:00:00Z")
    report = kit.publish(again)
    assert (report.edited, report.withdrawn, report.drafts) == (1, 0, 1)
    entry = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries[0]
    assert (entry.title, entry.id, entry.updated) == ("HeadlineN", before["HeadlineN"], again.isoformat())
    assert entry.published == "2026-11-22T10:00:00+00:00"
    assert not (kit.root / "feeds/gone/2026/11/headlinen.html").exists()
    assert len(issues(kit)) == 1 and check_site(kit.site, [], again).findings == 0


def test_a_draft_is_new_when_it_is_first_published(any_kit: SiteKit) -> None:
    """Its URL comes from the published headline, and the next issue has it."""
    kit = any_kit
    kit.article("one.md")
    kit.article("two.md", title="Working title", date="2026-11-21", draft="true")
    kit.open_issue()
    kit.article("two.md", title="Two", date="2026-11-23", draft="false")
    report = kit.publish(LATER)
    kit.open_issue(now=LATER)
    assert (report.new, report.drafts) == (1, 0) and issues(kit) == [["One"], ["Two"]]
    assert feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries[0].link.endswith("/2026/11/two")


def test_a_pending_article_that_becomes_a_draft_stays_pending(kit: SiteKit) -> None:
    """The issue is made without it, and the next one has it when it is published again."""
    kit.add_settings("at_least = 2\n")
    kit.article("one.md")
    kit.publish()
    kit.article("one.md", draft="true")
    kit.article("two.md", title="Two")
    kit.article("three.md", title="Three")
    kit.open_issue(now=LATER)
    assert [sorted(one) for one in issues(kit)] == [["Three", "Two"]]
    kit.article("one.md")
    kit.article("four.md", title="Four")
    kit.open_issue(now=LATER + timedelta(hours=1))
    assert [sorted(one) for one in issues(kit)] == [["Three", "Two"], ["Four", "One"]]


@pytest.mark.postgresql
def test_an_unsent_issue_with_a_draft_is_held(any_mail_kit: MailKit) -> None:
    """A reason that was given for sending it in spite of errors does not send the draft."""
    kit = any_mail_kit
    kit.add_subscribers(2)
    kit.articles("one", "two")
    target = kit.approve_issue()

    def held(at: datetime) -> str:
        with kit.open() as db, db.read() as connection:
            return hold_reason(connection, kit.site, find_issue(connection, target), at)

    assert held(LATER) == ""
    with kit.open() as db, db.write() as connection:
        (row,) = issue_store.list_issues(connection)
        approvals.save_forced_reason(connection, row.id, "The link is right.")
    kit.article("one.md", "One", draft="true")
    kit.publish(LATER, may_open=False)
    assert "became drafts" in held(LATER)
    kit.article("one.md", "One")
    kit.publish(LATER + timedelta(hours=1), may_open=False)
    assert held(LATER + timedelta(hours=1)) == ""


def test_a_draft_leads_no_issue(kit: SiteKit) -> None:
    """An article that was chosen to lead and became a draft is no longer the lead."""
    kit.article("one.md")
    kit.open_issue()
    kit.article("two.md", title="Two")
    set_note(kit.site, "daily", LATER, lead="two.md")
    kit.article("two.md", title="Two", draft="true")
    kit.article("three.md", title="Three")
    kit.open_issue(now=LATER)
    assert issues(kit) == [["One"], ["Three"]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one.md", "_drafts/one.md"),
        ("blog/one.md", "_drafts/one.md"),
        ("_posts/2026-11-20-one.md", "_drafts/one.md"),
        ("boats/index.md", "_drafts/boats/index.md"),
        ("one.md", "_drafts/renamed.md"),
    ],
)
def test_a_file_that_moves_into_a_drafts_folder_is_withdrawn(any_kit: SiteKit, old: str, new: str) -> None:
    """It is found by its content or by its name, and returns with its old id when it moves back."""
    kit = any_kit
    path = kit.article(old)
    kit.publish()
    before = ids(kit)
    if not new.endswith("renamed.md"):
        kit.article(old, body="Edited at the same time.")
    (kit.root / "articles" / new).parent.mkdir(parents=True)
    path.rename(kit.root / "articles" / new)
    report = kit.publish(LATER)
    assert (ids(kit), report.withdrawn, report.new) == ([], 1, 0)
    kit.article(new, body="Edited again.")
    assert kit.publish(LATER).withdrawn == 0
    (kit.root / "articles" / new).rename(path)
    report = kit.publish(LATER + timedelta(hours=1))
    if not new.endswith("renamed.md"):
        assert (ids(kit), report.new) == (before, 0)


def test_a_removed_file_that_returns_as_a_draft_is_recognised(kit: SiteKit) -> None:
    """The move may be seen in two runs."""
    path = kit.article("blog/one.md")
    kit.publish()
    path.unlink()
    kit.publish(LATER)
    kit.article("blog/_drafts/one.md", body="Edited.")
    assert kit.publish(LATER).withdrawn == 1 and ids(kit) == []


def test_a_new_file_under_the_old_name_is_another_article(kit: SiteKit) -> None:
    """While the draft lies in its folder, its former file name is free."""
    path = kit.article("one.md")
    kit.publish()
    before = ids(kit)
    (kit.root / "articles/_drafts").mkdir()
    path.rename(kit.root / "articles/_drafts/one.md")
    kit.publish(LATER)
    kit.article("one.md", title="Another")
    assert kit.publish(LATER).new == 1
    assert titles(kit) == ["Another"] and ids(kit) != before


def test_a_copy_in_a_drafts_folder_withdraws_nothing(kit: SiteKit) -> None:
    """A draft beside the published file is a draft of its own."""
    kit.article("one.md")
    kit.article("_drafts/one.md")
    report = kit.publish()
    assert (report.new, report.drafts, report.withdrawn) == (1, 1, 0) and titles(kit) == ["One"]


def test_a_record_of_many_becomes_a_draft_and_returns(any_kit: SiteKit) -> None:
    """A record of JSON Lines is known by its id; where two records disagree, the draft wins."""
    kit = any_kit
    one = {"id": 1, "title": "One", "date": "2026-11-20"}
    two = {"id": 2, "title": "Two", "date": "2026-11-21"}
    kit.write("a.jsonl", f"{json.dumps(one)}\n{json.dumps(two)}\n")
    kit.publish()
    before = ids(kit)
    kit.write("a.jsonl", f'{json.dumps(one)}\n{{"id": 2, "draft": true}}\n')
    kit.publish(LATER)
    assert ids(kit) == before[1:]
    kit.write(
        "a.jsonl", f"{json.dumps({**one, 'draft': True})}\n{json.dumps(two)}\n{json.dumps({**two, 'draft': 1})}\n"
    )
    report = kit.publish(LATER)
    assert ids(kit) == [] and report.drafts == 2
    held = "not published, because a.jsonl:{} calls the same article a draft. Remove one of the two"
    assert [one.reason for one in report.warnings] == [held.format(3)]
    kit.write("a.jsonl", f'{{"id": 2, "draft": true}}\n{json.dumps(one)}\n{json.dumps(two)}\n')
    report = kit.publish(LATER)
    assert ids(kit) == before[1:] and [one.reason for one in report.warnings] == [held.format(1)]
    kit.write("a.jsonl", f"{json.dumps(one)}\n{json.dumps(two)}\n")
    report = kit.publish(LATER + timedelta(hours=1))
    assert sorted(ids(kit)) == sorted(before) and (report.drafts, report.new) == (0, 0)
    assert check_site(kit.site, [], LATER + timedelta(hours=1)).findings == 0


@pytest.mark.postgresql
def test_a_withdrawal_with_a_reason_outlives_a_draft(any_kit: SiteKit) -> None:
    """An article that an editor withdrew stays withdrawn whatever the record says, and a draft stays one after --undo."""
    kit = any_kit
    kit.article()
    kit.publish()
    kit.article(draft="true")
    kit.publish(LATER)
    with pytest.raises(
        SettingsError, match=re.escape("'One' is a draft: one.md: draft: true. Change that, then run the command again")
    ):
        correct(kit.site, LATER, "one.md", "Note.")
    with pytest.raises(SettingsError, match="is a draft"):
        reinstate(kit.site, LATER, "one.md")
    retract(kit.site, LATER, "one.md", "Made up.")
    kit.article()
    kit.publish(LATER)
    assert ids(kit) == [] and load_status(kit.site, LATER).withdrawn == 1
    assert b"Made up." in (kit.root / "feeds/tombstones.atom").read_bytes()
    kit.article(draft="true")
    kit.publish(LATER)
    reinstate(kit.site, LATER, "one.md")
    assert ids(kit) == [] and b"Made up." not in (kit.root / "feeds/tombstones.atom").read_bytes()
    kit.article()
    kit.publish(LATER + timedelta(hours=1))
    assert len(ids(kit)) == 1


def test_an_article_before_its_time_becomes_a_draft_without_a_tombstone(kit: SiteKit) -> None:
    """It was never published, so there is no tombstone."""
    kit.article(date="2026-12-24")
    kit.publish()
    kit.article(date="2026-12-24", status="scheduled")
    kit.publish(LATER)
    after = NOW + timedelta(days=60)
    kit.publish(after)
    assert ids(kit) == [] and not (kit.root / "feeds/tombstones.atom").exists()
    kit.article(date="2026-12-24")
    kit.publish(after)
    entry = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries[0]
    assert entry.updated == entry.published == "2026-12-24T00:00:00+00:00"


def test_a_draft_that_was_never_published_is_named_as_one(kit: SiteKit) -> None:
    """A command that needs an article reports that it is a draft."""
    kit.article("two.md", title="Two", draft="true")
    with pytest.raises(SettingsError, match=re.escape("two.md is a draft: draft: true")):
        set_note(kit.site, "daily", NOW, lead="two")


def test_many_drafts_published_again_have_distinct_times(kit: SiteKit) -> None:
    """A folder of articles may become drafts and return in one go."""
    for number in range(150):
        kit.article(f"{number}.md", title=f"T{number}")
    kit.publish()
    before = set(ids(kit))
    for number in range(150):
        kit.article(f"{number}.md", title=f"T{number}", draft="true")
    assert kit.publish(LATER).withdrawn == 150 and ids(kit) == []
    for number in range(150):
        kit.article(f"{number}.md", title=f"T{number}")
    kit.publish(LATER)
    entries = feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries
    assert {one.id for one in entries} <= before and len({one.updated for one in entries}) == len(entries)
    assert max(one.updated for one in entries) == LATER.isoformat()
    assert check_site(kit.site, [], LATER).findings == 0
