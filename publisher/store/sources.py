"""The files that articles came from, what their readers complained of, and single facts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text

from publisher.store.bulk import insert_rows
from publisher.store.schema import bucket, meta, problem, source

__all__ = [
    "Problem",
    "bucket_fingerprints",
    "count_up",
    "drop_fact",
    "facts",
    "forget_sources",
    "get_fact",
    "hold",
    "problems",
    "save_buckets",
    "save_sources",
    "set_fact",
    "source_count",
    "sources_in",
]

#: The first of two numbers of PostgreSQL's advisory locks; the second is of what is done.
_HOLD: Final = 0x686F_6C64


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something a reader of exports had to say about a file."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` where it holds several records.
    where: str
    #: True where the record was set aside, False for a warning.
    refused: bool
    reason: str


def get_fact(connection: Connection, key: str) -> str | None:
    """Return a single fact, or None where it was never set."""
    found: str | None = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return found


def set_fact(connection: Connection, key: str, value: str) -> None:
    """Keep a single fact."""
    connection.execute(delete(meta).where(meta.c.key == key))
    connection.execute(insert(meta).values(key=key, value=value))


def count_up(connection: Connection, key: str, by: int, at_least: int = 0) -> int:
    """Return what a single fact, a number, was before it was raised; 0 where it was never set.

    Nobody else raises it before the caller's transaction is over.

    Args:
        connection: to the store.
        key: the fact's.
        by: how much it is raised.
        at_least: what it was, if it is less than that.
    """
    # Taken by name and not by row: a row that is not there yet locks nobody out.
    hold(connection, key)
    before = max(int(get_fact(connection, key) or 0), at_least)
    set_fact(connection, key, str(before + by))
    return before


def hold(connection: Connection, what: str) -> None:
    """Let nobody else do this before the caller's transaction is over: who looks first and acts then is alone with it.

    SQLite has one transaction at a time that writes, and needs nothing more.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:first, hashtext(:what))"), {"first": _HOLD, "what": what}
        )


def facts(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the single facts whose keys begin with ``prefix``."""
    query = select(meta.c.key, meta.c.value).where(meta.c.key.startswith(prefix, autoescape=True))
    return dict(iter(connection.execute(query)))


def drop_fact(connection: Connection, key: str) -> None:
    """Forget a single fact."""
    connection.execute(delete(meta).where(meta.c.key == key))


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


def sources_in(connection: Connection, buckets: Collection[int]) -> dict[str, str]:
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
    forget_sources(connection, names)
    insert_rows(
        connection,
        source,
        [{"name": name, "bucket": number, "signature": signature} for name, number, signature in files],
    )
    rows = [
        {"name": name, "number": number, "location": one.where, "refused": one.refused, "reason": one.reason}
        for name in names
        for number, one in enumerate(said.get(name, ()))
    ]
    if rows:
        insert_rows(connection, problem, rows)


def forget_sources(connection: Connection, names: Iterable[str]) -> None:
    """Drop files that went away, and what was said about them. Their articles stay."""
    listed = list(names)
    for at in range(0, len(listed), 5_000):
        page = listed[at : at + 5_000]
        connection.execute(delete(problem).where(problem.c.name.in_(page)))
        connection.execute(delete(source).where(source.c.name.in_(page)))


def problems(connection: Connection, *, refused: bool | None = None) -> list[Problem]:
    """Return what is being complained of, by file; only refusals or only warnings if asked."""
    query = select(problem.c.location, problem.c.refused, problem.c.reason).order_by(problem.c.name, problem.c.number)
    if refused is not None:
        query = query.where(problem.c.refused == refused)
    return [
        Problem(where=where, refused=is_refused, reason=reason)
        for where, is_refused, reason in connection.execute(query)
    ]


def source_count(connection: Connection) -> int:
    """Return how many files have been read."""
    return int(connection.execute(select(func.count()).select_from(source)).scalar_one())
