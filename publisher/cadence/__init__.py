"""Compute slots, the times at which a schedule runs, from crontab text, a time zone and a calendar.

Pure: it never reads the clock, and never stores or runs anything.
"""

from publisher.cadence.crontab import Cadence, parse_cadence
from publisher.cadence.description import describe_cadence
from publisher.cadence.local_time import find_zone, next_local_time, parse_local_time
from publisher.cadence.slots import Timetable, due_slots, next_slot, previous_slot, slots_between, to_local

__all__ = [
    "Cadence",
    "Timetable",
    "describe_cadence",
    "due_slots",
    "find_zone",
    "next_local_time",
    "next_slot",
    "parse_cadence",
    "parse_local_time",
    "previous_slot",
    "slots_between",
    "to_local",
]
