"""The first schema: articles, feeds, digests, issues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "article",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("path"),
        sa.UniqueConstraint("published_at"),
    )
    op.create_index("ix_article_asked_at", "article", ["asked_at"], unique=False)
    op.create_index("ix_article_changed_at", "article", ["changed_at"], unique=False)
    op.create_index("ix_article_hash", "article", ["hash"], unique=False)
    op.create_table(
        "bucket",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "digest",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("since_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_table(
        "facet",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "folded"),
        sa.UniqueConstraint("kind", "slug"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "source",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_source_bucket", "source", ["bucket"], unique=False)
    op.create_table(
        "staged",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index("ix_staged_owner", "staged", ["owner"], unique=False)
    op.create_table(
        "article_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("article_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_seq"],
            ["article.seq"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_article_key_article_seq", "article_key", ["article_seq"], unique=False)
    op.create_table(
        "dirty",
        sa.Column("facet_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["facet_id"],
            ["facet.id"],
        ),
        sa.PrimaryKeyConstraint("facet_id"),
    )
    op.create_table(
        "entry",
        sa.Column("article_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("rss", sa.LargeBinary(), nullable=False),
        sa.Column("atom", sa.LargeBinary(), nullable=False),
        sa.Column("json", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_seq"],
            ["article.seq"],
        ),
        sa.PrimaryKeyConstraint("article_seq"),
    )
    op.create_table(
        "feed",
        sa.Column("facet_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["facet_id"],
            ["facet.id"],
        ),
        sa.PrimaryKeyConstraint("facet_id"),
    )
    op.create_table(
        "issue",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("is_staged", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"],
            ["digest.slug"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", "number"),
        sa.UniqueConstraint("digest", "slot"),
    )
    op.create_table(
        "membership",
        sa.Column("facet_id", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("article_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_seq"],
            ["article.seq"],
        ),
        sa.ForeignKeyConstraint(
            ["facet_id"],
            ["facet.id"],
        ),
        sa.PrimaryKeyConstraint("facet_id", "published_at", "article_seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_membership_article", "membership", ["article_seq"], unique=False)
    op.create_table(
        "pending",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("article_seq", sa.Integer(), nullable=False),
        sa.Column("carried_over", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_seq"],
            ["article.seq"],
        ),
        sa.ForeignKeyConstraint(
            ["digest"],
            ["digest.slug"],
        ),
        sa.PrimaryKeyConstraint("digest", "article_seq"),
    )
    op.create_table(
        "problem",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["source.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "number"),
    )
    op.create_table(
        "issue_article",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("article_seq", sa.Integer(), nullable=False),
        sa.Column("issue_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_seq"],
            ["article.seq"],
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"],
            ["issue.id"],
        ),
        sa.PrimaryKeyConstraint("digest", "article_seq"),
    )
    op.create_index("ix_issue_article_issue_id", "issue_article", ["issue_id"], unique=False)
    op.create_table(
        "issue_file",
        sa.Column("issue_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"],
            ["issue.id"],
        ),
        sa.PrimaryKeyConstraint("issue_id", "name"),
    )
