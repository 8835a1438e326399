"""Facets, feeds, entries, archive pages and staged files."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from publisher.storage.tables.base import metadata

__all__ = ["archived", "dirty_feed", "dirty_page", "entry", "facet", "feed", "membership", "staged"]

#: Something that a feed can be about. Label and slug are minted once.
facet = Table(
    "facet",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("slug", Text, nullable=False),
    UniqueConstraint("kind", "folded"),
    UniqueConstraint("kind", "slug"),
)

#: Which article belongs to which facet, in the order of a feed: by the last significant change.
membership = Table(
    "membership",
    metadata,
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("changed_at", BigInteger, primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Index("ix_membership_article", "article_seq"),
    sqlite_with_rowid=False,
)

#: An article's entry in each format, made once per revision; the text goes into the hole in each.
entry = Table(
    "entry",
    metadata,
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    #: The article's hash and the settings' fingerprint that it was made from.
    Column("revision", Text, nullable=False),
    #: The text with absolute addresses; NULL where the article's own has no others.
    Column("body", Text),
    Column("rss", LargeBinary, nullable=False),
    Column("atom", LargeBinary, nullable=False),
    Column("json", LargeBinary, nullable=False),
)

#: A feed as it was last staged.
feed = Table(
    "feed",
    metadata,
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True, autoincrement=False),
    Column("articles", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    #: Its newest headlines, JSON, for the page that lists the feeds.
    Column("latest", Text, nullable=False),
)

#: Feeds that are to be staged again. Written with the change itself, deleted after staging.
dirty_feed = Table(
    "dirty_feed",
    metadata,
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True, autoincrement=False),
    #: True where only old articles were added, of which hubs are not notified.
    Column("is_quiet", Boolean, nullable=False, server_default=false()),
)

#: Which archive page of a facet an article stands on, for ever; NULL until a page is full.
archived = Table(
    "archived",
    metadata,
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("page", Integer),
    Index("ix_archived_page", "facet_id", "page"),
    Index("ix_archived_article", "article_seq"),
)

#: Archive pages that are to be staged again.
dirty_page = Table(
    "dirty_page",
    metadata,
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("page", Integer, primary_key=True),
)

#: A file under feeds/ or outbox/ as it was written.
staged = Table(
    "staged",
    metadata,
    Column("path", Text, primary_key=True),
    #: What it belongs to: ``feed:ID``, ``archive:ID:PAGE``, ``issue:ID`` or ``index``.
    Column("owner", Text, nullable=False, index=True),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
)
