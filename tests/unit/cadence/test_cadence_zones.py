"""Slots in every zone of the tz database, compared with the zones' offsets, croniter and plain APScheduler."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.cadence import Timetable, next_local_time, next_slot, parse_cadence, previous_slot, slots_between
from publisher.cadence.crontab import next_day, times_of_day
from tests.support.examples import examples

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


#: Changes of an hour and half an hour, at midnight and at night, north and south, two hours at once, in Ramadan, none.
SOME_ZONES = (
    "Africa/Casablanca", "America/Havana", "America/New_York", "America/Santiago", "Antarctica/Troll", "Asia/Beirut",
    "Asia/Gaza", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/London", "Pacific/Apia", "Pacific/Chatham",
)  # fmt: skip
#: Every test of zones runs with some by default, and with all in the slow run.
some_and_all = pytest.mark.parametrize(
    "names",
    [
        pytest.param(SOME_ZONES, id="some"),
        pytest.param(
            tuple(sorted(available_timezones() - {"localtime", "Factory"})),
            marks=pytest.mark.slow(reason="two years in every zone"),
            id="all",
        ),
    ],
)


@lru_cache(maxsize=2)
def zones(names: tuple[str, ...]) -> dict[ZoneInfo, list[tuple[datetime, timedelta, timedelta]]]:
    """Return for each zone its clock changes in two years: (when, offset before, offset after); of equal zones one."""
    found: dict[tuple[object, ...], ZoneInfo] = {}
    every = {}
    for name in names:
        zone = ZoneInfo(name)
        changes = list(_changes(zone))
        key = (START.astimezone(zone).utcoffset(), *changes)
        if key not in found:
            found[key] = zone
            every[zone] = changes
    return every


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    step, moment = timedelta(hours=12), START - timedelta(days=4)
    while moment < END + timedelta(days=4):
        before, after = moment.astimezone(zone).utcoffset(), (moment + step).astimezone(zone).utcoffset()
        if before != after:
            low, high = moment, moment + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
            yield high.replace(microsecond=0), before, after
        moment += step


def expected(
    wall: datetime, changes: list[tuple[datetime, timedelta, timedelta]], zone: ZoneInfo, *, hourly: bool
) -> set[datetime]:
    """Return the expected slots of a local time, computed without ``fold``."""
    near = [one for one in changes if abs(one[0].replace(tzinfo=None) - wall) < timedelta(days=2)]
    if not near:
        offset = datetime.combine(wall.date(), wall.time(), UTC).astimezone(zone).utcoffset()
        return {wall.replace(tzinfo=UTC) - offset}
    offsets = {offset for _, before, after in near for offset in (before, after)}
    shown = {
        moment
        for offset in offsets
        if (moment := wall.replace(tzinfo=UTC) - offset).astimezone(zone).replace(tzinfo=None) == wall
    }
    if shown:
        return shown if hourly else {min(shown)}
    for when, before, after in near:
        if when + before <= wall.replace(tzinfo=UTC) < when + after:
            return {wall.replace(tzinfo=UTC) - before} if hourly else {when}
    raise AssertionError((wall, zone))


DAILY = ("0 0 * * *", "30 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *", "30 23 * * *", "0 7 * * mon-fri")
CADENCES = (*DAILY, "0 0 * * mon", "15 2 L * *", "30 2 * * sun#2", "0,30 0-3 * * *", "0 */2 * * sat,sun")


@some_and_all
@pytest.mark.parametrize("text", CADENCES)
def test_two_years_of_slots_are_complete_and_unique_in_every_zone(text: str, names: tuple[str, ...]) -> None:
    """The expected slots are computed from the offsets of the zone."""
    cadence = parse_cadence(text)
    assert len(zones(names)) == len(SOME_ZONES) if names is SOME_ZONES else len(zones(names)) > 60
    for zone, changes in zones(names).items():
        table = Timetable(cadences=(cadence,), zone=zone)
        found = list(slots_between(table, START, END))
        assert all(one < other for one, other in pairwise(found)), zone
        wanted: set[datetime] = set()
        day = next_day(cadence, START.date() - timedelta(days=3))
        while day is not None and day < END.date() + timedelta(days=3):
            for one in times_of_day(cadence):
                wanted |= expected(datetime.combine(day, one), changes, zone, hourly=False)
            day = next_day(cadence, day + timedelta(days=1))
        assert found == sorted(slot for slot in wanted if START < slot <= END), zone


@some_and_all
@pytest.mark.parametrize("text", DAILY[:6])
def test_every_day_of_two_years_has_one_slot_in_every_zone(text: str, names: tuple[str, ...]) -> None:
    """A slot that is skipped at the end of a day runs at the start of the next one."""
    for zone in zones(names):
        table = Timetable(cadences=(parse_cadence(text),), zone=zone)
        first, last = datetime(2026, 1, 1, tzinfo=zone), datetime(2027, 12, 31, 23, 59, tzinfo=zone)
        days = [slot.astimezone(zone).date() for slot in slots_between(table, first - timedelta(seconds=1), last)]
        # 23:30 that is skipped is at midnight, and so on the next day.
        assert len(days) == 730, zone
        assert len(set(days)) >= 728, zone


@some_and_all
@pytest.mark.parametrize("text", ["0 * * * *", "*/20 * * * *", "45 * * * *"])
def test_hourly_cadences_follow_real_time_in_every_zone(text: str, names: tuple[str, ...]) -> None:
    """The time between two slots does not change with the clocks."""
    cadence = parse_cadence(text)
    for zone, changes in zones(names).items():
        table = Timetable(cadences=(cadence,), zone=zone)
        for when, before, after in changes:
            start, end = when - 30 * HOUR, when + 30 * HOUR
            found = list(slots_between(table, start, end))
            wanted: set[datetime] = set()
            for back in range(-4, 5):
                for one in times_of_day(cadence):
                    wall = datetime.combine((when + timedelta(days=back)).date(), one)
                    wanted |= expected(wall, changes, zone, hourly=True)
            assert found == sorted(slot for slot in wanted if start < slot <= end), zone
            if (after - before) % HOUR == timedelta(0):
                gaps = {other - one for one, other in pairwise(found)}
                assert gaps == {HOUR / len(cadence.minutes)}, (zone, when)


@some_and_all
def test_next_and_previous_slots_agree_with_the_whole_list(names: tuple[str, ...]) -> None:
    """Both are computed by separate searches."""
    for zone, changes in zones(names).items():
        for text in ("30 2 * * *", "*/30 * * * *"):
            table = Timetable(cadences=(parse_cadence(text),), zone=zone)
            for when, _, _ in changes[:1]:
                found = list(slots_between(table, when - 3 * HOUR, when + 30 * HOUR))
                for one, other in pairwise(found):
                    assert next_slot(table, one) == other, zone
                    assert previous_slot(table, other - timedelta(seconds=1)) == one, zone
                    assert previous_slot(table, other) == other, zone


@some_and_all
def test_plain_crontrigger_misses_and_repeats_slots(names: tuple[str, ...]) -> None:
    """The reason for this package: APScheduler, used as documented, gives other days."""
    assert f"{CronTrigger.from_crontab('0 7 * * 1', 'UTC').get_next_fire_time(None, START):%a}" == "Tue"
    missed, twice = set(), set()
    for zone, changes in zones(names).items():
        for text, wrong in (("0 0 * * *", missed), ("30 2 * * *", twice)):
            trigger = CronTrigger.from_crontab(text, zone)
            for when, _, _ in changes:
                first = when.astimezone(zone).date() - timedelta(days=2)
                moment = datetime.combine(first, time(), zone) - timedelta(seconds=1)
                days: list[date] = []
                while len(days) < 5:
                    moment = trigger.get_next_fire_time(None, moment + timedelta(seconds=1))
                    days.append(moment.date())
                if text == "0 0 * * *" and days != [first + timedelta(days=ahead) for ahead in range(5)]:
                    wrong.add(zone)
                if text == "30 2 * * *" and len(set(days)) < 5:
                    wrong.add(zone)
    assert missed
    assert twice


# -- against croniter ------------------------------------------------------------------------------


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # croniter takes 0-0 for every day of the week.
    spans = st.lists(number, min_size=2, max_size=2, unique=True).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.tuples(st.one_of(spans, st.just("*")), st.integers(1, 12)).map(lambda both: f"{both[0]}/{both[1]}")
    part = st.one_of(number.map(str), spans, steps)
    return st.one_of(st.just("*"), st.lists(part, min_size=1, max_size=3).map(",".join))


@settings(max_examples=examples(60))
@given(
    minute=_field(0, 59),
    hour=_field(0, 23),
    day=_field(1, 31),
    month=_field(1, 12),
    weekday=_field(0, 6),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
)
def test_slots_equal_those_of_croniter(
    minute: str, hour: str, day: str, month: str, weekday: str, after: datetime
) -> None:
    # A day that begins with a star restricts nothing to cron, and something to croniter.
    """Any five fields give the same slots in UTC."""
    if "*" in day + weekday and len({day, weekday} - {"*"}) == 2:
        weekday = "*"
    text = f"{minute} {hour} {day} {month} {weekday}"
    after = after.replace(microsecond=0)
    try:
        table = Timetable(cadences=(parse_cadence(text),), zone=ZoneInfo("UTC"))
    except ValueError as error:
        reason = str(error)
    else:
        reason = ""
    if reason:
        assert "never matches" in reason
        with pytest.raises(Exception, match=r"failed to find next date|Impossible|not acceptable"):
            croniter(text, after, max_years_between_matches=41).get_next(datetime)
        return
    theirs = croniter(text, after, max_years_between_matches=41)
    ours = islice(slots_between(table, after, after + timedelta(days=3660)), 4)
    assert [theirs.get_next(datetime) for _ in range(4)][: len(found := list(ours))] == found
    assert previous_slot(table, after) == croniter(
        text, after + timedelta(seconds=1), max_years_between_matches=41
    ).get_prev(datetime)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("0 9 L * *", "0 9 l * *"), ("0 9 * * fri#3", "0 9 * * fri#3"), ("0 9 * * friL", "0 9 * * l5")]
)
def test_last_and_nth_days_equal_those_of_croniter(ours: str, theirs: str) -> None:
    """The notation differs, the days do not."""
    table = Timetable(cadences=(parse_cadence(ours),), zone=ZoneInfo("UTC"))
    reckoned = croniter(theirs, START)
    found = list(islice(slots_between(table, START, END), 20))
    assert found == [reckoned.get_next(datetime) for _ in range(20)]


# -- local-time delivery -------------------------------------------------------------------------


@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
    at=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    slot=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
)
def test_a_local_delivery_time_is_the_first_one_after_the_slot(zone: str, at: time, slot: datetime) -> None:
    """It is the slot of a daily cadence in the subscriber's zone."""
    where = ZoneInfo(zone)
    due = next_local_time(slot, at, where)
    assert slot <= due <= slot + timedelta(hours=26)
    # It is the slot of a daily cadence in the subscriber's zone, through both clock changes.
    daily = Timetable(cadences=(parse_cadence(f"{at.minute} {at.hour} * * *"),), zone=where)
    assert due == next_slot(daily, slot - timedelta(microseconds=1))


def test_a_local_delivery_time_occurs_once_a_day() -> None:
    """Clock changes neither skip nor repeat it."""
    london = ZoneInfo("Europe/London")
    dues = [next_local_time(datetime(2027, 3, day, 18, tzinfo=UTC), time(1, 30), london) for day in (26, 27, 28)]
    assert [f"{due:%d %H:%M}" for due in dues] == ["27 01:30", "28 01:00", "29 00:30"]
