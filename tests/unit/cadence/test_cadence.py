"""Crontab text, its days and times, and slots in a time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.cadence import (
    Timetable,
    describe_cadence,
    due_slots,
    next_slot,
    parse_cadence,
    previous_slot,
    slots_between,
    to_local,
)
from publisher.model.digests import CatchUp

LONDON = ZoneInfo("Europe/London")


def timetable(*texts: str, zone: str = "UTC", **calendar: Any) -> Timetable:
    return Timetable(cadences=tuple(parse_cadence(text) for text in texts), zone=ZoneInfo(zone), **calendar)


def slots(text: str, zone: str, start: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(start)
    found = []
    for _ in range(count):
        slot = next_slot(timetable(text, zone=zone), moment)
        assert slot is not None
        found.append(slot.isoformat(timespec="minutes").removesuffix("+00:00"))
        moment = slot
    return found


@pytest.mark.parametrize("text", ["0 7 * * 0", "0 7 * * 7", "0 7 * * sun", "0 7 * * SUN"])
def test_sunday_is_0_and_7_and_sun(text: str) -> None:
    """All spellings of crontab are accepted."""
    assert slots(text, "UTC", "2026-11-23T00:00+00:00", 1) == ["2026-11-29T07:00"]


def test_monday_is_1() -> None:
    """APScheduler counts Monday as 0."""
    assert slots("0 7 * * 1", "UTC", "2026-11-24T00:00+00:00", 1) == ["2026-11-30T07:00"]


def test_a_day_matches_the_day_of_month_or_the_day_of_week() -> None:
    """If both fields are restricted, one match is enough."""
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
def test_ranges_lists_and_steps_of_weekdays_are_supported(field: str, days: str) -> None:
    """A range may wrap around the end of the week."""
    found = slots(f"0 12 * * {field}", "UTC", "2026-11-21T13:00+00:00", 7)
    weekdays = {datetime.fromisoformat(slot).isoweekday() % 7 for slot in found}
    assert weekdays == {int(day) for day in days}


@pytest.mark.parametrize(
    "text", ["", "* * * *", "61 * * * *", "0 7 * * 8", "0 7 * * monday", "@never", "0 7 * * 1/0", "x * * * *"]
)
def test_invalid_crontab_text_is_rejected(text: str) -> None:
    """Wrong numbers of fields, values out of range and unknown names."""
    with pytest.raises(ValueError, match="write it as in"):
        parse_cadence(text)


def test_aliases_are_supported() -> None:
    """``@daily`` means midnight."""
    assert slots("@daily", "UTC", "2026-11-23T00:00+00:00", 1) == ["2026-11-24T00:00"]


@pytest.mark.parametrize(
    "text",
    ["0 0 30 2 *", "0 7 31 4,6 *", "0 0 */31 * fri#2", "* * * * * *", "@every 1s", "0 7 * * fri#6", "5-1 * * * *"],
)
def test_dates_that_never_occur_are_rejected_with_an_example(text: str) -> None:
    """So are seconds and ranges that run backwards."""
    with pytest.raises(ValueError, match=re.escape('"0 7 * * mon-fri"')):
        parse_cadence(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 7 * * mon-fri", "weekdays at 07:00"),
        ("*/15 * * * *", "every 15 minutes"),
        ("@hourly", "every hour"),
        ("15,45 * * * *", "every hour at 15 and 45 past"),
        ("* * * * *", "every minute"),
        ("@daily", "every day at 00:00"),
        ("@yearly", "the 1st of the month in January at 00:00"),
        ("30 */2 * * *", "every 2 hours at 30 past"),
        ("0 8-18 * * mon-fri", "hourly from 08:00 to 18:00, weekdays"),
        ("*/10 6-9,12 * * sat,sun", "every 10 minutes of the hours 06 to 09 and 12, weekends"),
        ("* 3 * * *", "every minute of the hours 03"),
        ("1,2,5 1,3,4 * * *", "every day at 01, 02 and 05 past of the hours 01, 03 and 04"),
        ("7 1,3,4,9,10,11,20 * * *", "every day at 01:07, 03:07, 04:07, 09:07, 10:07, 11:07 and 20:07"),
        ("5 4 * * sun", "every Sunday at 04:05"),
        ("0 7 * * mon,thu", "Mondays and Thursdays at 07:00"),
        ("0 7 * * 0-6", "every day at 07:00"),
        ("0 7 1-7,15,L jan,jul *", "the 1st to 7th, 15th and last day of the month in January and July at 07:00"),
        ("0 7 2,3,11,22 * *", "the 2nd, 3rd, 11th and 22nd of the month at 07:00"),
        ("0 9 * * fri#2", "the second Friday of the month at 09:00"),
        ("0 9 * * mon,friL", "every Monday and the last Friday of the month at 09:00"),
        ("0 0 13 * fri", "the 13th of the month, and every Friday at 00:00"),
        ("0 0 */15 * fri", "the 1st, 16th and 31st of the month if it is every Friday at 00:00"),
        ("0 7 * dec *", "every day in December at 07:00"),
    ],
)
def test_a_cadence_is_described_in_words(text: str, words: str) -> None:
    """The description names days and times."""
    assert describe_cadence(parse_cadence(text)) == words


def test_the_last_day_and_the_nth_weekday_are_supported() -> None:
    """``L``, ``fri#2`` and ``5L`` are common extensions."""
    assert slots("0 9 L * *", "UTC", "2027-01-31T09:00+00:00", 2) == ["2027-02-28T09:00", "2027-03-31T09:00"]
    assert slots("0 9 * * fri#2", "UTC", "2026-11-20T00:00+00:00", 2) == ["2026-12-11T09:00", "2027-01-08T09:00"]
    assert slots("0 9 * * 5L", "UTC", "2026-11-20T00:00+00:00", 2) == ["2026-11-27T09:00", "2026-12-25T09:00"]
    assert slots("0 9 15 * mon#1", "UTC", "2026-11-20T00:00+00:00", 3) == [
        "2026-12-07T09:00",
        "2026-12-15T09:00",
        "2027-01-04T09:00",
    ]


