"""``publish status``: what is in the store, what is staged, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from publisher.actions.outbox import row_dict
from publisher.cadence import next_slot
from publisher.config import Site
from publisher.model import DeliveryState
from publisher.store import announcements, corrections, deliveries, issues, sources, subscribers
from publisher.store import articles as store
from publisher.store import feeds as table
from publisher.store.database import Database
from publisher.store.issues import IssueRow
from publisher.store.sources import Problem

__all__ = ["DigestStatus", "Status", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestStatus:
    """One newsletter."""

    slug: str
    title: str
    issues: int
    #: Articles that wait for the next issue.
    waiting: int
    #: The next slot of its cadence, on the newsroom's clock; None without a cadence.
    next: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a site."""

    articles: int
    #: Articles that were withdrawn.
    withdrawn: int
    files: int
    feeds: int
    feed_files: int
    #: Feeds that a run that was stopped has left to be staged.
    feeds_due: int
    #: Changed feeds that hubs are still to be told of.
    announcements: int
    digests: tuple[DigestStatus, ...]
    #: Newest first.
    issues: tuple[IssueRow, ...]
    refused: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    #: ``active`` and ``suppressed`` → how many readers.
    readers: dict[str, int]
    #: Issue → state → how many copies.
    copies: dict[int, dict[DeliveryState, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the status as ``publish status --json`` prints it."""
        return {
            "articles": self.articles,
            "withdrawn": self.withdrawn,
            "files": self.files,
            "feeds": {"count": self.feeds, "files": self.feed_files, "due": self.feeds_due},
            "announcements": self.announcements,
            "digests": [
                {
                    "slug": one.slug,
                    "title": one.title,
                    "issues": one.issues,
                    "waiting": one.waiting,
                    "next": one.next.isoformat() if one.next else None,
                }
                for one in self.digests
            ],
            "readers": self.readers,
            "issues": [
                {
                    **row_dict(one),
                    "copies": {state.value: self.copies.get(one.id, {}).get(state, 0) for state in DeliveryState},
                }
                for one in self.issues
            ],
            "refused": [{"where": one.where, "reason": one.reason} for one in self.refused],
            "warnings": [{"where": one.where, "reason": one.reason} for one in self.warnings],
        }


def status(site: Site, now: datetime) -> Status:
    """Return the state of a site at ``now``. Nothing is changed.

    Raises:
        StoreError: the database cannot be read, or there is none yet.
    """
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        rows = issues.issues(connection)
        digests = []
        for digest in site.all_digests():
            timetable = site.digests[digest.slug].timetable(site.tz)
            slot = next_slot(timetable, now) if timetable else None
            digests.append(
                DigestStatus(
                    slug=digest.slug,
                    title=digest.title,
                    issues=sum(row.digest == digest.slug for row in rows),
                    waiting=len(issues.pending_articles(connection, digest.slug, int(now.timestamp()))),
                    next=slot.astimezone(site.tz) if slot else None,
                )
            )
        return Status(
            articles=store.count(connection),
            withdrawn=len(corrections.retractions(connection)),
            files=sources.source_count(connection),
            feeds=len(table.feed_rows(connection)),
            feed_files=table.count_staged(connection, "feeds"),
            feeds_due=len(table.dirty_facets(connection)),
            announcements=announcements.waiting(connection),
            digests=tuple(digests),
            issues=tuple(rows),
            refused=tuple(sources.problems(connection, refused=True)),
            warnings=tuple(sources.problems(connection, refused=False)),
            readers=subscribers.counts(connection),
            copies=deliveries.state_counts(connection),
        )
