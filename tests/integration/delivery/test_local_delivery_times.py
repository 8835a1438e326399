"""Local-time delivery: one message per subscriber, across clock changes and changes of the time zone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.cadence import Timetable, parse_cadence, slots_between
from publisher.delivery.automatic import next_send_time
from publisher.delivery.deliver import deliver
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource
from publisher.model.delivery import DeliveryState
from publisher.reports.outbox import list_issues
from publisher.runner.scheduled_run import run_due_slots
from publisher.subscribers import store
from publisher.subscriptions.manage import add_subscriber
from tests.conftest import MailKit, SiteKit
from tests.support.clocks import ManualClock
from tests.support.examples import examples
from tests.support.parsers import shared_parser

CADENCE = "0 18 * * *"
# The night before London's clocks go back; New York's go a week later.
START = datetime(2026, 10, 24, 12, tzinfo=UTC)


@dataclass
class Postbox:
    """A way out that takes everything, and remembers when."""

    clock: ManualClock
    got: list[tuple[str, datetime]] = field(default_factory=list)
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, feed: MessageSource, lane: int) -> None:
        while (copy := feed.take(wait=True)) is not None:
            if feed.hand_over(copy)():
                self.got.append((copy.recipient, self.clock.now()))
                feed.record_outcome(copy, Outcome(state=DeliveryState.ACCEPTED, answer="250 taken"))


class Morning:
    """A site whose issues are made at 18:00 in London and come at 07:00 wherever one is."""

    def __init__(self, kit: SiteKit, start: datetime = START, **options: str) -> None:
        self.kit = kit
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        text = (kit.root / "publisher.toml").read_text().replace('zone = "UTC"', 'zone = "Europe/London"')
        settings = f'send = "auto"\ncadence = "{CADENCE}"\ndeliver_at = "07:00 local"\n{lines}'
        kit.settings(text.replace('title = "The Daily"\n', f'title = "The Daily"\n{settings}'))
        kit.add_settings('\n[delivery]\ntransport = "maildir"\nconnections = 1\n')
        self.clock = ManualClock(start)
        self.box = Postbox(self.clock)
        self.turn()

    def reader(self, name: str, zone: str | None) -> None:
        add_subscriber(self.kit.site, f"{name}@mail.example", self.clock.now(), digests=["daily"], zone=zone)

    def turn(self) -> list[str]:
        with self.kit.open() as db:
            report = run_due_slots(self.kit.site, db, self.clock, always=True, parser_process=shared_parser())
        assert report is not None
        return [one.reason for one in report.warnings]

    def issue(self, name: str = "one") -> list[str]:
        # News: not dated long before it is read.
        self.kit.article(f"{name}.md", name.title(), date=f"{self.clock.at - timedelta(days=1):%Y-%m-%d}")
        at = next(slots_between(table("Europe/London", CADENCE), self.clock.at, self.clock.at + timedelta(days=2)))
        self.clock.at = at
        return self.turn()

    def send(self) -> None:
        for row in list_issues(self.kit.site):
            deliver(self.kit.site, f"{row.row.digest}/{row.row.name}", transport=self.box, clock=self.clock.now)

    def next(self) -> datetime | None:
        with self.kit.open() as db:
            return next_send_time(self.kit.site, db, self.clock.now())[0]

    def until(self, end: datetime) -> None:
        """Send whenever something is due."""
        while (due := self.next()) is not None and due <= end:
            self.clock.at = max(self.clock.at, due)
            self.send()
        self.clock.at = end

    @property
    def got(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, at in self.box.got:
            found.setdefault(name.partition("@")[0], []).append(f"{at:%d %H:%M}")
        return found


def table(zone: str, text: str) -> Timetable:
    return Timetable(cadences=(parse_cadence(text),), zone=ZoneInfo(zone))


def test_deliveries_are_due_at_the_same_local_time_in_every_zone(any_kit: SiteKit) -> None:
    """Clock changes on the way are respected."""
    room = Morning(any_kit)
    for name, zone in {"a": "Pacific/Auckland", "b": None, "c": "America/New_York", "d": "Asia/Kolkata"}.items():
        room.reader(name, zone)
    room.issue()
    assert room.clock.at == datetime(2026, 10, 24, 17, tzinfo=UTC)
    room.send()
    assert room.got == {}
    room.until(datetime(2026, 10, 25, 16, tzinfo=UTC))
    # Auckland's 07:00 is 18:00 UTC the day before; London's clocks have gone back by 07:00.
    assert room.got == {"a": ["24 18:00"], "b": ["25 07:00"], "c": ["25 11:00"], "d": ["25 01:30"]}
    room.issue("two")
    room.until(datetime(2026, 10, 26, 16, tzinfo=UTC))
    assert room.got["b"] == ["25 07:00", "26 07:00"]
    assert room.got["a"] == ["24 18:00", "25 18:00"]


def test_a_new_time_zone_reschedules_queued_deliveries(any_kit: SiteKit) -> None:
    """A delivery whose new local time has passed is sent at once."""
    room = Morning(any_kit)
    room.reader("west", "Europe/London")
    room.reader("east", "Europe/London")
    room.issue()
    room.clock.advance(hours=5)
    room.reader("west", "America/New_York")
    # In Auckland it is late in the morning: her copy comes at once.
    room.reader("east", "Pacific/Auckland")
    room.until(datetime(2026, 10, 25, 20, tzinfo=UTC))
    assert room.got == {"east": ["24 22:00"], "west": ["25 11:00"]}


def test_an_unknown_time_zone_counts_as_the_sites_with_a_warning(any_kit: SiteKit) -> None:
    """The warning names the zone and the number of its subscribers."""
    room = Morning(any_kit)
    room.reader("a", "Europe/Paris")
    with any_kit.open() as db, db.write() as connection:
        reader = store.find_by_key(connection, "a@mail.example")
        assert reader is not None
        store.update_subscribers(connection, [(reader.id, {"zone": "Europe/Atlantis"})])
    warnings = room.issue()
    assert warnings == [
        "unknown time zone 'Europe/Atlantis' of 1 subscriber(s): they get the issue by Europe/London time"
    ]
    room.until(datetime(2026, 10, 25, 20, tzinfo=UTC))
    assert room.got == {"a": ["25 07:00"]}


@pytest.mark.parametrize(("when_late", "got"), [('"send"', ["25 14:00"]), ('"drop"', None)])
def test_a_late_delivery_is_sent_or_dropped_by_the_setting(kit: SiteKit, when_late: str, got: list[str] | None) -> None:
    """``when_late`` decides about a first attempt after ``late_hours``."""
    room = Morning(kit, when_late=when_late, late_hours="6")
    room.reader("late", "Europe/London")
    room.reader("late-but-not-too-late", "America/New_York")
    room.issue()
    room.clock.at = datetime(2026, 10, 25, 14, tzinfo=UTC)
    room.send()
    assert room.got.get("late") == got
    assert room.got["late-but-not-too-late"] == ["25 14:00"]
    states = list_issues(kit.site)[0].states
    assert states.get(DeliveryState.SUPPRESSED, 0) == (0 if got else 1)
    room.send()
    assert len(room.box.got) == (2 if got else 1)


def test_publish_send_tells_when_the_next_delivery_is_due(mail_kit: MailKit) -> None:
    """Deliveries for later zones stay queued."""
    room = Morning(mail_kit)
    room.reader("a", "Asia/Tokyo")
    room.issue()
    sent = deliver(mail_kit.site, "daily", transport=room.box, clock=room.clock.now)
    assert (sent.waiting, sent.counts.accepted) == (1, 0)
    assert sent.next_due == datetime(2026, 10, 24, 22, tzinfo=UTC)


MOVES = st.tuples(
    st.integers(0, 3),
    st.integers(0, 60 * 24 * 4),
    st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
)


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zones=st.lists(st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})), min_size=4, max_size=4),
    moves=st.lists(MOVES, max_size=6),
    start=st.sampled_from([START, datetime(2027, 3, 26, 12, tzinfo=UTC), datetime(2026, 10, 31, 12, tzinfo=UTC)]),
)
def test_each_subscriber_gets_each_issue_once_while_time_zones_change(
    tmp_path_factory: pytest.TempPathFactory,
    zones: list[str],
    moves: list[tuple[int, int, str]],
    start: datetime,
) -> None:
    """Three evenings around a clock change; time zones change at any minute."""
    room = Morning(SiteKit(tmp_path_factory.mktemp("morning") / "site"), start)
    for number, zone in enumerate(zones):
        room.reader(f"r{number}", zone)
    events = sorted((start + timedelta(minutes=minutes), number, zone) for number, minutes, zone in moves)
    evenings = list(slots_between(table("Europe/London", CADENCE), start, start + timedelta(days=3)))
    for number, evening in enumerate(evenings):
        while events and events[0][0] < evening:
            at, reader, zone = events.pop(0)
            room.until(at)
            room.reader(f"r{reader}", zone)
        room.until(evening - timedelta(minutes=1))
        room.issue(f"issue-{number}")
        assert room.clock.at == evening
    for at, reader, zone in events:
        room.until(max(at, room.clock.at))
        room.reader(f"r{reader}", zone)
    room.until(room.clock.at + timedelta(days=3))
    assert Counter(name for name, _ in room.box.got) == {
        f"r{number}@mail.example": len(evenings) for number in range(4)
    }
    assert room.next() is None
