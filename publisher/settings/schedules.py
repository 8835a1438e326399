"""Settings of schedules: cadences, zones, calendars, missed slots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from publisher.cadence import Timetable, next_slot, parse_cadence
from publisher.model.digests import CatchUp
from publisher.settings import validators
from publisher.settings.field_types import SettingsTable

#: Where the search for a slot starts without ``starts``.
_SEARCH_START: Final = date(2000, 1, 1)
_UTC: Final = ZoneInfo("UTC")


def _cadences(value: object) -> object:
    """Accept a cadence or a list of them; parse each."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(text, str) for text in listed):
        raise ValueError('must be crontab text, as in "0 7 * * mon-fri" (07:00 on weekdays), or a list of such texts')
    for text in listed:
        parse_cadence(text)
    return tuple(dict.fromkeys(listed))


def _days(value: object) -> object:
    """Accept a day (a TOML date or text) or ``FIRST/LAST``."""
    if isinstance(value, datetime):
        value = str(value)
    if isinstance(value, date):
        return (value, value)
    try:
        first, slash, last = str(value).partition("/")
        days = (date.fromisoformat(first.strip()), date.fromisoformat((last if slash else first).strip()))
    except ValueError:
        raise ValueError('must be a day, as in 2026-12-25, or days, as in "2026-12-24/2027-01-02"') from None
    if days[1] < days[0]:
        raise ValueError(f"{value} ends before it starts; write the first day first")
    return days


#: Crontab texts.
Cadences = Annotated[tuple[str, ...], BeforeValidator(_cadences)]
#: First and last day.
Days = Annotated[tuple[date, date], BeforeValidator(_days)]
#: A name of the tz database.
Zone = Annotated[str, AfterValidator(validators.zone)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A job with a timetable."""

    #: ``feeds``, or ``digest:SLUG``.
    name: str
    timetable: Timetable
    #: The timetable as stored in the database.
    text: str
    catch_up: CatchUp
    at_most_late: timedelta

    @property
    def digest(self) -> str | None:
        """The digest whose issues it makes; None for the feeds."""
        return self.name.partition(":")[2] or None


class ScheduleSettings(SettingsTable):
    """The schedule of a job."""

    #: Crontab text, or a list of such texts.
    cadence: Cadences = ()
    #: The time zone; the site's by default.
    zone: Zone | None = None
    #: First and last day of the schedule.
    starts: date | None = None
    ends: date | None = None
    #: Days without a run.
    blackout: tuple[Days, ...] = ()
    #: What to do with missed slots.
    catch_up: CatchUp = CatchUp.LATEST
    #: Hours after which a missed slot is skipped.
    catch_up_hours: Annotated[int, Field(ge=1, le=24 * 31)] = 24

    @model_validator(mode="after")
    def _check_has_slot(self) -> ScheduleSettings:
        if self.starts and self.ends and self.ends < self.starts:
            raise ValueError(f"ends ({self.ends}) comes before starts ({self.starts}); write the earlier day as starts")
        table = self.timetable(_UTC)
        if table is not None and (self.ends is not None or self.blackout):
            first = datetime.combine(self.starts or _SEARCH_START, time(), UTC) - timedelta(days=2)
            if next_slot(table, first) is None:
                raise ValueError(
                    f"cadence: {', '.join(self.cadence)} has no slot between starts and ends outside blackout; change one of them"
                )
        return self

    def timetable(self, default_zone: ZoneInfo) -> Timetable | None:
        """Return the timetable; None for a job that runs on request only."""
        if not self.cadence:
            return None
        return Timetable(
            cadences=tuple(parse_cadence(text) for text in self.cadence),
            zone=ZoneInfo(self.zone) if self.zone else default_zone,
            starts=self.starts,
            ends=self.ends,
            blackout=self.blackout,
        )


def format_timetable(table: Timetable) -> str:
    """Return a timetable as stored in the database."""
    values: Mapping[str, Any] = {
        "cadence": [cadence.text for cadence in table.cadences],
        "zone": table.zone.key,
        "starts": table.starts.isoformat() if table.starts else None,
        "ends": table.ends.isoformat() if table.ends else None,
        "blackout": [f"{first}/{last}" for first, last in table.blackout],
    }
    return json.dumps({key: value for key, value in values.items() if value}, sort_keys=True)


def parse_timetable(text: str) -> Timetable | None:
    """Return a stored timetable; None if this version cannot parse it."""
    try:
        return ScheduleSettings.model_validate(json.loads(text)).timetable(_UTC)
    except ValueError:
        return None
