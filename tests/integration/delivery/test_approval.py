"""Approval: the plan, the hash of the plan that a person confirmed, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from publisher.delivery.issue_life.approval import approve, plan_approval
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.schedule.processes import RunnerFile
from tests.conftest import NOW, MailKit


def approved(kit: MailKit) -> bool:
    with kit.open() as db, db.read() as connection:
        (row,) = issues.list_issues(connection)
    return row.approved is not None


def running(kit: MailKit) -> RunnerFile:
    """Return a runner's file; in a ``with``, it is active."""
    return RunnerFile(kit.root)


def test_a_plan_counts_the_recipients_and_changes_nothing(any_mail_kit: MailKit) -> None:
    """It names the recipients, the subject, the time, and whether a runner sends the issue."""
    kit = any_mail_kit
    kit.add_subscribers(3)
    kit.mail(1, send="review")
    kit.draft("one")
    plan = plan_approval(kit.site, "daily", NOW)
    assert (plan.recipients, plan.subject, plan.has_runner) == (3, "The Daily: One", False)
    with running(kit) as file:
        file.write({"runner": "here"})
        assert plan_approval(kit.site, "daily", NOW).has_runner
    assert not approved(kit)
    assert approve(kit.site, "daily", NOW, expect=plan.hash).hash == plan.hash
    assert approved(kit)


def test_local_delivery_times_are_in_the_plan(any_mail_kit: MailKit) -> None:
    """The plan names the first and the last local time."""
    kit = any_mail_kit
    kit.mail(1, send="review")
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', 'title = "The Daily"\ndeliver_at = "09:00 local"'))
    (kit.root / "people.csv").write_text(
        "email,digests,zone\na@mail.example.org,daily,Asia/Tokyo\nb@mail.example.org,daily,America/New_York\n"
    )
    from publisher.subscriptions.import_list import import_list

    import_list(kit.site, kit.root / "people.csv", NOW)
    kit.draft("one")
    plan = plan_approval(kit.site, "daily", NOW)
    assert plan.first_due == datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    assert plan.last_due == datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    # The first time has passed: that delivery is due at once.
    later = NOW + timedelta(hours=8)
    assert plan_approval(kit.site, "daily", later).first_due == later
    assert plan_approval(kit.site, "daily", NOW + timedelta(days=2)).first_due is None


def test_an_issue_without_subscribers_is_not_approved_while_a_runner_is_active(mail_kit: MailKit) -> None:
    """A runner would close it within seconds; without one, it waits."""
    kit = mail_kit
    kit.mail(1, send="review")
    kit.draft("one")
    with running(kit) as file:
        file.write({"runner": "here"})
        with pytest.raises(SettingsError, match="has no subscribers, and the runner would close it at once"):
            approve(kit.site, "daily", NOW)
        assert not approved(kit)
    approve(kit.site, "daily", NOW)
    assert approved(kit)


def test_an_issue_that_changed_after_the_plan_is_not_approved(mail_kit: MailKit) -> None:
    """The approval is for the plan that the person confirmed."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.mail(1, send="review")
    kit.draft("one")
    plan = plan_approval(kit.site, "daily", NOW)
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace("[mail]\n", '[mail]\nreply_to = "ed@review.example"\n'))
    with pytest.raises(SettingsError, match="changed while you were asked"):
        approve(kit.site, "daily", NOW, expect=plan.hash)
    assert not approved(kit)


def test_the_plan_of_an_old_issue_tells_that_no_runner_sends_it(mail_kit: MailKit) -> None:
    """A runner sends issues of the last ``retry_days`` only."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.mail(1, send="review")
    kit.draft("one")
    assert plan_approval(kit.site, "daily", NOW + timedelta(days=5)).is_old
    assert not plan_approval(kit.site, "daily", NOW + timedelta(days=3)).is_old
