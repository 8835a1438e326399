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
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource
from publisher.model.delivery import DeliveryState
from publisher.subscribers import store
from tests.conftest import MailKit, SiteKit
from tests.support.clocks import ManualClock
from tests.support.examples import examples
from tests.support.use_cases import add_subscriber, context_of, deliver, list_issues, run_due_slots

CADENCE = "0 18 * * *"
# The night before London's clocks go back; New York's go a week later.
START = datetime(2026, 10, 24, 12, tzinfo=UTC)


@dataclass
class RecordingTransport:
    """A transport that accepts every message and records when."""

    clock: ManualClock
    sent: list[tuple[str, datetime]] = field(default_factory=list)
    is_idempotent: bool = False
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        while (message := source.take(wait=True)) is not None:
            if source.hand_over(message)():
                self.sent.append((message.recipient, self.clock.now()))
                source.record_outcome(message, Outcome(state=DeliveryState.ACCEPTED, answer="250 taken"))


class LocalTimeSite:
    """A site whose issues are made at 18:00 in London and are due at 07:00 local time."""

    def __init__(self, kit: SiteKit, start: datetime = START, **options: str) -> None:
        self.kit = kit
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        text = (kit.root / "publisher.toml").read_text().replace('zone = "UTC"', 'zone = "Europe/London"')
        settings = f'send = "auto"\ncadence = "{CADENCE}"\ndeliver_at = "07:00 local"\n{lines}'
        kit.settings(text.replace('title = "The Daily"\n', f'title = "The Daily"\n{settings}'))
        kit.add_settings('\n[delivery]\ntransport = "maildir"\nconnections = 1\n')
        self.clock = ManualClock(start)
        self.transport = RecordingTransport(self.clock)
        self.run_slots()

    def subscribe(self, name: str, zone: str | None) -> None:
        add_subscriber(self.kit.site, f"{name}@mail.example", self.clock.now(), digests=["daily"], zone=zone)

    def run_slots(self) -> list[str]:
        with self.kit.open() as db:
            report = run_due_slots(self.kit.site, db, self.clock, always=True)
        assert report is not None
        return [warning for opened in report.opened for warning in opened.warnings]

    def make_issue(self, name: str = "one") -> list[str]:
        # A recent article: older ones are no news.
        self.kit.article(f"{name}.md", name.title(), date=f"{self.clock.at - timedelta(days=1):%Y-%m-%d}")
        at = next(slots_between(table("Europe/London", CADENCE), self.clock.at, self.clock.at + timedelta(days=2)))
        self.clock.at = at
        return self.run_slots()

    def send(self) -> None:
        for row in list_issues(self.kit.site):
            deliver(self.kit.site, f"{row.row.digest}/{row.row.name}", transport=self.transport, clock=self.clock.now)

    def next_due(self) -> datetime | None:
        with self.kit.open() as db:
            return next_send_time(context_of(self.kit.site, db, self.clock.now()))[0]

    def run_until(self, end: datetime) -> None:
        """Send whenever a delivery is due."""
        while (due := self.next_due()) is not None and due <= end:
            self.clock.at = max(self.clock.at, due)
            self.send()
        self.clock.at = end

    @property
    def times(self) -> dict[str, list[str]]:
        times: dict[str, list[str]] = {}
        for name, at in self.transport.sent:
            times.setdefault(name.partition("@")[0], []).append(f"{at:%d %H:%M}")
        return times


def table(zone: str, text: str) -> Timetable:
    return Timetable(cadences=(parse_cadence(text),), zone=ZoneInfo(zone))


def test_deliveries_are_due_at_the_same_local_time_in_every_zone(any_kit: SiteKit) -> None:
    """Clock changes on the way are respected."""
    site = LocalTimeSite(any_kit)
    for name, zone in {"a": "Pacific/Auckland", "b": None, "c": "America/New_York", "d": "Asia/Kolkata"}.items():
        site.subscribe(name, zone)
    site.make_issue()
    assert site.clock.at == datetime(2026, 10, 24, 17, tzinfo=UTC)
    site.send()
    assert site.times == {}
    site.run_until(datetime(2026, 10, 25, 16, tzinfo=UTC))
    # Auckland's 07:00 is 18:00 UTC the day before; London's clocks have gone back by 07:00.
    assert site.times == {"a": ["24 18:00"], "b": ["25 07:00"], "c": ["25 11:00"], "d": ["25 01:30"]}
    site.make_issue("two")
    site.run_until(datetime(2026, 10, 26, 16, tzinfo=UTC))
    assert site.times["b"] == ["25 07:00", "26 07:00"]
    assert site.times["a"] == ["24 18:00", "25 18:00"]


