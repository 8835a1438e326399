"""The first schema: articles, feeds, digests, issues."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "article",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        sa.Column("path", sa.Text(), nullable=False, unique=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("published_at", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("hash", sa.Text(), nullable=False, index=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
    )
    op.create_table(
        "bucket",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
    )
    op.create_table(
        "digest",
        sa.Column("slug", sa.Text(), primary_key=True),
        sa.Column("since_seq", sa.Integer(), nullable=False),
    )
    op.create_table(
        "facet",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.UniqueConstraint("kind", "folded"),
        sa.UniqueConstraint("kind", "slug"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
    op.create_table(
        "source",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("bucket", sa.Integer(), nullable=False, index=True),
        sa.Column("signature", sa.Text(), nullable=False),
    )
    op.create_table(
        "staged",
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False, index=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "article_key",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), nullable=False, index=True),
    )
    op.create_table(
        "dirty",
        sa.Column("facet_id", sa.Integer(), sa.ForeignKey("facet.id"), primary_key=True, autoincrement=False),
    )
    op.create_table(
        "entry",
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True, autoincrement=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("rss", sa.LargeBinary(), nullable=False),
        sa.Column("atom", sa.LargeBinary(), nullable=False),
        sa.Column("json", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "feed",
        sa.Column("facet_id", sa.Integer(), sa.ForeignKey("facet.id"), primary_key=True, autoincrement=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.Text(), nullable=False),
    )
    op.create_table(
        "issue",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text(), sa.ForeignKey("digest.slug"), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("is_staged", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("digest", "number"),
        sa.UniqueConstraint("digest", "slot"),
    )
    op.create_table(
        "membership",
        sa.Column("facet_id", sa.Integer(), sa.ForeignKey("facet.id"), primary_key=True),
        sa.Column("published_at", sa.BigInteger(), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_membership_article", "membership", ["article_seq"], unique=False)
    op.create_table(
        "pending",
        sa.Column("digest", sa.Text(), sa.ForeignKey("digest.slug"), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sa.Column("carried_over", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "problem",
        sa.Column("name", sa.Text(), sa.ForeignKey("source.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "issue_article",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), nullable=False, index=True),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "issue_file",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
