"""``publish stats``: figures about feeds, issues and clicks. No person is tracked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.reports import statistics_store as statistics
from publisher.reports.statistics_store import FeedRequestRow
from publisher.subscribers import store as subscribers
from publisher.websub import hub_store as hub


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStats(Result):
    """The subscribers of a feed."""

    #: The feed's file without suffix, relative to feeds/.
    feed: str
    subscribers: int
    #: Program → subscribers, of the newest complete day, or of today if there is no other.
    programs: dict[str, int]
    #: That day, ISO 8601.
    day: str
    #: Total of all days.
    requests: int
    #: How many of them were answered with status 304.
    unchanged: int
    #: Day → subscribers.
    days: dict[str, int] = field(metadata={"json": "by_day"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStats(Result):
    """The deliveries and clicks of an issue."""

    digest: str
    name: str
    number: int
    subject: str
    #: State → number of deliveries.
    deliveries: dict[DeliveryState, int]
    #: Clicks by people, and by programs; None if clicks are not counted.
    clicks: tuple[int, int] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON output."""
        fields = Result.as_dict(self)
        del fields["clicks"]
        clicks = {"clicks": self.clicks[0], "clicks_of_programs": self.clicks[1]} if self.clicks else {}
        return {**fields, **clicks}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(Result):
    """The figures of a site."""

    days: int
    feeds: tuple[FeedStats, ...]
    issues: tuple[IssueStats, ...]
    #: Status → number of subscribers.
    subscribers: dict[str, int]
    #: Number of subscriptions to the site's own hub.
    hub: int = field(metadata={"json": "hub_subscriptions"})


def record_feed_requests(context: Context, rows: Sequence[FeedRequestRow]) -> None:
    """Add requests of feed readers, as a web server has counted them, to the figures of the site."""
    if rows:
        with context.db.write() as connection:
            statistics.add_feed_requests(connection, rows)


def load_stats(context: Context, *, days: int) -> Stats:
    """Return the figures of the last ``days`` days, including today."""
    site, now = context.site, context.now
    first = (now - timedelta(days=days - 1)).date()
    with context.db.read() as connection:
        requests = statistics.feed_requests_since(connection, first.isoformat())
        rows = issues.list_issues(connection, since=now - timedelta(days=days))
        clicks = statistics.clicks(connection) if site.web.clicks else {}
        issue_stats = tuple(
            IssueStats(
                digest=row.digest,
                name=row.name,
                number=row.number,
                subject=row.subject,
                deliveries=deliveries.state_counts(connection, row.id).get(row.id, {}),
                clicks=clicks.get(row.id, (0, 0)) if site.web.clicks else None,
            )
            for row in rows
        )
        by_status = subscribers.count_by_status(connection)
        hub_subscriptions = sum(hub.subscriptions_by_topic(connection, context.seconds).values())
    return Stats(
        days=days,
        feeds=_feeds(requests, now.date().isoformat()),
        issues=issue_stats,
        subscribers=by_status,
        hub=hub_subscriptions,
    )


def _feeds(requests: Sequence[FeedRequestRow], today: str) -> tuple[FeedStats, ...]:
    by_feed: dict[str, list[FeedRequestRow]] = {}
    for row in requests:
        by_feed.setdefault(row.feed, []).append(row)
    feeds = []
    for feed, rows in by_feed.items():
        days: dict[str, int] = {}
        for row in rows:
            days[row.day] = days.get(row.day, 0) + row.subscribers
        # Today is not complete, so it counts only if there is no other day.
        day = max((earlier for earlier in days if earlier < today), default=max(days))
        programs = {row.program: row.subscribers for row in rows if row.day == day}
        feeds.append(
            FeedStats(
                feed=feed,
                subscribers=sum(programs.values()),
                programs=programs,
                day=day,
                requests=sum(row.requests for row in rows),
                unchanged=sum(row.unchanged for row in rows),
                days=days,
            )
        )
    return tuple(sorted(feeds, key=lambda feed: (-feed.subscribers, feed.feed)))
