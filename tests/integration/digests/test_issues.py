"""Issues: sections, notes, leads, corrections, size, and errors that block sending."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from publisher.articles import store
from publisher.digests import pending_store as pending
from publisher.digests.compose import compose_issue
from publisher.digests.draft_content import load_content
from publisher.digests.variants_store import whole_variant
from publisher.errors import SettingsError, StageError
from publisher.model.query import Interests
from publisher.model.taxonomy import FacetKind, Query
from publisher.pipeline.preview import VIEWS
from tests.conftest import NOW, SiteKit
from tests.conftest import issues as titles_of
from tests.support.use_cases import correct, force_issue, preview, retract, set_note

LATER = NOW + timedelta(hours=1)


def page(kit: SiteKit, number: int = -1, name: str = "index.html") -> str:
    return sorted((kit.root / "outbox/daily").iterdir())[number].joinpath(name).read_text()


def settings(kit: SiteKit, text: str) -> None:
    kit.add_settings(text)


def test_a_note_and_a_lead_apply_to_the_next_issue_only(any_kit: SiteKit) -> None:
    """The issue after it has neither."""
    kit = any_kit
    kit.article("old.md", title="The old one", date="2026-11-01")
    kit.article("new.md", title="The new one", date="2026-11-20")
    said = set_note(kit.site, "daily", NOW, text="Read **this** [here](/x) & more", lead="old.md")
    assert (said.note, said.lead) == ("Read **this** [here](/x) & more", "The old one")
    kit.open_issue()
    assert titles_of(kit) == [["The old one", "The new one"]]
    assert re.search(r"<p class=.text ink.[^>]*>Read <strong>this</strong>", page(kit))
    assert 'href="https://review.example/x"' in page(kit)
    assert "Read this here [3] & more" in page(kit, name="message.txt")
    assert "[3] https://review.example/x" in page(kit, name="message.txt")
    kit.article("third.md", title="The third one", date="2026-11-21")
    kit.draft_issue(now=LATER)
    assert "<strong>this" not in page(kit) and set_note(kit.site, "daily", NOW).note == ""


def test_a_note_is_replaced_shown_and_cleared(kit: SiteKit) -> None:
    """A digest has one note at most."""
    assert set_note(kit.site, "daily", NOW, text="One").note == "One"
    assert set_note(kit.site, "daily", NOW, text="Two").note == "Two"
    assert set_note(kit.site, "daily", NOW).note == "Two"
    assert set_note(kit.site, "daily", NOW, clear=True).note == ""
    with pytest.raises(SettingsError, match=r"publisher.toml has: daily"):
        set_note(kit.site, "dialy", NOW, text="x")
    with pytest.raises(SettingsError, match="Make it an article"):
        set_note(kit.site, "daily", NOW, text="x" * 30_000)


def test_an_article_that_cannot_lead_is_rejected(kit: SiteKit) -> None:
    """The error has the reason."""
    settings(kit, 'topic = ["Water"]\n')
    kit.article("1.md", title="One", topic="Water")
    kit.article("2.md", title="Two", topic="Trade")
    kit.open_issue()
    with pytest.raises(SettingsError, match="was in an issue of daily before"):
        set_note(kit.site, "daily", NOW, lead="1.md")
    with pytest.raises(SettingsError, match="does not match the query of daily"):
        set_note(kit.site, "daily", NOW, lead="2.md")
    kit.article("3.md", title="Three", topic="Water", date="2026-11-21")
    set_note(kit.site, "daily", NOW, lead="3.md")
    retract(kit.site, LATER, "3.md", "Made up")
    assert set_note(kit.site, "daily", NOW).lead is None
    with pytest.raises(SettingsError, match="was withdrawn"):
        set_note(kit.site, "daily", NOW, lead="3.md")


def test_sections_have_the_order_of_the_settings(kit: SiteKit) -> None:
    """Other groups follow by their newest story."""
    settings(kit, 'group_by = "topic"\nsections = ["Trade"]\nbriefs_after = 4\n')
    for number, topic in enumerate(["Water", "Trade", "Arts", None, "Trade", "Water"]):
        head = {"topic": topic} if topic else {}
        kit.article(f"{number}.md", title=f"Story {number}", date=f"2026-11-{20 - number}", **head)
    kit.draft_issue()
    assert titles_of(kit) == [["Story 0", "Story 1", "Story 4", "Story 2", "Story 5", "Story 3"]]
    text = page(kit, name="message.txt")
    assert re.findall(r"^== (.+) ==$", text, re.MULTILINE) == ["TRADE", "ARTS", "WATER", "MORE"]
    assert text.count("In brief") == 2
    assert re.findall(r"^\[(\d)\]", text, re.MULTILINE) == list("123456")


def test_corrections_of_earlier_issues_are_in_the_next_issue(any_kit: SiteKit) -> None:
    """Only in digests that had the article."""
    kit = any_kit
    kit.article("1.md", title="One")
    kit.article("2.md", title="Two", date="2026-11-19")
    kit.open_issue()
    correct(kit.site, LATER, "1.md", "It was four, not five.")
    retract(kit.site, LATER, "2.md", "It was made up.")
    kit.article("3.md", title="Three", date="2026-11-23")
    kit.open_issue(now=LATER + timedelta(hours=1))
    for name in ("index.html", "message.txt"):
        assert "It was four, not five." in page(kit, name=name)
        assert "(withdrawn), 23 November 2026: It was made up." in page(kit, name=name)
    kit.article("4.md", title="Four", date="2026-11-23T02:00:00Z")
    kit.draft_issue(now=LATER + timedelta(hours=2))
    assert "It was four" not in page(kit)


def test_a_corrected_article_has_its_correction(kit: SiteKit) -> None:
    """With its date."""
    settings(kit, "at_least = 2\n")
    kit.article("1.md", title="One")
    kit.publish()
    correct(kit.site, LATER, "1.md", "It was four, not five.")
    kit.article("2.md", title="Two")
    kit.draft_issue(now=LATER + timedelta(hours=1))
    assert "<strong>Correction, 23 November 2026:</strong> It was four, not five." in page(kit)


def test_links_have_utm_parameters_if_configured(kit: SiteKit) -> None:
    """Only links to articles."""
    kit.article("1.md", title="One", url="https://review.example/1?a=1&utm_source=old")
    settings(kit, '[digests.daily.utm]\nsource = "news letter"\n')
    summary = kit.draft_summary()
    link = "https://review.example/1?a=1&utm_source=news+letter&utm_medium=email&utm_campaign=daily-1"
    assert link in page(kit, name="message.txt") and link.replace("&", "&amp;") in page(kit)
    assert summary.errors == ()


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
def test_a_long_issue_is_shortened_from_its_last_story(kit: SiteKit, theme: str) -> None:
    """Full texts become excerpts first."""
    settings(kit, f'template = "{theme}"\nat_most = 30\nbriefs_after = 30\ntext = "full"\nsize_limit = 60\n')
    for number in range(25):
        body = f"<p>First of {number}. " + "Words that fill a page. " * 100 + f"</p><p>End of {number}.</p>"
        kit.article(f"{number:02}.md", title=f"Story {number:02}", date=f"2026-10-{30 - number:02}", body=body)
    made = kit.draft_summary()
    assert made.html_size <= 60 * 1024 and made.html_size > 50 * 1024
    assert (made.articles, made.errors) == (25, ()) and 0 < made.shortened < 25
    whole = [number for number in range(25) if f"End of {number}." in page(kit)]
    assert whole == list(range(25 - made.shortened))


def test_an_issue_of_500_articles_stays_below_the_limit(kit: SiteKit) -> None:
    """Articles that do not fit are in the next issue."""
    settings(kit, "at_most = 500\nsize_limit = 30\n")
    records = [
        {"id": f"s{number}", "title": f"Story {number} " + "long " * 30, "date": "2026-11-20", "body": "x"}
        for number in range(500)
    ]
    kit.write("many.jsonl", "\n".join(json.dumps(one) for one in records))
    assert kit.publish(with_issues=False).rejected == ()
    made = kit.draft_summary()
    assert made.html_size <= 30 * 1024 and 10 < made.articles < 100 and made.errors == ()
    kit.open_issue()
    with kit.open() as db, db.read() as connection:
        waiting = pending.pending_articles(connection, "daily", int(NOW.timestamp()), LATER)
    assert len(waiting) == 500 - made.articles and all(row.carried_over for row in waiting)


HOSTILE = {
    "style": '<p style="h3:h3;color:red">x</p><style>@import url(http://127.0.0.1:9/);*{display:none}</style>',
    "deep": "<div>" * 300 + "deep" + "</div>" * 300,
    "quotes": "<blockquote>" * 300 + "quoted" + "</blockquote>" * 300,
    "image only": '<img src="https://a.example/x.png" width="4000" height="3000">',
    "local image": '<img src="/own.png" width="99999" height="1"><img src="data:image/png;base64,AA" alt="inline">',
    "emoji": "<p>" + "👩‍👩‍👧‍👦 " * 200 + "</p>",
    "chinese": "<p>" + "漢字" * 3000 + "</p>",
    "hebrew": '<p dir="rtl">שלום</p>',
    "tokens": "<p>@@unsubscribe.0123456789ab@@ @@address@@ {# x #}</p>",
    "table": "<table><tr><td>" + "w" * 200 + "</td></tr></table>",
    "headings": "<h1>One</h1><h6>Six</h6><h3></h3>",
    "players": '<video controls><source src="https://a.example/v.mp4"></video><audio src="/a.mp3"></audio><video></video>',
    "long word": f"<p>{'x' * 5000}</p>",
    "conditional": "<!--[if mso]><b>x</b><![endif]--><![if !mso]>y<![endif]>",
    "nothing": "",
}


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_any_article_can_be_in_an_issue(kit: SiteKit, body: str, theme: str) -> None:
    """Hostile HTML has no effect on the other articles."""
    settings(kit, f'template = "{theme}"\ntext = "full"\n')
    title = "Très long ∞ " + "title " * 70
    record = {"title": title, "date": "2026-11-20", "body": body, "image": {"url": "https://a.example/y.png"}}
    kit.write("1.json", json.dumps(record))
    kit.write("2.json", json.dumps({"title": "Plain", "date": "2026-11-19", "body": "<p>Plain words.</p>"}))
    made = kit.draft_summary()
    assert "Plain words." in page(kit) and "display:none}" not in page(kit)
    assert [one for one in made.errors if not one.startswith(("placeholder-left", "placeholder-split"))] == []
    assert (made.errors != ()) is ("@@unsubscribe." in body)


def test_an_article_cannot_forge_a_placeholder(kit: SiteKit) -> None:
    """Its text stays as it is in every delivery; the preflight reports it, and a person decides."""
    kit.article("1.md", title="@@address.0123456789ab@@", body="@@unsubscribe.0123456789ab@@")
    kit.draft_issue()
    force_issue(kit.site, "daily", "It is about placeholders.")
    kit.open_issue()
    with kit.open() as db, db.read() as connection:
        variant = whole_variant(connection, 1)
    assert variant.placeholder_hash != "0123456789ab"
    assert "@@address.0123456789ab@@" in page(kit, name="message.txt")


def test_a_preview_changes_nothing(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next issue is the same as without it."""
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    kit.article("1.md", title="One")
    made = preview(kit.site, "daily", NOW)
    assert (made.subject, made.articles, made.uses_newest_articles) == ("The Daily: One", 1, False)
    assert made.files == ("index.html", "message.txt") and "does not start" in made.screenshot_error
    assert "One" in (kit.root / "outbox/_preview/daily/message.txt").read_text()
    assert kit.draft_summary().number == 1
    again = preview(kit.site, "daily", LATER, folder=kit.root / "elsewhere")
    assert not again.uses_newest_articles and (kit.root / "elsewhere/index.html").exists()
    kit.open_issue()
    assert preview(kit.site, "daily", LATER).uses_newest_articles
    with pytest.raises(SettingsError, match="no digest 'dialy'"):
        preview(kit.site, "dialy", NOW)
    with pytest.raises(StageError, match="cannot write the preview"):
        preview(kit.site, "daily", NOW, folder=kit.root / "publisher.toml")


