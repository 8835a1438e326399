"""Store drafts, and withdraw articles that became drafts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import drafts_store as table
from publisher.articles import store
from publisher.articles.identity import content_hash, match_article
from publisher.articles.moves import FileMoves
from publisher.articles.parsers import DraftRecord
from publisher.articles.records import record_json
from publisher.feeds import store as feeds
from publisher.feeds.membership import remove_from_feeds


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingDraft:
    """A parsed draft with its keys."""

    name: str
    draft: DraftRecord
    keys: tuple[str, ...]

    @property
    def hash(self) -> str | None:
        """The hash of its record; None if the record is incomplete."""
        record = self.draft.record
        return None if record is None else content_hash(record_json(record), record.body)


def identify_drafts(
    connection: Connection, drafts: Sequence[IncomingDraft], moves: FileMoves, is_there: Callable[[str], bool]
) -> dict[int, list[int]]:
    """Return index of a draft → arrival numbers of the published articles that it stands for.

    A draft that matches by file name alone may stand for any of several removed files of that name. All of them are
    returned, because no draft may stay published.

    Args:
        is_there: returns whether a file is in articles/.
    """
    hashes = [draft.hash for draft in drafts]
    earlier = [[f"file:{name}" for name in moves.before(draft.name) if not is_there(name)] for draft in drafts]
    keys = store.seqs_by_key(
        connection, {key for draft, old in zip(drafts, earlier, strict=True) for key in (*draft.keys, *old)}
    )
    by_hash = store.rows_by_hash(connection, {text for text in hashes if text is not None})

    def has_id(seq: int) -> bool:
        return store.has_id_key(connection, seq)

    matches: dict[int, list[int]] = {}
    for index, (draft, text, old) in enumerate(zip(drafts, hashes, earlier, strict=True)):
        seq = match_article(draft.keys, keys, has_id, by_hash.get(text or "", ()), is_there)
        if seq is not None:
            matches[index] = [seq]
        elif moved := sorted({keys[key] for key in old if key in keys}):
            matches[index] = moved
    return matches


def hold_drafts(
    connection: Connection,
    drafts: Sequence[IncomingDraft],
    now: datetime,
    moves: FileMoves,
    is_there: Callable[[str], bool],
) -> int:
    """Withdraw all articles that became drafts; return how many were published until now.

    Arguments are those of :func:`identify_drafts`, in the transaction that stores the files.
    """
    matches = identify_drafts(connection, drafts, moves, is_there)
    statements = {seq: drafts[index].draft.statement for index, seqs in matches.items() for seq in seqs}
    known = store.rows_by_seq(connection, statements)
    published = withdraw_articles(connection, statements, now)
    certain = {index: seqs[0] for index, seqs in matches.items() if len(seqs) == 1}
    store.set_keys(connection, {key: seq for index, seq in certain.items() for key in drafts[index].keys})
    sources = {seq: drafts[index].name for index, seq in certain.items()}
    store.set_sources(connection, {seq: name for seq, name in sources.items() if known[seq].source != name})
    unknown = {index: draft for index, draft in enumerate(drafts) if index not in matches}
    read = first_reads(
        connection,
        {index: draft.keys for index, draft in unknown.items()},
        {index: draft.name for index, draft in unknown.items()},
        moves,
        now,
    )
    table.add_draft_keys(connection, {key: read[index] for index, draft in unknown.items() for key in draft.keys})
    return len(published)


def withdraw_articles(connection: Connection, statements: Mapping[int, str], now: datetime) -> list[int]:
    """Withdraw articles; return those that were published until now."""
    known = store.rows_by_seq(connection, statements)
    published = [seq for seq, row in known.items() if row.retracted_at is None]
    table.mark_drafts(connection, statements, int(now.timestamp()))
    corrections.clear_send_overrides(connection, published)
    feeds.delete_entries(connection, published)
    remove_from_feeds(connection, published)
    return published


def first_reads(
    connection: Connection,
    keys: Mapping[int, Collection[str]],
    names: Mapping[int, str],
    moves: FileMoves,
    now: datetime,
) -> dict[int, int]:
    """Return number → time of the first reading, and delete the stored times of drafts.

    Args:
        keys: number of a record → its keys.
        names: number of a record → its file.
    """
    seconds = int(now.timestamp())
    if not table.has_draft_keys(connection):
        return dict.fromkeys(keys, seconds)
    every = {seq: {*own, *(f"file:{old}" for old in moves.before(names[seq]))} for seq, own in keys.items()}
    known = table.draft_first_read_times(connection, {key for own in every.values() for key in own})
    table.delete_draft_keys(connection, known)
    return {seq: min([seconds, *(known[key] for key in own if key in known)]) for seq, own in every.items()}
