"""The content of the next issue of a digest: its slot, articles, note and corrections."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.store import ArticleRow
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import notes_store as notes
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.draft_slot import free_minute, issue_name, issue_number, slot_of_draft
from publisher.digests.notes_store import NextIssueNote
from publisher.digests.pending_store import PendingArticle
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.query import ArticleChoice, Candidate, choose_articles, matches_query
from publisher.settings import Site
from publisher.version import __version__

if TYPE_CHECKING:
    from publisher.digests.story import Notice

_PAGE = 200
#: Before every slot.
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftContent:
    """The content of the next issue of a digest."""

    slot: datetime
    name: str
    number: int
    #: The time as of which it is rendered: the slot, or the minute in which it is sent before or without one.
    moment: datetime
    #: In the order of display; empty if nothing is new.
    articles: tuple[Article, ...]
    #: Articles that a later issue gets, because this one is full.
    passed_over: tuple[Article, ...]
    #: Why it is not due; empty if it is.
    reason: str
    note: NextIssueNote
    notices: tuple[Notice, ...]
    #: How each candidate was pending.
    pending: tuple[PendingArticle, ...]
    #: The stored articles, by arrival number.
    rows: dict[int, ArticleRow]


def load_content(
    connection: Connection,
    site: Site,
    digest: Digest,
    now: datetime,
    *,
    waiting_slot: datetime | None = None,
    as_of: datetime | None = None,
    out_of_turn: bool = False,
) -> DraftContent:
    """Return what the next issue of a digest contains.

    Args:
        waiting_slot: a slot that has passed without an issue, and that the draft waits for.
        as_of: the issue has the articles that are published by then; by default its slot, or now if that has passed.
        out_of_turn: True for an issue of this minute, which leaves the next slot free.
    """
    from publisher.digests.compose import correction_notices

    note = notes.load_next_issue_note(connection, digest.slug)

    def choose(until: datetime, slot: datetime) -> tuple[list[PendingArticle], ArticleChoice]:
        own_slot = skip_slot(connection, site, digest, slot)
        waiting = _pending(connection, site, digest, until, own_slot, note.lead_seq)
        candidates = _candidates(connection, site, waiting)
        return waiting, choose_articles(digest, candidates, until, lead=note.lead_seq, order=note.order)

    slot = None if out_of_turn else _scheduled_slot(connection, site, digest, now, waiting_slot)
    if slot is not None:
        waiting, choice = choose(as_of or max(slot, now), slot)
    else:
        waiting, choice = choose(as_of or now, now)
        newest = max((article.published for article in choice.articles), default=now)
        slot = _free_minute(connection, digest, now if out_of_turn else newest, now)
    return DraftContent(
        slot=slot,
        name=issue_name(slot, site.tz, taken=issues.names_near(connection, digest.slug, slot)),
        number=_number(connection, digest, slot),
        moment=slot if as_of is None else min(slot, as_of),
        articles=choice.articles,
        passed_over=choice.waiting if choice.articles else (),
        reason=choice.reason,
        note=note,
        notices=tuple(correction_notices(connection, site, digest, choice.articles, now)) if choice.articles else (),
        pending=tuple(waiting),
        rows=store.rows_by_seq(connection, [article.seq for article in choice.articles]),
    )


def next_content(connection: Connection, site: Site, digest: Digest, now: datetime) -> DraftContent:
    """Return what the next issue of a digest contains, for the slot that its stored draft waits for, if it does."""
    draft = drafts.load_draft(connection, digest.slug)
    return load_content(connection, site, digest, now, waiting_slot=draft.waiting_slot if draft is not None else None)


def _scheduled_slot(
    connection: Connection, site: Site, digest: Digest, now: datetime, waiting_slot: datetime | None
) -> datetime | None:
    """Return the slot that the next issue would get; None without a cadence, or after its last slot."""
    timetable = site.digests[digest.slug].timetable(site.tz)
    since = now if waiting_slot is None else min(now, waiting_slot)
    taken = issues.slots_with_issues(connection, digest.slug, since)
    return slot_of_draft(timetable, now, taken=taken, waiting=waiting_slot)


def _free_minute(connection: Connection, digest: Digest, moment: datetime, now: datetime) -> datetime:
    """Return the minute of MOMENT, or the first free one after it and after the newest issue up to now."""
    since = moment.replace(second=0, microsecond=0)
    return free_minute(
        since,
        issues.slots_with_issues(connection, digest.slug, since),
        after=issues.newest_slot(connection, digest.slug, until=now),
    )


def _number(connection: Connection, digest: Digest, slot: datetime) -> int:
    before, after = issues.numbers_around(connection, digest.slug, slot)
    return issue_number(before=before, after=after, highest=issues.last_issue_number(connection, digest.slug))


def _candidates(connection: Connection, site: Site, waiting: Sequence[PendingArticle]) -> list[Candidate]:
    articles = store.articles_by_seq(connection, [row.seq for row in waiting], site.base_url, site.tz)
    return [
        Candidate(
            article=articles[row.seq],
            carried_over=row.carried_over,
            is_added=row.is_added,
            is_returned=row.is_returned,
        )
        for row in waiting
    ]


def skip_slot(connection: Connection, site: Site, digest: Digest, slot: datetime) -> datetime:
    """Return the slot with which the slots of skipped articles are compared.

    Without a cadence, the slot of a draft moves with its articles: the newest issue counts.
    """
    if site.digests[digest.slug].cadence:
        return slot
    return issues.newest_slot(connection, digest.slug) or _NEVER


def _pending(
    connection: Connection, site: Site, digest: Digest, until: datetime, slot: datetime, lead: int | None
) -> list[PendingArticle]:
    """Return the articles that are pending for the digest; before its first issue, its newest ones too."""
    rows = {row.seq: row for row in pending.pending_articles(connection, digest.slug, int(until.timestamp()), slot)}
    if issues.last_issue_number(connection, digest.slug):
        return list(rows.values())
    wanted = {*_newest_matching(connection, site, digest, until), *([lead] if lead is not None else [])}
    wanted -= pending.every_skipped_article(connection, digest.slug)
    known = store.rows_by_seq(connection, wanted - rows.keys())
    for seq, row in known.items():
        if row.retracted_at is None:
            rows[seq] = PendingArticle(seq=seq, carried_over=False, is_added=False, is_returned=False)
    return [rows[seq] for seq in sorted(rows)]


def _newest_matching(connection: Connection, site: Site, digest: Digest, until: datetime) -> list[int]:
    """Return the newest articles that match the query of a digest, as many as an issue has."""
    seconds = int(until.timestamp())
    if not digest.query.wanted:
        return store.newest_seqs(connection, seconds, digest.at_most)
    found: list[int] = []
    every = store.newest_seqs(connection, seconds, None)
    for at in range(0, len(every), _PAGE):
        page = store.articles_by_seq(connection, every[at : at + _PAGE], site.base_url, site.tz)
        found.extend(seq for seq in every[at : at + _PAGE] if matches_query(digest.query, page[seq]))
        if len(found) >= digest.at_most:
            break
    return found[: digest.at_most]


def start_digest_queue(connection: Connection, digest: Digest, site: Site, now: datetime) -> None:
    """Begin a digest with its newest matching articles; older ones are never sent.

    Articles with a future date are pending until that date.
    """
    seqs = _newest_matching(connection, site, digest, now)
    pending.start_digest(connection, digest.slug, since_seq=store.last_seq(connection))
    later = store.seqs_changed_between(connection, int(now.timestamp()), 1 << 62)
    articles = store.articles_by_seq(connection, later, site.base_url, site.tz)
    seqs += [seq for seq in later if articles[seq].published > now and matches_query(digest.query, articles[seq])]
    lead = notes.load_next_issue_note(connection, digest.slug).lead_seq
    pending.add_pending(connection, [(digest.slug, seq) for seq in [*seqs, *([lead] if lead is not None else [])]])


def mail_settings(site: Site) -> dict[str, str]:
    """Return name → value of the settings that the headers and links of a mail depend on."""
    mail = site.mail
    values = {"base_url": site.base_url}
    if mail is not None:
        values |= {
            "mail.sender": mail.sender,
            "mail.reply_to": mail.reply_to or "",
            "mail.bounces": mail.bounces or "",
            "mail.unsubscribe": mail.unsubscribe or "",
            "mail.one_click": str(mail.one_click).lower(),
            "mail.preferences": mail.preferences or "",
            "mail.web_view": mail.web_view or "",
            "mail.postal_address": mail.postal_address,
        }
    return values


def input_hash(site: Site, digest: Digest, content: DraftContent) -> str:
    """Return a hash of everything that an issue is rendered from, with the program's version."""
    parts = [
        __version__,
        repr((site.title, site.description, site.language, site.tz.key, site.theme, site.newsletters_url)),
        repr((site.web.clicks, sorted(mail_settings(site).items()), digest, site.checks)),
        repr((content.slot.isoformat(), content.moment.isoformat(), content.number, content.note, content.notices)),
        *(f"{article.seq} {content.rows[article.seq].hash} {article!r}" for article in content.articles),
        *_template_hashes(site.templates_dir),
    ]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _template_hashes(folder: Path) -> list[str]:
    """Return the name and hash of each of the site's own templates."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
