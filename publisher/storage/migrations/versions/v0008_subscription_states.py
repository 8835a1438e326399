"""Subscription states: each person's state for each digest, with time, source and history."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

#: Digests that a person unsubscribed from by mail, with the time of the last request.
_UNSUBSCRIBED_BY_MAIL: Final = """
    SELECT issue.digest AS digest, bounce.subscriber_id AS subscriber_id, max(bounce.reported_at) AS at
    FROM bounce
    JOIN issue ON issue.id = bounce.issue_id
    JOIN subscriber ON subscriber.id = bounce.subscriber_id
    WHERE bounce.kind = 'unsubscribe'
    GROUP BY issue.digest, bounce.subscriber_id
"""
#: The same without people who confirmed a later subscription to that digest.
_NOT_RESUBSCRIBED: Final = """
    NOT EXISTS (
        SELECT 1 FROM letter
        WHERE letter.subscriber_id = gone.subscriber_id AND letter.kind = 'join' AND letter.used_at > gone.at
        AND letter.wish LIKE '%"' || gone.digest || '"%'
    )
"""
#: Digests of which a person has a delivery.
_DELIVERED: Final = """
    SELECT issue.digest AS digest, delivery.subscriber_id AS subscriber_id, max(issue.slot) AS at
    FROM delivery
    JOIN issue ON issue.id = delivery.issue_id
    JOIN subscriber ON subscriber.id = delivery.subscriber_id
    GROUP BY issue.digest, delivery.subscriber_id
"""
_WAS_SUBSCRIBED: Final = """
    EXISTS (
        SELECT 1 FROM old_subscription
        WHERE old_subscription.digest = gone.digest AND old_subscription.subscriber_id = gone.subscriber_id
    )
"""
_CONTRADICTION: Final = "They unsubscribed by mail, and were still subscribed"
_NOTHING_KNOWN: Final = "No subscription and no delivery: it is not known whether they ever subscribed"


def upgrade() -> None:
    """Add states, and derive them from subscriptions, deliveries and requests to unsubscribe."""
    _change_tables()
    _derive_subscriptions()
    _derive_people()
    op.drop_table("old_subscription")
    # The addresses behind these hashes are found with the site's key, which a migration does not have.
    op.execute(
        "INSERT INTO meta (key, value) SELECT 'unsubscribed_suppressions', '1' "
        "WHERE EXISTS (SELECT 1 FROM suppression WHERE reason = 'unsubscribed')"
    )


def _change_tables() -> None:
    op.execute("ALTER TABLE subscriber RENAME COLUMN status TO state")
    op.add_column("subscriber", sa.Column("state_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("subscriber", sa.Column("state_source", sa.Text(), nullable=False, server_default="operator"))
    op.add_column("subscriber", sa.Column("is_suppressed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("subscriber", sa.Column("opted_out_at", sa.BigInteger(), nullable=True))
    op.execute("CREATE TABLE old_subscription AS SELECT digest, subscriber_id FROM subscription")
    op.create_index("ix_old_subscription", "old_subscription", ["subscriber_id", "digest"])
    op.drop_table("subscription")
    op.create_table(
        "subscription",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_subscription_subscriber", "subscription", ["subscriber_id"])
    op.create_table(
        "subscription_event",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("subscriber_id", sa.Integer(), nullable=False, index=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("old_state", sa.Text(), nullable=True),
        sa.Column("new_state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )


def _derive_subscriptions() -> None:
    """Write a state for each digest, and the history that led to it."""
    into = "INSERT INTO subscription (digest, subscriber_id, state, changed_at, source)"
    is_new = (
        "NOT EXISTS (SELECT 1 FROM subscription WHERE subscription.digest = gone.digest "
        "AND subscription.subscriber_id = gone.subscriber_id)"
    )
    # It is unknown whether people who unsubscribed by mail resubscribed themselves: they count as
    # unsubscribed.
    op.execute(
        f"{into} SELECT digest, subscriber_id, 'unsubscribed', at, "
        f"CASE WHEN {_WAS_SUBSCRIBED} THEN 'migration' ELSE 'mail' END FROM ({_UNSUBSCRIBED_BY_MAIL}) AS gone WHERE {_NOT_RESUBSCRIBED}"
    )
    op.execute(
        f"{into} SELECT gone.digest, gone.subscriber_id, 'active', subscriber.added_at, 'migration' "
        "FROM old_subscription AS gone JOIN subscriber ON subscriber.id = gone.subscriber_id "
        f"WHERE {is_new}"
    )
    op.execute(
        f"{into} SELECT digest, subscriber_id, 'unsubscribed', at, 'migration' FROM ({_DELIVERED}) AS gone WHERE {is_new}"
    )
    op.execute(
        "INSERT INTO subscription_event (subscriber_id, digest, old_state, new_state, source, changed_at, reason) "
        "SELECT subscriber_id, digest, CASE WHEN state = 'active' THEN NULL ELSE 'active' END, state, source, "
        f"changed_at, CASE WHEN state = 'unsubscribed' AND {_WAS_SUBSCRIBED} THEN '{_CONTRADICTION}' ELSE '' END "
        "FROM subscription AS gone ORDER BY subscriber_id, changed_at, digest"
    )


def _derive_people() -> None:
    """Derive the state of each person: without a subscription, unsubscribed from everything."""
    op.execute("UPDATE subscriber SET is_suppressed = true WHERE state = 'suppressed'")
    op.execute("UPDATE subscriber SET state = 'active', state_at = added_at, state_source = 'migration'")
    last = "coalesce((SELECT max(changed_at) FROM subscription WHERE subscriber_id = subscriber.id), added_at)"
    op.execute(
        f"UPDATE subscriber SET state = 'unsubscribed', state_at = {last}, opted_out_at = {last} WHERE NOT EXISTS "
        "(SELECT 1 FROM subscription WHERE subscriber_id = subscriber.id AND state = 'active')"
    )
    op.execute(
        "INSERT INTO subscription_event (subscriber_id, digest, old_state, new_state, source, changed_at, reason) "
        "SELECT id, NULL, 'active', 'unsubscribed', 'migration', state_at, CASE WHEN EXISTS "
        f"(SELECT 1 FROM subscription WHERE subscriber_id = subscriber.id) THEN '' ELSE '{_NOTHING_KNOWN}' END "
        "FROM subscriber WHERE state = 'unsubscribed' ORDER BY id"
    )
