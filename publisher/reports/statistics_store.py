"""Store requests of feeds by day, and clicks on articles of issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

from sqlalchemy import Connection, delete, func, select, text

from publisher.storage.bulk import execute_rows
from publisher.storage.tables.reports import click, feed_requests


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRequestRow:
    """The requests of one program for one feed on one day."""

    #: ISO 8601 date in the site's zone.
    day: str
    #: The feed's file without suffix, relative to feeds/.
    feed: str
    #: The name of a program that fetches for many subscribers, or ``direct`` for all others.
    program: str
    subscribers: int
    requests: int
    #: Responses with status 304.
    unchanged: int


#: SQLAlchemy's own form imports the modules of both databases.
_ADD_REQUESTS: Final = text(
    "INSERT INTO feed_requests (day, feed, program, subscribers, requests, unchanged) "
    "VALUES (:day, :feed, :program, :subscribers, :requests, :unchanged) "
    "ON CONFLICT (day, feed, program) DO UPDATE SET requests = feed_requests.requests + excluded.requests, "
    "unchanged = feed_requests.unchanged + excluded.unchanged, subscribers = CASE "
    "WHEN excluded.subscribers > feed_requests.subscribers THEN excluded.subscribers ELSE feed_requests.subscribers END"
)
_ADD_CLICK: Final = text(
    "INSERT INTO click (issue_id, article_seq, people, programs) VALUES (:issue_id, :article_seq, :people, :programs) "
    "ON CONFLICT (issue_id, article_seq) DO UPDATE SET people = click.people + excluded.people, "
    "programs = click.programs + excluded.programs"
)


def add_feed_requests(connection: Connection, rows: Sequence[FeedRequestRow]) -> None:
    """Add requests to the stored counts; keep the greatest subscriber count of a day."""
    names = tuple(field.name for field in fields(FeedRequestRow))
    # In one order, or two servers would wait for each other.
    execute_rows(connection, _ADD_REQUESTS, names, sorted(map(astuple, rows)))


def delete_feed_requests_before(connection: Connection, day: str) -> int:
    """Delete the counts of days before ``day``; return the number of deleted rows."""
    return connection.execute(delete(feed_requests).where(feed_requests.c.day < day)).rowcount


def feed_requests_since(connection: Connection, day: str) -> list[FeedRequestRow]:
    """Return the counts since ``day``, by day, feed and program."""
    query = select(feed_requests).where(feed_requests.c.day >= day)
    rows = connection.execute(
        query.order_by(feed_requests.c.day, feed_requests.c.feed, feed_requests.c.program)
    ).mappings()
    return [FeedRequestRow(**row) for row in rows]


def add_click(connection: Connection, issue_id: int, article_seq: int, *, is_program: bool) -> None:
    """Count a click on an article of an issue."""
    counts = {"people": int(not is_program), "programs": int(is_program)}
    connection.execute(_ADD_CLICK, {"issue_id": issue_id, "article_seq": article_seq, **counts})


def clicks(connection: Connection) -> dict[int, tuple[int, int]]:
    """Return issue ID → clicks by people, and by programs."""
    query = select(click.c.issue_id, func.sum(click.c.people), func.sum(click.c.programs)).group_by(click.c.issue_id)
    return {number: (int(people), int(programs)) for number, people, programs in connection.execute(query)}
