"""Drafts and issues in ``publish status``, ``publish outbox`` and ``publish next``: their state in words and as JSON."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from publisher.cli import status as status_command
from publisher.schedule.processes import record_tick
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.cli import run_command
from tests.support.use_cases import cancel, correct, list_issues, load_status, pause, retract, upcoming_issues

HOUR = timedelta(hours=1)


@pytest.fixture
def site(mail_kit: MailKit) -> MailKit:
    """A weekly newsletter with a subscriber that needs approval."""
    mail_kit.add_subscribers(1)
    mail_kit.mail(1, send='review"\ncadence = "0 7 * * fri"\nwhen_late = "send')
    mail_kit.article("one.md", "One")
    return mail_kit


def state(kit: SiteKit, now: datetime = NOW) -> str:
    """Return the state of the newest issue, as all reports give it."""
    issue = list_issues(kit.site, now=now)[0]
    found = load_status(kit.site, now)
    assert found.states[issue.row.id] == issue.status == found.as_dict()["issues"][0]["status"]
    return issue.status


def set_send(kit: SiteKit, policy: str) -> None:
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text("utf-8").replace('send = "review"', f'send = "{policy}"'), "utf-8")


def test_a_draft_is_shown_with_its_slot_version_and_next_step(site: MailKit) -> None:
    """All three commands show the same, in text and as JSON."""
    summary = site.draft_summary()
    draft = upcoming_issues(site.site, NOW).drafts[0]
    assert draft.lines() == [
        "daily/next  draft of No. 1  The Daily: One",
        f"  1 article, version {summary.hash}",
        "  is sent Fri 2026-11-27 07:00 if it is approved by then: publish approve daily",
    ]
    for command, key in ((["status"], "issue_drafts"), (["outbox"], "drafts"), (["next"], "drafts")):
        shown = run_command(site.root, *command).stdout
        assert "daily/next  draft of No. 1  The Daily: One\n" in shown and f"version {summary.hash}\n" in shown
        (found,) = json.loads(run_command(site.root, *command, "--json").stdout)[key]
        assert (found["digest"], found["articles"], found["hash"]) == ("daily", ["One"], summary.hash)
        assert found["slot"] == "2026-11-27T07:00:00+00:00"
    assert "daily/next" not in run_command(site.root, "next", "feeds").stdout


@pytest.mark.parametrize(
    ("send", "cadence", "due"),
    [
        ("review", True, "is sent Fri 2026-11-27 07:00 if it is approved by then: publish approve daily"),
        ("auto", True, "is sent Fri 2026-11-27 07:00 without approval"),
        ("none", True, "is published Fri 2026-11-27 07:00 on the web, without mail"),
        ("review", False, "is sent once you approve it: publish approve daily"),
        ("none", False, "is published on the web, without mail, by: publish now daily"),
    ],
)
def test_a_draft_says_how_it_becomes_an_issue(site: MailKit, send: str, cadence: bool, due: str) -> None:
    """It depends on ``send``, and on whether there is a cadence."""
    if not cadence:
        path = site.root / "publisher.toml"
        path.write_text(path.read_text("utf-8").replace('cadence = "0 7 * * fri"\n', ""), "utf-8")
    set_send(site, send)
    site.draft_issue()
    assert upcoming_issues(site.site, NOW).drafts[0].due == due


def test_a_draft_with_errors_or_too_few_articles_says_so(site: MailKit) -> None:
    """Each with the command that goes on."""
    site.article("one.md", "One", body="Lorem ipsum dolor.")
    site.draft_issue()
    assert upcoming_issues(site.site, NOW).drafts[0].lines()[-1] == (
        "  blocked by 1 error: 'publish check daily' shows what to fix"
    )
    site.settings(
        (site.root / "publisher.toml").read_text("utf-8").replace('send = "review"', 'send = "review"\nat_least = 3')
    )
    site.draft_issue()
    due = upcoming_issues(site.site, NOW).drafts[0].due
    assert due.startswith("not due: ") and due.endswith(". To send it anyway: publish approve daily")


def test_an_approved_issue_says_when_it_is_sent_or_why_it_is_held(site: MailKit) -> None:
    """A pause, a retraction and a missed slot each have their fix."""
    path = site.approve_issue(now=NOW + HOUR)
    assert state(site) == "approved: it is sent Mon 2026-11-23 08:00"
    assert state(site, NOW + 2 * HOUR) == "approved: it is sent by the next run"
    assert state(site, NOW + 90 * HOUR).endswith(f"passed more than 24 hours ago. To send it: publish send {path}")
    assert f"{path}  No. 1  The Daily: One\n" in run_command(site.root, "next").stdout
    pause(site.site, path)
    assert state(site) == f"paused. To resume it: publish resume {path}"


def test_a_retraction_and_a_correction_hold_an_approved_issue(site: MailKit) -> None:
    """The state names the article and the command that releases the issue."""
    path = site.approve_issue(now=NOW + HOUR)
    corrected = correct(site.site, NOW + 2 * HOUR, "one.md", "A number was wrong.")
    assert (corrected.issues, corrected.approved) == ((), (path,))
    assert state(site, NOW + 2 * HOUR).startswith("held: articles of it were corrected after it was approved")
    retract(site.site, NOW + 2 * HOUR, "one.md", "x")
    assert state(site, NOW + 2 * HOUR).startswith("held: articles of it were withdrawn")


def test_sent_published_and_cancelled_issues_have_a_state(site: MailKit) -> None:
    """An issue that was cancelled says when."""
    site.open_issue()
    assert state(site) == "waits to be sent"
    assert "\n    waits to be sent: 1 queued\n" in run_command(site.root, "status").stdout
    assert "\n  waits to be sent: 1 subscriber (1 queued)\n" in run_command(site.root, "outbox").stdout
    path = list_issues(site.site, now=NOW)[0].row.path
    pause(site.site, path)
    paused = f"paused. To resume it: publish resume {path}"
    assert f"\n    {paused}\n    deliveries: 1 queued\n" in run_command(site.root, "status").stdout
    assert f"\n  {paused}\n  deliveries: 1 subscriber (1 queued)\n" in run_command(site.root, "outbox").stdout
    cancel(site.site, "daily", NOW + HOUR)
    assert state(site) == "cancelled Mon 2026-11-23 08:00"
    found = list_issues(site.site, now=NOW)[0].as_dict()
    assert found["cancelled_at"] == (NOW + HOUR).isoformat() and found["opened_at"] == NOW.isoformat()
    set_send(site, "none")
    site.article("two.md", "Two")
    assert run_command(site.root, "now", "daily", "--yes").status == 0
    assert state(site) == "published, without mail"


def test_status_says_loudly_that_publish_now_mails_nothing_where_there_is_a_cadence(site: MailKit) -> None:
    """It names the commands that do, or says that nothing runs."""
    site.draft_issue()
    notice = "'publish now' mails no issue of a digest with a cadence (daily); "
    assert load_status(site.site, NOW).notices == (
        f"{notice}nothing else runs here: start 'publish run', or call 'publish tick' from cron",
    )
    with site.open() as db, db.write() as connection:
        record_tick(connection, NOW - HOUR)
        record_tick(connection, NOW)
    found = load_status(site.site, NOW)
    assert found.notices == (f"{notice}'publish run' or 'publish tick' sends them at their slots",)
    assert status_command.lines(site.site, found)[2] == f"NOTE: {found.notices[0]}"
    assert found.as_dict()["notices"] == list(found.notices)


def test_status_says_that_a_mail_server_alone_changes_nothing(site: MailKit) -> None:
    """With ``send = "none"`` no mail is sent although a mail server is set."""
    set_send(site, "none")
    site.draft_issue()
    (notice,) = load_status(site.site, NOW).notices
    assert notice == (
        'a mail server is set, and issues of daily are not mailed: send = "none". To mail them, set send = "review" or "auto"'
    )


def test_next_explains_how_digests_without_a_cadence_get_their_issues(kit: SiteKit) -> None:
    """For an automatic one, every run with something new sends."""
    for policy, words in (
        ("review", "no cadence: an issue is sent once you approve it (publish approve daily)"),
        ("auto", "no cadence, no review: every run with something new sends an issue, also 'publish now'"),
        ("none", "no cadence: 'publish now daily' publishes an issue, without mail"),
    ):
        before = (kit.root / "publisher.toml").read_text("utf-8")
        kit.add_settings(f'send = "{policy}"\n')
        assert f"  daily  {words}\n" in run_command(kit.root, "next").stdout
        kit.settings(before)
