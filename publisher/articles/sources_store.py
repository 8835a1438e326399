"""The files that articles came from, what their readers complained of, and single facts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from publisher.model.problems import Problem
from publisher.storage.bulk import insert_rows
from publisher.storage.tables.articles import bucket, problem, source

__all__ = [
    "bucket_fingerprints",
    "count_sources",
    "delete_sources",
    "list_problems",
    "save_buckets",
    "save_sources",
    "sources_in_buckets",
]


def bucket_fingerprints(connection: Connection) -> dict[int, str]:
    """Return bucket → the fingerprint it had when all of its files were last read."""
    return dict(iter(connection.execute(select(bucket))))


def save_buckets(connection: Connection, fingerprints: Mapping[int, str]) -> None:
    """Keep the fingerprints of buckets whose files have been read."""
    if fingerprints:
        connection.execute(delete(bucket).where(bucket.c.number.in_(list(fingerprints))))
        insert_rows(
            connection, bucket, [{"number": number, "fingerprint": text} for number, text in fingerprints.items()]
        )


def sources_in_buckets(connection: Connection, buckets: Collection[int]) -> dict[str, str]:
    """Return name → signature of the files known in these buckets."""
    query = select(source.c.name, source.c.signature).where(source.c.bucket.in_(list(buckets)))
    return dict(iter(connection.execute(query)))


def save_sources(
    connection: Connection, files: Sequence[tuple[str, int, str]], said: Mapping[str, Sequence[Problem]]
) -> None:
    """Keep (name, bucket, signature) of files that were read, and what was said about each."""
    if not files:
        return
    names = [name for name, _, _ in files]
    delete_sources(connection, names)
    insert_rows(
        connection,
        source,
        [{"name": name, "bucket": number, "signature": signature} for name, number, signature in files],
    )
    rows = [
        {"name": name, "number": number, "location": one.where, "is_rejected": one.is_rejected, "reason": one.reason}
        for name in names
        for number, one in enumerate(said.get(name, ()))
    ]
    if rows:
        insert_rows(connection, problem, rows)


def delete_sources(connection: Connection, names: Iterable[str]) -> None:
    """Drop files that went away, and what was said about them. Their articles stay."""
    listed = list(names)
    for at in range(0, len(listed), 5_000):
        page = listed[at : at + 5_000]
        connection.execute(delete(problem).where(problem.c.name.in_(page)))
        connection.execute(delete(source).where(source.c.name.in_(page)))


def list_problems(connection: Connection, *, rejected: bool | None = None) -> list[Problem]:
    """Return what is being complained of, by file; only refusals or only warnings if asked."""
    query = select(problem.c.location, problem.c.is_rejected, problem.c.reason).order_by(
        problem.c.name, problem.c.number
    )
    if rejected is not None:
        query = query.where(problem.c.is_rejected == rejected)
    return [
        Problem(where=where, is_rejected=is_rejected, reason=reason)
        for where, is_rejected, reason in connection.execute(query)
    ]


def count_sources(connection: Connection) -> int:
    """Return how many files have been read."""
    return int(connection.execute(select(func.count()).select_from(source)).scalar_one())
