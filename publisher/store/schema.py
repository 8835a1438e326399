"""The tables. Instants are whole seconds since 1970 in UTC; ``migrations/`` builds the same schema."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

__all__ = [
    "REVISION",
    "announcement",
    "archived",
    "article",
    "article_key",
    "bucket",
    "correction",
    "digest",
    "dirty",
    "dirty_page",
    "draft",
    "draft_key",
    "entry",
    "facet",
    "feed",
    "issue",
    "issue_article",
    "issue_file",
    "membership",
    "meta",
    "metadata",
    "pending",
    "preparation",
    "problem",
    "rendering",
    "schedule",
    "slot_run",
    "source",
    "staged",
]

#: The newest migration. A database that says otherwise is upgraded, or refused if it is newer.
REVISION: Final = "0011"

#: Slots that somebody has in hand, or is to take.
_OPEN: Final = "state IN ('due', 'running')"

metadata = MetaData()

#: Single facts: the last run's instant, the settings' fingerprint, the namespace of ids.
meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

#: A group of files in articles/, with a fingerprint that tells whether any of them changed.
bucket = Table(
    "bucket",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
)

#: A file in articles/ that was read.
source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    Column("bucket", Integer, nullable=False, index=True),
    Column("signature", Text, nullable=False),
)

#: What a file's reader had to say: refusals and warnings, kept until the file changes.
problem = Table(
    "problem",
    metadata,
    Column("name", Text, ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("location", Text, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)

article = Table(
    "article",
    metadata,
    #: Order of arrival.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    #: The path of its address below base_url, minted once.
    Column("path", Text, nullable=False, unique=True),
    #: The instant that the record asks for; ``published_at`` is the free one at or after it.
    Column("asked_at", BigInteger, nullable=False, index=True),
    Column("published_at", BigInteger, nullable=False, unique=True),
    #: The last significant change: distinct from that of every other article.
    Column("changed_at", BigInteger, nullable=False, index=True),
    Column("hash", Text, nullable=False, index=True),
    #: The record without its body, JSON.
    Column("record", Text, nullable=False),
    Column("body", Text, nullable=False),
    #: The file that it was last read from.
    Column("source", Text, nullable=False),
    #: The change that the record asks for by its own ``updated``; NULL for none.
    Column("updated_at", BigInteger),
    #: When it was withdrawn, by an editor or because its record became a draft; NULL while it is published.
    Column("retracted_at", BigInteger, index=True),
    #: The editor's reason, for everybody to read; NULL where only the record says that it is a draft.
    Column("retraction", Text),
    #: What in its record says that it is a draft, as in ``draft: true``; NULL where nothing does.
    Column("draft", Text),
    #: When its record was first read, as a draft too; NULL where it was read before this was stored.
    Column("first_read_at", BigInteger),
)

#: Records of articles/ that are drafts, by file.
draft = Table(
    "draft",
    metadata,
    Column("name", Text, ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("location", Text, nullable=False),
    #: What says so, as in ``draft: true``.
    Column("statement", Text, nullable=False),
    #: Its keys of ``article_key`` that name an id or an address, JSON.
    Column("identity", Text, nullable=False, server_default="[]"),
)

#: When the record of a draft that was never published was first read, by each key of ``article_key``.
draft_key = Table(
    "draft_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("first_read_at", BigInteger, nullable=False),
)

#: What was put right in an article, for its readers to see.
correction = Table(
    "correction",
    metadata,
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("corrected_at", BigInteger, primary_key=True),
    Column("note", Text, nullable=False),
)

#: ``id:…``, ``url:…`` or ``file:…`` → the article that a re-export under this key belongs to.
article_key = Table(
    "article_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), nullable=False, index=True),
)

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
dirty = Table(
    "dirty",
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

#: Changed feeds that somebody is still to be told of: a WebSub hub, an rssCloud server.
announcement = Table(
    "announcement",
    metadata,
    #: The feed's file, relative to feeds/.
    Column("path", Text, primary_key=True),
    #: Whom to tell: ``websub ADDRESS`` or ``rsscloud ADDRESS``.
    Column("recipient", Text, primary_key=True),
    #: The bytes that are to be live before anybody is told.
    Column("sha256", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    #: What the last attempt met with; empty before the first.
    Column("said", Text, nullable=False),
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

#: A newsletter that has begun. Articles that arrived up to ``since_seq`` count as read.
digest = Table(
    "digest",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("since_seq", Integer, nullable=False),
)

#: Articles that a digest's readers have not had.
pending = Table(
    "pending",
    metadata,
    Column("digest", Text, ForeignKey("digest.slug"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("carried_over", Boolean, nullable=False),
    #: True where an editor added it to the next issue by name.
    Column("is_added", Boolean, nullable=False, server_default=false()),
)

issue = Table(
    "issue",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, ForeignKey("digest.slug"), nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    #: False until every file of it lies in outbox/.
    Column("is_staged", Boolean, nullable=False),
    #: How many errors the preflight found when it was made; NULL where it was never asked.
    Column("errors", Integer),
    #: Why it may be sent all the same, as a person said; NULL where nobody did.
    Column("forced", Text),
    #: True where a person has stopped it for a while.
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    #: What was approved: a hash of its bytes and its audience; NULL where nobody has.
    Column("approved", Text),
    Column("approved_at", BigInteger),
    #: When editors were sent the draft; NULL as long as they were not.
    Column("draft_at", BigInteger),
    UniqueConstraint("digest", "slot"),
    UniqueConstraint("digest", "number"),
)

#: Which articles an issue carries. No digest carries an article twice: the key forbids it.
issue_article = Table(
    "issue_article",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("issue_id", Integer, ForeignKey("issue.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
)

#: An issue's files, byte for byte.
issue_file = Table(
    "issue_file",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

#: An issue's text with tokens, once per distinct set of articles that readers get.
rendering = Table(
    "rendering",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: Arrival numbers in their order, JSON.
    Column("articles", Text, nullable=False),
    #: NULL where it was made before editions had one of their own.
    Column("subject", Text),
    #: What makes the tokens this issue's own.
    Column("mark", Text, nullable=False),
    Column("html", LargeBinary, nullable=False),
    Column("text", LargeBinary, nullable=False),
)

#: What an editor has said of a digest's next issue.
preparation = Table(
    "preparation",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("lead_seq", Integer, ForeignKey("article.seq")),
)

#: What runs by a timetable, as it was last taken up.
schedule = Table(
    "schedule",
    metadata,
    #: ``feeds``, or ``digest:SLUG``.
    Column("name", Text, primary_key=True),
    #: JSON.
    Column("timetable", Text, nullable=False),
    #: Slots up to this instant are none of its: they were another timetable's.
    Column("taken_up_at", BigInteger, nullable=False),
)

#: A slot that was due, and what became of it. None runs twice: the key forbids it.
slot_run = Table(
    "slot_run",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    #: ``due``, ``running``, ``done`` or ``skipped``.
    Column("state", Text, nullable=False),
    #: How often it was claimed. Who claimed it last finishes it, and nobody else.
    Column("attempt", Integer, nullable=False),
    #: Who has it, or had it last.
    Column("runner", Text, nullable=False),
    #: Until then it is its runner's; afterwards anybody's.
    Column("leased_until", BigInteger, nullable=False),
    #: When it was begun first, in milliseconds after the slot; NULL for not yet.
    Column("late_ms", BigInteger),
    Column("finished_at", BigInteger),
    #: What came of it, or what went wrong.
    Column("outcome", Text, nullable=False),
    Index("ix_slot_run_slot", "slot"),
    Index("ix_slot_run_open", "schedule", sqlite_where=text(_OPEN)),
    sqlite_with_rowid=False,
)
