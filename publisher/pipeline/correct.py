"""``publish correct`` and ``publish retract``: correct or withdraw published articles."""

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
    """The corrected or withdrawn article, and the result of the run."""

    title: str = ""
    id: str = ""
    link: str = ""
    #: Issues with the old version, relative to the site, newest first.
    issues: list[str] = field(default_factory=list)
    #: The page with the reason of the withdrawal, relative to the site; None if its URL is on another site.
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
    """Publish a correction of an article, and move it to the top of its feeds.

    Args:
        site: the settings.
        now: the time of the correction.
        name: the article, by ID, URL, file or the last part of its path.
        note: the correction as plain text.
        progress: called from time to time.
        on_wait: called with the holder's name if another run has to be waited for.

    Raises:
        SettingsError: the note is empty, or the name matches no published article, or several.
        PublisherError: see ``publisher.errors``.
    """
    text = _clean_text(note, "--note")
    result = CorrectionResult()

    def edit(connection: Connection) -> None:
        row, article = _find_published(connection, site, name, now, result)
        at = _change_time(connection, row, now)
        corrections.add_correction(connection, row.seq, at, text)
        feeds.delete_entries(connection, [row.seq])
        add_to_feeds(connection, site, [FeedPlacement(seq=row.seq, record=article, changed_at=at)], [row.seq])

    result.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return result


def retract(
    site: Site,
    now: datetime,
    name: str,
    reason: str,
    *,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> CorrectionResult:
    """Withdraw an article from all feeds and pages, with a reason and a tombstone.

    Arguments and errors are those of :func:`correct`, with a reason instead of a note. An article that is not
    published yet can be withdrawn too.
    """
    text = _clean_text(reason, "--reason")
    result = CorrectionResult()

    def edit(connection: Connection) -> None:
        row, article = _find_article(connection, site, name, result)
        if row.retraction is not None:
            raise SettingsError(f"{article.title!r} was withdrawn before. To undo that, use --undo.")
        corrections.mark_retracted(connection, row.seq, int(now.timestamp()), text)
        feeds.delete_entries(connection, [row.seq])
        remove_from_feeds(connection, [row.seq])
        path = withdrawn_page_path(article.link, site)
        result.gone = f"{site.paths.feeds}/{path}" if path else None

    result.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return result


def reinstate(
    site: Site,
    now: datetime,
    name: str,
    *,
    progress: Progress = no_progress,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> CorrectionResult:
    """Undo a withdrawal: the article returns to its feeds, changed now.

    Feed readers that have seen the tombstone show the article again, because it was updated later (RFC 6721 §3). An
    article whose record is a draft returns once the record is no draft any more.

    Arguments and errors are those of :func:`correct`.
    """
    result = CorrectionResult()

    def edit(connection: Connection) -> None:
        row, article = _find_article(connection, site, name, result)
        if row.retraction is None:
            require_no_draft(row, article)
            raise SettingsError(f"{article.title!r} was not withdrawn: there is nothing to undo")
        if row.draft is not None:
            corrections.drop_retraction_reason(connection, row.seq)
            return
        at = row.published_at if article.published > now else _change_time(connection, row, now)
        corrections.clear_retraction(connection, row.seq, at)
        add_to_feeds(connection, site, [FeedPlacement(seq=row.seq, record=article, changed_at=at)], [row.seq])

    result.report = publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    return result


def _clean_text(text: str, option: str) -> str:
    cleaned = one_line(clean_characters(text)[0])
    if not cleaned:
        raise SettingsError(f"{option} is empty: it is published with the article. Write a text.")
    return cleaned


def _change_time(connection: Connection, row: ArticleRow, now: datetime) -> int:
    """Return a free time for a change now, later than the article's last change."""
    at = store.last_free_change_time(connection, row.changed_at, int(now.timestamp()))
    if at is None:
        raise SettingsError("the article was changed in this second or later: try again, or use a later --at")
    return at


def _find_article(
    connection: Connection, site: Site, name: str, result: CorrectionResult
) -> tuple[ArticleRow, Article]:
    """Return the article of a name, and set its fields of the result."""
    row, article = find_article(connection, site, name)
    result.title, result.id, result.link = article.title, article.id, article.link
    result.issues = [f"{site.paths.outbox}/{path}" for path in corrections.issue_folders_with(connection, row.seq)]
    return row, article


def _find_published(
    connection: Connection, site: Site, name: str, now: datetime, result: CorrectionResult
) -> tuple[ArticleRow, Article]:
    """Return the published article of a name, and set its fields of the result."""
    row, article = _find_article(connection, site, name, result)
    require_no_draft(row, article)
    if row.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn. To undo that, use 'publish retract --undo'.")
    if article.published > now:
        raise SettingsError(f"{article.title!r} is not published yet: edit its file")
    return row, article
