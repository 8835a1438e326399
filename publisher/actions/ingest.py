"""articles/ → the store: what is new or changed is read, the rest is not touched."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from publisher.actions.failing import halves, is_about_data
from publisher.actions.filing import Filed, file_articles
from publisher.actions.identify import asked_instant, content_hash, keys_of, mint_id, mint_path, same_article
from publisher.actions.parsing import parse_files, parsing_rules
from publisher.actions.report import Progress, PublishReport
from publisher.config import Site
from publisher.failures import describe_failure, log_failure
from publisher.ingest import (
    ASIDE,
    BUCKETS,
    Found,
    Listing,
    Refusal,
    bucket_of,
    scan,
    suffix_of,
)
from publisher.model import Record
from publisher.parallel import Workers
from publisher.selection import matches
from publisher.store import articles as store
from publisher.store import corrections, issues, sources
from publisher.store.articles import Stored
from publisher.store.database import Database
from publisher.store.record import record_json
from publisher.store.sources import Problem

__all__ = ["ingest", "namespace_of"]


def namespace_of(connection: Connection, site: Site) -> uuid.UUID:
    """Return the seed of the site's ids, decided on the first run and kept for ever."""
    kept = sources.get_fact(connection, "namespace")
    if kept is None:
        kept = str(uuid.uuid5(uuid.NAMESPACE_URL, site.id or f"https://{site.host}/"))
        sources.set_fact(connection, "namespace", kept)
    return uuid.UUID(kept)


def ingest(
    db: Database, site: Site, now: datetime, report: PublishReport, progress: Progress, workers: Workers
) -> None:
    """Read what is new or changed in articles/ and note it in the report.

    What a batch of records changes (articles, the feeds that are dirty for it, the digests that it
    waits for) is committed as a whole, so a run that is killed goes on where it stopped.
    """
    # The wall clock, not ``now``: file systems know no other.
    listing = scan(site.articles_dir, time.time_ns())
    rules = parsing_rules(site)
    with db.read() as connection:
        same_rules = sources.get_fact(connection, "ingest_rules") == rules
        kept = sources.bucket_fingerprints(connection) if same_rules else {}
        fingerprints = {number: listing.fingerprint(number) for number in range(BUCKETS)}
        changed = {number for number, text in fingerprints.items() if not text or kept.get(number) != text}
        known = sources.sources_in(connection, changed) if changed else {}
    there = {name: signature for number in changed for name, signature in listing.files(number).items()}
    # An empty signature means "may have changed within the clock's tick": read again.
    to_read = sorted(
        name
        for name, signature in there.items()
        if suffix_of(name) not in ASIDE and (not same_rules or not signature or known.get(name) != signature)
    )
    gone = [name for name in known if name not in there]
    said: dict[str, list[Problem]] = {}
    done = read = 0
    for names, results in parse_files(site, to_read, workers):
        files = [(name, bucket_of(name), there[name]) for name in names]
        for batch in _store_results(db, site, now, listing, results, _Finish(files, said)):
            report.warnings.extend(one for some in batch.said.values() for one in some if not one.refused)
            report.new += batch.new
            report.edited += batch.edited
        report.files_read += len(names)
        done += len(names)
        read += sum(map(len, results.values()))
        if names:
            progress("reading articles", done, len(to_read))
        else:
            progress("reading records", read, 0)
    if changed:
        with db.write() as connection:
            sources.set_fact(connection, "ingest_rules", rules)
            sources.forget_sources(connection, gone)
            sources.save_buckets(connection, {number: fingerprints[number] for number in changed})


@dataclass(frozen=True, slots=True)
class _Finish:
    """Files that are read with a batch, and what has been said of files that are being read."""

    files: Sequence[tuple[str, int, str]]
    said: dict[str, list[Problem]]

    def __call__(self, connection: Connection, batches: Iterable[_Batch]) -> None:
        for batch in batches:
            for name, problems in batch.said.items():
                self.said.setdefault(name, []).extend(problems)
        found = {name: self.said.pop(name) for name, _, _ in self.files if name in self.said}
        sources.save_sources(connection, self.files, found)


def _store_results(
    db: Database,
    site: Site,
    now: datetime,
    listing: Listing,
    results: dict[str, list[Found | Refusal]],
    finish: Callable[[Connection, Iterable[_Batch]], None] | None,
) -> list[_Batch]:
    """Store records in one transaction; if the database rejects one of them, each of the others all the same."""
    try:
        with db.write() as connection:
            batch = _Batch(connection=connection, site=site, now=now, listing=listing)
            batch.store(results)
            if finish is not None:
                finish(connection, [batch])
    except Exception as error:
        if not is_about_data(error):
            raise
        problem = error
    else:
        return [batch]
    parts = halves(results)
    if parts is None:
        batch.reject(results, problem)
        batches = [batch]
    else:
        batches = [one for part in parts for one in _store_results(db, site, now, listing, part, None)]
    if finish is not None:
        with db.write() as connection:
            finish(connection, batches)
    return batches


