"""The feeds of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.websub.notify import send_notifications

__all__ = ["Feeds"]


class Feeds(Subject):
    """The feeds of a site."""

    notify_hubs = use_case(send_notifications)
