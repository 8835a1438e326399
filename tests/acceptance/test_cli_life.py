"""The commands that approve, undo and cancel: now DIGEST, approve, reopen, discard, cancel, pause and resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from publisher.delivery import store as deliveries
from publisher.model.delivery import DeliveryState
from publisher.schedule.processes import record_tick
from tests.conftest import MailKit
from tests.support.cli import CommandResult, run_command
from tests.support.copies import Copies
from tests.support.use_cases import context_of

#: A slot that does not come within a test: the first of January at 04:00.
YEARLY = 'cadence = "0 4 1 1 *"'


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def publish_yearly(kit: MailKit) -> None:
    """Give a new site two subscribers, and a newsletter with a draft."""
    kit.add_subscribers(2)
    kit.mail(1, send=f'review"\n{YEARLY}\nwhen_late = "send')
    # In the first hour of a day, an hour ago is the day before.
    kit.article("one.md", "One", date=f"{now() - timedelta(days=1):%Y-%m-%d}")
    kit.publish(now())


@pytest.fixture
def site(tmp_path: Path, copies: Copies) -> Iterator[MailKit]:
    """A site with two subscribers, a mail server that is never reached, and a yearly newsletter that needs approval."""
    with copies.copy("default", publish_yearly, tmp_path / "site") as kit:
        yield kit


def run(kit: MailKit, *arguments: str, answer: str | None = None) -> CommandResult:
    return run_command(kit.root, *arguments, answer=answer)


def done(kit: MailKit, *arguments: str, answer: str | None = None) -> str:
    """Run a command that succeeds, and return its output."""
    result = run(kit, *arguments, answer=answer)
    assert result.status == 0, result
    return result.stdout


def set_send(kit: MailKit, policy: str) -> None:
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text("utf-8").replace('send = "review"', f'send = "{policy}"'), "utf-8")


def staged(kit: MailKit) -> list[str]:
    return sorted(path.parent.name for path in (kit.root / "outbox" / "daily").glob("*/index.html"))


def counts(kit: MailKit) -> dict[DeliveryState, int]:
    with kit.open() as db, db.read() as connection:
        return deliveries.state_counts(connection).get(kit.newest_issue().id, {})


# -- out of turn -----------------------------------------------------------------------------------


def test_an_issue_out_of_turn_is_shown_confirmed_and_opened_at_once(site: MailKit) -> None:
    """``publish now DIGEST`` shows the draft as of this minute, and the answer is the approval."""
    minute = now()
    shown = done(site, "now", "daily", answer="y")
    before, _, after = shown.partition("Publish it now? [y/N]:")
    assert "Draft of daily No. 1, version " in before and "  subject  The Daily: One\n" in before
    assert f"  as of    {minute:%a %Y-%m-%d} " in before
    assert "  goes to  2 subscribers today\n  sent     at once\n" in before
    assert "Approved daily/" in after and "It is ready for 2 subscribers, and nothing runs on this machine." in after
    row = site.newest_issue()
    assert row.opened_at is not None and minute - timedelta(minutes=1) < row.slot <= now()
    assert counts(site) == {DeliveryState.QUEUED: 2}
    # The slot is free for the next draft.
    site.article("two.md", "Two", date=f"{now():%Y-%m-%d}")
    assert json.loads(done(site, "now", "--json"))["issue_drafts"][0]["slot"].endswith("-01-01T04:00:00+00:00")


def test_the_answer_no_leaves_the_draft_waiting_for_its_slot(site: MailKit) -> None:
    """Nothing is approved, and the draft has its slot again."""
    before = json.loads(done(site, "now", "--json"))["issue_drafts"][0]
    refused = run(site, "now", "daily", answer="n")
    assert refused.status == 2 and "Nothing was changed." in refused.stdout
    after = json.loads(done(site, "now", "--json"))["issue_drafts"][0]
    assert after == {**before, "is_changed": False}
    assert staged(site) == ["next"]


def test_a_draft_that_waits_for_a_missed_slot_still_waits_after_the_answer_no(site: MailKit) -> None:
    """Showing an issue of this minute does not make the draft skip the slot that it waits for."""
    from publisher.digests.update_draft import update_draft

    missed = now().replace(second=0) - timedelta(hours=2)
    with site.open() as db, db.exclusive(site.root):
        update_draft(context_of(site.site, db, now()), "daily", slot=missed)
    for command in (("now", "daily"), ("approve", "daily", "--now")):
        assert run(site, *command, answer="n").status == 2
        draft = json.loads(done(site, "now", "--json"))["issue_drafts"][0]
        assert datetime.fromisoformat(draft["slot"]) == missed
        assert draft["due"].startswith("waiting for approval since ")


def test_a_newsletter_without_mail_is_published_out_of_turn(site: MailKit) -> None:
    """With ``send = "none"`` no mail is sent, and the issue is on the web."""
    set_send(site, "none")
    shown = done(site, "now", "daily", answer="y")
    assert "  goes to  the web, without mail\n" in shown
    assert "It is published, without mail: outbox/daily/" in shown
    row = site.newest_issue()
    assert row.opened_at is not None and counts(site) == {}
    assert staged(site) == [row.name]


def test_an_issue_out_of_turn_requires_a_terminal_or_yes(site: MailKit) -> None:
    """A script must not send a newsletter by accident, and options of the whole site do not apply."""
    refused = run(site, "now", "daily")
    assert refused.status == 2 and "there is no terminal to ask on: add --yes" in refused.stderr
    for options in (["--at", "2026-11-23T07:00"], ["--dry-run"], ["--feeds-only"]):
        assert "are for all digests" in run(site, "now", "daily", "--yes", *options).stderr
    assert "--yes needs DIGEST" in run(site, "now", "--yes").stderr
    assert "there is no digest 'dayly'" in run(site, "now", "dayly", "--yes").stderr
    assert staged(site) == ["next"]
    assert json.loads(done(site, "now", "daily", "--yes", "--json"))["subscribers"] == 2


# -- approve ---------------------------------------------------------------------------------------


def test_approve_says_when_the_issue_is_sent_and_how_to_change_it(site: MailKit) -> None:
    """Without a runner or ``publish tick``, it says that nothing sends the issue at its slot."""
    shown = done(site, "approve", "daily", answer="y")
    assert "  goes to  2 subscribers today\n  sent     " in shown and " 04:00\n" in shown
    assert "Nothing runs then: start 'publish run', or call 'publish tick' from cron." in shown
    assert shown.endswith("  To change it before: publish reopen daily\n")
    done(site, "reopen", "daily")
    with site.open() as db, db.write() as connection:
        record_tick(connection, now() - timedelta(minutes=5))
    assert "Nothing runs" in done(site, "approve", "daily", "--yes"), "a person may have called it"
    done(site, "reopen", "daily")
    with site.open() as db, db.write() as connection:
        record_tick(connection, now())
    assert "Nothing runs" not in done(site, "approve", "daily", "--yes")


def test_a_slot_that_an_issue_has_replaced_is_not_listed(site: MailKit) -> None:
    """The slot of an approved issue is listed until ``approve --now`` sends one in its place."""

    def listed() -> list[str]:
        slots = json.loads(done(site, "next", "daily", "--json"))["slots"]
        (digest,) = json.loads(done(site, "status", "--json"))["digests"]
        assert digest["next"] == slots[0]["slot"]
        return [one["slot"] for one in slots]

    before = listed()
    done(site, "approve", "daily", "--yes")
    assert listed() == before
    done(site, "reopen", "daily")
    done(site, "approve", "daily", "--now", "--yes")
    assert listed()[:-1] == before[1:]


def test_approve_names_a_slot_that_has_passed_because_nothing_runs(site: MailKit) -> None:
    """It says so with the commands that send the issue."""
    from publisher.schedule import store as slots

    path = site.root / "publisher.toml"
    path.write_text(path.read_text("utf-8").replace("0 4 1 1 *", "*/5 * * * *"), "utf-8")
    site.publish(now())
    with site.open() as db, db.write() as connection:
        known = slots.load_schedules(connection)["digest:daily"]
        slots.save_schedule(connection, "digest:daily", known.timetable, now() - timedelta(hours=1))
    shown = run(site, "approve", "daily", answer="n").stdout
    assert "  late     its slot " in shown and "has passed, and nothing runs it: start 'publish run'" in shown
    assert "To send it now: publish approve daily --now" in shown


# -- undo ------------------------------------------------------------------------------------------


def test_reopen_says_that_there_is_no_draft_if_its_articles_were_withdrawn(site: MailKit) -> None:
    """An editor looked for a folder that does not exist, and an approval failed."""
    done(site, "approve", "daily", "--yes")
    name = site.newest_issue().name
    run(site, "retract", "one.md", "--reason", "x")
    shown = done(site, "reopen", "daily")
    assert shown.splitlines() == [
        f"The approval of daily/{name} is taken back. None of its articles is published, so there is no draft."
    ]


def test_reopen_makes_the_approved_issue_a_draft_again(site: MailKit) -> None:
    """Its folder goes, and ``approve --revoke`` does the same; a second time there is nothing to reopen."""
    for command in (("reopen", "daily"), ("approve", "daily", "--revoke")):
        done(site, "approve", "daily", "--yes")
        name = site.newest_issue().name
        assert staged(site) == [name]
        assert (
            f"daily has no draft: nothing new. daily/{name} is approved and not sent yet: 'publish reopen daily' makes it a "
            "draft again"
        ) in run(site, "approve", "daily", "--yes").stderr
        shown = done(site, *command)
        assert shown.splitlines() == [
            f"daily/{name} is a draft again.",
            "  see outbox/daily/next/index.html",
            "  To approve it: publish approve daily",
        ]
        assert staged(site) == ["next"]
    nothing = run(site, "reopen", "daily")
    assert nothing.status == 2 and "there is nothing to reopen" in nothing.stderr
    done(site, "approve", "daily", "--yes")
    assert json.loads(done(site, "reopen", "daily", "--json")) == {"reopened": f"daily/{name}"}


def test_discard_leaves_the_articles_out_and_undo_puts_them_back(site: MailKit) -> None:
    """The draft ends, and returns with ``--undo``."""
    assert done(site, "discard", "daily") == (
        "Left 1 article out of daily. To put them back: publish discard daily --undo\n"
    )
    assert staged(site) == []
    way_back = (
        "daily has no draft: nothing new. Its articles were left out: 'publish discard daily --undo' puts them back"
    )
    for command in (["discard", "daily"], ["approve", "daily", "--yes"]):
        assert way_back in run(site, *command).stderr
    assert done(site, "discard", "daily", "--undo") == "Put 1 article back into the draft of daily.\n"
    assert staged(site) == ["next"]
    assert run(site, "discard", "daily", "--undo").status == 2
    kept = done(site, "discard", "daily", "--until-next")
    assert kept == (
        "Kept 1 article for the issue of daily after the next one. To put them back: publish discard daily --undo\n"
    )
    assert staged(site) == [] and way_back in run(site, "discard", "daily").stderr
    assert done(site, "discard", "daily", "--undo") == "Put 1 article back into the draft of daily.\n"
    assert staged(site) == ["next"] and run(site, "discard", "daily", "--undo").status == 2
    assert "exclude each other" in run(site, "discard", "daily", "--undo", "--until-next").stderr


def test_cancel_says_how_many_messages_were_handed_over_and_how_many_are_cancelled(site: MailKit) -> None:
    """The articles return with the next issue; a cancelled issue cannot be cancelled again."""
    done(site, "approve", "daily", "--yes")
    assert "has not opened: 'publish reopen daily'" in run(site, "cancel", "daily", "--yes").stderr
    done(site, "reopen", "daily")
    done(site, "now", "daily", "--yes")
    name = site.newest_issue().path
    assert "add --yes to cancel" in run(site, "cancel", "daily").stderr
    refused = run(site, "cancel", "daily", answer="n")
    assert refused.status == 2 and counts(site) == {DeliveryState.QUEUED: 2}
    assert "  handed over  0 messages, which cannot be recalled\n  to cancel    2 messages\n" in refused.stdout
    shown = done(site, "cancel", "daily", answer="y")
    assert f"Cancelled 2 messages of {name}; 0 messages had been handed over." in shown
    assert counts(site) == {DeliveryState.CANCELLED: 2}
    # Articles that come back make no draft by themselves.
    assert staged(site) == [site.newest_issue().name]
    again = run(site, "cancel", name, "--yes")
    assert again.status == 2 and "there is nothing to cancel" in again.stderr


def test_pause_and_resume_of_a_finished_issue_say_that_there_is_nothing_to_do(site: MailKit) -> None:
    """An approved issue can be paused before its slot; one that is sent or cancelled cannot."""
    assert "has a draft and no issue yet" in run(site, "pause", "daily").stderr
    done(site, "approve", "daily", "--yes")
    name = site.newest_issue().path
    assert done(site, "pause", "daily") == f"{name} is paused. To resume it: publish resume {name}\n"
    assert f"{name} is no longer paused. Its send has not opened" in done(site, "resume", "daily")
    done(site, "reopen", "daily")
    done(site, "now", "daily", "--yes")
    done(site, "cancel", "daily", "--yes")
    name = site.newest_issue().path
    assert done(site, "pause", "daily") == f"{name} was cancelled: there is nothing to pause.\n"
    assert done(site, "resume", "daily") == f"{name} was cancelled: there is nothing to resume.\n"
    assert not site.newest_issue().is_paused


def test_pause_of_a_sent_issue_says_that_it_is_sent(site: MailKit) -> None:
    """The exit status is 0."""
    set_send(site, "none")
    done(site, "now", "daily", "--yes")
    name = site.newest_issue().path
    assert done(site, "pause", "daily") == f"{name} has no more messages to send: there is nothing to pause.\n"
    assert done(site, "resume", name) == f"{name} has no more messages to send: there is nothing to resume.\n"


def test_a_test_message_is_of_the_draft(site: MailKit) -> None:
    """The name of an issue is refused with the name of the draft."""
    done(site, "approve", "daily", "--yes")
    name = site.newest_issue().path
    refused = run(site, "send", name, "--test", "ed@review.example")
    assert refused.status == 2 and f"{name} is no draft. The draft of daily has the name daily" in refused.stderr


def test_publish_now_names_an_approved_issue_whose_article_was_edited(site: MailKit) -> None:
    """The edit changes nothing that is mailed; the summary says how to change the issue."""
    done(site, "approve", "daily", "--yes")
    path = site.newest_issue().path
    assert "after its approval" not in done(site, "now")
    site.article("one.md", "Once", date=f"{now():%Y-%m-%d}")
    warning = f"  {path}: edited after its approval: 'Once'. The issue keeps the approved text. To change it: publish reopen daily"
    for _ in range(2):
        assert warning in done(site, "now").splitlines()
    assert "The Daily: One" in site.issue_file("message.eml").read_text("utf-8")
    done(site, "reopen", "daily")
    assert "after its approval" not in done(site, "now")


def test_publish_now_names_an_approved_issue_whose_slot_nothing_runs(site: MailKit) -> None:
    """It says so with the commands that send it; where ``publish tick`` is called at intervals it does not."""
    path = site.approve_issue(now=now() - timedelta(hours=1))
    assert f"{path}: its slot " in done(site, "now")
    assert f"or send it: publish send {path}" in done(site, "now")
    with site.open() as db, db.write() as connection:
        record_tick(connection, now() - timedelta(minutes=5))
        record_tick(connection, now())
    assert "publish send" not in done(site, "now")
