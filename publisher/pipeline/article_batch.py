"""Store a batch of parsed records in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import drafts_store as draft_store
from publisher.articles import store
from publisher.articles.drafts_store import DraftRow
from publisher.articles.expiry_store import save_expiries
from publisher.articles.identity import (
    content_hash,
    new_article_id,
    new_article_path,
    record_keys,
    requested_time,
)
from publisher.articles.moves import FileMoves
from publisher.articles.namespace import site_namespace
from publisher.articles.parsers import DraftRecord, ParsedRecord, ParseResult, RejectedRecord
from publisher.articles.records import record_json
from publisher.articles.scan import FolderListing
from publisher.articles.store import ArticleRow
from publisher.failures import describe_failure, log_failure
from publisher.feeds.membership import FeedPlacement, add_to_feeds
from publisher.model.problems import Problem
from publisher.pipeline.batch_plan import BatchPlan, IncomingRecord, KnownArticles, draft_conflict, plan_batch
from publisher.pipeline.drafts import IncomingDraft, first_reads, hold_drafts
from publisher.pipeline.news import NewsFilter
from publisher.settings import Site

_Item = TypeVar("_Item")


def _distinct(
    items: Sequence[_Item],
    mint: Callable[[_Item, Callable[[str], bool]], str],
    taken_in_store: Callable[[Sequence[str]], set[str]],
) -> list[str]:
    """Return a new unique name for each item.

    The database is asked once for all first choices, and again only for the few that are taken.

    Args:
        mint: returns a name for an item that a predicate does not reject.
        taken_in_store: returns the taken ones of some names.
    """
    first = [mint(item, lambda _: False) for item in items]
    taken = taken_in_store(first)
    minted = []
    for item, choice in zip(items, first, strict=True):
        name = choice
        if choice in taken:
            name = mint(item, lambda candidate: candidate in taken or bool(taken_in_store([candidate])))
        taken.add(name)
        minted.append(name)
    return minted


@dataclass(slots=True, kw_only=True)
class ArticleBatch:
    """The records of one transaction."""

    connection: Connection
    site: Site
    now: datetime
    listing: FolderListing
    #: The files that were removed since the last run.
    moves: FileMoves
    #: Key → location of every known draft, of other files and of those that this run has read.
    known_drafts: dict[str, str]
    new: int = 0
    edited: int = 0
    #: Number of published articles that became drafts.
    withdrawn: int = 0
    #: Number of new articles that match a digest but are too old for it.
    old: int = 0
    #: File → its problems.
    problems: dict[str, list[Problem]] = field(default_factory=dict)
    #: File → its drafts.
    drafts: dict[str, list[DraftRow]] = field(default_factory=dict)

    def store(self, results: Mapping[str, Sequence[ParseResult]]) -> None:
        """Store the records, and collect the problems and drafts of each file."""
        incoming: list[IncomingRecord] = []
        drafts: list[IncomingDraft] = []
        for name, items in self._without_drafted(results):
            for item in items:
                if isinstance(item, RejectedRecord):
                    self._reject(name, item)
                    continue
                for warning in item.warnings:
                    self._add_problem(name, item.where, warning)
                keys = record_keys(item, name)
                if isinstance(item, DraftRecord):
                    drafts.append(IncomingDraft(name=name, draft=item, keys=keys))
                    identity = tuple(key for key in keys if not key.startswith("file:"))
                    self.drafts.setdefault(name, []).append(
                        DraftRow(where=item.where, statement=item.statement, identity=identity)
                    )
                    continue
                text = record_json(item.record)
                incoming.append(
                    IncomingRecord(
                        name=name, parsed=item, keys=keys, json=text, hash=content_hash(text, item.record.body)
                    )
                )
        if incoming:
            self._store_incoming(incoming)
        if drafts:
            is_there = self.listing.__contains__
            self.withdrawn = hold_drafts(self.connection, drafts, self.now, self.moves, is_there)

    def _without_drafted(self, results: Mapping[str, Sequence[ParseResult]]) -> Iterator[tuple[str, list[ParseResult]]]:
        """Yield (file, records), without records of articles that another record calls a draft.

        If two records of one article disagree, the draft wins while its file exists, so that nothing unfinished is
        published.
        """
        drafts = self.known_drafts
        for name, items in results.items():
            for item in items:
                if isinstance(item, DraftRecord):
                    drafts.update(dict.fromkeys(record_keys(item, name), item.where))
        if not drafts:
            yield from ((name, list(items)) for name, items in results.items())
            return
        for name, items in results.items():
            kept: list[ParseResult] = []
            for item in items:
                keys = record_keys(item, name) if isinstance(item, ParsedRecord) else ()
                draft = next((drafts[key] for key in keys if key in drafts), None)
                if draft is None:
                    kept.append(item)
                else:
                    self._add_problem(name, item.where, draft_conflict(draft))
            yield name, kept

    def reject(self, results: Mapping[str, Sequence[ParseResult]], error: Exception) -> None:
        """Reject all records after a failed transaction, and discard what was collected before."""
        self.problems, self.drafts = {}, {}
        self.new = self.edited = self.withdrawn = self.old = 0
        failure = describe_failure(error)
        for name, items in results.items():
            for item in items:
                reason = f"the record cannot be stored: {failure}"
                self._reject(name, RejectedRecord(where=item.where, reason=reason, failure=failure))

    def _reject(self, name: str, rejected: RejectedRecord) -> None:
        self._add_problem(name, rejected.where, rejected.reason, refused=True)
        if rejected.failure is not None:
            log_failure(self.site.root, self.now.isoformat(), rejected.where, rejected.failure)

    def _add_problem(self, name: str, where: str, reason: str, *, refused: bool = False) -> None:
        self.problems.setdefault(name, []).append(Problem(where=where, is_rejected=refused, reason=reason))

    def _store_incoming(self, incoming: Sequence[IncomingRecord]) -> None:
        connection = self.connection
        former = [f"file:{name}" for item in incoming for name in self.moves.before(item.name)]
        seqs = store.seqs_by_key(connection, {*former, *(key for item in incoming for key in item.keys)})
        by_hash = store.rows_by_hash(connection, {item.hash for item in incoming})
        rows = {row.seq: row for found in by_hash.values() for row in found}
        rows |= store.rows_by_seq(connection, set(seqs.values()) - rows.keys())
        plan = plan_batch(
            incoming,
            KnownArticles(
                seqs=seqs,
                rows=rows,
                by_hash=by_hash,
                next_seq=store.last_seq(connection) + 1,
                has_id=lambda seq: bool(store.has_id_key(connection, seq)),
                is_there=self.listing.__contains__,
                former_names=self.moves.before,
            ),
        )
        for item, reason in plan.warnings:
            self._add_problem(item.name, item.parsed.where, reason)
        self.new, self.edited = len(plan.new), len(plan.edited)
        self._write(plan, rows)
        store.set_keys(connection, plan.keys)

    def _write(self, plan: BatchPlan, known: dict[int, ArticleRow]) -> None:
        connection, fresh, edited, moved = self.connection, plan.new, plan.edited, plan.moved
        asked = {item.seq: requested_time(item.record, self.site.tz) for item in (*fresh, *edited)}
        unplaced = [
            item for item in (*fresh, *edited) if item.seq not in known or known[item.seq].asked_at != asked[item.seq]
        ]
        granted = store.free_publication_times(connection, [asked[item.seq] for item in unplaced])
        published = {item.seq: instant for item, instant in zip(unplaced, granted, strict=True)}
        published.update({item.seq: known[item.seq].published_at for item in edited if item.seq not in published})
        changed = self._changes([*fresh, *edited], published, known)
        read: dict[int, int | None] = {item.seq: known[item.seq].first_read_at for item in edited}
        keys, files = {item.seq: item.keys for item in fresh}, {item.seq: item.name for item in fresh}
        read.update(first_reads(connection, keys, files, self.moves, self.now))
        news = NewsFilter(connection, self.site, asked, read)
        times = {
            seq: {"asked_at": asked[seq], "published_at": published[seq], "changed_at": changed[seq]} for seq in asked
        }
        store.insert_articles(connection, self._new_rows(fresh, times, read))
        store.update_articles(connection, [self._row(item, times[item.seq]) for item in edited])
        save_expiries(connection, {item.seq: item.expires_at for item in (*fresh, *edited)})
        draft_store.unmark_drafts(connection, [item.seq for item in edited if known[item.seq].draft is not None])
        store.set_sources(connection, {item.seq: item.name for item in moved})
        # Another article may use the old file name.
        old_sources = [(known[item.seq].source, item) for item in (*edited, *moved)]
        store.delete_keys(
            connection, [f"file:{old}" for old, item in old_sources if old != item.name and old not in self.listing]
        )
        published_again = [item for item in edited if known[item.seq].retraction is None]
        add_to_feeds(
            connection,
            self.site,
            [
                FeedPlacement(
                    seq=item.seq,
                    record=item.record,
                    changed_at=changed[item.seq],
                    is_quiet=item.seq not in known and news.is_quiet(item.seq),
                )
                for item in (*fresh, *published_again)
            ],
            [item.seq for item in published_again],
        )
        self.old = news.offer(
            {item.seq: item.record for item in fresh}, {item.seq: item.record for item in published_again}
        )

    def _changes(
        self, incoming: list[IncomingRecord], published: dict[int, int], known: dict[int, ArticleRow]
    ) -> dict[int, int]:
        """Return arrival number → time of the last significant change or correction.

        An edit that changes neither date keeps the time. An article that was withdrawn as a draft gets a new time when
        it is published again, so that feed readers that removed it show it again.
        """
        now = int(self.now.timestamp())
        corrected = corrections.last_correction_times(self.connection, known)
        returned = [item.seq for item in incoming if item.seq in known and self._is_returned(known[item.seq])]
        changed: dict[int, int] = {}
        unplaced = []
        for item in incoming:
            at, before = published[item.seq], known.get(item.seq)
            updated = self._updated(item)
            asked = max(at, updated or at, corrected.get(item.seq, at))
            if before is not None and (before.published_at, before.updated_at) == (at, updated):
                changed[item.seq] = before.changed_at
            elif asked == at:
                changed[item.seq] = at
            else:
                unplaced.append((item.seq, asked))
        free = store.free_change_times(self.connection, [asked for _, asked in unplaced], now, set(published.values()))
        changed |= dict(zip((seq for seq, _ in unplaced), free, strict=True))
        taken = {*published.values(), *free}
        latest = store.recent_free_change_times(self.connection, len(returned) + len(taken), now) if returned else []
        instants = [instant for instant in latest if instant not in taken]
        for seq, instant in zip(reversed(returned), instants, strict=False):
            if published[seq] <= now and instant > changed[seq]:
                changed[seq] = instant
        return changed

    def _is_returned(self, known: ArticleRow) -> bool:
        """Return whether an article is published again after it was withdrawn as a draft."""
        was_withdrawn = known.draft is not None and known.retraction is None
        return was_withdrawn and known.retracted_at is not None and known.published_at <= known.retracted_at

    def _updated(self, item: IncomingRecord) -> int | None:
        """Return the record's ``updated`` time; None if it has none or it lies in the future."""
        moment = item.record.updated
        return int(moment.timestamp()) if moment is not None and moment <= self.now else None

    def _row(self, item: IncomingRecord, times: Mapping[str, int]) -> dict[str, Any]:
        updated = self._updated(item)
        if item.record.updated is not None and updated is None:
            self._add_problem(item.name, item.parsed.where, "updated lies in the future; the publication date is shown")
        return {
            "seq": item.seq,
            **times,
            "updated_at": updated,
            "hash": item.hash,
            "record": item.json,
            "body": item.record.body,
            "source": item.name,
        }

    def _new_rows(
        self, fresh: list[IncomingRecord], times: Mapping[int, Mapping[str, int]], read: Mapping[int, int | None]
    ) -> list[dict[str, Any]]:
        """Return the rows of new articles with unique IDs and paths."""
        connection, site = self.connection, self.site
        namespace = site_namespace(connection, site)

        def id_of(item: IncomingRecord, taken: Callable[[str], bool]) -> str:
            return new_article_id(item.record, item.keys, namespace, taken)

        ids = _distinct(fresh, id_of, lambda names: set(store.seqs_by_id(connection, names)))
        named = list(zip(fresh, ids, strict=True))

        def path_of(named_item: tuple[IncomingRecord, str], taken: Callable[[str], bool]) -> str:
            return new_article_path(site.article_url, named_item[0].record, named_item[1], site.tz, taken)

        paths = _distinct(named, path_of, lambda names: store.taken_paths(connection, names))
        return [
            {**self._row(item, times[item.seq]), "id": new_id, "path": path, "first_read_at": read[item.seq]}
            for (item, new_id), path in zip(named, paths, strict=True)
        ]
