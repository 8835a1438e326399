"""Choose the articles of feeds and issues, and their order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from publisher.model.articles import Article, Record
from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind, Query

_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An article that no issue of a digest has carried yet."""

    article: Article
    #: True if an earlier issue was full and left the article for a later one.
    carried_over: bool
    #: True if an editor added it by name: it has priority over other articles.
    is_added: bool = False
    #: True if an issue that had it was cancelled: it does not count for the minimum.
    is_returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleChoice:
    """The articles of a digest's next issue, and the articles that stay for a later one."""

    #: In the order of the issue; empty if there is nothing new.
    articles: tuple[Article, ...]
    #: Articles that stay pending, because the issue is full or there is nothing new.
    waiting: tuple[Article, ...]
    #: Why the issue is not due: nothing is new, or the minimum is not reached. Empty if it is due.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """The articles of an issue that a subscriber wants and has not received yet."""

    query: Query = field(default_factory=Query)
    #: Arrival numbers of articles that the subscriber received in another issue.
    received: frozenset[int] = frozenset()


def fold_label(label: str) -> str:
    """Return a label in the form for comparison, in which ``The BUZZ`` equals ``the buzz``."""
    return label.casefold()


def matches_query(query: Query, record: Record) -> bool:
    """Return whether a record has at least one label of each kind that the query names."""
    if not query.wanted:
        return True
    record_labels: dict[FacetKind, set[str]] = {}
    for kind, label in record.facets():
        record_labels.setdefault(kind, set()).add(fold_label(label))
    return all(record_labels.get(kind, set()) & labels for kind, labels in query.wanted)


def newest_first(articles: Iterable[Article]) -> list[Article]:
    """Return the articles by publication time, then by arrival, newest first."""
    return sorted(articles, key=lambda article: (article.published, article.seq), reverse=True)


def choose_articles(
    digest: Digest,
    candidates: Sequence[Candidate],
    now: datetime,
    *,
    lead: int | None = None,
    order: Sequence[int] = (),
) -> ArticleChoice:
    """Choose the articles of a digest's next issue.

    At least one article has to be new since the last issue. Articles that were carried over or returned are included,
    but make no issue alone: otherwise repeated runs would send the archive in parts. Returned articles do not count for
    the minimum either.

    Args:
        now: articles with a later date stay pending.
        lead: the arrival number of the first article, if an editor chose it.
        order: arrival numbers in the order that an editor chose; other articles follow, newest first.
    """
    due = [
        candidate
        for candidate in candidates
        if candidate.article.published <= now and matches_query(digest.query, candidate.article)
    ]
    ordered = _in_order(newest_first(candidate.article for candidate in due), lead, order)
    if all(candidate.carried_over or candidate.is_returned for candidate in due):
        return ArticleChoice(articles=(), waiting=tuple(ordered), reason="nothing new")
    requested = {candidate.article.seq for candidate in due if candidate.is_added} | {lead, *order}
    by_priority = sorted(ordered, key=lambda article: article.seq not in requested)
    chosen = {article.seq for article in by_priority[: digest.at_most]}
    counted = sum(not candidate.is_returned for candidate in due)
    return ArticleChoice(
        articles=tuple(article for article in ordered if article.seq in chosen),
        waiting=tuple(article for article in ordered if article.seq not in chosen),
        reason=f"{counted} new, an issue needs at least {digest.at_least}" if counted < digest.at_least else "",
    )


def _in_order(articles: Sequence[Article], lead: int | None, order: Sequence[int]) -> list[Article]:
    """Return articles with the lead first, then those of ORDER, then the others as they are."""
    places = {seq: place for place, seq in enumerate(order)}
    return sorted(articles, key=lambda article: (article.seq != lead, places.get(article.seq, len(places))))


def is_news(days: int, asked_at: int, first_read_at: int | None) -> bool:
    """Return whether an article is recent enough for an issue.

    The articles of an imported archive are not: their dates are long before they were first read.

    Args:
        days: the setting ``news_days`` of the digest.
        asked_at: the date of the record, seconds since 1970.
        first_read_at: when the record was first read, also as a draft; None if unknown.
    """
    return first_read_at is None or asked_at >= first_read_at - days * _DAY_SECONDS


def group_by_variant(
    articles: Sequence[Article], all_interests: Sequence[Interests]
) -> dict[tuple[Article, ...], list[int]]:
    """Group subscribers' interests by the articles of an issue that they select.

    Different interests can select the same articles. They share one variant, which is rendered once.

    Returns:
        Articles of each variant → indices of the interests that select them. Interests that select no
        article are left out.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, interests in enumerate(all_interests):
        indices = tuple(
            index
            for index, article in enumerate(articles)
            if article.seq not in interests.received and matches_query(interests.query, article)
        )
        if indices:
            groups.setdefault(indices, []).append(number)
    return {tuple(articles[index] for index in indices): numbers for indices, numbers in groups.items()}
