"""``publish correct`` and ``publish retract``: what is put right or taken back after it was out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import store
from publisher.articles.lookup import find_article, require_no_draft
from publisher.articles.store import ArticleRow
from publisher.errors import SettingsError
from publisher.feeds import store as feeds
from publisher.feeds.membership import FeedPlacement, add_to_feeds, remove_from_feeds
from publisher.feeds.stage_directory import withdrawn_page_path
from publisher.html.text import clean_characters, one_line
from publisher.model.articles import Article
from publisher.model.report import Progress, PublishResult, no_progress
from publisher.pipeline.publish import publish
from publisher.settings import Site

__all__ = ["CorrectionResult", "correct", "reinstate", "retract"]


@dataclass(slots=True, kw_only=True)
class CorrectionResult:
    """What was done to an article, and what came of it."""

    title: str = ""
    id: str = ""
    link: str = ""
    #: Issues that carry it as it was, relative to the site, newest first.
    issues: list[str] = field(default_factory=list)
    #: The page that says why it is gone, relative to the site; None where its address is not the site's.
    gone: str | None = None
    report: PublishResult | None = None


def correct(
    site: Site,
    now: datetime,
    name: str,
    note: str,
    *,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> CorrectionResult:
    """Show a correction in an article, and bring it back into the feeds that it has fallen out of.

    Args:
        site: the settings.
        now: what time it is: the article's last change from now on.
        name: the article, by id, address, file or the last part of its path.
        note: what was put right, plain text.
        progress: told now and then how far the work is.
        on_wait: told once if another run has to be waited for.

    Raises:
        SettingsError: the note is empty, or the name means no article, or several, or one that is
            not out or was withdrawn.
        PublisherError: see ``publisher.errors``.
    """
    text = _said(note, "--note")
    edited = CorrectionResult()

    def edit(connection: Connection) -> None:
        one, article = _standing(connection, site, name, now, edited)
        at = _free(connection, one, now)
        corrections.add_correction(connection, one.seq, at, text)
        feeds.delete_entries(connection, [one.seq])
        add_to_feeds(connection, site, [FeedPlacement(seq=one.seq, record=article, changed_at=at)], [one.seq])

    edited.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return edited


def retract(
    site: Site,
    now: datetime,
    name: str,
    reason: str,
    *,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> CorrectionResult:
    """Take an article out of every feed and page, and say why at its address and in the feed of tombstones.

    Args, errors: as for :func:`correct`, with the reason in place of the note. An article that is
    not out yet can be withdrawn too: it never comes out.
    """
    text = _said(reason, "--reason")
    edited = CorrectionResult()

    def edit(connection: Connection) -> None:
        one, article = _named(connection, site, name, edited)
        if one.retraction is not None:
            raise SettingsError(f"{article.title!r} was withdrawn before; --undo takes that back")
        corrections.mark_retracted(connection, one.seq, int(now.timestamp()), text)
        feeds.delete_entries(connection, [one.seq])
        remove_from_feeds(connection, [one.seq])
        path = withdrawn_page_path(article.link, site)
        edited.gone = f"{site.paths.feeds}/{path}" if path else None

    edited.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return edited


def reinstate(
    site: Site,
    now: datetime,
    name: str,
    *,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> CorrectionResult:
    """Take a withdrawal back: the article returns to its feeds, changed now.

    A feed reader that has seen the tombstone shows the article again, because it was updated after
    it (RFC 6721 §3). An article whose record is a draft returns when the record says that it is published.

    Args, errors: as for :func:`correct`.
    """
    edited = CorrectionResult()

    def edit(connection: Connection) -> None:
        one, article = _named(connection, site, name, edited)
        if one.retraction is None:
            require_no_draft(one, article)
            raise SettingsError(f"{article.title!r} was not withdrawn: there is nothing to take back")
        if one.draft is not None:
            corrections.drop_retraction_reason(connection, one.seq)
            return
        at = one.published_at if article.published > now else _free(connection, one, now)
        corrections.clear_retraction(connection, one.seq, at)
        add_to_feeds(connection, site, [FeedPlacement(seq=one.seq, record=article, changed_at=at)], [one.seq])

    edited.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return edited


def _said(text: str, option: str) -> str:
    cleaned = one_line(clean_characters(text)[0])
    if not cleaned:
        raise SettingsError(f"{option} is empty: readers are told what it says")
    return cleaned


def _free(connection: Connection, one: ArticleRow, now: datetime) -> int:
    """Return the instant of a change that is made now: later than the last one, and none of another article's."""
    at = store.last_free_change_time(connection, one.changed_at, int(now.timestamp()))
    if at is None:
        raise SettingsError("the article was changed at this very second, or later: try again, or say a later --at")
    return at


def _named(connection: Connection, site: Site, name: str, edited: CorrectionResult) -> tuple[ArticleRow, Article]:
    """Return the one article that a name means, noted in the report."""
    one, article = find_article(connection, site, name)
    edited.title, edited.id, edited.link = article.title, article.id, article.link
    edited.issues = [f"{site.paths.outbox}/{path}" for path in corrections.issue_folders_with(connection, one.seq)]
    return one, article


def _standing(
    connection: Connection, site: Site, name: str, now: datetime, edited: CorrectionResult
) -> tuple[ArticleRow, Article]:
    """Return an article that is published."""
    one, article = _named(connection, site, name, edited)
    require_no_draft(one, article)
    if one.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn; 'publish retract --undo' takes that back")
    if article.published > now:
        raise SettingsError(f"{article.title!r} is not out yet: edit its file, nobody has read it")
    return one, article
