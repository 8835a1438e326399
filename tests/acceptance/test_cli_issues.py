"""The commands note and preview, and check for issues."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests.update_draft import update_draft
from tests.acceptance.test_cli import run
from tests.conftest import SiteKit
from tests.support.cli import CommandResult, run_command
from tests.support.use_cases import context_of, pause, retract


def done(kit: SiteKit, *arguments: str) -> str:
    """Run a command that succeeds, and return its output."""
    result = run_command(kit.root, *arguments)
    assert result.status == 0, result
    return result.stdout


@pytest.fixture
def site(kit: SiteKit) -> SiteKit:
    kit.article("one.md", title="One", body="Lorem ipsum dolor.")
    kit.article("two.md", title="Two", date="2026-11-01")
    return kit


def test_note_stores_shows_and_reads_a_file(site: SiteKit) -> None:
    """A note comes from the command line or from a file, and is shown with the lead and the date of the issue."""
    assert "No. 1, Fri 2026-11-20 00:00\n  lead: the newest article\n" in done(site, "note", "daily", "")
    shown = done(site, "note", "daily", "Good *morning*.", "--lead", "two.md")
    assert shown == "The next issue of daily: No. 1, Fri 2026-11-20 00:00\n  lead: Two\n  note:\n    Good *morning*.\n"
    # The draft has the note at once.
    assert "Good morning." in (site.root / "outbox/daily/next/message.txt").read_text("utf-8")
    file = site.root / "note.md"
    file.write_text("From a file.\n\nTwice.\n")
    assert json.loads(done(site, "note", "daily", "--file", str(file), "--json")) == {
        "digest": "daily",
        "slot": "2026-11-20T00:00:00+00:00",
        "number": 1,
        "note": "From a file.\n\nTwice.",
        "lead": "Two",
        "added": [],
        "left_out": [],
        "order": [],
        "approved": "",
    }
    shown = done(site, "note", "daily", "--add", "one.md")
    assert "  lead: Two\n  added: One\n  note:\n" in shown
    assert run_command(site.root, "note", "daily", "x", "--file", str(file)).status == 2
    missing = run_command(site.root, "note", "daily", "--file", "/nowhere/gone.md")
    assert missing.status == 2 and "cannot read /nowhere/gone.md" in missing.stderr
    assert "draft of daily No. 1, 2 articles, unchanged: The Daily: Two" in done(site, "now")


def titles(kit: SiteKit) -> list[str]:
    """Return the headlines of the staged draft, in order; [] without one."""
    path = kit.root / "outbox/daily/next/issue.json"
    return [article["title"] for article in json.loads(path.read_text("utf-8"))["articles"]] if path.exists() else []


def test_note_orders_and_leaves_out_articles(kit: SiteKit) -> None:
    """What is left out is not in the next issue, and returns with the one after it."""
    for number, name in enumerate(("One", "Two", "Three"), 1):
        kit.article(f"{name.lower()}.md", title=name, date=f"2026-11-2{number}")
    done(kit, "now")
    assert titles(kit) == ["Three", "Two", "One"]
    shown = done(kit, "note", "daily", "--order", "one.md,three.md", "--leave-out", "two.md")
    assert "  lead: One\n  left out: Two\n  order: 1. One\n  order: 2. Three\n" in shown
    assert titles(kit) == ["One", "Three"]
    # Without a cadence, a newer article moves the date of the issue; what was left out stays out.
    kit.article("four.md", title="Four", date=f"{datetime.now(UTC) - timedelta(minutes=5):%Y-%m-%dT%H:%MZ}")
    done(kit, "now")
    assert titles(kit) == ["One", "Three", "Four"]
    kit.approve_issue(now=datetime.now(UTC))
    done(kit, "now")
    assert titles(kit) == ["Two"]
    refused = run_command(kit.root, "note", "daily", "--leave-out", "one.md")
    assert refused.status == 2 and "'One' is not in the next issue of daily" in refused.stderr


def test_note_changes_its_mind(kit: SiteKit) -> None:
    """``--add``, ``--lead`` and ``--order`` bring back what was left out, and ``--clear`` forgets every choice."""
    kit.article("one.md", title="One")
    kit.article("two.md", title="Two", date="2026-11-21")
    done(kit, "note", "daily", "--lead", "one.md")
    assert titles(kit) == ["One", "Two"]
    done(kit, "note", "daily", "--leave-out", "one.md", "--leave-out", "two.md")
    assert titles(kit) == []
    for options in (("--add", "one.md"), ("--lead", "one.md"), ("--order", "one.md")):
        done(kit, "note", "daily", *options)
        assert titles(kit) == ["One"]
        done(kit, "note", "daily", "--leave-out", "one.md")
        assert titles(kit) == []
    cleared = done(kit, "note", "daily", "--clear")
    assert cleared.endswith("\n  lead: the newest article\n")
    assert titles(kit) == ["Two", "One"]


def test_note_names_its_slot_and_an_approved_issue_that_keeps_its_own(kit: SiteKit) -> None:
    """A note that comes after the approval is for the slot after it."""
    kit.add_settings('cadence = "0 7 * * *"\n')
    kit.article()
    now = datetime.now(UTC)
    first = done(kit, "note", "daily", "Early.").splitlines()[0]
    with kit.open() as db, db.exclusive(kit.root):
        update = update_draft(context_of(kit.site, db, now), "daily")
        assert update.draft is not None
        assert first == f"The next issue of daily: No. 1, {update.draft.slot:%a %Y-%m-%d %H:%M}"
        path = fix_draft(context_of(kit.site, db, now), update).path
    shown = done(kit, "note", "daily", "Late.").splitlines()
    assert shown[0] == f"The next issue of daily: No. 2, {update.draft.slot + timedelta(days=1):%a %Y-%m-%d %H:%M}"
    assert shown[1] == f"  {path} is approved, and keeps its own. To change it: publish reopen daily"


def test_a_draft_with_an_error_is_reported_blocked_and_forced(site: SiteKit) -> None:
    """``publish now`` names the error, approval is blocked, ``publish check --force`` allows this draft."""
    shown = run("now", cwd=site.root).stdout
    assert "blocked by 1 error: dummy-text: 'Lorem ipsum'" in shown
    assert "'publish check daily' shows what to fix" in shown
    result = run("check", "daily", "--no-browser", cwd=site.root)
    assert result.returncode == 1
    assert "error dummy-text\n  required: no dummy text is left" in result.stdout
    assert "  found in daily/next" in result.stdout
    assert "fix: finish the article" in result.stdout
    assert "daily/next is blocked by errors. Fix them, or use --force REASON." in result.stdout
    assert "was not rendered in a browser" in result.stdout
    blocked = run_command(site.root, "now", "daily", "--yes")
    assert blocked.status == 2 and "daily cannot be approved: dummy-text: " in blocked.stderr
    forced = run("check", "daily", "--no-browser", "--force", "It is about type.", cwd=site.root)
    assert "daily/next may be approved in spite of errors: It is about type." in forced.stdout
    found = json.loads(run("check", "daily", "--no-browser", "--json", cwd=site.root).stdout)
    assert found["issues"][0]["forced"] == "It is about type." and not found["issues"][0]["held_back"]
    assert found["findings"][0]["severity"] in ("error", "warning")


def test_check_reads_articles_first_and_prints_the_version_to_approve(site: SiteKit) -> None:
    """An edit is in what is checked; ``publish preview`` prints the same version."""
    site.article("one.md", title="One")
    first = run_command(site.root, "check", "daily", "--no-browser", "--json")
    version = json.loads(first.stdout)["issues"][0]["hash"]
    site.article("one.md", title="Once")
    second = run_command(site.root, "check", "daily/next", "--no-browser")
    expected = "daily/next is version (.*). To approve it: publish approve daily --expect (.*)"
    found = re.search(expected, second.stdout)
    assert found is not None and found[1] == found[2] != version
    made = run_command(site.root, "preview", "daily", "--to", str(site.root / "seen"), "--json")
    assert json.loads(made.stdout)["hash"] == found[1]
    late = run_command(site.root, "approve", "daily", "--yes", "--expect", version)
    assert late.status == 2 and "edited: Once" in late.stderr


def test_a_forced_draft_is_blocked_again_when_its_errors_change(site: SiteKit) -> None:
    """The reason is for the errors that were shown; a second error needs a second look."""
    assert run_command(site.root, "check", "daily", "--no-browser", "--force", "About type.").status == 1
    site.article("two.md", title="Two", body="Lorem ipsum dolor, again.")
    shown = run_command(site.root, "check", "daily", "--no-browser").stdout
    assert "daily/next is blocked by errors. Fix them, or use --force REASON." in shown
    site.article("one.md", title="One")
    site.article("two.md", title="Two")
    nothing = run_command(site.root, "check", "daily", "--no-browser", "--force", "No error is left.")
    assert nothing.status == 2 and "the draft of daily has no errors: there is nothing to force" in nothing.stderr


def test_check_without_a_draft_checks_the_newest_issue(site: SiteKit) -> None:
    """``DIGEST/NAME`` is the issue also while there is a draft; a slot that is to come is no error."""
    site.article("one.md", title="One")
    path = site.approve_issue(now=datetime.now(UTC) + timedelta(hours=1))
    first = json.loads(run_command(site.root, "check", "daily", "--no-browser", "--json").stdout)
    assert [issue["name"] for issue in first["issues"]] == [path]
    assert [found["rule"] for found in first["findings"] if found["severity"] == "error"] == []
    site.article("three.md", title="Three", date=f"{datetime.now(UTC):%Y-%m-%d}")
    names = [
        json.loads(run_command(site.root, "check", target, "--no-browser", "--json").stdout)["issues"][0]["name"]
        for target in ("daily", path)
    ]
    assert names == ["daily/next", path]


def test_check_of_an_issue_says_what_stops_it(site: SiteKit) -> None:
    """A hold, a pause and an edit are named, ``--force`` says what it has done, and a finished issue is not forced."""

    def check(*options: str) -> CommandResult:
        return run_command(site.root, "check", path, "--no-browser", *options)

    site.article("one.md", title="One")
    site.article("two.md", title="Two")
    path = site.approve_issue(now=datetime.now(UTC) + timedelta(hours=1))
    unneeded = check("--force", "no reason")
    assert unneeded.status == 2 and f"{path} has no errors, and no article of it was withdrawn" in unneeded.stderr
    site.article("one.md", title="One", body="Other words.")
    site.publish(datetime.now(UTC))
    edited = f"{path}: edited after its approval: 'One'. The issue keeps the approved text."
    assert edited in check().stdout and edited in run_command(site.root, "status").stdout
    pause(site.site, path)
    retract(site.site, datetime.now(UTC), "two.md", "untrue")
    shown = check()
    assert shown.status == 1 and f"\n{path} is held: articles of it were withdrawn" in shown.stdout
    assert "after it was approved: 'Two' (urn:uuid:" in shown.stdout
    assert f"\n{path}: paused. To resume it: publish resume {path}\n" in shown.stdout
    forced = check("--force", "It is announced in it.").stdout
    assert f"\n{path} is no longer held: It is announced in it.\n" in forced and "errors" not in forced
    assert f"{path} is" not in check().stdout
    with site.open() as db, db.exclusive(site.root):
        open_issue(context_of(site.site, db, datetime.now(UTC)), site.newest_issue())
    assert f"\n{path} has no more messages to send.\n" in check().stdout
    finished = check("--force", "no reason")
    assert finished.status == 2 and f"{path} has no more messages to send: there is nothing to force" in finished.stderr


def test_force_applies_to_one_draft_or_issue(site: SiteKit) -> None:
    """``--force`` without one existing draft or issue is a usage error."""
    assert run("check", "--force", "x", cwd=site.root).returncode == 2
    (site.root / "articles" / "one.md").unlink()
    (site.root / "articles" / "two.md").unlink()
    assert run("check", "daily", "--force", "x", cwd=site.root).returncode == 2
    (site.root / "feeds").mkdir(exist_ok=True)
    assert "is none" in run_command(site.root, "check", str(site.root / "feeds"), "--force", "x").stderr


def test_preview_prints_its_folder(site: SiteKit) -> None:
    """The preview is written into the folder that the output names."""
    result = run("preview", "daily", "--to", "seen", cwd=site.root, CHROMIUM="/nowhere/chromium")
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"The Daily: One\n  2 articles\n  version (\w+); to approve it: publish approve daily --expect \1\n",
        result.stdout,
    )
    assert "\n  seen/index.html\n  seen/message.txt\n  no screenshots: " in result.stdout
    assert "  error dummy-text\n    required: no dummy text is left" in result.stdout
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
