"""Store requests of feeds by day, and clicks on articles of issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from publisher.storage.bulk import insert_rows
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


_SAME_ROW: Final = (
    (feed_requests.c.day == bindparam("d"))
    & (feed_requests.c.feed == bindparam("f"))
    & (feed_requests.c.program == bindparam("p"))
)
_UPDATE: Final = (
    update(feed_requests)
    .where(_SAME_ROW)
    .values(subscribers=bindparam("s"), requests=bindparam("r"), unchanged=bindparam("u"))
)


def add_feed_requests(connection: Connection, rows: Sequence[FeedRequestRow]) -> None:
    """Add requests to the stored counts; keep the greatest subscriber count of a day."""
    query = select(feed_requests).where(feed_requests.c.day.in_({row.day for row in rows}))
    known = {(row.day, row.feed, row.program): row for row in connection.execute(query)}
    updated, new = [], []
    for row in rows:
        before = known.get((row.day, row.feed, row.program))
        if before is None:
            new.append(asdict(row))
            continue
        updated.append(
            {
                "d": row.day,
                "f": row.feed,
                "p": row.program,
                "s": max(before.subscribers, row.subscribers),
                "r": before.requests + row.requests,
                "u": before.unchanged + row.unchanged,
            }
        )
    insert_rows(connection, feed_requests, new)
    if updated:
        connection.execute(_UPDATE, updated)


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
    column = click.c.programs if is_program else click.c.people
    same_row = (click.c.issue_id == issue_id) & (click.c.article_seq == article_seq)
    if connection.execute(update(click).where(same_row).values({column: column + 1})).rowcount:
        return
    values = {"issue_id": issue_id, "article_seq": article_seq, "people": 0, "programs": 0, column.name: 1}
    connection.execute(insert(click).values(**values))


def clicks(connection: Connection) -> dict[int, tuple[int, int]]:
    """Return issue ID → clicks by people, and by programs."""
    query = select(click.c.issue_id, func.sum(click.c.people), func.sum(click.c.programs)).group_by(click.c.issue_id)
    return {number: (int(people), int(programs)) for number, people, programs in connection.execute(query)}
