"""Settings that a mail depends on change after the approval of an issue: they hold it until that is undone."""

from __future__ import annotations

from tests.integration.issue_life.conftest import OpenNewsroom
from tests.support.timeline import Newsroom
from tests.support.use_cases import reopen

WEEKLY = '[digests.weekly]\ntitle = "The Weekly"\ncadence = "0 7 * * mon"\n'
MAIL = """\
reply_to = "ed@review.example"
bounces = "bounces+{copy}@review.example"
one_click = true
preferences = "https://review.example/preferences"
web_view = "https://review.example/{digest}/{issue}/"
postal_address = "The Review, London"
"""
#: Setting → its text at the approval, and afterwards.
CHANGES = {
    "base_url": ('base_url = "https://review.example"', 'base_url = "https://www.review.example"'),
    "mail.sender": ('sender = "The Test Review', 'sender = "Another Review'),
    "mail.reply_to": ("ed@review.example", "desk@review.example"),
    "mail.bounces": ('bounces = "bounces+{copy}@review.example"\n', ""),
    "mail.unsubscribe": ("https://review.example/leave", "https://review.example/goodbye"),
    "mail.one_click": ("one_click = true\n", ""),
    "mail.preferences": ("https://review.example/preferences", "https://review.example/settings"),
    "mail.web_view": ("/{digest}/{issue}/", "/archive/{digest}/{issue}/"),
    "mail.postal_address": ("The Review, London", "The Review, Leeds"),
}


def approved_on_friday(news: Newsroom) -> Newsroom:
    news.subscribe("ann")
    news.write("bridge", "The bridge opens")
    news.until("Fri 10:00")
    news.approve()
    return news


def test_each_setting_holds_the_issue_by_its_name_until_it_is_undone(open_newsroom: OpenNewsroom) -> None:
    """One setting an hour is changed and changed back; on Monday the issue opens as if nothing had been."""
    news = approved_on_friday(open_newsroom(WEEKLY, mail=MAIL))
    for name, (old, new) in CHANGES.items():
        news.set(old, new)
        news.until(f"{news.clock.at:%a} {news.clock.at.hour + 1}:00")
        (held,) = news.held()
        assert held.startswith(f"weekly/2026-11-23T0700: settings have changed since it was approved: {name}. ")
        assert "publish reopen weekly" in held
        news.set(new or "[mail]\n", old if new else f"[mail]\n{old}")
        news.run()
        assert news.held() == []
    told = news.mailed()
    assert len(told) == len(CHANGES)
    assert {line.partition(" editors: ")[2] for line in told} == {"[Held] The Weekly: The bridge opens"}
    news.until("Mon 07:00", every=24)
    assert news.mailed() == ["Mon 07:00 ann: The Weekly: The bridge opens"]


def test_the_slot_passes_and_the_undone_change_releases_the_issue(open_newsroom: OpenNewsroom) -> None:
    """Changed on Sunday, undone on Monday at noon, within ``catch_up_hours``."""
    news = approved_on_friday(open_newsroom(WEEKLY, mail=MAIL))
    news.until("Sun 12:00", every=24)
    for name in ("base_url", "mail.unsubscribe", "mail.preferences"):
        news.set(*CHANGES[name])
    news.until("Mon 12:00", every=24)
    assert news.mailed() == ["Mon 07:00 editors: [Held] The Weekly: The bridge opens"]
    assert ": base_url, mail.unsubscribe, mail.preferences. " in news.held()[0]
    for name in ("base_url", "mail.unsubscribe", "mail.preferences"):
        news.set(*reversed(CHANGES[name]))
    news.until("Mon 13:00")
    assert news.mailed() == ["Mon 13:00 ann: The Weekly: The bridge opens"]


def test_reopening_renders_the_new_settings(open_newsroom: OpenNewsroom) -> None:
    """The mail has the new link in its header and in its body, and the old one nowhere."""
    news = approved_on_friday(open_newsroom(WEEKLY, mail=MAIL))
    news.until("Sun 12:00", every=24)
    news.set(*CHANGES["mail.unsubscribe"])
    news.until("Mon 08:00", every=24)
    reopen(news.kit.site, "weekly", news.clock.now())
    news.approve()
    news.until("Mon 09:00")
    (mail,) = [mail for mail in news.mails() if mail.name == "ann"]
    assert "https://review.example/goodbye" in str(mail.message["List-Unsubscribe"])
    assert "https://review.example/goodbye" in mail.text
    assert b"review.example/leave" not in mail.data


def test_settings_that_no_mail_depends_on_hold_nothing(open_newsroom: OpenNewsroom) -> None:
    """A new title, a theme or another newsletter leaves the approved bytes as they are."""
    news = approved_on_friday(open_newsroom(WEEKLY, mail=MAIL))
    news.set('title = "The Test Review"\n', 'title = "The Review"\n')
    news.kit.add_settings('[theme]\naccent = "#004488"\n[digests.notes]\ntitle = "Notes"\n')
    news.run()
    assert news.held() == []
    news.until("Mon 07:00", every=24)
    (mail,) = [mail for mail in news.mails() if mail.name == "ann"]
    assert "THE TEST REVIEW" in mail.text
