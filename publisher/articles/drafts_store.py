"""Queries for drafts: unpublished records, and published articles that became drafts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, update

from publisher.storage.bulk import batches, insert_rows, select_mapping
from publisher.storage.tables.articles import article, draft, draft_key, source
from publisher.storage.tables.digests import next_issue_note


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRow:
    """An unpublished record in articles/."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` if it holds several records.
    where: str
    #: The field that makes it a draft, as in ``draft: true``.
    statement: str
    #: The ID and URL keys of the record.
    identity: tuple[str, ...] = ()


def save_drafts(connection: Connection, records: Mapping[str, Sequence[DraftRow]]) -> None:
    """Store the drafts of parsed files, whose earlier drafts were deleted, by file name."""
    insert_rows(
        connection,
        draft,
        [
            {
                "name": name,
                "number": number,
                "location": row.where,
                "statement": row.statement,
                "identity": json.dumps(row.identity),
            }
            for name, rows in records.items()
            for number, row in enumerate(rows)
        ],
    )


def add_drafts(connection: Connection, statements: Mapping[str, Sequence[str]]) -> None:
    """Add drafts of files that are still in articles/ (name → statements)."""
    query = select(source.c.name, func.count(draft.c.number)).outerjoin(draft, draft.c.name == source.c.name)
    for page in batches(statements):
        counts = connection.execute(query.where(source.c.name.in_(page)).group_by(source.c.name)).all()
        rows = [
            {"name": name, "number": count + place, "location": name, "statement": text}
            for name, count in counts
            for place, text in enumerate(statements[name])
        ]
        insert_rows(connection, draft, rows)


def list_drafts(connection: Connection) -> list[DraftRow]:
    """Return all drafts, ordered by file."""
    query = select(draft.c.location, draft.c.statement).order_by(draft.c.name, draft.c.number)
    return [DraftRow(where=where, statement=statement) for where, statement in connection.execute(query)]


def draft_locations_by_key(connection: Connection, leave_out: Collection[str]) -> dict[str, str]:
    """Return the locations of drafts by ID and URL key, without the files LEAVE_OUT."""
    query = select(draft.c.name, draft.c.location, draft.c.identity).where(draft.c.identity != "[]")
    return {
        key: where
        for name, where, identity in connection.execute(query)
        if name not in leave_out
        for key in json.loads(identity)
    }


def count_drafts(connection: Connection) -> int:
    """Return the number of drafts in articles/."""
    return int(connection.execute(select(func.count()).select_from(draft)).scalar_one())


def has_draft_keys(connection: Connection) -> bool:
    """Return whether any draft that was never published is stored."""
    return connection.execute(select(draft_key.c.key).limit(1)).first() is not None


def draft_first_read_times(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return when drafts that were never published were first read, by key."""
    return select_mapping(connection, draft_key.c.key, draft_key.c.first_read_at, keys)


def add_draft_keys(connection: Connection, keys: Mapping[str, int]) -> None:
    """Store when drafts were first read, by key. A known key keeps its time."""
    known = draft_first_read_times(connection, keys)
    rows = [{"key": key, "first_read_at": at} for key, at in keys.items() if key not in known]
    insert_rows(connection, draft_key, rows)


def delete_draft_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Delete the keys of drafts that were published or whose file was removed."""
    for page in batches(keys):
        connection.execute(delete(draft_key).where(draft_key.c.key.in_(page)))


def mark_drafts(connection: Connection, statements: Mapping[int, str], at: int) -> None:
    """Withdraw articles whose records became drafts.

    They stay pending for digests, but no longer lead an issue. An editor's withdrawal keeps its time and reason.

    Args:
        statements: arrival number → the field that makes the record a draft.
        at: seconds since 1970.
    """
    if not statements:
        return
    statement = (
        update(article)
        .where(article.c.seq == bindparam("article_seq"))
        .values(draft=bindparam("draft_statement"), retracted_at=func.coalesce(article.c.retracted_at, at))
    )
    connection.execute(statement, [{"article_seq": seq, "draft_statement": text} for seq, text in statements.items()])
    for page in batches(statements):
        connection.execute(update(next_issue_note).where(next_issue_note.c.lead_seq.in_(page)).values(lead_seq=None))


def unmark_drafts(connection: Connection, seqs: Collection[int]) -> None:
    """Publish articles whose records are no longer drafts. An editor's withdrawal stays."""
    for page in batches(seqs):
        selected = article.c.seq.in_(page)
        connection.execute(update(article).where(selected, article.c.retraction.is_(None)).values(retracted_at=None))
        connection.execute(update(article).where(selected).values(draft=None))
