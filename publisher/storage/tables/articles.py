"""Tables of source files, articles, drafts and corrections."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Text

from publisher.storage.tables.base import table

#: A group of files in articles/, with a fingerprint that changes with any of them.
bucket = table(
    "bucket",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
)

#: A file in articles/ that was read.
source = table(
    "source",
    Column("name", Text, primary_key=True),
    Column("bucket", Integer, nullable=False, index=True),
    Column("signature", Text, nullable=False),
)

#: Rejections and warnings of a file, kept until the file changes.
problem = table(
    "problem",
    Column("name", Text, ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("location", Text, nullable=False),
    Column("is_rejected", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)

article = table(
    "article",
    #: Order of arrival.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    #: The path below base_url, assigned once.
    Column("path", Text, nullable=False, unique=True),
    #: The time that the record asks for; ``published_at`` is the first free second from then on.
    Column("asked_at", BigInteger, nullable=False, index=True),
    Column("published_at", BigInteger, nullable=False, unique=True),
    #: The last significant change, distinct from that of every other article.
    Column("changed_at", BigInteger, nullable=False, index=True),
    Column("hash", Text, nullable=False, index=True),
    #: The record without its body, JSON.
    Column("record", Text, nullable=False),
    Column("body", Text, nullable=False),
    #: The file that it was last read from.
    Column("source", Text, nullable=False),
    #: The change time of the record's own ``updated``; NULL for none.
    Column("updated_at", BigInteger),
    #: When an editor withdrew it, or its record became a draft; NULL while it is published.
    Column("retracted_at", BigInteger, index=True),
    #: The editor's published reason; NULL for a draft.
    Column("retraction", Text),
    #: The words of the record that make it a draft, as in ``draft: true``; NULL for none.
    Column("draft", Text),
    #: When its record was first read, also as a draft; NULL for articles from older versions.
    Column("first_read_at", BigInteger),
)

#: Articles that are published for a limited time.
expiry = table(
    "expiry",
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True, autoincrement=False),
    #: Seconds since 1970.
    Column("expires_at", BigInteger, nullable=False, index=True),
)

#: Records of articles/ that are drafts, by file.
draft = table(
    "draft",
    Column("name", Text, ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("location", Text, nullable=False),
    #: The words that make it a draft, as in ``draft: true``.
    Column("statement", Text, nullable=False),
    #: Its keys of ``article_key`` with an ID or a URL, JSON.
    Column("identity", Text, nullable=False, server_default="[]"),
)

#: When the record of an unpublished draft was first read, by each key of ``article_key``.
draft_key = table(
    "draft_key",
    Column("key", Text, primary_key=True),
    Column("first_read_at", BigInteger, nullable=False),
)

#: Published corrections of articles.
correction = table(
    "correction",
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("corrected_at", BigInteger, primary_key=True),
    Column("note", Text, nullable=False),
)

#: ``id:…``, ``url:…`` or ``file:…`` → the article that a record with this key updates.
article_key = table(
    "article_key",
    Column("key", Text, primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), nullable=False, index=True),
)
