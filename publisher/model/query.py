"""Which articles go into a feed or an issue, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from publisher.model.articles import Article, Record
from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind, Query

__all__ = [
    "ArticleChoice",
    "Candidate",
    "Interests",
    "choose_articles",
    "fold_label",
    "group_by_variant",
    "is_news",
    "matches_query",
    "newest_first",
]


#: Seconds.
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An article that a digest's readers have not had yet."""

    article: Article
    #: True where an earlier issue was full and left it for a later one.
    carried_over: bool
    #: True where an editor added it by name: it comes before others that do not fit.
    is_added: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleChoice:
    """What a digest's next issue carries, and what stays for a later one."""

    #: Newest first; empty where no issue is due.
    articles: tuple[Article, ...]
    #: What waits: too many for one issue, or too few for any.
    waiting: tuple[Article, ...]
    #: Why no issue is due, for a person; empty where one is.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """What a reader gets of an issue: what she asks for, without what she has."""

    query: Query = field(default_factory=Query)
    #: Arrival numbers of articles that another issue has brought her.
    had: frozenset[int] = frozenset()


def fold_label(label: str) -> str:
    """Return the form in which two spellings of one label are equal: ``The BUZZ`` = ``the buzz``."""
    return label.casefold()


def matches_query(query: Query, record: Record) -> bool:
    """Tell whether the record is asked for: one label of each kind that the query names."""
    if not query.wanted:
        return True
    has: dict[FacetKind, set[str]] = {}
    for kind, label in record.facets():
        has.setdefault(kind, set()).add(fold_label(label))
    return all(has.get(kind, set()) & labels for kind, labels in query.wanted)


def newest_first(articles: Iterable[Article]) -> list[Article]:
    """Return the articles by instant of publication, then by arrival, newest first."""
    return sorted(articles, key=lambda article: (article.published, article.seq), reverse=True)


def choose_articles(
    digest: Digest, candidates: Sequence[Candidate], now: datetime, *, lead: int | None = None
) -> ArticleChoice:
    """Decide what the digest's next issue carries.

    An issue is made when at least one article is new since the last one and the minimum is
    reached. What was carried over goes along, but does not make an issue by itself: otherwise
    running twice in a row would send out the archive in slices.

    An article dated after ``now`` waits for its time. The one whose arrival number is ``lead``
    comes first, if it is due, whatever its age. So that articles which an editor added fit in, the oldest of
    the others are left for the next issue.
    """
    due = [one for one in candidates if one.article.published <= now and matches_query(digest.query, one.article)]
    ordered = newest_first(one.article for one in due)
    ordered.sort(key=lambda article: article.seq != lead)
    if all(one.carried_over for one in due):
        return ArticleChoice(articles=(), waiting=tuple(ordered), reason="nothing new")
    if len(ordered) < digest.at_least:
        reason = f"{len(ordered)} new, an issue needs at least {digest.at_least}"
        return ArticleChoice(articles=(), waiting=tuple(ordered), reason=reason)
    named = {one.article.seq for one in due if one.is_added} | {lead}
    fitting = {article.seq for article in sorted(ordered, key=lambda one: one.seq not in named)[: digest.at_most]}
    return ArticleChoice(
        articles=tuple(article for article in ordered if article.seq in fitting),
        waiting=tuple(article for article in ordered if article.seq not in fitting),
        reason="",
    )


def is_news(days: int, asked_at: int, first_read_at: int | None) -> bool:
    """Return whether an article is news to the subscribers of a digest that has an issue.

    An archive that is dropped in later is not: its articles were published long before they were read here.

    Args:
        days: ``news_days`` of the digest.
        asked_at: the date that the record names, seconds since 1970.
        first_read_at: when the record was first read, as a draft too; None where that was not stored.
    """
    return first_read_at is None or asked_at >= first_read_at - days * _DAY


def group_by_variant(
    articles: Sequence[Article], selections: Sequence[Interests]
) -> dict[tuple[Article, ...], list[int]]:
    """Return what readers get of an issue's articles, by what they asked for and what they have.

    Readers who ask for different things may get the same articles: they share an edition, which
    is rendered once.

    Args:
        articles: the issue's, in their order.
        selections: of readers.

    Returns:
        The articles of each distinct edition → places of the selections that get it. Selections
        that get nothing are left out.
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for place, selection in enumerate(selections):
        got = tuple(
            index
            for index, article in enumerate(articles)
            if article.seq not in selection.had and matches_query(selection.query, article)
        )
        if got:
            found.setdefault(got, []).append(place)
    return {tuple(articles[index] for index in got): places for got, places in found.items()}
