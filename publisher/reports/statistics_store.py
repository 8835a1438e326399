"""Who listened to feeds on each day, and how often articles were opened from issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from publisher.storage.bulk import insert_rows
from publisher.storage.tables.reports import click, feed_requests

__all__ = [
    "FeedRequestRow",
    "add_click",
    "add_feed_requests",
    "clicks",
    "delete_feed_requests_before",
    "feed_requests_since",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRequestRow:
    """One program's requests for one feed on a day."""

    #: ISO 8601, of the newsroom's clock.
    day: str
    #: The feed's file without its suffix, relative to feeds/.
    feed: str
    #: The program that asks for many readers, or ``direct`` for all those that ask for one.
    program: str
    subscribers: int
    requests: int
    #: Requests that were answered with "not modified".
    unchanged: int


_MINE: Final = (
    (feed_requests.c.day == bindparam("d"))
    & (feed_requests.c.feed == bindparam("f"))
    & (feed_requests.c.program == bindparam("p"))
)
_MORE: Final = (
    update(feed_requests)
    .where(_MINE)
    .values(subscribers=bindparam("s"), requests=bindparam("r"), unchanged=bindparam("u"))
)


def add_feed_requests(connection: Connection, rows: Sequence[FeedRequestRow]) -> None:
    """Add requests to their days; of numbers of readers the greatest counts, however often it was told."""
    query = select(feed_requests).where(feed_requests.c.day.in_({one.day for one in rows}))
    known = {(row.day, row.feed, row.program): row for row in connection.execute(query)}
    more, fresh = [], []
    for one in rows:
        before = known.get((one.day, one.feed, one.program))
        if before is None:
            fresh.append(asdict(one))
            continue
        more.append(
            {
                "d": one.day,
                "f": one.feed,
                "p": one.program,
                "s": max(before.subscribers, one.subscribers),
                "r": before.requests + one.requests,
                "u": before.unchanged + one.unchanged,
            }
        )
    insert_rows(connection, feed_requests, fresh)
    if more:
        connection.execute(_MORE, more)


def delete_feed_requests_before(connection: Connection, day: str) -> int:
    """Take out what was counted before a day; return how many rows that were."""
    return connection.execute(delete(feed_requests).where(feed_requests.c.day < day)).rowcount


def feed_requests_since(connection: Connection, day: str) -> list[FeedRequestRow]:
    """Return what was counted from a day on, by day, feed and program."""
    query = select(feed_requests).where(feed_requests.c.day >= day)
    rows = connection.execute(
        query.order_by(feed_requests.c.day, feed_requests.c.feed, feed_requests.c.program)
    ).mappings()
    return [FeedRequestRow(**row) for row in rows]


def add_click(connection: Connection, issue_id: int, article_seq: int, *, is_program: bool) -> None:
    """Count that an article was opened from an issue."""
    column = click.c.programs if is_program else click.c.people
    mine = (click.c.issue_id == issue_id) & (click.c.article_seq == article_seq)
    if connection.execute(update(click).where(mine).values({column: column + 1})).rowcount:
        return
    values = {"issue_id": issue_id, "article_seq": article_seq, "people": 0, "programs": 0, column.name: 1}
    connection.execute(insert(click).values(**values))


def clicks(connection: Connection) -> dict[int, tuple[int, int]]:
    """Return issue → how often its articles were opened by people, and by programs."""
    query = select(click.c.issue_id, func.sum(click.c.people), func.sum(click.c.programs)).group_by(click.c.issue_id)
    return {number: (int(people), int(programs)) for number, people, programs in connection.execute(query)}
