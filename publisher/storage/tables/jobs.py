"""Table of queued jobs."""

from sqlalchemy import BigInteger, Column, Index, Integer, Text

from publisher.storage.tables.base import table

#: Work that is done outside a transaction and retried: requests to hubs and callbacks, and confirmation emails.
job = table(
    "job",
    #: The kinds are in the stores of their subjects.
    Column("kind", Text, primary_key=True),
    #: The path of a feed, relative to feeds/, or the number of a confirmation email.
    Column("subject", Text, primary_key=True),
    #: The recipient: a hub, a callback, or the keyed hash of an address.
    Column("target", Text, primary_key=True),
    #: When it is due; for a claimed job, when the claim ends.
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    #: JSON; may hold a secret.
    Column("payload", Text, nullable=False),
    #: The error of the last attempt; empty before the first.
    Column("answer", Text, nullable=False),
    # In the order of claims, so that a claim reads no more rows than it returns.
    Index("ix_job_due", "kind", "due_at", "subject", "target"),
    sqlite_with_rowid=False,
)
