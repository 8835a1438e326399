"""When the send of an approved issue opens, who is told if it does not, and from when its times count."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from operator import itemgetter

import pytest

from publisher.delivery.automatic import next_send_time
from publisher.errors import SettingsError
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource
from publisher.model.delivery import DeliveryState
from publisher.model.report import PublishResult
from publisher.pipeline.approve import ApprovalTime
from tests.conftest import SiteKit
from tests.support.clocks import ManualClock
from tests.support.use_cases import (
    add_subscriber,
    approve,
    context_of,
    deliver,
    pause,
    resume,
    run_due_slots,
    send_due_issues,
    tick,
)

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)
ZONES = {"auckland": "Pacific/Auckland", "london": "Europe/London", "honolulu": "Pacific/Honolulu"}
EDITOR = "ed@mail.example.org"
SETTINGS = """
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"
editors = ["ed@mail.example.org"]

[digests.weekly]
title = "The Weekly"
cadence = "0 9 * * mon"
"""


@dataclass
class DeferringTransport:
    """A transport that defers each message by an hour, or accepts it, and records when."""

    clock: ManualClock
    defers: bool = False
    sent: list[tuple[str, datetime]] = field(default_factory=list)
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        while (message := source.take(wait=True)) is not None:
            if source.hand_over(message)() is None:
                continue
            self.sent.append((message.recipient.partition("@")[0], self.clock.now()))
            deferred = Outcome(state=DeliveryState.DEFERRED, answer="451 later", wait=3_600)
            accepted = Outcome(state=DeliveryState.ACCEPTED, answer="250 taken")
            source.record_outcome(message, deferred if self.defers else accepted)


def date_of(message: Message) -> datetime:
    return parsedate_to_datetime(str(message["Date"])).astimezone(UTC)


class WeeklySite:
    """A newsletter of Mondays at 09:00 with three subscribers, which is approved on Friday at noon."""

    def __init__(
        self, kit: SiteKit, *, time: ApprovalTime = ApprovalTime.SLOT, delivery: str = "", **options: str
    ) -> None:
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        database = (kit.root / "publisher.toml").read_text().partition("[database]")[2]
        kit.settings(
            f'{SETTINGS}{lines}\n[delivery]\ntransport = "maildir"\nconnections = 1\n{delivery}\n'
            + (f"[database]{database}" if database else "")
        )
        self.kit = kit
        self.clock = ManualClock(FRIDAY - timedelta(hours=1))
        for name, zone in ZONES.items():
            add_subscriber(kit.site, f"{name}@mail.example", FRIDAY, digests=["weekly"], zone=zone)
        self.run()
        kit.article("one.md", "One", date="2026-11-19")
        self.clock.at = FRIDAY
        approve(kit.site, "weekly", FRIDAY, time=time)

    def run(self) -> PublishResult:
        """Do what a runner does: run slots, open what is due, mail."""
        with self.kit.open() as db:
            report = run_due_slots(self.kit.site, db, self.clock, always=True)
            assert report is not None
            return report + send_due_issues(self.kit.site, db, self.clock.now(), clock=self.clock)

    def run_at(self, at: datetime) -> PublishResult:
        self.clock.at = at
        return self.run()

    def run_until(self, end: datetime) -> None:
        """Run whenever a delivery is due."""
        while True:
            with self.kit.open() as db:
                due = next_send_time(context_of(self.kit.site, db, self.clock.now()))[0]
            if due is None or due > end:
                return
            self.run_at(max(self.clock.at, due))

    def send(self) -> None:
        deliver(self.kit.site, "weekly", clock=self.clock.now)

    def mails(self) -> dict[str, list[str]]:
        """Return recipient → (time of the Date header, subject) of the mail so far, in words."""
        read = [message_from_bytes(path.read_bytes()) for path in self.kit.site.maildir.glob("new/*")]
        found: dict[str, list[str]] = {}
        for when, message in sorted(((date_of(one), one) for one in read), key=itemgetter(0)):
            name = str(message["Delivered-To"]).partition("@")[0]
            found.setdefault(name, []).append(f"{when:%a %d %H:%M} {message['Subject']}")
        return found

    def times(self) -> dict[str, str]:
        """Return when each subscriber was mailed, by the Date headers."""
        return {name: lines[0][:12] for name, lines in self.mails().items() if name in ZONES and len(lines) == 1}

    def held_mails(self) -> list[str]:
        return [line for line in self.mails().get("ed", []) if "[Held]" in line]


def all_at(text: str) -> dict[str, str]:
    return dict.fromkeys(ZONES, text)


# -- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [timedelta(hours=69), timedelta(days=1), timedelta(seconds=1)])
def test_publish_send_never_opens_an_issue_before_its_slot(kit: SiteKit, early: timedelta) -> None:
    """The error names the slot; at the slot the same command sends."""
    site = WeeklySite(kit)
    site.clock.at = SLOT - early
    with pytest.raises(SettingsError, match=r"opens at its slot: Mon 2026-11-23 09:00.*publish reopen weekly"):
        site.send()
    assert kit.newest_issue("weekly").opened_at is None
    assert site.mails() == {}
    site.clock.at = SLOT
    site.send()
    assert kit.newest_issue("weekly").opened_at == SLOT.timestamp()
    assert site.times() == all_at("Mon 23 09:00")


@pytest.mark.parametrize("catch_up", ["none", "latest", "all"])
@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=23), timedelta(hours=24)])
def test_an_approved_issue_opens_within_catch_up_hours_whatever_catch_up_says(
    kit: SiteKit, catch_up: str, late: timedelta
) -> None:
    """``catch_up`` is about issues that nobody approved."""
    site = WeeklySite(kit, catch_up=f'"{catch_up}"')
    before = site.run_at(SLOT - timedelta(seconds=1))
    assert (before.opened, before.held) == ((), ())
    report = site.run_at(SLOT + late)
    assert [summary.digest for summary in report.opened] == ["weekly"]
    assert site.times() == all_at(f"{SLOT + late:%a %d %H:%M}")
    assert site.held_mails() == []


@pytest.mark.parametrize("catch_up", ["none", "latest", "all"])
def test_after_catch_up_hours_editors_are_told_once_and_publish_send_opens_it(kit: SiteKit, catch_up: str) -> None:
    """The machine was off for 26 hours."""
    site = WeeklySite(kit, catch_up=f'"{catch_up}"')
    for hours in (26, 27, 50):
        report = site.run_at(SLOT + timedelta(hours=hours))
        assert report.opened == ()
        (held,) = report.held
        assert "its slot of Mon 2026-11-23 09:00 passed more than 24 hours ago" in held.reason
        assert f"publish send {held.issue}" in held.reason
    assert site.held_mails() == ["Tue 24 11:00 [Held] The Weekly: One"]
    assert site.times() == {}
    site.send()
    assert site.times() == all_at("Wed 25 11:00")
    assert site.run_at(SLOT + timedelta(hours=51)).held == ()
    assert len(site.held_mails()) == 1


def test_a_tick_opens_an_approved_issue_and_tells_editors_of_a_late_one(kit: SiteKit) -> None:
    """``publish tick`` every few hours, with a clock of the test."""
    site = WeeklySite(kit, catch_up_hours="6")
    for hours, opened in ((-1, 0), (7, 0), (8, 0)):
        site.clock.at = SLOT + timedelta(hours=hours)
        assert len(tick(kit.site, clock=site.clock).opened) == opened
    assert site.held_mails() == ["Mon 23 16:00 [Held] The Weekly: One"]
    assert site.times() == {}


def test_a_tick_at_the_slot_opens_and_mails(kit: SiteKit) -> None:
    """One call does both."""
    site = WeeklySite(kit)
    site.clock.at = SLOT + timedelta(minutes=3)
    assert len(tick(kit.site, clock=site.clock).opened) == 1
    assert site.times() == all_at("Mon 23 09:03")


def test_a_paused_issue_is_no_news_to_the_editors_until_it_is_resumed(kit: SiteKit) -> None:
    """A pause is somebody's decision; once it ends too late, they are told that the issue waits."""
    site = WeeklySite(kit)
    pause(kit.site, "weekly")
    site.run_at(SLOT + timedelta(hours=30))
    assert site.held_mails() == []
    resume(kit.site, "weekly")
    site.run_at(SLOT + timedelta(hours=31))
    assert site.held_mails() == ["Tue 24 16:00 [Held] The Weekly: One"]
    assert site.times() == {}


