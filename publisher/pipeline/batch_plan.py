"""Decide which article each record of a batch is, and which articles are new, edited or moved. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from publisher.articles.identity import match_article
from publisher.articles.parsers import ParsedRecord
from publisher.articles.store import ArticleRow
from publisher.model.articles import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRecord:
    """A parsed record that is being stored."""

    name: str
    parsed: ParsedRecord
    keys: tuple[str, ...]
    json: str
    hash: str
    #: Arrival number of its article; 0 before it is planned.
    seq: int = 0

    @property
    def record(self) -> Record:
        """The record."""
        return self.parsed.record

    @property
    def expires_at(self) -> int | None:
        """When the article expires, in seconds since 1970."""
        return None if self.record.expires is None else int(self.record.expires.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownArticles:
    """The stored articles that the records of a batch may be, and the files in articles/."""

    #: Key → arrival number.
    seqs: Mapping[str, int]
    #: Arrival number → article.
    rows: Mapping[int, ArticleRow]
    #: Content hash → articles.
    by_hash: Mapping[str, Sequence[ArticleRow]]
    #: The arrival number of the first new article.
    next_seq: int
    #: Whether an article has an external ID.
    has_id: Callable[[int], bool]
    #: Whether a file is in articles/.
    is_there: Callable[[str], bool]
    #: File → its possible former names.
    former_names: Callable[[str], Sequence[str]]


@dataclass(slots=True, kw_only=True)
class BatchPlan:
    """The changes of a batch. Of several records of one article the last one counts."""

    new: list[IncomingRecord] = field(default_factory=list)
    edited: list[IncomingRecord] = field(default_factory=list)
    #: Articles whose only change is the file.
    moved: list[IncomingRecord] = field(default_factory=list)
    #: Key → arrival number.
    keys: dict[str, int] = field(default_factory=dict)
    #: Warnings about records.
    warnings: list[tuple[IncomingRecord, str]] = field(default_factory=list)


def draft_conflict(draft: str) -> str:
    """Return the warning about a record of an article that another record, at ``draft``, calls a draft."""
    return f"not published, because {draft} calls the same article a draft. Remove one of the two"


def plan_batch(incoming: Sequence[IncomingRecord], known: KnownArticles) -> BatchPlan:
    """Decide which article each record is, and what is stored."""
    plan, last, next_seq = BatchPlan(), dict[int, IncomingRecord](), known.next_seq
    seqs = {key: seq for key, seq in known.seqs.items() if not _is_released(key, known.rows[seq], known)}
    for item in incoming:
        seq = _match(item, seqs, last, known)
        if seq is None:
            seq, next_seq = next_seq, next_seq + 1
        elif seq in last:
            plan.warnings.append((item, f"the same article as in {last[seq].parsed.where}"))
        last[seq] = replace(item, seq=seq)
        seqs.update(dict.fromkeys(item.keys, seq))
        plan.keys.update(dict.fromkeys(item.keys, seq))
    for seq, item in last.items():
        before = known.rows.get(seq)
        if before is None:
            plan.new.append(item)
        elif before.draft is not None and before.source != item.name and known.is_there(before.source):
            plan.warnings.append((item, draft_conflict(before.source)))
        elif before.hash != item.hash or before.draft is not None:
            plan.edited.append(item)
        elif before.source != item.name:
            plan.moved.append(item)
    return plan


def _is_released(key: str, row: ArticleRow, known: KnownArticles) -> bool:
    """Return whether a key is the old file name of a moved draft, free for other articles."""
    is_elsewhere = row.draft is not None and key.startswith("file:") and key != f"file:{row.source}"
    return is_elsewhere and known.is_there(row.source)


def _match(
    item: IncomingRecord, seqs: Mapping[str, int], batch: Mapping[int, IncomingRecord], known: KnownArticles
) -> int | None:
    """Return the arrival number of the article that a record is; None for a new article."""

    def has_id(seq: int) -> bool:
        return batch[seq].record.external_id is not None if seq in batch else known.has_id(seq)

    seq = match_article(item.keys, seqs, has_id, known.by_hash.get(item.hash, ()), known.is_there)
    if seq is not None:
        return seq
    moved = {seqs[key] for name in known.former_names(item.name) if (key := f"file:{name}") in seqs}
    return moved.pop() if len(moved) == 1 else None
