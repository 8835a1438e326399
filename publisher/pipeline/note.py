"""``publish note``: the note, the lead and added articles of a digest's next issue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.lookup import find_article, require_no_draft
from publisher.digests import notes_store as notes
from publisher.digests import pending_store as pending
from publisher.digests.draft_content import start_digest_queue
from publisher.digests.notes_store import NextIssueNote
from publisher.errors import SettingsError
from publisher.html.text import clean_characters
from publisher.model.query import is_news, matches_query
from publisher.model.report import Progress, no_progress
from publisher.pipeline.publish import publish
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.workers.timed_worker import TimedWorker, WorkerStopped

__all__ = ["NoteResult", "set_note"]

_MAX_NOTE_LENGTH = 20_000
#: Limit of processor time for a note's Markdown.
_RENDER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteResult:
    """The note, lead and added articles of a digest's next issue."""

    digest: str
    #: Markdown; empty for no note.
    note: str
    #: The headline of the lead; None for the newest article.
    lead: str | None
    #: The headlines of added articles.
    added: tuple[str, ...] = ()


def set_note(
    site: Site,
    digest: str,
    now: datetime,
    *,
    text: str | None = None,
    lead: str | None = None,
    add: Sequence[str] = (),
    clear: bool = False,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> NoteResult:
    """Store the note, the lead and added articles of a digest's next issue.

    If an article is named, articles/ is read and staged first; no issue is made.

    Args:
        site: the settings.
        digest: its slug.
        now: the time.
        text: a new note in Markdown; None keeps the stored one.
        lead: the name of a new lead; None keeps the stored one.
        add: names of articles to add, whatever their age.
        clear: remove everything that is stored first.
        progress: called from time to time.
        on_wait: called with the holder's name if another run has to be waited for.

    Raises:
        SettingsError: no such digest, a note that is too long, or an article that the issue cannot have.
    """
    cleaned = _checked(site, digest, text)

    def prepare(connection: Connection) -> None:
        stored = notes.load_next_issue_note(connection, digest)
        if clear:
            stored = _cleared(connection, site, digest)
        if cleaned is not None:
            stored = replace(stored, note=cleaned)
        if lead is not None:
            stored = replace(stored, lead_seq=_lead(connection, site, digest, lead))
        notes.save_next_issue_note(connection, digest, stored)
        for name in add:
            _add(connection, site, digest, name, now)

    if lead is not None or add:
        publish(site, now, progress=progress, on_wait=on_wait, edit=prepare)
    elif clear or cleaned is not None:
        with Database.open(site.database_url) as db, db.write() as connection:
            prepare(connection)
    return _load_result(site, digest)


def _checked(site: Site, digest: str, text: str | None) -> str | None:
    """Return the cleaned note, or None without one."""
    if digest not in site.digests:
        known = ", ".join(site.digests) or "none"
        raise SettingsError(f"there is no digest {digest!r}; publisher.toml has: {known}")
    cleaned = None if text is None else clean_characters(text)[0].strip()
    if cleaned is not None and len(cleaned) > _MAX_NOTE_LENGTH:
        raise SettingsError(
            f"the note has {len(cleaned):,} characters, {_MAX_NOTE_LENGTH:,} are allowed. Make it an article."
        )
    if cleaned:
        _require_renderable(cleaned)
    return cleaned


def _require_renderable(text: str) -> None:
    """Raise a ``SettingsError`` if the Markdown takes too long to render."""
    with TimedWorker(cpu_seconds=_RENDER_SECONDS) as worker:
        try:
            worker.call("publisher.html.markdown:markdown_to_html", text)
        except WorkerStopped as stopped:
            raise SettingsError(f"the note cannot be rendered: {stopped}. Simplify its Markdown.") from None


def _load_result(site: Site, digest: str) -> NoteResult:
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        stored = notes.load_next_issue_note(connection, digest)
        added = pending.requested_articles(connection, digest)
        seqs = [*added, *([stored.lead_seq] if stored.lead_seq is not None else [])]
        known = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        rows = store.rows_by_seq(connection, added)
    return NoteResult(
        digest=digest,
        note=stored.note,
        lead=known[stored.lead_seq].title if stored.lead_seq is not None else None,
        added=tuple(known[seq].title for seq in added if rows[seq].retracted_at is None),
    )


def _add(connection: Connection, site: Site, digest: str, name: str, now: datetime) -> None:
    """Add an article to the digest's next issue, whatever its age."""
    seq = _sendable(connection, site, digest, name)
    if not pending.has_started(connection, digest):
        start_digest_queue(connection, site.digests[digest].digest(digest), site, now)
    pending.add_requested_article(connection, digest, seq)


def _cleared(connection: Connection, site: Site, digest: str) -> NextIssueNote:
    """Remove added articles, except recent ones, and return an empty note."""
    days = site.digests[digest].news_days
    known = store.rows_by_seq(connection, pending.requested_articles(connection, digest))
    old = [seq for seq, row in known.items() if not is_news(days, row.asked_at, row.first_read_at)]
    pending.remove_pending(connection, digest, old)
    pending.clear_requested_articles(connection, digest)
    return NextIssueNote()


def _lead(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of the new lead, and make it pending for the digest."""
    seq = _sendable(connection, site, digest, name)
    if digest in pending.started_digests(connection):
        pending.add_pending(connection, [(digest, seq)])
    return seq


def _sendable(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of an article that the digest may still send."""
    row, article = find_article(connection, site, name)
    require_no_draft(row, article)
    if row.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn. To undo that, use 'publish retract --undo'.")
    if not pending.without_carried(connection, [(digest, row.seq)]):
        raise SettingsError(f"{article.title!r} was in an issue of {digest} before: subscribers get an article once")
    definition = site.digests[digest].digest(digest)
    if not matches_query(definition.query, article):
        raise SettingsError(f"{article.title!r} does not match the query of {digest}: change its topic or the query")
    return row.seq
