"""Render and check the feed entries of articles. A separate module, so that worker processes import little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from publisher.failures import Failure, describe_failure
from publisher.model.articles import Article

if TYPE_CHECKING:
    from publisher.feeds.formats.entry import Entry
    from publisher.feeds.site_info import SiteInfo


def make_entries(
    job: tuple[Sequence[Article], SiteInfo],
) -> tuple[list[tuple[int, Entry]], list[tuple[Article, str | Failure]]]:
    """Return (arrival number, entry) of articles, and (article, reason) of those that have no valid entry.

    An error in one article does not affect the others.
    """
    from publisher.feeds.formats.entry import render_entry

    articles, site_info = job
    entries: list[tuple[int, Entry]] = []
    broken: list[tuple[Article, str | Failure]] = []
    for article in articles:
        try:
            entry = render_entry(article, site_info)
            violation = _first_violation(article, entry, site_info)
        except Exception as error:
            broken.append((article, describe_failure(error)))
            continue
        if violation is None:
            entries.append((article.seq, entry))
        else:
            broken.append((article, violation))
    return entries, broken


def _first_violation(article: Article, entry: Entry, site_info: SiteInfo) -> str | None:
    """Return a message about the first rule that an entry violates and that is not silenced, or None."""
    from publisher.feeds.checks.feed import check_entry
    from publisher.feeds.formats.xml_frame import complete_entry
    from publisher.findings import article_names
    from publisher.findings.silence import split_silenced

    body = article.body if entry.body is None else entry.body
    names = article_names(article.id, article.link)
    for form in site_info.formats:
        findings = check_entry(form, complete_entry(form, body, getattr(entry, form.value)))
        counted, _ = split_silenced(findings, site_info.silences, names)
        if counted:
            return f"{counted[0].id}: {counted[0].message}; {counted[0].rule.fix}"
    return None
