"""Crontab text, a zone and a calendar → slots: when something is to run. Pure: the time is passed in."""

from publisher.cadence.crontab import Cadence, parse_cadence
from publisher.cadence.morning import local_due, parse_local
from publisher.cadence.slots import Timetable, due_slots, localise, next_slot, previous_slot, slots_between
from publisher.cadence.words import in_words

__all__ = [
    "Cadence",
    "Timetable",
    "due_slots",
    "in_words",
    "local_due",
    "localise",
    "next_slot",
    "parse_cadence",
    "parse_local",
    "previous_slot",
    "slots_between",
]
