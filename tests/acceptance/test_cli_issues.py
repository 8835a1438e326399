"""The commands note and preview, and check for issues."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.acceptance.test_cli import run
from tests.conftest import SiteKit


@pytest.fixture
def site(kit: SiteKit) -> SiteKit:
    kit.article("one.md", title="One", body="Lorem ipsum dolor.")
    kit.article("two.md", title="Two", date="2026-11-01")
    return kit


def test_note_stores_shows_and_reads_a_file(site: SiteKit) -> None:
    """A note comes from the command line or from a file, and is shown with the lead."""
    assert (
        run("note", "daily", cwd=site.root).stdout
        == "Nothing is prepared for the next issue of daily: its newest article leads.\n"
    )
    result = run("note", "daily", "Good *morning*.", "--lead", "two.md", cwd=site.root)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "The next issue of daily\n  lead: Two\n  note:\n    Good *morning*.\n"
    (site.root / "note.md").write_text("From a file.\n\nTwice.\n")
    result = run("note", "daily", "--file", "note.md", "--json", cwd=site.root)
    assert json.loads(result.stdout) == {
        "digest": "daily",
        "note": "From a file.\n\nTwice.",
        "lead": "Two",
        "added": [],
    }
    result = run("note", "daily", "--add", "one.md", cwd=site.root)
    assert "  lead: Two\n  added: One\n  note:\n" in result.stdout
    assert run("note", "daily", "x", "--file", "note.md", cwd=site.root).returncode == 2
    missing = run("note", "daily", "--file", "gone.md", cwd=site.root)
    assert missing.returncode == 2 and "cannot read gone.md" in missing.stderr
    assert run("now", cwd=site.root).stdout.count("daily No. 1, 2 articles: The Daily: Two") == 1


def test_an_issue_with_an_error_is_reported_blocked_and_forced(site: SiteKit) -> None:
    """``publish now`` names the error, ``publish send`` is blocked, ``publish check --force`` allows the issue."""
    shown = run("now", cwd=site.root).stdout
    assert "blocked by 1 error: placeholder: 'Lorem ipsum'" in shown
    assert "'publish check daily' shows how to fix them" in shown
    assert "(blocked by 1 error" in run("status", cwd=site.root).stdout
    result = run("check", "daily", "--no-browser", cwd=site.root)
    assert result.returncode == 1
    assert "error placeholder\n  required: no dummy text is left" in result.stdout
    assert "fix: finish the article" in result.stdout
    assert "is blocked by errors. Fix them, or use --force REASON." in result.stdout
    assert "was not rendered in a browser" in result.stdout
    forced = run("check", "daily", "--no-browser", "--force", "It is about type.", cwd=site.root)
    assert "may be sent in spite of errors: It is about type." in forced.stdout
    assert "blocked by" not in run("status", cwd=site.root).stdout
    found = json.loads(run("check", "daily", "--no-browser", "--json", cwd=site.root).stdout)
    assert found["issues"][0]["forced"] == "It is about type." and not found["issues"][0]["held_back"]
    assert found["findings"][0]["severity"] in ("error", "warning")


def test_force_applies_to_one_issue(site: SiteKit, tmp_path: Path) -> None:
    """``--force`` without one existing issue is a usage error."""
    assert run("check", "--force", "x", cwd=site.root).returncode == 2
    assert run("check", "daily", "--force", "x", cwd=site.root).returncode == 2


def test_preview_prints_its_folder(site: SiteKit) -> None:
    """The preview is written into the folder that the output names."""
    result = run("preview", "daily", "--to", "seen", cwd=site.root, CHROMIUM="/nowhere/chromium")
    assert result.returncode == 0, result.stderr
    assert "The Daily: One\n  2 articles\n  seen/index.html\n  seen/message.txt\n  no screenshots: " in result.stdout
    assert "  error placeholder\n    required: no dummy text is left" in result.stdout
    assert "\n    found: <p>: 'Lorem ipsum'\n    fix: finish the article" in result.stdout
    assert not list((site.root / "outbox").glob("daily")) and not list((site.root / "feeds").glob("*.rss"))
    assert run("preview", "never", cwd=site.root).returncode == 2


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium: apt-get install chromium")
def test_preview_makes_eight_screenshots_with_a_browser(site: SiteKit) -> None:
    """Phone and desktop, light and dark, with and without images."""
    made = json.loads(run("preview", "daily", "--json", cwd=site.root).stdout)
    pictures = [name for name in made["files"] if name.endswith(".png")]
    assert len(pictures) == 8 and not made["screenshot_error"]
    sizes = {name: (Path(site.root) / made["folder"] / name).read_bytes()[16:24] for name in pictures}
    for name, size in sizes.items():
        assert int.from_bytes(size[:4], "big") == (375 if name.startswith("phone") else 1280)
