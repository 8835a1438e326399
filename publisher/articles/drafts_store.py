"""Drafts: records that are not published, and articles that were and became drafts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, update

from publisher.storage.bulk import batches, insert_rows
from publisher.storage.tables.articles import article, draft, draft_key
from publisher.storage.tables.digests import next_issue_note

__all__ = [
    "DraftRow",
    "add_draft_keys",
    "count_drafts",
    "delete_draft_keys",
    "draft_first_read_times",
    "draft_locations_by_key",
    "has_draft_keys",
    "list_drafts",
    "mark_drafts",
    "save_drafts",
    "unmark_drafts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRow:
    """A record of articles/ that is not published."""

    #: The file, relative to articles/, with ``:line`` or ``[number]`` where it holds several records.
    where: str
    #: What says so, as in ``draft: true``.
    statement: str
    #: The keys of its record that name an id or an address.
    identity: tuple[str, ...] = ()


def save_drafts(connection: Connection, records: Mapping[str, Sequence[DraftRow]]) -> None:
    """Store the drafts of files that were read: name → drafts. Those of an earlier reading are gone with it."""
    insert_rows(
        connection,
        draft,
        [
            {
                "name": name,
                "number": number,
                "location": one.where,
                "statement": one.statement,
                "identity": json.dumps(one.identity),
            }
            for name, own in records.items()
            for number, one in enumerate(own)
        ],
    )


def list_drafts(connection: Connection) -> list[DraftRow]:
    """Return every draft of articles/, by file."""
    query = select(draft.c.location, draft.c.statement).order_by(draft.c.name, draft.c.number)
    return [DraftRow(where=where, statement=statement) for where, statement in connection.execute(query)]


def draft_locations_by_key(connection: Connection, leave_out: Collection[str]) -> dict[str, str]:
    """Return key → location of the drafts whose records name an id or an address, but those of some files."""
    query = select(draft.c.name, draft.c.location, draft.c.identity).where(draft.c.identity != "[]")
    return {
        key: where
        for name, where, identity in connection.execute(query)
        if name not in leave_out
        for key in json.loads(identity)
    }


def count_drafts(connection: Connection) -> int:
    """Return how many drafts articles/ holds."""
    return int(connection.execute(select(func.count()).select_from(draft)).scalar_one())


def has_draft_keys(connection: Connection) -> bool:
    """Return whether any draft is known that was never published."""
    return connection.execute(select(draft_key.c.key).limit(1)).first() is not None


def draft_first_read_times(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return key → when a draft with it was first read, for the keys of drafts that were never published."""
    found: dict[str, int] = {}
    for page in batches(keys):
        query = select(draft_key.c.key, draft_key.c.first_read_at).where(draft_key.c.key.in_(page))
        found.update((key, at) for key, at in connection.execute(query))
    return found


def add_draft_keys(connection: Connection, keys: Mapping[str, int]) -> None:
    """Store when drafts were first read (key → instant); a key that is known keeps its instant."""
    known = draft_first_read_times(connection, keys)
    rows = [{"key": key, "first_read_at": at} for key, at in keys.items() if key not in known]
    insert_rows(connection, draft_key, rows)


def delete_draft_keys(connection: Connection, keys: Iterable[str]) -> None:
    """Forget the keys of drafts that are published now, or whose file is gone."""
    for page in batches(keys):
        connection.execute(delete(draft_key).where(draft_key.c.key.in_(page)))


def mark_drafts(connection: Connection, statements: Mapping[int, str], at: int) -> None:
    """Note that the records of articles (arrival number → what says so) are drafts, and withdraw the articles.

    They lead no issue, and wait for digests until they are published again. What an editor withdrew with a
    reason stays withdrawn with it.
    """
    if not statements:
        return
    statement = (
        update(article)
        .where(article.c.seq == bindparam("which"))
        .values(draft=bindparam("words"), retracted_at=func.coalesce(article.c.retracted_at, at))
    )
    connection.execute(statement, [{"which": seq, "words": words} for seq, words in statements.items()])
    for page in batches(statements):
        connection.execute(update(next_issue_note).where(next_issue_note.c.lead_seq.in_(page)).values(lead_seq=None))


def unmark_drafts(connection: Connection, seqs: Collection[int]) -> None:
    """Note that the records of articles are no drafts any more; what an editor withdrew stays withdrawn."""
    for page in batches(seqs):
        mine = article.c.seq.in_(page)
        connection.execute(update(article).where(mine, article.c.retraction.is_(None)).values(retracted_at=None))
        connection.execute(update(article).where(mine).values(draft=None))
