"""Tables of facets, feeds, entries, archive pages and staged files."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
)

from publisher.storage.tables.base import table

#: A subject of a feed. Label and slug are assigned once.
facet = table(
    "facet",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("slug", Text, nullable=False),
    UniqueConstraint("kind", "folded"),
    UniqueConstraint("kind", "slug"),
)

#: Articles of a facet in the order of its feed: by the last significant change.
membership = table(
    "membership",
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("changed_at", BigInteger, primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Index("ix_membership_article", "article_seq"),
    sqlite_with_rowid=False,
)

#: An article's entry in each format, rendered once per revision, with a gap for the text.
entry = table(
    "entry",
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    #: Hash of the article and of the settings that it was rendered from.
    Column("revision", Text, nullable=False),
    #: The text with absolute URLs; NULL if the article's own has no relative ones.
    Column("body", Text),
    Column("rss", LargeBinary, nullable=False),
    Column("atom", LargeBinary, nullable=False),
    Column("json", LargeBinary, nullable=False),
)

#: A feed as last staged.
feed = table(
    "feed",
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True, autoincrement=False),
    Column("articles", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    #: Its newest headlines, JSON, for the directory page.
    Column("latest", Text, nullable=False),
)

#: Feeds to stage again. Written with the change itself, deleted after staging.
dirty_feed = table(
    "dirty_feed",
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True, autoincrement=False),
    #: True if only old articles were added: hubs are not notified of these.
    Column("is_quiet", Boolean, nullable=False, server_default=false()),
)

#: The archive page of an article, assigned once; NULL until a page is full.
archived = table(
    "archived",
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("page", Integer),
    Index("ix_archived_page", "facet_id", "page"),
    Index("ix_archived_article", "article_seq"),
)

#: Archive pages to stage again.
dirty_page = table(
    "dirty_page",
    Column("facet_id", Integer, ForeignKey("facet.id"), primary_key=True),
    Column("page", Integer, primary_key=True),
)

#: A file below feeds/ or outbox/ as last written.
staged = table(
    "staged",
    Column("path", Text, primary_key=True),
    #: Owner: ``feed:ID``, ``archive:ID:PAGE``, ``issue:ID`` or ``index``.
    Column("owner", Text, nullable=False, index=True),
    Column("sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
)