@pytest.mark.postgresql
def test_a_new_time_zone_reschedules_queued_deliveries(any_kit: SiteKit) -> None:
    """A delivery whose new local time has passed is sent at once."""
    site = LocalTimeSite(any_kit)
    site.subscribe("west", "Europe/London")
    site.subscribe("east", "Europe/London")
    site.make_issue()
    site.clock.advance(hours=5)
    site.subscribe("west", "America/New_York")
    # In Auckland 07:00 has passed: this delivery is due at once.
    site.subscribe("east", "Pacific/Auckland")
    site.run_until(datetime(2026, 10, 25, 20, tzinfo=UTC))
    assert site.times == {"east": ["24 22:00"], "west": ["25 11:00"]}


def test_an_unknown_time_zone_counts_as_the_sites_with_a_warning(any_kit: SiteKit) -> None:
    """The warning names the zone and the number of its subscribers."""
    site = LocalTimeSite(any_kit)
    site.subscribe("a", "Europe/Paris")
    with any_kit.open() as db, db.write() as connection:
        subscriber = store.find_by_key(connection, "a@mail.example")
        assert subscriber is not None
        store.update_subscribers(connection, [(subscriber.id, {"zone": "Europe/Atlantis"})])
    warnings = site.make_issue()
    assert warnings == ["unknown time zone 'Europe/Atlantis' of 1 subscriber: they get the issue by Europe/London time"]
    site.run_until(datetime(2026, 10, 25, 20, tzinfo=UTC))
    assert site.times == {"a": ["25 07:00"]}


@pytest.mark.parametrize(("when_late", "got"), [('"send"', ["25 14:00"]), ('"drop"', None)])
def test_a_late_delivery_is_sent_or_dropped_by_the_setting(kit: SiteKit, when_late: str, got: list[str] | None) -> None:
    """``when_late`` decides about a first attempt after ``late_hours``."""
    site = LocalTimeSite(kit, when_late=when_late, late_hours="6")
    site.subscribe("late", "Europe/London")
    site.subscribe("late-but-not-too-late", "America/New_York")
    site.make_issue()
    site.clock.at = datetime(2026, 10, 25, 14, tzinfo=UTC)
    site.send()
    assert site.times.get("late") == got
    assert site.times["late-but-not-too-late"] == ["25 14:00"]
    states = list_issues(kit.site)[0].states
    assert states.get(DeliveryState.SUPPRESSED, 0) == (0 if got else 1)
    site.send()
    assert len(site.transport.sent) == (2 if got else 1)


def test_publish_send_tells_when_the_next_delivery_is_due(mail_kit: MailKit) -> None:
    """Deliveries for later zones stay queued."""
    site = LocalTimeSite(mail_kit)
    site.subscribe("a", "Asia/Tokyo")
    site.make_issue()
    sent = deliver(mail_kit.site, "daily", transport=site.transport, clock=site.clock.now)
    assert (sent.waiting, sent.counts.accepted) == (1, 0)
    assert sent.next_due == datetime(2026, 10, 24, 22, tzinfo=UTC)


ZONE_CHANGES = st.tuples(
    st.integers(0, 3),
    st.integers(0, 60 * 24 * 4),
    st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
)


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zones=st.lists(st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})), min_size=4, max_size=4),
    changes=st.lists(ZONE_CHANGES, max_size=6),
    start=st.sampled_from([START, datetime(2027, 3, 26, 12, tzinfo=UTC), datetime(2026, 10, 31, 12, tzinfo=UTC)]),
)
def test_each_subscriber_gets_each_issue_once_while_time_zones_change(
    tmp_path_factory: pytest.TempPathFactory,
    zones: list[str],
    changes: list[tuple[int, int, str]],
    start: datetime,
) -> None:
    """Three evenings around a clock change; time zones change at any minute."""
    site = LocalTimeSite(SiteKit(tmp_path_factory.mktemp("morning") / "site"), start)
    for number, zone in enumerate(zones):
        site.subscribe(f"r{number}", zone)
    events = sorted((start + timedelta(minutes=minutes), number, zone) for number, minutes, zone in changes)
    evenings = list(slots_between(table("Europe/London", CADENCE), start, start + timedelta(days=3)))
    for number, evening in enumerate(evenings):
        while events and events[0][0] < evening:
            at, subscriber, zone = events.pop(0)
            site.run_until(at)
            site.subscribe(f"r{subscriber}", zone)
        site.run_until(evening - timedelta(minutes=1))
        site.make_issue(f"issue-{number}")
        assert site.clock.at == evening
    for at, subscriber, zone in events:
        site.run_until(max(at, site.clock.at))
        site.subscribe(f"r{subscriber}", zone)
    site.run_until(site.clock.at + timedelta(days=3))
    assert Counter(name for name, _ in site.transport.sent) == {
        f"r{number}@mail.example": len(evenings) for number in range(4)
    }
    assert site.next_due() is None
