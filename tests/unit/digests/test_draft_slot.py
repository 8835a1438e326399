"""The slot and the name of a digest's next issue."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from publisher.cadence import Timetable, parse_cadence
from publisher.digests.draft_slot import free_minute, issue_name, issue_number, slot_of_draft

LONDON = ZoneInfo("Europe/London")
MONDAYS = Timetable(cadences=(parse_cadence("0 7 * * mon"),), zone=ZoneInfo("UTC"))
ENDED = Timetable(cadences=(parse_cadence("0 7 * * mon"),), zone=ZoneInfo("UTC"), ends=date(2026, 11, 1))


def at(day: int, hour: int = 7, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "taken", "waiting", "expected"),
    [
        (at(20, 12), [], None, at(23)),
        (at(23), [], None, at(30)),
        (at(20, 12), [at(23)], None, at(30)),
        (at(20, 12), [at(30)], None, at(23)),
        (at(24), [], at(23), at(23)),
        (at(24), [at(23)], at(23), at(30)),
        (at(24), [at(23), at(30)], at(23), datetime(2026, 12, 7, 7, tzinfo=UTC)),
    ],
)
def test_a_draft_has_the_next_slot_without_an_issue(
    now: datetime, taken: list[datetime], waiting: datetime | None, expected: datetime
) -> None:
    """The newest missed slot stands while the draft waits for it, unless an issue has it."""
    assert slot_of_draft(MONDAYS, now, taken=taken, waiting=waiting) == expected


@pytest.mark.parametrize("timetable", [None, ENDED])
def test_a_digest_without_a_further_slot_has_none(timetable: Timetable | None) -> None:
    """Its issues have the date of their newest article; a slot that waits stands."""
    assert slot_of_draft(timetable, at(20), taken=[], waiting=None) is None
    assert slot_of_draft(timetable, at(20), taken=[], waiting=at(2)) == at(2)


def test_an_issue_without_a_cadence_has_the_first_free_minute() -> None:
    """Seconds are cut."""
    moment = at(20, 9, 59).replace(second=31, microsecond=5)
    assert free_minute(moment, []) == at(20, 9, 59)
    assert free_minute(moment, [at(20, 9, 59), at(20, 10)]) == at(20, 10, 1)


def test_an_issue_without_a_cadence_is_later_than_the_one_before_it() -> None:
    """Whatever the date of its articles."""
    assert free_minute(at(19), [at(20)], after=at(20)) == at(20, 7, 1)
    assert free_minute(at(19), [at(20), at(20, 7, 1)], after=at(20)) == at(20, 7, 2)
    assert free_minute(at(20), [at(20)], after=at(20).replace(second=30)) == at(20, 7, 1)
    assert free_minute(at(21), [at(20)], after=at(20)) == at(21)


def test_the_name_is_the_slot_in_the_zone_of_the_site() -> None:
    """The second of two equal times in autumn has its offset."""
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert issue_name(first, LONDON) == "2026-10-25T0130"
    assert issue_name(first.replace(hour=1), LONDON) == "2026-10-25T0130+0000"


def test_a_name_that_an_issue_has_gets_its_offset() -> None:
    """The zone of the site has changed since: the same local time is another slot."""
    slot = datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert issue_name(slot, LONDON, taken={"2026-11-23T0600"}) == "2026-11-23T0700"
    assert issue_name(slot, LONDON, taken={"2026-11-23T0700"}) == "2026-11-23T0700+0000"
    assert issue_name(slot, ZoneInfo("America/New_York"), taken={"2026-11-23T0200"}) == "2026-11-23T0200-0500"


@pytest.mark.parametrize(
    ("before", "after", "highest", "expected"),
    [
        (0, None, 0, 1),
        (7, None, 7, 8),
        (1, 3, 3, 2),
        (0, 2, 2, 1),
        (1, 2, 2, 3),
        (3, 2, 3, 4),
    ],
)
def test_a_number_is_used_again_only_where_numbers_stay_in_order(
    before: int, after: int | None, highest: int, expected: int
) -> None:
    """An issue between two others has the free number between theirs; any other one has the next number."""
    assert issue_number(before=before, after=after, highest=highest) == expected
