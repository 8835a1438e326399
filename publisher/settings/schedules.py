"""The settings of when: cadences, the clock they are meant on, the calendar, what becomes of missed slots."""

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
from publisher.settings import checks
from publisher.settings.kinds import SettingsTable

__all__ = ["Cadences", "Days", "Schedule", "ScheduleSettings", "Zone", "format_timetable", "parse_timetable"]

#: From when on a slot is looked for where no start is said.
_LONG_AGO: Final = date(2000, 1, 1)
_UTC: Final = ZoneInfo("UTC")


def _cadences(value: object) -> object:
    """Take one cadence for a list of one; understand each."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not all(isinstance(one, str) for one in listed):
        raise ValueError('must be crontab text, as in "0 7 * * mon-fri" (07:00 on weekdays), or a list of such texts')
    for one in listed:
        parse_cadence(one)
    return tuple(dict.fromkeys(listed))


def _days(value: object) -> object:
    """Understand a day (a TOML date, or as text) or ``FIRST/LAST``."""
    if isinstance(value, datetime):
        value = str(value)
    if isinstance(value, date):
        return (value, value)
    try:
        first, slash, last = str(value).partition("/")
        found = (date.fromisoformat(first.strip()), date.fromisoformat((last if slash else first).strip()))
    except ValueError:
        raise ValueError('must be a day, as in 2026-12-25, or days, as in "2026-12-24/2027-01-02"') from None
    if found[1] < found[0]:
        raise ValueError(f"{value} runs backwards")
    return found


#: Crontab texts.
Cadences = Annotated[tuple[str, ...], BeforeValidator(_cadences)]
#: First and last of some days.
Days = Annotated[tuple[date, date], BeforeValidator(_days)]
#: A name of the tz database.
Zone = Annotated[str, AfterValidator(checks.zone)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Something that runs by a timetable."""

    #: ``feeds``, or ``digest:SLUG``.
    name: str
    timetable: Timetable
    #: The timetable as it is kept in the store.
    text: str
    catch_up: CatchUp
    at_most_late: timedelta

    @property
    def digest(self) -> str | None:
        """The newsletter of which it makes an issue; None where it makes none."""
        return self.name.partition(":")[2] or None


class ScheduleSettings(SettingsTable):
    """When something runs."""

    #: Crontab text, or a list of such texts.
    cadence: Cadences = ()
    #: The clock that it is meant on; the newsroom's by default.
    zone: Zone | None = None
    #: The first and the last day on which anything runs.
    starts: date | None = None
    ends: date | None = None
    #: Days, and spans of days, on which nothing runs.
    blackout: tuple[Days, ...] = ()
    #: What becomes of slots that were missed.
    catch_up: CatchUp = CatchUp.LATEST
    #: Hours after which a missed slot is left out.
    catch_up_hours: Annotated[int, Field(ge=1, le=24 * 31)] = 24

    @model_validator(mode="after")
    def _fires(self) -> ScheduleSettings:
        if self.starts and self.ends and self.ends < self.starts:
            raise ValueError(f"ends ({self.ends}) comes before starts ({self.starts}); as in starts = 2026-12-01")
        table = self.timetable(_UTC)
        if table is not None and (self.ends is not None or self.blackout):
            first = datetime.combine(self.starts or _LONG_AGO, time(), UTC) - timedelta(days=2)
            if next_slot(table, first) is None:
                raise ValueError(
                    f"cadence: {', '.join(self.cadence)} never comes between starts and ends, blackout left out"
                )
        return self

    def timetable(self, newsroom: ZoneInfo) -> Timetable | None:
        """Return when it runs; None for only when somebody asks."""
        if not self.cadence:
            return None
        return Timetable(
            cadences=tuple(parse_cadence(one) for one in self.cadence),
            zone=ZoneInfo(self.zone) if self.zone else newsroom,
            starts=self.starts,
            ends=self.ends,
            blackout=self.blackout,
        )


def format_timetable(table: Timetable) -> str:
    """Return a timetable as it is kept in the store."""
    said: Mapping[str, Any] = {
        "cadence": [one.text for one in table.cadences],
        "zone": table.zone.key,
        "starts": table.starts.isoformat() if table.starts else None,
        "ends": table.ends.isoformat() if table.ends else None,
        "blackout": [f"{first}/{last}" for first, last in table.blackout],
    }
    return json.dumps({key: value for key, value in said.items() if value}, sort_keys=True)


def parse_timetable(text: str) -> Timetable | None:
    """Return a timetable that was kept; None where this publisher cannot make sense of it any more."""
    try:
        return ScheduleSettings.model_validate(json.loads(text)).timetable(_UTC)
    except ValueError:
        return None
