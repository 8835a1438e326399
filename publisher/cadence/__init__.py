"""Crontab text, a zone and a calendar → slots: when something is to run. Pure: the time is passed in."""

from publisher.cadence.crontab import Cadence, parse_cadence
from publisher.cadence.morning import local_due, parse_local
from publisher.cadence.slots import Timetable, due_slots, next_slot, previous_slot, slots_between, to_local
from publisher.cadence.words import describe_cadence

__all__ = [
    "Cadence",
    "Timetable",
    "describe_cadence",
    "due_slots",
    "local_due",
    "next_slot",
    "parse_cadence",
    "parse_local",
    "previous_slot",
    "slots_between",
    "to_local",
]
