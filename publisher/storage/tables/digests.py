"""Tables of digests, issues and their variants."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from publisher.storage.tables.base import metadata

__all__ = ["digest", "issue", "issue_article", "issue_file", "issue_variant", "next_issue_note", "pending"]

#: A digest that has started. Articles up to ``since_seq`` are not news for it.
digest = Table(
    "digest",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("since_seq", Integer, nullable=False),
)

#: Articles that are candidates for a digest's next issue.
pending = Table(
    "pending",
    metadata,
    Column("digest", Text, ForeignKey("digest.slug"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("carried_over", Boolean, nullable=False),
    #: True if an editor added it to the next issue by name.
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
    #: False until all its files are staged in outbox/.
    Column("is_staged", Boolean, nullable=False),
    #: Number of preflight errors; NULL if there was no preflight.
    Column("errors", Integer),
    #: Reason to send it in spite of errors, given by a person; NULL for none.
    Column("forced", Text),
    #: True while sending is paused.
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    #: Hash of the approved bytes and audience; NULL if it is not approved.
    Column("approved", Text),
    Column("approved_at", BigInteger),
    #: When the draft was sent to the editors; NULL for not yet.
    Column("draft_at", BigInteger),
    UniqueConstraint("digest", "slot"),
    UniqueConstraint("digest", "number"),
)

#: Articles of an issue. The primary key keeps a digest from sending an article twice.
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

#: The text of an issue with placeholders, once per distinct set of articles.
issue_variant = Table(
    "issue_variant",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: Arrival numbers of the articles in order, JSON.
    Column("articles", Text, nullable=False),
    #: NULL for variants from older versions, which had no subject of their own.
    Column("subject", Text),
    #: Part of each placeholder, so that no article can contain one.
    Column("placeholder_hash", Text, nullable=False),
    Column("html", LargeBinary, nullable=False),
    Column("text", LargeBinary, nullable=False),
)

#: An editor's note and lead for a digest's next issue.
next_issue_note = Table(
    "next_issue_note",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("lead_seq", Integer, ForeignKey("article.seq")),
)
