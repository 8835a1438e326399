"""``publish note``: the editor's note, the lead and added articles of a digest's next issue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.lookup import find_article, require_no_draft
from publisher.digests import notes_store as preparations
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.notes_store import NextIssueNote
from publisher.errors import SettingsError
from publisher.html.text import clean_characters
from publisher.model.query import is_news, matches_query
from publisher.model.report import Progress, no_progress
from publisher.pipeline.make_issues import begin_digest_queue
from publisher.pipeline.publish import publish
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.workers.timed_worker import TimedWorker, WorkerStopped

__all__ = ["NoteResult", "set_note"]

_LONGEST = 20_000
#: Processor time for a note's Markdown.
_RENDER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteResult:
    """What an editor has prepared for a digest's next issue."""

    digest: str
    #: Markdown; empty where nothing is said.
    note: str
    #: The headline of the article that leads it; None for the newest.
    lead: str | None
    #: The headlines of articles that were added to it by name.
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
    """Store the editor's note, the lead and added articles of the digest's next issue, and return what is stored.

    Where an article is named, articles/ is read and staged before; no issue is made.

    Args:
        site: the settings.
        digest: its slug.
        now: what time it is.
        text: the editor's note, Markdown, in place of an earlier one; None leaves that.
        lead: a name of the article that is to lead; None leaves what was stored.
        add: names of articles that the next issue is to carry, whatever their age.
        clear: forget all of it first.
        progress: told now and then how far the work is.
        on_wait: told once if another run has to be waited for.

    Raises:
        SettingsError: no such digest, too long a note, or a name of no article that can be in the issue.
    """
    cleaned = _checked(site, digest, text)

    def prepare(connection: Connection) -> None:
        said = preparations.load_next_issue_note(connection, digest)
        if clear:
            said = _cleared(connection, site, digest)
        if cleaned is not None:
            said = replace(said, note=cleaned)
        if lead is not None:
            said = replace(said, lead_seq=_lead(connection, site, digest, lead))
        preparations.save_next_issue_note(connection, digest, said)
        for name in add:
            _add(connection, site, digest, name, now)

    if lead is not None or add:
        publish(site, now, progress=progress, on_wait=on_wait, edit=prepare)
    elif clear or cleaned is not None:
        with Database.open(site.database_url) as db, db.write() as connection:
            prepare(connection)
    return _prepared(site, digest)


def _checked(site: Site, digest: str, text: str | None) -> str | None:
    """Return the note cleaned, or None where there is none."""
    if digest not in site.digests:
        known = ", ".join(site.digests) or "none"
        raise SettingsError(f"there is no digest {digest!r}; publisher.toml has: {known}")
    cleaned = None if text is None else clean_characters(text)[0].strip()
    if cleaned is not None and len(cleaned) > _LONGEST:
        raise SettingsError(f"the note has {len(cleaned):,} characters, {_LONGEST:,} may be: make it an article")
    if cleaned:
        _require_renderable(cleaned)
    return cleaned


def _require_renderable(text: str) -> None:
    """Raise a ``SettingsError`` where Markdown takes too long: it is rendered in the runner later."""
    with TimedWorker(cpu_seconds=_RENDER_SECONDS) as worker:
        try:
            worker.call("publisher.html.markdown:markdown_to_html", text)
        except WorkerStopped as stopped:
            raise SettingsError(f"the note cannot be rendered: {stopped}. Simplify its Markdown.") from None


def _prepared(site: Site, digest: str) -> NoteResult:
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        said = preparations.load_next_issue_note(connection, digest)
        added = pending.requested_articles(connection, digest)
        seqs = [*added, *([said.lead_seq] if said.lead_seq is not None else [])]
        known = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        stored = store.rows_by_seq(connection, added)
    return NoteResult(
        digest=digest,
        note=said.note,
        lead=known[said.lead_seq].title if said.lead_seq is not None else None,
        added=tuple(known[seq].title for seq in added if stored[seq].retracted_at is None),
    )


def _add(connection: Connection, site: Site, digest: str, name: str, now: datetime) -> None:
    """Let an article wait for the digest's next issue, whatever its age."""
    seq = _sendable(connection, site, digest, name)
    if not issues.has_started(connection, digest):
        begin_digest_queue(connection, site.digests[digest].digest(digest), site, now)
    pending.add_requested_article(connection, digest, seq)


def _cleared(connection: Connection, site: Site, digest: str) -> NextIssueNote:
    """Forget which articles were added, and return an empty preparation. Added articles that are news wait on."""
    days = site.digests[digest].news_days
    known = store.rows_by_seq(connection, pending.requested_articles(connection, digest))
    old = [seq for seq, one in known.items() if not is_news(days, one.asked_at, one.first_read_at)]
    pending.remove_pending(connection, digest, old)
    pending.clear_requested_articles(connection, digest)
    return NextIssueNote()


def _lead(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of the article that is to lead, which waits for the digest from now on."""
    seq = _sendable(connection, site, digest, name)
    if digest in issues.started_digests(connection):
        issues.add_pending(connection, [(digest, seq)])
    return seq


def _sendable(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of an article that the digest may still carry."""
    one, article = find_article(connection, site, name)
    require_no_draft(one, article)
    if one.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn; 'publish retract --undo' takes that back")
    if not issues.without_carried(connection, [(digest, one.seq)]):
        raise SettingsError(f"{article.title!r} was in an issue of {digest} before: subscribers get it once")
    definition = site.digests[digest].digest(digest)
    if not matches_query(definition.query, article):
        raise SettingsError(f"{article.title!r} is not what {digest} asks for: change its topic, or the digest's query")
    return one.seq
