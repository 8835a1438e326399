"""Feed requests by day and clicks."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from publisher.storage.tables.base import metadata

__all__ = ["click", "feed_requests"]

#: Who asked for a feed on a day: no address, only how many.
feed_requests = Table(
    "feed_requests",
    metadata,
    Column("day", Text, primary_key=True),
    #: The feed's file without its suffix, relative to feeds/.
    Column("feed", Text, primary_key=True),
    #: The program that asks for many readers, or ``direct`` for those that ask for one.
    Column("program", Text, primary_key=True),
    Column("subscribers", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    #: Requests that were answered with "not modified".
    Column("unchanged", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: How often an article was opened from an issue.
click = Table(
    "click",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True, autoincrement=False),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    Column("people", Integer, nullable=False),
    #: Programs that look at links in mails.
    Column("programs", Integer, nullable=False),
)
