"""Crontab text → slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from publisher.cadence import localise, next_slot, parse_cadence

LONDON = ZoneInfo("Europe/London")


def slots(text: str, zone: str, start: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(start)
    found = []
    for _ in range(count):
        slot = next_slot(parse_cadence(text), ZoneInfo(zone), moment)
        assert slot is not None
        found.append(slot.isoformat(timespec="minutes").removesuffix("+00:00"))
        moment = slot
    return found


@pytest.mark.parametrize("text", ["0 7 * * 0", "0 7 * * 7", "0 7 * * sun", "0 7 * * SUN"])
def test_sunday_is_0_and_7_and_sun(text: str) -> None:
    assert slots(text, "UTC", "2026-11-23T00:00+00:00", 1) == ["2026-11-29T07:00"]


def test_monday_is_1() -> None:
    assert slots("0 7 * * 1", "UTC", "2026-11-24T00:00+00:00", 1) == ["2026-11-30T07:00"]


def test_day_of_month_or_day_of_week() -> None:
    assert slots("0 0 13 * fri", "UTC", "2026-11-01T00:00+00:00", 3) == [
        "2026-11-06T00:00",
        "2026-11-13T00:00",
        "2026-11-20T00:00",
    ]
    assert slots("0 0 1 * fri", "UTC", "2026-11-28T00:00+00:00", 2) == ["2026-12-01T00:00", "2026-12-04T00:00"]


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("mon-fri", "12345"),
        ("1-5", "12345"),
        ("5-7", "560"),
        ("fri-mon", "5601"),
        ("*/2", "0246"),
        ("1-5/2", "135"),
        ("mon,7", "01"),
    ],
)
def test_ranges_lists_and_steps_of_weekdays(field: str, days: str) -> None:
    found = slots(f"0 12 * * {field}", "UTC", "2026-11-21T13:00+00:00", 7)
    weekdays = {datetime.fromisoformat(slot).isoweekday() % 7 for slot in found}
    assert weekdays == {int(day) for day in days}


@pytest.mark.parametrize(
    "text", ["", "* * * *", "61 * * * *", "0 7 * * 8", "0 7 * * monday", "@never", "0 7 * * 1/0", "x * * * *"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_cadence(text)


def test_aliases() -> None:
    assert slots("@daily", "UTC", "2026-11-23T00:00+00:00", 1) == ["2026-11-24T00:00"]


def test_a_day_that_never_comes_has_no_slot() -> None:
    assert next_slot(parse_cadence("0 0 30 2 *"), LONDON, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_gap_fires_once_at_the_first_instant_after_it() -> None:
    # On 28 March 2027 London's clocks go from 01:00 to 02:00.
    assert slots("30 1 * * *", "Europe/London", "2027-03-27T12:00+00:00", 2) == ["2027-03-28T01:00", "2027-03-29T00:30"]


def test_a_repeated_hour_fires_once() -> None:
    # On 25 October 2026 London's clocks show 01:30 twice.
    assert slots("30 1 * * *", "Europe/London", "2026-10-24T12:00+00:00", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_from_within_the_repeated_hour_nothing_is_fired_again() -> None:
    assert slots("30 1 * * *", "Europe/London", "2026-10-25T01:10+00:00", 1) == ["2026-10-26T01:30"]


def test_daily_midnight_is_missed_in_no_zone() -> None:
    """APScheduler alone misses it in most zones in which clocks change at midnight."""
    cadence = parse_cadence("0 0 * * *")
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        if zone.utcoffset(datetime(2026, 1, 15)) == zone.utcoffset(datetime(2026, 7, 15)):
            continue
        moment = datetime(2026, 1, 1, tzinfo=zone).astimezone(UTC) - timedelta(seconds=1)
        days = []
        while (slot := next_slot(cadence, zone, moment)) and slot.astimezone(zone).year == 2026:
            days.append(slot.astimezone(zone).date())
            moment = slot
        assert len(days) == len(set(days)) == 365, name


def test_wall_times_are_localised() -> None:
    assert localise(datetime(2026, 7, 1, 7), LONDON) == datetime(2026, 7, 1, 6, tzinfo=UTC)
    # Lord Howe Island's clocks go forward by half an hour.
    assert localise(datetime(2026, 10, 4, 2, 15), ZoneInfo("Australia/Lord_Howe")) == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )
