"""Drafts of issues, approval and opening as steps of their own.

Issues that were never approved get no time here: the first run, which knows the settings, decides which of them become
drafts (``pipeline.unapproved_issues``).
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the tables and columns. Approved issues, and those of which a message was tried, count as open."""
    _add_drafts()
    _extend_issues()
    op.add_column("pending", sa.Column("is_returned", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("pending", sa.Column("skip", sa.Text(), nullable=True))
    op.add_column("pending", sa.Column("skip_slot", sa.BigInteger(), nullable=True))
    op.add_column("next_issue_note", sa.Column("article_order", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("first_handed_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE delivery SET first_handed_at = handed_at WHERE handed_at IS NOT NULL")


def _add_drafts() -> None:
    op.create_table(
        "issue_draft",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("articles", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("forced", sa.Text(), nullable=True),
        sa.Column("forced_findings", sa.Text(), nullable=True),
        sa.Column("waiting_slot", sa.BigInteger(), nullable=True),
        sa.Column("opens_by_itself", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("notified_at", sa.BigInteger(), nullable=True),
        sa.Column("notified_slot", sa.BigInteger(), nullable=True),
        sa.Column("is_staged", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "issue_draft_file",
        sa.Column("digest", sa.Text(), sa.ForeignKey("issue_draft.digest", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )


def _extend_issues() -> None:
    for name, kind in (
        ("opened_at", sa.BigInteger()),
        ("cancelled_at", sa.BigInteger()),
        ("editorial", sa.Text()),
        ("mail_settings", sa.Text()),
        ("forced_articles", sa.Text()),
        ("notified_hold", sa.Text()),
    ):
        op.add_column("issue", sa.Column(name, kind, nullable=True))
    op.drop_column("issue", "draft_at")
    op.execute("UPDATE issue SET opened_at = COALESCE(approved_at, slot) WHERE approved IS NOT NULL")
    op.execute(
        "UPDATE issue SET opened_at = slot WHERE opened_at IS NULL AND EXISTS (SELECT 1 FROM delivery "
        "WHERE delivery.issue_id = issue.id AND (delivery.attempts > 0 OR delivery.state <> 'queued'))"
    )
    op.create_table(
        "issue_article_new",
        sa.Column("issue_id", sa.Integer(), sa.ForeignKey("issue.id"), primary_key=True),
        sa.Column("article_seq", sa.Integer(), sa.ForeignKey("article.seq"), primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("approved_text", sa.Text(), nullable=True),
    )
    op.execute(
        "INSERT INTO issue_article_new (issue_id, article_seq, digest, position) "
        "SELECT issue_id, article_seq, digest, position FROM issue_article"
    )
    op.drop_table("issue_article")
    op.rename_table("issue_article_new", "issue_article")
    op.create_index("ix_issue_article_article", "issue_article", ["article_seq", "digest"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX issue_article_new_pkey RENAME TO issue_article_pkey")
        for column in ("issue_id", "article_seq"):
            op.execute(
                f"ALTER TABLE issue_article RENAME CONSTRAINT issue_article_new_{column}_fkey "
                f"TO issue_article_{column}_fkey"
            )
