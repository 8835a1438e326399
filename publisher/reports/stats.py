"""``publish stats``: how many read feeds, and what became of each issue. Nobody is followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.delivery import DeliveryState
from publisher.reports import statistics_store as listening
from publisher.reports.statistics_store import FeedRequestRow
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.websub import hub_store as hub

__all__ = ["FeedRequestRow", "FeedStats", "IssueStats", "Stats", "load_stats", "record_feed_requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStats:
    """Who reads a feed."""

    #: Its file without suffix, relative to feeds/.
    feed: str
    #: Readers on the newest day that is over, or on the newest there is; program → how many.
    programs: dict[str, int]
    #: The day that this is of, ISO 8601.
    day: str
    #: Of all days together.
    requests: int
    unchanged: int
    #: Day → readers.
    days: dict[str, int]

    @property
    def subscribers(self) -> int:
        """How many readers it has."""
        return sum(self.programs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStats:
    """What became of an issue."""

    digest: str
    name: str
    number: int
    subject: str
    #: State → how many copies.
    deliveries: dict[DeliveryState, int]
    #: How often its articles were opened, by people and by programs; None where nobody counts.
    clicks: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """All of it."""

    days: int
    feeds: tuple[FeedStats, ...]
    issues: tuple[IssueStats, ...]
    #: Readers of newsletters by status.
    subscribers: dict[str, int]
    #: Programs that are told by the site's own hub.
    hub: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a program."""
        return {
            "days": self.days,
            "feeds": [
                {
                    "feed": one.feed,
                    "subscribers": one.subscribers,
                    "day": one.day,
                    "programs": one.programs,
                    "requests": one.requests,
                    "unchanged": one.unchanged,
                    "by_day": one.days,
                }
                for one in self.feeds
            ],
            "issues": [
                {
                    "digest": one.digest,
                    "name": one.name,
                    "number": one.number,
                    "subject": one.subject,
                    "deliveries": {state.value: count for state, count in one.deliveries.items()},
                    **({"clicks": one.clicks[0], "clicks_of_programs": one.clicks[1]} if one.clicks else {}),
                }
                for one in self.issues
            ],
            "subscribers": self.subscribers,
            "hub_subscriptions": self.hub,
        }


def record_feed_requests(db: Database, rows: Sequence[FeedRequestRow]) -> None:
    """Keep what was counted."""
    if rows:
        with db.write() as connection:
            listening.add_feed_requests(connection, rows)


def load_stats(site: Site, now: datetime, *, days: int) -> Stats:
    """Return the figures of so many days, today counted."""
    first = (now.astimezone(site.tz) - timedelta(days=days - 1)).date()
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        heard = listening.feed_requests_since(connection, first.isoformat())
        rows = issues.list_issues(connection, since=now - timedelta(days=days))
        opened = listening.clicks(connection) if site.web.clicks else {}
        made = tuple(
            IssueStats(
                digest=row.digest,
                name=row.name,
                number=row.number,
                subject=row.subject,
                deliveries=deliveries.state_counts(connection, row.id).get(row.id, {}),
                clicks=opened.get(row.id, (0, 0)) if site.web.clicks else None,
            )
            for row in rows
        )
        by_status = subscribers.count_by_status(connection)
        told = sum(hub.subscriptions_by_topic(connection, int(now.timestamp())).values())
    return Stats(
        days=days,
        feeds=_feeds(heard, now.astimezone(site.tz).date().isoformat()),
        issues=made,
        subscribers=by_status,
        hub=told,
    )


def _feeds(heard: Sequence[FeedRequestRow], today: str) -> tuple[FeedStats, ...]:
    by_feed: dict[str, list[FeedRequestRow]] = {}
    for one in heard:
        by_feed.setdefault(one.feed, []).append(one)
    found = []
    for feed, rows in by_feed.items():
        days: dict[str, int] = {}
        for one in rows:
            days[one.day] = days.get(one.day, 0) + one.subscribers
        # A day that is not over has not heard of everybody.
        day = max((one for one in days if one < today), default=max(days))
        found.append(
            FeedStats(
                feed=feed,
                programs={one.program: one.subscribers for one in rows if one.day == day},
                day=day,
                requests=sum(one.requests for one in rows),
                unchanged=sum(one.unchanged for one in rows),
                days=days,
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.subscribers, one.feed)))
