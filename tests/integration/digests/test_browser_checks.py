"""Checks of an issue in a browser, which these tests replace: what is measured, and what is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pytest

from publisher import chromium
from publisher.chromium import AccessibilityViolation, Browser, Viewport
from publisher.digests import run_preflight
from publisher.digests.issue_drafts_store import load_draft
from publisher.digests.local_media import local_media_loader
from publisher.digests.run_preflight import IssueCheck, check_issues, is_issue_target
from publisher.errors import BrowserMissing, SettingsError
from tests.conftest import NOW, SiteKit
from tests.support.use_cases import open_context


class FakeBrowser:
    """Measures each page as 40 pixels too wide, and finds one violation in the dark desktop view."""

    def __init__(self, media: Any) -> None:
        self.media = media

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def horizontal_overflow(self, html: str, view: Viewport) -> int:
        assert "<html" in html
        return 40

    def accessibility_violations(self, html: str, view: Viewport) -> list[AccessibilityViolation]:
        if view.label != "desktop-dark":
            return []
        violation = AccessibilityViolation(
            rule="color-contrast", message="Elements must have contrast", selectors=("p", "a", "h1", "h2")
        )
        return [violation]


def checked(kit: SiteKit, **options: bool) -> list[IssueCheck]:
    """Return the result of checking the draft."""
    with open_context(kit.site, NOW) as context:
        return list(check_issues(context, ["daily"], NOW, **options))


def test_violations_in_a_browser_are_findings_of_the_issue(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue that overflows on phones would be sent, or its editor could not find the element."""
    monkeypatch.setattr(run_preflight, "Browser", FakeBrowser)
    kit.article()
    kit.draft_issue()
    (check,) = checked(kit)
    found = {finding.id: (finding.message, finding.entry) for finding in check.findings}
    assert found["overflow-measured"] == ("the page is 40 pixels wider than the screen", "phone-light")
    assert found["accessibility"] == ("color-contrast: Elements must have contrast: p, a, h1", "desktop-dark")
    assert check.no_browser == ""


@pytest.mark.postgresql
def test_silenced_findings_of_a_browser_block_no_draft(any_kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check in a browser would store errors that the settings silence, and block the approval."""
    monkeypatch.setattr(run_preflight, "Browser", FakeBrowser)
    any_kit.add_settings('\n[checks]\nsilence = ["accessibility", "overflow-measured@daily"]\n')
    any_kit.article()
    any_kit.draft_issue()
    (check,) = checked(any_kit)
    assert [finding.id for finding in check.silenced] == ["overflow-measured", "accessibility"]
    with any_kit.open() as db, db.read() as connection:
        draft = load_draft(connection, "daily")
    assert draft is not None and draft.errors == 0
    assert draft.silenced == ("overflow-measured", "accessibility")


def test_a_message_outside_of_a_site_is_checked_without_its_images(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check of a file of somebody else would store a finding, or fetch an image, or miss that the file is gone."""
    monkeypatch.setattr(run_preflight, "Browser", FakeBrowser)
    kit.article()
    kit.draft_issue()
    message = kit.root / "outbox/daily/next/message.eml"
    (check,) = check_issues(None, [str(message)], NOW)
    assert "accessibility" in {finding.id for finding in check.findings}
    with pytest.raises(SettingsError, match=r"cannot read .*nowhere\.eml: No such file"):
        list(check_issues(None, [str(message.with_name("nowhere.eml"))], NOW))


def test_a_check_without_a_browser_says_why(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other checks are made."""
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    kit.article()
    kit.draft_issue()
    (check,) = checked(kit)
    assert "/nowhere/chromium does not start" in check.no_browser and check.findings
    (unasked,) = checked(kit, with_browser=False)
    assert unasked.no_browser == "--no-browser was given"


def test_a_missing_browser_or_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are optional."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    with pytest.raises(BrowserMissing, match=r"Chromium was not found. Install it"):
        Browser()
    monkeypatch.setenv("CHROMIUM", "/bin/true")
    monkeypatch.setattr(chromium.util, "find_spec", lambda name: None)
    with pytest.raises(BrowserMissing, match=r"pip install 'publisher\[browser\]'"):
        Browser()


def test_images_of_the_site_come_from_its_media_folder(kit: SiteKit) -> None:
    """Images of other sites are not loaded, and no path leads out of the folder."""
    load = local_media_loader(kit.site)
    kit.site.media_dir.mkdir(parents=True)
    (kit.site.media_dir / "a b.png").write_bytes(b"PNG")
    (kit.site.media_dir / "raw").write_bytes(b"raw")
    assert load("https://review.example/a%20b.png?width=3") == (b"PNG", "image/png")
    assert load("https://review.example/raw") == (b"raw", "application/octet-stream")
    assert load("https://review.example/none.png") is None
    assert load("https://review.example/../publisher.toml") is None
    assert load("https://review.example/..%2Fpublisher.toml") is None
    assert load("https://other.example/a%20b.png") is None


def test_a_target_is_an_issue_if_it_is_a_message_or_names_a_newsletter(kit: SiteKit, tmp_path: Path) -> None:
    """Everything else is a feed."""
    (tmp_path / "x.eml").touch()
    (tmp_path / "folder").mkdir()
    assert is_issue_target(str(tmp_path / "x.eml"), None)
    assert not is_issue_target(str(tmp_path / "folder"), kit.site)
    assert is_issue_target("daily/2026", kit.site) and not is_issue_target("daily", None)
    assert not is_issue_target("https://review.example/feeds/all.rss", kit.site)