def test_a_retraction_that_is_undone_too_late_is_told_with_the_new_reason(kit: SiteKit) -> None:
    """The first mail names the article, the second the slot; each arrives."""
    site = WeeklySite(kit)
    path = kit.root / "articles" / "one.md"
    text = path.read_text()
    path.write_text(text.replace("---\ntitle", "---\ndraft: true\ntitle"))
    site.run_at(SLOT)
    path.write_text(text)
    site.run_at(SLOT + timedelta(hours=40))
    assert site.held_mails() == [
        "Mon 23 09:00 [Held] The Weekly: One",
        "Wed 25 01:00 [Held] The Weekly: One",
    ]
    site.send()
    assert site.times() == all_at("Wed 25 01:00")


def test_publish_send_mails_nobody_where_an_issue_is_published_without_mail(kit: SiteKit) -> None:
    """With ``send = "none"`` the command opens it without an audience."""
    site = WeeklySite(kit, send='"none"')
    site.clock.at = SLOT + timedelta(days=3)
    site.send()
    assert kit.newest_issue("weekly").opened_at == site.clock.at.timestamp()
    assert site.mails() == {}


# -- times that count from the opening ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened_after", "expected"),
    [
        # At the slot. In November, Auckland is 13 hours ahead of UTC, and Honolulu 10 hours behind.
        (timedelta(), {"auckland": "Mon 23 18:00", "london": "Tue 24 07:00", "honolulu": "Mon 23 17:00"}),
        # Late by less than late_hours: the times of the slot.
        (timedelta(hours=5), {"auckland": "Mon 23 18:00", "london": "Tue 24 07:00", "honolulu": "Mon 23 17:00"}),
        (timedelta(hours=6), {"auckland": "Mon 23 18:00", "london": "Tue 24 07:00", "honolulu": "Mon 23 17:00"}),
        # Ten hours late, at 19:00: the next 07:00 in each zone.
        (timedelta(hours=10), {"auckland": "Tue 24 18:00", "london": "Tue 24 07:00", "honolulu": "Tue 24 17:00"}),
    ],
)
def test_local_times_count_from_the_slot_or_from_a_late_opening(
    kit: SiteKit, opened_after: timedelta, expected: dict[str, str]
) -> None:
    """``late_hours`` is 6."""
    site = WeeklySite(kit, deliver_at='"07:00 local"')
    site.run_at(SLOT + opened_after)
    site.run_until(SLOT + timedelta(days=3))
    assert site.times() == expected


