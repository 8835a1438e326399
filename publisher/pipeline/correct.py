"""``publish correct`` and ``publish retract``: correct or withdraw published articles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from publisher.articles import corrections_store as corrections
from publisher.articles import store
from publisher.articles.lookup import find_article, find_published_article, require_no_draft
from publisher.articles.store import ArticleRow
from publisher.context import Context
from publisher.errors import SettingsError
from publisher.feeds import store as feeds
from publisher.feeds.membership import FeedPlacement, add_to_feeds, remove_from_feeds
from publisher.feeds.stage_directory import withdrawn_page_path
from publisher.html.text import clean_characters, one_line
from publisher.model.articles import Article
from publisher.model.report import PublishResult
from publisher.model.result import Result
from publisher.pipeline.publish import publish
from publisher.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionResult(Result):
    """The corrected or withdrawn article, and the result of the run."""

    id: str
    title: str
    link: str = field(metadata={"json": "url"})
    #: The page with the reason of the withdrawal, relative to the site; None if its URL is on another site.
    gone: str | None = None
    #: Sent and published issues with the old version, relative to the site, newest first.
    issues: tuple[str, ...] = ()
    #: Approved issues with the old version that are not sent yet (``DIGEST/NAME``), newest first. They are held.
    approved: tuple[str, ...] = ()
    #: The result of the run that staged the correction.
    report: PublishResult | None = field(default=None, metadata={"json": "publish"})


def correct(context: Context, name: str, note: str) -> CorrectionResult:
    """Publish a correction of an article, and move it to the top of its feeds.

    Args:
        name: the article, by ID, URL, file or the last part of its path.
        note: the correction as plain text.

    Raises:
        SettingsError: the note is empty, or the name matches no published article, or several.
        PublisherError: see ``publisher.errors``.
    """
    text = _clean_text(note, "--note")
    site, now = context.site, context.now

    def edit(connection: Connection) -> CorrectionResult:
        row, article = find_published_article(connection, site, name)
        if article.published > now:
            raise SettingsError(f"{article.title!r} is not published yet: edit its file")
        at = _change_time(connection, row, now)
        corrections.add_correction(connection, row.seq, at, text)
        feeds.delete_entries(connection, [row.seq])
        add_to_feeds(connection, site, [FeedPlacement(seq=row.seq, record=article, changed_at=at)], [row.seq])
        return _with_issues(connection, site, row, article)

    return _publish_edit(context, edit)


def retract(context: Context, name: str, reason: str) -> CorrectionResult:
    """Withdraw an article from all feeds and pages, with a reason and a tombstone.

    Arguments and errors are those of :func:`correct`, with a reason instead of a note. An article that is not
    published yet can be withdrawn too.
    """
    text = _clean_text(reason, "--reason")
    site = context.site

    def edit(connection: Connection) -> CorrectionResult:
        row, article = find_article(connection, site, name)
        if row.retraction is not None:
            raise SettingsError(f"{article.title!r} was withdrawn before. To undo that, use --undo.")
        corrections.mark_retracted(connection, row.seq, context.seconds, text)
        feeds.delete_entries(connection, [row.seq])
        remove_from_feeds(connection, [row.seq])
        path = withdrawn_page_path(article.link, site)
        result = _with_issues(connection, site, row, article)
        return replace(result, gone=f"{site.paths.feeds}/{path}" if path else None)

    return _publish_edit(context, edit)


def reinstate(context: Context, name: str) -> CorrectionResult:
    """Undo a withdrawal: the article returns to its feeds, changed now.

    Feed readers that have seen the tombstone show the article again, because it was updated later (RFC 6721 §3). An
    article whose record is a draft returns once the record is no draft any more.

    Arguments and errors are those of :func:`correct`.
    """
    site, now = context.site, context.now

    def edit(connection: Connection) -> CorrectionResult:
        row, article = find_article(connection, site, name)
        result = CorrectionResult(title=article.title, id=article.id, link=article.link)
        if row.retraction is None:
            require_no_draft(row, article)
            raise SettingsError(f"{article.title!r} was not withdrawn: there is nothing to undo")
        if row.draft is not None:
            corrections.drop_retraction_reason(connection, row.seq)
            return result
        at = row.published_at if article.published > now else _change_time(connection, row, now)
        corrections.clear_retraction(connection, row.seq, at)
        add_to_feeds(connection, site, [FeedPlacement(seq=row.seq, record=article, changed_at=at)], [row.seq])
        return result

    return _publish_edit(context, edit)


def _publish_edit(context: Context, edit: Callable[[Connection], CorrectionResult]) -> CorrectionResult:
    """Publish with a change of an article; return its result with that of the run."""
    results: list[CorrectionResult] = []
    report = publish(context, edit=lambda connection: results.append(edit(connection)))
    return replace(results[0], report=report)


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


def _with_issues(connection: Connection, site: Site, row: ArticleRow, article: Article) -> CorrectionResult:
    """Return an article with the issues that contain its old version."""
    opened = corrections.issues_with(connection, row.seq, is_opened=True)
    return CorrectionResult(
        title=article.title,
        id=article.id,
        link=article.link,
        issues=tuple(f"{site.paths.outbox}/{path}" for path in opened),
        approved=tuple(corrections.issues_with(connection, row.seq, is_opened=False)),
    )
