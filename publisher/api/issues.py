"""The issues of a site and their deliveries."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.reports.trace import delivery_history

__all__ = ["Issues"]


class Issues(Subject):
    """The issues of a site and their deliveries."""

    trace = use_case(delivery_history)
