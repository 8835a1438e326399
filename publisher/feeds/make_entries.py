"""Render and check the feed entry of an article. A module of its own, so that worker processes load no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from publisher.failures import Failure, describe_failure
from publisher.model.articles import Article
from publisher.model.feeds import FeedFormat

if TYPE_CHECKING:
    from publisher.feeds.formats.entry import Entry
    from publisher.feeds.site_info import SiteInfo

__all__ = ["make_entries"]


def make_entries(
    job: tuple[Sequence[Article], SiteInfo],
) -> tuple[list[tuple[int, Entry]], list[tuple[Article, str | Failure]]]:
    """Return (arrival number, entry) of articles, and the articles that have none, with the reason.

    Whatever is wrong with one article, the others get their entries.
    """
    from publisher.feeds.formats.entry import render_entry

    articles, site_info = job
    entries: list[tuple[int, Entry]] = []
    broken: list[tuple[Article, str | Failure]] = []
    for article in articles:
        try:
            entry = render_entry(article, site_info)
            fault = _first_violation(article, entry, site_info.formats)
        except Exception as error:
            broken.append((article, describe_failure(error)))
            continue
        if fault is None:
            entries.append((article.seq, entry))
        else:
            broken.append((article, fault))
    return entries, broken


def _first_violation(article: Article, entry: Entry, formats: Sequence[FeedFormat]) -> str | None:
    """Return the first rule that an entry breaks, for a person, or None."""
    from publisher.feeds.checks.feed import check_entry
    from publisher.feeds.formats.xml import complete_entry

    body = article.body if entry.body is None else entry.body
    for form in formats:
        for found in check_entry(form, complete_entry(form, body, getattr(entry, form.value))):
            return f"{found.id}: {found.message}; {found.rule.fix}"
    return None
