"""Tables of feed requests per day, and of clicks."""

from sqlalchemy import Column, ForeignKey, Integer, Text

from publisher.storage.tables.base import table

#: Feed requests per day, without addresses.
feed_requests = table(
    "feed_requests",
    Column("day", Text, primary_key=True),
    #: The feed's file without its suffix, relative to feeds/.
    Column("feed", Text, primary_key=True),
    #: The feed reader that fetches for many people, or ``direct`` for all others.
    Column("program", Text, primary_key=True),
    Column("subscribers", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    #: Requests that were answered with 304 (Not Modified).
    Column("unchanged", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Clicks on an article in an issue.
click = table(
    "click",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True, autoincrement=False),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    Column("people", Integer, nullable=False),
    #: Clicks by programs that check links in mails.
    Column("programs", Integer, nullable=False),
)