def test_a_field_that_begins_with_a_star_requires_both_days() -> None:
    """crontab(5): such a day of the month must be a Friday too."""
    assert slots("0 0 */2 * fri", "UTC", "2026-11-01T00:00+00:00", 2) == ["2026-11-13T00:00", "2026-11-27T00:00"]
    assert slots("0 0 13 * */5", "UTC", "2026-11-01T00:00+00:00", 1) == ["2026-11-13T00:00"]


def test_several_cadences_form_one_timetable() -> None:
    """A time in two cadences is one slot."""
    table = timetable("0 7 * * mon-fri", "0 9 * * sat", "0 7 * * mon")
    found = list(slots_between(table, datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 30, 7, tzinfo=UTC)))
    assert [f"{slot:%a %H}" for slot in found] == ["Fri 07", "Sat 09", "Mon 07"]


def test_excluded_days_have_no_slots() -> None:
    """Neither have days before the start and after the end."""
    table = timetable(
        "0 7 * * *",
        zone="Europe/London",
        starts=date(2026, 12, 23),
        ends=date(2027, 1, 4),
        blackout=((date(2026, 12, 25), date(2026, 12, 25)), (date(2026, 12, 31), date(2027, 1, 2))),
    )
    found = slots_between(table, datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    assert [slot.day for slot in found] == [23, 24, 26, 27, 28, 29, 30, 3, 4]
    assert next_slot(table, datetime(2027, 1, 4, 7, tzinfo=UTC)) is None
    assert previous_slot(table, datetime(2026, 12, 23, tzinfo=UTC)) is None
    assert previous_slot(table, datetime(2026, 12, 26, 6, tzinfo=UTC)) == datetime(2026, 12, 24, 7, tzinfo=UTC)


def test_the_previous_slot_of_a_rare_date_is_found() -> None:
    """The search goes back for decades."""
    at = datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert previous_slot(timetable("0 7 * * *"), at) == at
    assert previous_slot(timetable("0 7 * * *"), at - timedelta(seconds=1)) == at - timedelta(days=1)
    assert previous_slot(timetable("0 7 29 2 *"), at) == datetime(2024, 2, 29, 7, tzinfo=UTC)
    assert previous_slot(timetable("0 7 29 2 */7"), at) == datetime(2004, 2, 29, 7, tzinfo=UTC)


DOWN = datetime(2026, 11, 23, 8, tzinfo=UTC)
UP = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("catch_up", "hours", "days"),
    [
        (CatchUp.LATEST, 24, [26]),
        (CatchUp.LATEST, 1, []),
        (CatchUp.ALL, 24, [26]),
        (CatchUp.ALL, 100, [24, 25, 26]),
        (CatchUp.NONE, 100, []),
    ],
)
def test_missed_slots_are_due_by_the_catch_up_policy(catch_up: CatchUp, hours: int, days: list[int]) -> None:
    """Slots that are later than allowed are left out."""
    found = due_slots(timetable("30 7 * * *"), DOWN, UP, catch_up=catch_up, at_most_late=timedelta(hours=hours))
    assert [slot.day for slot in found] == days


