"""Queries for parsed files, their signatures, and the problems that parsers reported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from publisher.model.problems import Problem
from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import bucket, problem, source


def bucket_fingerprints(connection: Connection) -> dict[int, str]:
    """Return the fingerprint of each bucket when its files were last parsed."""
    return dict(iter(connection.execute(select(bucket))))


def save_buckets(connection: Connection, fingerprints: Mapping[int, str]) -> None:
    """Store the fingerprints of buckets whose files were parsed."""
    connection.execute(delete(bucket).where(bucket.c.number.in_(list(fingerprints))))
    insert_rows(connection, bucket, [{"number": number, "fingerprint": text} for number, text in fingerprints.items()])


def sources_in_buckets(connection: Connection, buckets: Collection[int]) -> dict[str, str]:
    """Return the stored signatures of the files in these buckets, by file name."""
    query = select(source.c.name, source.c.signature).where(source.c.bucket.in_(list(buckets)))
    return dict(iter(connection.execute(query)))


def save_sources(
    connection: Connection, files: Sequence[tuple[str, int, str]], found_problems: Mapping[str, Sequence[Problem]]
) -> None:
    """Store (name, bucket, signature) of parsed files, and their problems by file name."""
    names = [name for name, _, _ in files]
    delete_sources(connection, names)
    rows: list[dict[str, Any]]
    rows = [{"name": name, "bucket": number, "signature": signature} for name, number, signature in files]
    insert_rows(connection, source, rows)
    rows = [
        {
            "name": name,
            "number": number,
            "location": found.where,
            "is_rejected": found.is_rejected,
            "reason": found.reason,
        }
        for name in names
        for number, found in enumerate(found_problems.get(name, ()))
    ]
    insert_rows(connection, problem, rows)


def delete_sources(connection: Connection, names: Iterable[str]) -> None:
    """Delete the rows of removed files and their problems. Their articles stay."""
    for page in batches(names):
        connection.execute(delete(problem).where(problem.c.name.in_(page)))
        connection.execute(delete(source).where(source.c.name.in_(page)))


def list_problems(connection: Connection, *, rejected: bool | None = None) -> list[Problem]:
    """Return problems by file: all, only rejections (True) or only warnings (False)."""
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
    """Return the number of parsed files."""
    return int(connection.execute(select(func.count()).select_from(source)).scalar_one())
