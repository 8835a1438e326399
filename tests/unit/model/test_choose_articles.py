"""Which articles go into a feed or an issue."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from publisher.model.articles import Article, Author, Record, require_aware
from publisher.model.digests import Digest
from publisher.model.query import Candidate, Interests, choose_articles, group_by_variant, is_news, matches_query
from publisher.model.taxonomy import FacetKind, Query

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def article(seq: int, days_ago: float = 1, **fields: object) -> Article:
    moment = NOW - timedelta(days=days_ago)
    return Article(
        title=f"Title {seq}",
        date=moment,
        id=f"urn:{seq}",
        seq=seq,
        link=f"https://a.example/{seq}",
        published=moment,
        changed=moment,
        **fields,  # type: ignore[arg-type]
    )


def candidates(*articles: Article, carried: frozenset[int] = frozenset()) -> list[Candidate]:
    return [Candidate(article=one, carried_over=one.seq in carried) for one in articles]


DIGEST = Digest(slug="daily", title="Daily", at_most=2, at_least=1)


def test_an_issue_carries_the_newest_first() -> None:
    choice = choose_articles(DIGEST, candidates(article(1, 3), article(2, 1), article(3, 2)), NOW)
    assert [one.seq for one in choice.articles] == [2, 3]
    assert [one.seq for one in choice.waiting] == [1]


def test_what_was_carried_over_makes_no_issue_by_itself() -> None:
    choice = choose_articles(DIGEST, candidates(article(1), carried=frozenset({1})), NOW)
    assert (choice.articles, choice.reason) == ((), "nothing new")


def test_what_was_carried_over_goes_along_with_something_new() -> None:
    choice = choose_articles(DIGEST, candidates(article(1, 5), article(2), carried=frozenset({1})), NOW)
    assert [one.seq for one in choice.articles] == [2, 1]


def test_too_few_articles_wait() -> None:
    choice = choose_articles(Digest(slug="d", title="D", at_least=2), candidates(article(1)), NOW)
    assert not choice.articles
    assert [one.seq for one in choice.waiting] == [1]
    assert "at least 2" in choice.reason


def test_an_article_dated_later_waits_for_its_time() -> None:
    choice = choose_articles(DIGEST, candidates(article(1, -1)), NOW)
    assert not choice.articles


def test_a_late_arrival_with_an_old_date_gets_in() -> None:
    assert choose_articles(DIGEST, candidates(article(9, 400)), NOW).articles


def test_an_article_that_an_edit_took_out_of_the_query_is_not_sent() -> None:
    query = Query(wanted=((FacetKind.TOPIC, frozenset({"water"})),))
    digest = Digest(slug="d", title="D", query=query)
    assert not choose_articles(digest, candidates(article(1, topic="Trade")), NOW).articles
    assert choose_articles(digest, candidates(article(1, topic="WATER")), NOW).articles


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((), True),
        (((FacetKind.TOPIC, frozenset({"water", "trade"})),), True),
        (((FacetKind.TOPIC, frozenset({"trade"})),), False),
        (((FacetKind.TOPIC, frozenset({"water"})), (FacetKind.REGION, frozenset({"africa"}))), True),
        (((FacetKind.TOPIC, frozenset({"water"})), (FacetKind.REGION, frozenset({"asia"}))), False),
        (((FacetKind.TAG, frozenset({"b"})), (FacetKind.AUTHOR, frozenset({"ada lovelace"}))), True),
    ],
)
def test_any_label_of_a_kind_in_every_kind_named(
    wanted: tuple[tuple[FacetKind, frozenset[str]], ...], expected: bool
) -> None:
    record = Record(
        title="T",
        date=date(2026, 1, 1),
        topic="Water",
        region="Africa",
        tags=("A", "B"),
        authors=(Author(name="Ada Lovelace"),),
    )
    assert matches_query(Query(wanted=wanted), record) is expected


def test_naive_datetimes_are_refused_at_the_door() -> None:
    assert require_aware(NOW) is NOW
    naive = datetime(2026, 1, 1)
    with pytest.raises(ValueError, match="no time zone"):
        require_aware(naive)
    for fields in ({"date": naive}, {"date": NOW, "updated": naive}):
        with pytest.raises(ValueError, match="no time zone"):
            Record(title="T", **fields)
    with pytest.raises(ValueError, match="no time zone"):
        Article(title="T", date=NOW, id="urn:1", seq=1, link="https://a.example/", published=naive, changed=NOW)


def test_readers_who_get_the_same_share_an_edition() -> None:
    some = [article(1, topic="Water"), article(2, topic="Trade"), article(3, topic="Water")]
    water = Query(wanted=((FacetKind.TOPIC, frozenset({"water"})),))
    wet = Query(wanted=((FacetKind.TOPIC, frozenset({"water", "rain"})),))
    arts = Query(wanted=((FacetKind.TOPIC, frozenset({"arts"})),))
    found = group_by_variant(some, [Interests(query=one) for one in (Query(), water, wet, arts, Query())])
    assert [([one.seq for one in got], places) for got, places in found.items()] == [
        ([1, 2, 3], [0, 4]),
        ([1, 3], [1, 2]),
    ]


def test_what_a_reader_has_is_not_in_her_edition() -> None:
    some = [article(number) for number in (1, 2, 3)]
    found = group_by_variant(
        some, [Interests(), Interests(had=frozenset({some[0].seq})), Interests(had=frozenset({1, 2, 3}))]
    )
    assert {tuple(one.seq for one in got): places for got, places in found.items()} == {(1, 2, 3): [0], (2, 3): [1]}


def test_an_article_that_was_added_fits_in_before_newer_ones() -> None:
    """It keeps its place by date, and the oldest of the others waits."""
    found = [Candidate(article=article(1, 900), carried_over=False, is_added=True)]
    choice = choose_articles(DIGEST, [*found, *candidates(article(2, 1), article(3, 2))], NOW)
    assert [one.seq for one in choice.articles] == [2, 1]
    assert [one.seq for one in choice.waiting] == [3]
    choice = choose_articles(DIGEST, [*found, *candidates(article(2, 1), article(3, 2))], NOW, lead=3)
    assert [one.seq for one in choice.articles] == [3, 1]


def test_an_article_that_was_added_makes_an_issue_by_itself() -> None:
    """Other than what was carried over."""
    found = [Candidate(article=article(1, 900), carried_over=False, is_added=True)]
    assert [one.seq for one in choose_articles(DIGEST, found, NOW).articles] == [1]


@pytest.mark.parametrize(
    ("days", "age", "expected"),
    [(14, 14 * 86_400, True), (14, 14 * 86_400 + 1, False), (0, 0, True), (0, 1, False), (14, -86_400, True)],
)
def test_an_article_is_news_for_so_many_days(days: int, age: int, expected: bool) -> None:
    """Its age is that at which its record was first read, not that of today."""
    assert is_news(days, 1_000_000_000 - age, 1_000_000_000) is expected


def test_an_article_whose_first_reading_is_unknown_is_news() -> None:
    """It was read by an older publisher."""
    assert is_news(14, 0, None)