def test_a_slot_within_the_tolerance_was_not_missed() -> None:
    """A cron job may call the program every 15 minutes only."""
    soon = datetime(2026, 11, 26, 7, 39, tzinfo=UTC)
    late = timedelta(hours=24)
    found = due_slots(timetable("30 7 * * *"), DOWN, soon, catch_up=CatchUp.NONE, at_most_late=late)
    assert [slot.day for slot in found] == [26]


def test_hourly_cadences_follow_real_time() -> None:
    # London, 28 March 2027: 00:30, then 02:30, an hour later.
    """A repeated hour runs twice, a skipped hour not at all."""
    assert slots("30 * * * *", "Europe/London", "2027-03-28T00:00+00:00", 2) == ["2027-03-28T00:30", "2027-03-28T01:30"]
    # 25 October 2026: 01:30, 01:30 again, 02:30.
    assert slots("30 * * * *", "Europe/London", "2026-10-25T00:00+00:00", 3) == [
        "2026-10-25T00:30",
        "2026-10-25T01:30",
        "2026-10-25T02:30",
    ]
    # Lord Howe Island, from 02:00 to 02:30: no gap is longer than an hour.
    assert slots("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:00+00:00", 3) == [
        "2026-10-03T14:30",
        "2026-10-03T15:30",
        "2026-10-03T16:00",
    ]


def test_the_slot_of_a_skipped_day_is_the_first_instant_after_it() -> None:
    # Samoa had no 30 December 2011.
    """Samoa skipped a day when it changed its zone."""
    assert slots("0 7 30 12 *", "Pacific/Apia", "2011-12-01T00:00+00:00", 1) == ["2011-12-30T10:00"]
    assert slots("0 7 * * *", "Pacific/Apia", "2011-12-29T00:00+00:00", 3) == [
        "2011-12-29T17:00",
        "2011-12-30T10:00",
        "2011-12-30T17:00",
    ]


def test_a_skipped_time_runs_once_right_after_the_gap() -> None:
    # On 28 March 2027 London's clocks go from 01:00 to 02:00.
    """Clocks are put forward."""
    assert slots("30 1 * * *", "Europe/London", "2027-03-27T12:00+00:00", 2) == ["2027-03-28T01:00", "2027-03-29T00:30"]


def test_a_repeated_time_runs_once() -> None:
    # On 25 October 2026 London's clocks show 01:30 twice.
    """Clocks are set back."""
    assert slots("30 1 * * *", "Europe/London", "2026-10-24T12:00+00:00", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_nothing_runs_again_within_a_repeated_hour() -> None:
    """The first occurrence has run already."""
    assert slots("30 1 * * *", "Europe/London", "2026-10-25T01:10+00:00", 1) == ["2026-10-26T01:30"]


def test_local_times_become_instants() -> None:
    """A skipped time becomes the first instant after the gap."""
    assert to_local(datetime(2026, 7, 1, 7), LONDON) == datetime(2026, 7, 1, 6, tzinfo=UTC)
    # Lord Howe Island's clocks go forward by half an hour.
    assert to_local(datetime(2026, 10, 4, 2, 15), ZoneInfo("Australia/Lord_Howe")) == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )
