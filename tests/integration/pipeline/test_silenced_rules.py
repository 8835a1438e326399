"""Silenced rules in drafts, issues and feeds, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from publisher.cli.approve import plan_lines
from publisher.cli.check import lines
from publisher.delivery.issue_life.opening import open_issue
from publisher.errors import IssueHeld, SettingsError
from publisher.feeds.formats.entry import Entry, render_entry
from publisher.feeds.site_info import SiteInfo
from publisher.model.articles import Article
from publisher.pipeline.check import CheckResult
from tests.conftest import NOW, SiteKit, titles
from tests.support.use_cases import approve, check_site, context_of, plan_approval, preview

#: A template whose lead has a picture without an alt text, which is an error.
TEMPLATE = """
{% extends "digest/magazine/message.html.j2" %}
{% block lead %}
{{ super() }}
<tr><td><a class="plain ink" href="{{ lead.link }}">More about it</a><img src="https://a.example/x.png" width="9"></td></tr>
{% endblock %}
"""


def publish_faulty(kit: SiteKit) -> None:
    """Publish an article in a newsletter whose template has a fault in the story of the lead."""
    folder = kit.root / "templates/digest/faulty"
    folder.mkdir(parents=True)
    (folder / "message.html.j2").write_text(TEMPLATE.lstrip(), "utf-8")
    (folder / "message.txt.j2").write_text('{% extends "digest/magazine/message.txt.j2" %}', "utf-8")
    settings = kit.root / "publisher.toml"
    text = settings.read_text("utf-8").replace('title = "The Daily"', 'title = "The Daily"\ntemplate = "faulty"')
    settings.write_text(text, "utf-8")
    kit.article("cables.md", "Cables", slug="cables")
    kit.publish()


def silence(kit: SiteKit, *entries: str) -> None:
    """Silence these rules, and no others."""
    path = kit.root / "publisher.toml"
    before = path.read_text("utf-8").partition("\n[checks]")[0]
    quoted = ", ".join(f'"{entry}"' for entry in entries)
    path.write_text(f"{before}\n[checks]\nsilence = [{quoted}]\n", "utf-8")


def check(kit: SiteKit, *targets: str) -> CheckResult:
    return check_site(kit.site, targets, NOW, with_browser=False)


def counted(report: CheckResult) -> list[str]:
    return [found.id for _, found in report.all_findings if found.is_error]


def silenced(report: CheckResult) -> list[str]:
    return [found.id for _, found in report.all_silenced]


@pytest.mark.parametrize("scope", ["", "@daily", "@daily/{name}", "@cables", "@https://review.example/2026/11/cables"])
def test_a_silenced_error_blocks_no_draft(any_kit: SiteKit, scope: str) -> None:
    """An editor could not approve an issue because of a finding that the settings say does not count."""
    kit = any_kit
    publish_faulty(kit)
    assert kit.draft_summary().errors != ()
    name = plan_approval(kit.site, "daily", NOW).draft.name
    assert counted(check(kit, "daily")) == ["image-alt"]
    silence(kit, "image-alt" + scope.format(name=name))
    report = check(kit, "daily")
    assert (counted(report), silenced(report)) == ([], ["image-alt"])
    assert report.held_back == [] and "1 finding silenced: image-alt." in lines(report)
    assert [found["rule"] for found in report.as_dict()["silenced"]] == ["image-alt"]
    plan = plan_approval(kit.site, "daily", NOW)
    assert "  silenced image-alt" in plan_lines(plan)
    assert [stop for stop in plan.stops if "cannot be approved" in stop] == []


@pytest.mark.parametrize("scope", ["@other", "@daily/2020-01-01T0700", "@cable", "@urn:uuid:0"])
def test_a_silence_for_something_else_changes_nothing(kit: SiteKit, scope: str) -> None:
    """A fault would reach subscribers because a rule was silenced for another article or issue."""
    publish_faulty(kit)
    silence(kit, "image-alt" + scope)
    report = check(kit, "daily")
    assert (counted(report), silenced(report)) == (["image-alt"], [])
    assert report.unknown_silences == (f"image-alt{scope}",)
    assert f"checks.silence: image-alt{scope} names no newsletter, issue or article." in lines(report)
    with pytest.raises(SettingsError, match="cannot be approved"):
        approve(kit.site, "daily", NOW)


def test_a_stored_draft_follows_the_setting_without_another_change(any_kit: SiteKit) -> None:
    """A stored draft would keep its old findings until an article changes."""
    kit = any_kit
    publish_faulty(kit)
    assert len(kit.draft_summary().errors) == 1
    silence(kit, "image-alt")
    assert kit.draft_summary().errors == ()
    silence(kit)
    assert len(kit.draft_summary().errors) == 1


def test_the_version_of_a_draft_does_not_depend_on_silenced_rules(kit: SiteKit) -> None:
    """The hash that an editor has noted would not be accepted although no subscriber sees a difference."""
    publish_faulty(kit)
    before = kit.draft_summary().hash
    silence(kit, "image-alt")
    assert kit.draft_summary().hash == before


def test_other_errors_of_the_article_still_block(kit: SiteKit) -> None:
    """One silenced rule must not let an article with another fault through."""
    publish_faulty(kit)
    kit.article("cables.md", "Cables", body="Lorem ipsum dolor.", slug="cables")
    silence(kit, "image-alt@cables")
    assert counted(check(kit, "daily")) == ["dummy-text"]
    silence(kit, "image-alt@cables", "dummy-text@cables")
    assert counted(check(kit, "daily")) == []


@pytest.mark.postgresql
def test_an_issue_that_was_approved_with_errors_is_released_by_a_check(any_kit: SiteKit) -> None:
    """An issue would stay blocked although the settings silence what it was blocked for."""
    kit = any_kit
    publish_faulty(kit)
    path = kit.approve_issue()
    row = kit.newest_issue()
    with kit.open() as db, pytest.raises(IssueHeld, match="1 error"):
        open_issue(context_of(kit.site, db, NOW), row)
    silence(kit, "image-alt@cables")
    assert silenced(check(kit, path)) == ["image-alt"]
    with kit.open() as db:
        assert open_issue(context_of(kit.site, db, NOW), kit.newest_issue()) is not None


def test_an_issue_is_found_by_its_folder_and_its_file(kit: SiteKit) -> None:
    """A check of the staged files would show errors that the check by name does not."""
    publish_faulty(kit)
    path = kit.approve_issue()
    silence(kit, f"image-alt@{path}")
    for target in (kit.root / "outbox" / path, kit.root / "outbox" / path / "message.eml"):
        assert silenced(check(kit, str(target))) == ["image-alt"]
    silence(kit, "image-alt@daily")
    assert silenced(check(kit, str(kit.root / "outbox" / path))) == ["image-alt"]


def test_links_that_count_clicks_still_name_their_article(kit: SiteKit) -> None:
    """Sites that count clicks, or add tracking parameters, could not silence a rule for an article."""
    publish_faulty(kit)
    kit.article("other.md", "Other", slug="other", date="2026-11-19")
    kit.add_settings('\n[digests.daily.utm]\nsource = "mail"\n')
    silence(kit, "image-alt@cables")
    assert (counted(check(kit, "daily")), silenced(check(kit, "daily"))) == ([], ["image-alt"])
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text("utf-8") + "\n[web]\nclicks = true\n", "utf-8")
    assert (counted(check(kit, "daily")), silenced(check(kit, "daily"))) == ([], ["image-alt"])


def test_a_preview_counts_silenced_findings(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor who looks at the preview would not know that something was left out."""
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    publish_faulty(kit)
    silence(kit, "image-alt")
    made = preview(kit.site, "daily", NOW)
    assert "image-alt" not in [found.id for found in made.findings]
    assert [found["rule"] for found in made.as_dict()["silenced"]] == ["image-alt"]


def test_an_entry_that_breaks_a_silenced_rule_is_published(any_kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feed readers would never get an article whose fault the settings accept."""

    def faulty(article: Article, site_info: SiteInfo) -> Entry:
        made = render_entry(article, site_info)
        return replace(made, rss=made.rss.replace(b"<guid", b"<mood>good</mood><guid"))

    kit = any_kit
    monkeypatch.setattr("publisher.feeds.formats.entry.render_entry", faulty)
    kit.article("cables.md", "Cables", slug="cables")
    (problem,) = kit.publish().rejected
    assert "unknown-element" in problem.reason
    silence(kit, "unknown-element@other")
    assert len(kit.publish().rejected) == 1
    silence(kit, "unknown-element@cables")
    assert kit.publish().rejected == ()
    report = check(kit)
    assert (titles(kit), report.findings) == (["Cables"], 0)
    assert silenced(report) == ["unknown-element"] and lines(report)[-1] == "1 finding silenced: unknown-element."
    silence(kit, "unknown-element")
    assert silenced(check(kit)) == ["unknown-element"]
    silence(kit)
    assert counted(check(kit)) == ["unknown-element"]
