"""Who listened to feeds on each day, and how often articles were opened from issues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from publisher.store.web import click, listening

__all__ = ["Heard", "add_click", "clicks", "heard_since", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
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


def note(connection: Connection, rows: Iterable[Heard]) -> None:
    """Add requests to their days; of numbers of readers the greatest counts, however often it was told."""
    for one in rows:
        mine = (listening.c.day == one.day) & (listening.c.feed == one.feed) & (listening.c.program == one.program)
        before = connection.execute(select(listening).where(mine).with_for_update()).first()
        if before is None:
            values = {"day": one.day, "feed": one.feed, "program": one.program, "subscribers": one.subscribers}
            connection.execute(insert(listening).values(**values, requests=one.requests, unchanged=one.unchanged))
            continue
        connection.execute(
            update(listening)
            .where(mine)
            .values(
                subscribers=max(before.subscribers, one.subscribers),
                requests=before.requests + one.requests,
                unchanged=before.unchanged + one.unchanged,
            )
        )


def heard_since(connection: Connection, day: str) -> list[Heard]:
    """Return what was counted from a day on, by day, feed and program."""
    query = select(listening).where(listening.c.day >= day)
    rows = connection.execute(query.order_by(listening.c.day, listening.c.feed, listening.c.program)).mappings()
    return [Heard(**row) for row in rows]


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
