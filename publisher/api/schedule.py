"""The schedules of a site and their next slots."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.reports.upcoming import describe_schedules, digests_without_cadence, upcoming_runs


class Schedule(Subject):
    """The schedules of a site and their next slots."""

    descriptions = use_case(describe_schedules)
    digests_without_cadence = use_case(digests_without_cadence)
    upcoming = use_case(upcoming_runs)
