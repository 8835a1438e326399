"""``publish note``: the note, and the choice and order of articles, of a digest's next issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.lookup import find_article, find_published_article
from publisher.context import Context
from publisher.digests import notes_store as notes
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.draft_content import next_content, skip_slot, start_digest_queue
from publisher.digests.notes_store import NextIssueNote
from publisher.digests.pending_store import SkipKind
from publisher.errors import SettingsError
from publisher.html.text import clean_characters
from publisher.model.query import is_news, matches_query
from publisher.model.result import Result
from publisher.pipeline.publish import publish
from publisher.settings import Site
from publisher.workers.timed_worker import TimedWorker, WorkerStopped

_MAX_NOTE_LENGTH = 20_000
#: Limit of processor time for a note's Markdown.
RENDER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteResult(Result):
    """The note, and the editors' choice of articles, of a digest's next issue."""

    digest: str
    slot: datetime
    #: The number that it would get.
    number: int
    #: Markdown; empty for no note.
    note: str
    #: The headline of the lead; None for the newest article.
    lead: str | None
    #: The headlines of added articles.
    added: tuple[str, ...] = ()
    #: The headlines of articles that are left to a later issue.
    left_out: tuple[str, ...] = ()
    #: The headlines of the articles in a chosen order.
    order: tuple[str, ...] = ()
    #: An approved issue (``DIGEST/NAME``), which is not changed any more; empty for none.
    approved: str = ""


def set_note(
    context: Context,
    digest: str,
    *,
    text: str | None = None,
    lead: str | None = None,
    add: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    order: Sequence[str] = (),
    clear: bool = False,
) -> NoteResult:
    """Store the note and the editors' choice of articles of a digest's next issue, and bring its draft up to date.

    If anything changes, articles/ is read and staged first; no issue is made. Articles are named by ID, URL, file or
    the last part of their path.

    Args:
        text: a new note in Markdown; None keeps the stored one.
        lead: the article that comes first; None keeps the stored one.
        add: articles to add, whatever their age.
        leave_out: articles to leave to the issue after the next one.
        order: articles in the order of the issue; empty keeps the stored order.
        clear: remove everything that is stored first.

    Raises:
        SettingsError: no such digest, a note that is too long, or an article that the issue cannot have.
    """
    cleaned = _checked(context.site, digest, text)

    def edit(connection: Connection) -> None:
        stored = notes.load_next_issue_note(connection, digest)
        if clear:
            stored = _cleared(connection, context.site, digest)
        if cleaned is not None:
            stored = replace(stored, note=cleaned)
        stored = _with_choices(
            connection, context, digest, stored, lead=lead, order=order, add=add, leave_out=leave_out
        )
        notes.save_next_issue_note(connection, digest, stored)

    if clear or add or leave_out or order or cleaned is not None or lead is not None:
        publish(context, edit=edit)
    return _load_result(context, digest)


def _with_choices(
    connection: Connection,
    context: Context,
    slug: str,
    stored: NextIssueNote,
    *,
    lead: str | None,
    order: Sequence[str],
    add: Sequence[str],
    leave_out: Sequence[str],
) -> NextIssueNote:
    """Store the choice of articles of the next issue; return its note with lead and order."""
    site, now = context.site, context.now
    if lead is not None:
        stored = replace(stored, lead_seq=_choose(connection, site, slug, lead))
    if (add or order or leave_out) and not pending.has_started(connection, slug):
        start_digest_queue(connection, site.digest(slug), site, now)
    if order:
        seqs = [_choose(connection, site, slug, name) for name in order]
        stored = replace(stored, order=tuple(dict.fromkeys(seqs)))
    for name in add:
        pending.add_requested_article(connection, slug, _choose(connection, site, slug, name))
    for name in leave_out:
        seq = _leave_out(connection, site, slug, name, now)
        is_lead = stored.lead_seq == seq
        stored = replace(
            stored,
            lead_seq=None if is_lead else stored.lead_seq,
            order=tuple(one for one in stored.order if one != seq),
        )
    return stored


def _checked(site: Site, digest: str, text: str | None) -> str | None:
    """Return the cleaned note, or None without one."""
    site.digest(digest)
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
    with TimedWorker(cpu_seconds=RENDER_SECONDS) as worker:
        try:
            worker.call("publisher.html.markdown:markdown_to_html", text)
        except WorkerStopped as stopped:
            raise SettingsError(f"the note cannot be rendered: {stopped}. Simplify its Markdown.") from None


def _load_result(context: Context, slug: str) -> NoteResult:
    site, now = context.site, context.now
    digest = site.digest(slug)
    with context.db.read() as connection:
        content = next_content(connection, site, digest, now)
        stored = content.note
        added = pending.requested_articles(connection, slug)
        left_out = pending.skipped_articles(connection, slug, skip_slot(connection, site, digest, content.slot))
        seqs = [*added, *left_out, *stored.order, *([stored.lead_seq] if stored.lead_seq is not None else [])]
        known = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
        rows = store.rows_by_seq(connection, seqs)
        approved = issues.waiting_issues(connection, slug)

    def titles(chosen: Sequence[int]) -> tuple[str, ...]:
        return tuple(known[seq].title for seq in chosen if rows[seq].retracted_at is None)

    return NoteResult(
        digest=slug,
        slot=content.slot.astimezone(site.tz),
        number=content.number,
        note=stored.note,
        lead=known[stored.lead_seq].title if stored.lead_seq is not None else None,
        added=titles(added),
        left_out=titles(left_out),
        order=titles(stored.order),
        approved=approved[0].path if approved else "",
    )


def _cleared(connection: Connection, site: Site, digest: str) -> NextIssueNote:
    """Remove added articles, except recent ones, put back those that were left out, and return an empty note."""
    days = site.digests[digest].news_days
    known = store.rows_by_seq(connection, pending.requested_articles(connection, digest))
    old = [seq for seq, row in known.items() if not is_news(days, row.asked_at, row.first_read_at)]
    pending.remove_pending(connection, digest, old)
    pending.clear_requested_articles(connection, digest)
    pending.restore_skipped(connection, digest, [SkipKind.LATER, SkipKind.DRAFT_LATER])
    return NextIssueNote()


def _choose(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of an article for the next issue, and make it pending for the digest."""
    seq = _sendable(connection, site, digest, name)
    if digest in pending.started_digests(connection):
        pending.add_pending(connection, [(digest, seq)])
        pending.unskip_articles(connection, digest, [seq])
    return seq


def _leave_out(connection: Connection, site: Site, slug: str, name: str, now: datetime) -> int:
    """Leave an article of the next issue to the one after it; return its arrival number."""
    row, article = find_article(connection, site, name)
    digest = site.digest(slug)
    content = next_content(connection, site, digest, now)
    reference = skip_slot(connection, site, digest, content.slot)
    known = {one.seq for one in content.pending} | set(pending.skipped_articles(connection, slug, reference))
    if row.seq not in known:
        raise SettingsError(f"{article.title!r} is not in the next issue of {slug}: there is nothing to leave out")
    pending.skip_articles(connection, slug, [row.seq], SkipKind.LATER, reference)
    return row.seq


def _sendable(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of an article that the digest may still send."""
    row, article = find_published_article(connection, site, name)
    if not pending.without_carried(connection, [(digest, row.seq)]):
        raise SettingsError(f"{article.title!r} was in an issue of {digest} before: subscribers get an article once")
    if not matches_query(site.digest(digest).query, article):
        raise SettingsError(f"{article.title!r} does not match the query of {digest}: change its topic or the query")
    return row.seq