@dataclass(slots=True, kw_only=True)
class _Draft:
    """A record on its way into the store."""

    name: str
    found: Found
    keys: tuple[str, ...]
    json: str
    hash: str
    seq: int = 0

    @property
    def record(self) -> Record:
        return self.found.record


_Item = TypeVar("_Item")


def _distinct(
    items: Sequence[_Item],
    mint: Callable[[_Item, Callable[[str], bool]], str],
    taken_in_store: Callable[[Sequence[str]], set[str]],
) -> list[str]:
    """Return what is minted for each item, none of it taken: not in the store, not by one before it.

    The store is asked once for all first choices, and again only for the few that are taken.
    """
    first = [mint(item, lambda _: False) for item in items]
    taken = taken_in_store(first)
    minted = []
    for item, choice in zip(items, first, strict=True):
        name = choice
        if choice in taken:
            name = mint(item, lambda one: one in taken or bool(taken_in_store([one])))
        taken.add(name)
        minted.append(name)
    return minted


@dataclass(slots=True, kw_only=True)
class _Batch:
    """One transaction's worth of files."""

    connection: Connection
    site: Site
    now: datetime
    listing: Listing
    new: int = 0
    edited: int = 0
    said: dict[str, list[Problem]] = field(default_factory=dict)

    def store(self, results: dict[str, list[Found | Refusal]]) -> None:
        """Store the records, and note what is to be said about each file."""
        drafts: list[_Draft] = []
        for name, items in results.items():
            for item in items:
                if isinstance(item, Refusal):
                    self._refuse(name, item)
                    continue
                for warning in item.warnings:
                    self._say(name, item.where, warning)
                text = record_json(item.record)
                keys = keys_of(item, name)
                drafts.append(
                    _Draft(name=name, found=item, keys=keys, json=text, hash=content_hash(text, item.record.body))
                )
        if drafts:
            self._store_drafts(drafts)

    def reject(self, results: dict[str, list[Found | Refusal]], error: Exception) -> None:
        """Note that the records cannot be stored; nothing of what was noted before holds."""
        self.said, self.new, self.edited = {}, 0, 0
        failure = describe_failure(error)
        for name, items in results.items():
            for item in items:
                reason = f"the record cannot be stored: {failure}"
                self._refuse(name, Refusal(where=item.where, reason=reason, failure=failure))

    def _refuse(self, name: str, refusal: Refusal) -> None:
        self._say(name, refusal.where, refusal.reason, refused=True)
        if refusal.failure is not None:
            log_failure(self.site.root, self.now.isoformat(), refusal.where, refusal.failure)

    def _say(self, name: str, where: str, reason: str, *, refused: bool = False) -> None:
        self.said.setdefault(name, []).append(Problem(where=where, refused=refused, reason=reason))

    def _store_drafts(self, drafts: list[_Draft]) -> None:
        connection = self.connection
        keys = store.keyed(connection, {key for draft in drafts for key in draft.keys})
        known_before = store.stored(connection, set(keys.values()))
        by_hash = store.stored_by_hash(connection, {draft.hash for draft in drafts})
        first_new = store.last_seq(connection) + 1
        last: dict[int, _Draft] = {}
        for draft in drafts:
            draft.seq = self._identify(draft, keys, by_hash, first_new + self.new, last)
            if draft.seq >= first_new and draft.seq not in last:
                self.new += 1
            elif draft.seq in last:
                self._say(draft.name, draft.found.where, f"the same article as in {last[draft.seq].found.where}")
            last[draft.seq] = draft
            keys.update(dict.fromkeys(draft.keys, draft.seq))
        known_before.update(
            store.stored(connection, [seq for seq in last if seq < first_new and seq not in known_before])
        )
        fresh = [draft for seq, draft in last.items() if seq >= first_new]
        edited = [draft for seq, draft in last.items() if seq in known_before and known_before[seq].hash != draft.hash]
        moved = [
            draft
            for seq, draft in last.items()
            if seq in known_before and known_before[seq].hash == draft.hash and known_before[seq].source != draft.name
        ]
        self.edited = len(edited)
        self._write(fresh, edited, moved, known_before)
        store.set_keys(connection, {key: draft.seq for draft in drafts for key in draft.keys})

    def _identify(
        self,
        draft: _Draft,
        keys: dict[str, int],
        by_hash: dict[str, list[Stored]],
        next_seq: int,
        batch: dict[int, _Draft],
    ) -> int:
        def has_id(seq: int) -> bool:
            if seq in batch:
                return batch[seq].record.external_id is not None
            return bool(store.has_id_key(self.connection, seq))

        seq = same_article(draft.keys, keys, has_id, by_hash.get(draft.hash, ()), self.listing.__contains__)
        return next_seq if seq is None else seq

    def _write(self, fresh: list[_Draft], edited: list[_Draft], moved: list[_Draft], known: dict[int, Stored]) -> None:
        connection = self.connection
        asked = {draft.seq: asked_instant(draft.record, self.site.tz) for draft in (*fresh, *edited)}
        unplaced = [
            draft
            for draft in (*fresh, *edited)
            if draft.seq not in known or known[draft.seq].asked_at != asked[draft.seq]
        ]
        granted = store.free_instants(connection, [asked[draft.seq] for draft in unplaced])
        published = {draft.seq: instant for draft, instant in zip(unplaced, granted, strict=True)}
        published.update({draft.seq: known[draft.seq].published_at for draft in edited if draft.seq not in published})
        changed = self._changes([*fresh, *edited], published, known)
        store.insert_articles(connection, self._new_rows(fresh, asked, published, changed))
        store.update_articles(connection, [self._row(draft, asked, published, changed) for draft in edited])
        store.set_sources(connection, {draft.seq: draft.name for draft in moved})
        # A name that an article has left behind is free for another one.
        left = [(known[draft.seq].source, draft) for draft in (*edited, *moved)]
        store.drop_keys(
            connection, [f"file:{old}" for old, draft in left if old != draft.name and old not in self.listing]
        )
        standing = [draft for draft in edited if known[draft.seq].retracted_at is None]
        file_articles(
            connection,
            self.site,
            [Filed(seq=draft.seq, record=draft.record, changed_at=changed[draft.seq]) for draft in (*fresh, *standing)],
            [draft.seq for draft in standing],
        )
        self._offer(fresh, standing)

    def _changes(self, drafts: list[_Draft], published: dict[int, int], known: dict[int, Stored]) -> dict[int, int]:
        """Return the instant of each article's last significant change: its record's, its last correction's.

        A typo that is mended without a word moves nothing.
        """
        now = int(self.now.timestamp())
        corrected = corrections.last_corrections(self.connection, known)
        changed, unplaced = {}, []
        for draft in drafts:
            at, before = published[draft.seq], known.get(draft.seq)
            updated = self._updated(draft)
            asked = max(at, updated or at, corrected.get(draft.seq, at))
            if before is not None and (before.published_at, before.updated_at) == (at, updated):
                changed[draft.seq] = before.changed_at
            elif asked == at:
                changed[draft.seq] = at
            else:
                unplaced.append((draft.seq, asked))
        free = store.free_changes(self.connection, [asked for _, asked in unplaced], now, set(published.values()))
        return changed | dict(zip((seq for seq, _ in unplaced), free, strict=True))

    def _updated(self, draft: _Draft) -> int | None:
        """Return the change that a record asks for, or None where it names none that has happened."""
        moment = draft.record.updated
        return int(moment.timestamp()) if moment is not None and moment <= self.now else None

    def _row(
        self, draft: _Draft, asked: dict[int, int], published: dict[int, int], changed: dict[int, int]
    ) -> dict[str, Any]:
        updated = self._updated(draft)
        if draft.record.updated is not None and updated is None:
            self._say(draft.name, draft.found.where, "updated lies in the future; the day of publication is shown")
        return {
            "seq": draft.seq,
            "asked_at": asked[draft.seq],
            "published_at": published[draft.seq],
            "changed_at": changed[draft.seq],
            "updated_at": updated,
            "hash": draft.hash,
            "record": draft.json,
            "body": draft.record.body,
            "source": draft.name,
        }

    def _new_rows(
        self, fresh: list[_Draft], asked: dict[int, int], published: dict[int, int], changed: dict[int, int]
    ) -> list[dict[str, Any]]:
        """Return the rows of new articles, each with an id and a path of its own."""
        connection, site = self.connection, self.site
        namespace = namespace_of(connection, site)

        def id_of(draft: _Draft, taken: Callable[[str], bool]) -> str:
            return mint_id(draft.record, draft.keys, namespace, taken)

        ids = _distinct(fresh, id_of, lambda names: set(store.ids_of(connection, names)))
        named = list(zip(fresh, ids, strict=True))

        def path_of(one: tuple[_Draft, str], taken: Callable[[str], bool]) -> str:
            return mint_path(site.article_url, one[0].record, one[1], site.tz, taken)

        paths = _distinct(named, path_of, lambda names: store.paths_taken(connection, names))
        return [
            {**self._row(draft, asked, published, changed), "id": new_id, "path": path}
            for (draft, new_id), path in zip(named, paths, strict=True)
        ]

    def _offer(self, fresh: Iterable[_Draft], edited: Iterable[_Draft]) -> None:
        """Let the articles wait for the digests that ask for them.

        An edited article is not sent again; one that an edit brings within a digest's query is
        sent for the first time, if it arrived after the digest began.
        """
        begun = issues.digests_begun(self.connection)
        digests = [digest for digest in self.site.all_digests() if digest.slug in begun]
        waiting = [(one.slug, draft.seq) for draft in fresh for one in digests if matches(one.query, draft.record)]
        late = [
            (one.slug, draft.seq)
            for draft in edited
            for one in digests
            if draft.seq > begun[one.slug] and matches(one.query, draft.record)
        ]
        if late:
            waiting.extend(issues.not_yet_carried(self.connection, late))
        issues.add_pending(self.connection, waiting)
