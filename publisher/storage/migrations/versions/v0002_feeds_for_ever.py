"""Add corrections, withdrawals, archive pages and notifications; order feeds by change."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and tables; all feeds are staged again."""
    op.add_column("article", sa.Column("updated_at", sa.BigInteger(), nullable=True))
    op.add_column("article", sa.Column("retracted_at", sa.BigInteger(), nullable=True))
    op.add_column("article", sa.Column("retraction", sa.Text(), nullable=True))
    op.create_index("ix_article_retracted_at", "article", ["retracted_at"], unique=False)
    op.create_table(
        "correction",
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sa.Column("corrected_at", sa.BigInteger(), primary_key=True),
        sa.Column("note", sa.Text(), nullable=False),
    )
    # The membership is filled again, from the articles themselves.
    op.alter_column("membership", "published_at", new_column_name="changed_at")
    op.execute(
        "UPDATE membership SET changed_at = (SELECT article.changed_at FROM article"
        " WHERE article.seq = membership.article_seq)"
    )
    # If the record has a change time of its own, that is its ``updated``.
    op.execute("UPDATE article SET updated_at = changed_at WHERE changed_at > published_at")
    op.create_table(
        "archived",
        sa.Column("facet_id", sa.Integer(), sa.ForeignKey("facet.id"), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sa.Column("page", sa.Integer(), nullable=True),
    )
    op.create_index("ix_archived_page", "archived", ["facet_id", "page"], unique=False)
    op.create_index("ix_archived_article", "archived", ["article_seq"], unique=False)
    op.create_table(
        "dirty_page",
        sa.Column("facet_id", sa.Integer(), sa.ForeignKey("facet.id"), primary_key=True),
        sa.Column("page", sa.Integer(), primary_key=True),
    )
    op.create_table(
        "announcement",
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("recipient", sa.Text(), primary_key=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
    )
    op.execute("DELETE FROM meta WHERE key = 'feeds_fingerprint'")