def test_a_send_that_opens_within_late_hours_mails_at_once_whose_time_has_passed(kit: SiteKit) -> None:
    """The slot is at 09:00 and the send opens at 11:00: 10:00 in London has passed, and is not postponed to the next day."""
    site = WeeklySite(kit, deliver_at='"10:00 local"')
    site.run_at(SLOT + timedelta(hours=2))
    site.run_until(SLOT + timedelta(days=3))
    assert site.times() == {"auckland": "Mon 23 21:00", "london": "Mon 23 11:00", "honolulu": "Mon 23 20:00"}


def test_local_times_of_an_issue_that_is_sent_before_its_slot_count_from_the_opening(any_kit: SiteKit) -> None:
    """``publish approve --now`` on Friday at noon."""
    site = WeeklySite(any_kit, time=ApprovalTime.NOW, deliver_at='"07:00 local"')
    site.run_until(SLOT)
    assert any_kit.newest_issue("weekly").slot == SLOT
    assert site.times() == {"auckland": "Fri 20 18:00", "london": "Sat 21 07:00", "honolulu": "Fri 20 17:00"}


@pytest.mark.parametrize("days_late", [1, 5])
def test_a_new_time_zone_counts_from_a_late_opening(kit: SiteKit, days_late: int) -> None:
    """In Honolulu, 07:00 after the slot has passed, and 07:00 after the opening has not."""
    site = WeeklySite(kit, deliver_at='"07:00 local"', catch_up_hours="200")
    opened_at = SLOT + timedelta(days=days_late, hours=11)
    site.run_at(opened_at)
    site.clock.advance(minutes=30)
    now = site.clock.now()
    add_subscriber(kit.site, "london@mail.example", now, digests=["weekly"], zone="Pacific/Honolulu")
    site.run_until(opened_at + timedelta(days=3))
    times = site.times()
    assert times["london"] == times["honolulu"] == f"{opened_at + timedelta(hours=21):%a %d %H:%M}"


@pytest.mark.postgresql
def test_retries_count_from_the_opening_and_not_from_the_slot(any_kit: SiteKit) -> None:
    """Sent by hand five days after its slot: a deferred delivery is tried for two days from then, and no longer."""
    site = WeeklySite(any_kit, delivery="retry_days = 2")
    site.clock.at = opened_at = SLOT + timedelta(days=5)
    transport = DeferringTransport(site.clock, defers=True)
    deliver(any_kit.site, "weekly", clock=site.clock.now, transport=transport)
    assert len(transport.sent) == 3
    # The site's own transport accepts: it is asked a day and a half later, and has nothing two days later.
    site.run_at(opened_at + timedelta(hours=36))
    assert set(site.times()) == set(ZONES)
    assert set(site.times().values()) == {f"{opened_at:%a %d %H:%M}"}


def test_a_deferred_delivery_is_given_up_when_the_retry_days_after_the_opening_are_over(kit: SiteKit) -> None:
    """A run after that sends nothing."""
    site = WeeklySite(kit, delivery="retry_days = 2")
    site.clock.at = opened_at = SLOT + timedelta(hours=20)
    deliver(kit.site, "weekly", clock=site.clock.now, transport=DeferringTransport(site.clock, defers=True))
    report = site.run_at(opened_at + timedelta(hours=48, seconds=1))
    assert report.sends == ()
    assert site.times() == {}
