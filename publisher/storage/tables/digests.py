"""Digests, issues and their variants."""

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
issue_variant = Table(
    "issue_variant",
    metadata,
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: Arrival numbers in their order, JSON.
    Column("articles", Text, nullable=False),
    #: NULL where it was made before editions had one of their own.
    Column("subject", Text),
    #: What makes the tokens this issue's own.
    Column("placeholder_hash", Text, nullable=False),
    Column("html", LargeBinary, nullable=False),
    Column("text", LargeBinary, nullable=False),
)

#: What an editor has said of a digest's next issue.
next_issue_note = Table(
    "next_issue_note",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("lead_seq", Integer, ForeignKey("article.seq")),
)
