"""Hold records that are drafts: withdraw an article that became one, and remember when a new one was first read."""

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

__all__ = ["IncomingDraft", "first_reads", "hold_drafts", "identify_drafts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingDraft:
    """A draft that was read, with the keys that it is known by."""

    name: str
    draft: DraftRecord
    keys: tuple[str, ...]

    @property
    def hash(self) -> str | None:
        """The hash of its record, where the record is complete."""
        record = self.draft.record
        return None if record is None else content_hash(record_json(record), record.body)


def identify_drafts(
    connection: Connection, drafts: Sequence[IncomingDraft], moves: FileMoves, is_there: Callable[[str], bool]
) -> dict[int, list[int]]:
    """Return place among the drafts → arrival numbers of the published articles that the draft is.

    A draft that is found by its file name alone may be any of several files of that name that went away. All
    of them are returned then, because no draft may stay published.

    Args:
        connection: to the store.
        drafts: as they were read.
        moves: the files that went away.
        is_there: whether a file lies in articles/.
    """
    hashes = [one.hash for one in drafts]
    earlier = [[f"file:{name}" for name in moves.before(one.name) if not is_there(name)] for one in drafts]
    keys = store.seqs_by_key(
        connection, {key for one, old in zip(drafts, earlier, strict=True) for key in (*one.keys, *old)}
    )
    by_hash = store.rows_by_hash(connection, {one for one in hashes if one is not None})

    def has_id(seq: int) -> bool:
        return store.has_id_key(connection, seq)

    found: dict[int, list[int]] = {}
    for place, (one, text, old) in enumerate(zip(drafts, hashes, earlier, strict=True)):
        seq = match_article(one.keys, keys, has_id, by_hash.get(text or "", ()), is_there)
        if seq is not None:
            found[place] = [seq]
        elif moved := sorted({keys[key] for key in old if key in keys}):
            found[place] = moved
    return found


def hold_drafts(
    connection: Connection,
    drafts: Sequence[IncomingDraft],
    now: datetime,
    moves: FileMoves,
    is_there: Callable[[str], bool],
) -> int:
    """Withdraw every article that one of the drafts is, and return how many of them were published until now.

    Arguments: as for :func:`identify_drafts`, in the transaction that stores the files.
    """
    which = identify_drafts(connection, drafts, moves, is_there)
    statements = {seq: drafts[place].draft.statement for place, seqs in which.items() for seq in seqs}
    known = store.rows_by_seq(connection, statements)
    published = withdraw_articles(connection, statements, now)
    certain = {place: seqs[0] for place, seqs in which.items() if len(seqs) == 1}
    store.set_keys(connection, {key: seq for place, seq in certain.items() for key in drafts[place].keys})
    sources = {seq: drafts[place].name for place, seq in certain.items()}
    store.set_sources(connection, {seq: name for seq, name in sources.items() if known[seq].source != name})
    unknown = {place: one for place, one in enumerate(drafts) if place not in which}
    read = first_reads(
        connection,
        {place: one.keys for place, one in unknown.items()},
        {place: one.name for place, one in unknown.items()},
        moves,
        now,
    )
    table.add_draft_keys(connection, {key: read[place] for place, one in unknown.items() for key in one.keys})
    return len(published)


def withdraw_articles(connection: Connection, statements: Mapping[int, str], now: datetime) -> list[int]:
    """Withdraw articles (arrival number → what says that it is a draft); return those that were published until now."""
    known = store.rows_by_seq(connection, statements)
    published = [seq for seq, one in known.items() if one.retracted_at is None]
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
    """Return number → when the record was first read, as a draft or now, and forget that it was read as a draft.

    Args:
        connection: to the store.
        keys: of records, by any number.
        names: their files.
        moves: the files that went away.
        now: what time it is.
    """
    seconds = int(now.timestamp())
    if not table.has_draft_keys(connection):
        return dict.fromkeys(keys, seconds)
    every = {seq: {*own, *(f"file:{old}" for old in moves.before(names[seq]))} for seq, own in keys.items()}
    known = table.draft_first_read_times(connection, {key for own in every.values() for key in own})
    table.delete_draft_keys(connection, known)
    return {seq: min([seconds, *(known[key] for key in own if key in known)]) for seq, own in every.items()}