def test_a_preview_without_articles_has_a_reason(kit: SiteKit) -> None:
    """The error says what is missing."""
    with pytest.raises(SettingsError, match="no article matches the query"):
        preview(kit.site, "daily", NOW)
    assert len(VIEWS) == 8


def test_an_undefined_template_variable_is_reported_with_file_and_line(kit: SiteKit) -> None:
    """The digest is skipped."""
    folder = kit.root / "templates/digest/magazine"
    folder.mkdir(parents=True)
    (folder / "message.html.j2").write_text(
        '{% extends "default/digest/magazine/message.html.j2" %}\n{% block foot %}\n{{ tokens.nothing }}{% endblock %}'
    )
    kit.article("1.md", title="One")
    (refused,) = kit.publish().rejected
    assert "magazine/message.html.j2:3" in refused.reason


def test_an_issue_is_rendered_once_per_variant(kit: SiteKit) -> None:
    """Subscribers with the same articles share a variant."""
    for number, topic in enumerate(["Water", "Trade", "Water"]):
        kit.article(f"{number}.md", title=f"Story {number}", topic=topic, date=f"2026-11-{20 - number}")
    kit.publish()
    with kit.open() as db, db.read() as connection:
        found = store.articles_by_seq(connection, [1, 2, 3], kit.site.base_url, kit.site.tz)
        digest = kit.site.all_digests()[0]
        content = load_content(connection, kit.site, digest, NOW)
    topics = [Query(wanted=((FacetKind.TOPIC, frozenset({name})),)) for name in ("water", "trade", "arts", "water")]
    interests = [Interests(query=one) for one in (Query(), *topics)]
    made = compose_issue(kit.site, digest, content, list(found.values()), interests)
    assert [one.articles for one in made.issue.variants] == [(1, 2, 3), (1, 3), (2,)]
    assert len({one.placeholder_hash for one in made.issue.variants}) == 3
    assert b"Story 1" not in made.issue.variants[1].html and b"Story 2" in made.issue.variants[1].text
