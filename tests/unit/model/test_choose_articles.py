"""The choice of articles for feeds and issues."""

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
    """Articles beyond the limit stay pending."""
    choice = choose_articles(DIGEST, candidates(article(1, 3), article(2, 1), article(3, 2)), NOW)
    assert [one.seq for one in choice.articles] == [2, 3]
    assert [one.seq for one in choice.waiting] == [1]


def test_carried_over_articles_alone_make_no_issue() -> None:
    """Repeated runs do not send the archive in parts."""
    choice = choose_articles(DIGEST, candidates(article(1), carried=frozenset({1})), NOW)
    assert (choice.articles, choice.reason) == ((), "nothing new")


def test_carried_over_articles_are_included_with_a_new_one() -> None:
    """A new article makes the issue due."""
    choice = choose_articles(DIGEST, candidates(article(1, 5), article(2), carried=frozenset({1})), NOW)
    assert [one.seq for one in choice.articles] == [2, 1]


def test_too_few_articles_make_a_draft_that_is_not_due() -> None:
    """The reason names the minimum."""
    choice = choose_articles(Digest(slug="d", title="D", at_least=2), candidates(article(1)), NOW)
    assert [one.seq for one in choice.articles] == [1]
    assert "at least 2" in choice.reason


def test_an_article_dated_later_stays_pending() -> None:
    """It is included once its time has come."""
    choice = choose_articles(DIGEST, candidates(article(1, -1)), NOW)
    assert not choice.articles


def test_a_late_arrival_with_an_old_date_is_included() -> None:
    """Arrival counts, not the date."""
    assert choose_articles(DIGEST, candidates(article(9, 400)), NOW).articles


def test_an_article_that_no_longer_matches_the_query_is_not_sent() -> None:
    """An edit may change its labels."""
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
def test_a_query_needs_one_label_of_each_kind(
    wanted: tuple[tuple[FacetKind, frozenset[str]], ...], expected: bool
) -> None:
    """Labels of one kind are alternatives."""
    record = Record(
        title="T",
        date=date(2026, 1, 1),
        topic="Water",
        region="Africa",
        tags=("A", "B"),
        authors=(Author(name="Ada Lovelace"),),
    )
    assert matches_query(Query(wanted=wanted), record) is expected


def test_naive_datetimes_are_rejected() -> None:
    """A datetime without a zone names no instant."""
    assert require_aware(NOW) is NOW
    naive = datetime(2026, 1, 1)
    with pytest.raises(ValueError, match="no time zone"):
        require_aware(naive)
    for fields in ({"date": naive}, {"date": NOW, "updated": naive}):
        with pytest.raises(ValueError, match="no time zone"):
            Record(title="T", **fields)
    with pytest.raises(ValueError, match="no time zone"):
        Article(title="T", date=NOW, id="urn:1", seq=1, link="https://a.example/", published=naive, changed=NOW)


def test_interests_with_the_same_articles_share_a_variant() -> None:
    """A variant is rendered once."""
    some = [article(1, topic="Water"), article(2, topic="Trade"), article(3, topic="Water")]
    water = Query(wanted=((FacetKind.TOPIC, frozenset({"water"})),))
    wet = Query(wanted=((FacetKind.TOPIC, frozenset({"water", "rain"})),))
    arts = Query(wanted=((FacetKind.TOPIC, frozenset({"arts"})),))
    found = group_by_variant(some, [Interests(query=one) for one in (Query(), water, wet, arts, Query())])
    assert [([one.seq for one in got], places) for got, places in found.items()] == [
        ([1, 2, 3], [0, 4]),
        ([1, 3], [1, 2]),
    ]


def test_articles_that_a_subscriber_has_are_not_in_the_variant() -> None:
    """Interests without an article get no variant."""
    some = [article(number) for number in (1, 2, 3)]
    found = group_by_variant(
        some, [Interests(), Interests(received=frozenset({some[0].seq})), Interests(received=frozenset({1, 2, 3}))]
    )
    assert {tuple(one.seq for one in got): places for got, places in found.items()} == {(1, 2, 3): [0], (2, 3): [1]}


def test_an_added_article_has_priority_over_others() -> None:
    """The order by date stays, and the oldest of the others stays pending."""
    found = [Candidate(article=article(1, 900), carried_over=False, is_added=True)]
    choice = choose_articles(DIGEST, [*found, *candidates(article(2, 1), article(3, 2))], NOW)
    assert [one.seq for one in choice.articles] == [2, 1]
    assert [one.seq for one in choice.waiting] == [3]
    choice = choose_articles(DIGEST, [*found, *candidates(article(2, 1), article(3, 2))], NOW, lead=3)
    assert [one.seq for one in choice.articles] == [3, 1]


def test_an_added_article_alone_makes_an_issue() -> None:
    """Unlike one that was carried over."""
    found = [Candidate(article=article(1, 900), carried_over=False, is_added=True)]
    assert [one.seq for one in choose_articles(DIGEST, found, NOW).articles] == [1]


@pytest.mark.parametrize(
    ("days", "age", "expected"),
    [(14, 14 * 86_400, True), (14, 14 * 86_400 + 1, False), (0, 0, True), (0, 1, False), (14, -86_400, True)],
)
def test_an_article_is_news_for_news_days(days: int, age: int, expected: bool) -> None:
    """Its age is counted until it was first read, not until today."""
    assert is_news(days, 1_000_000_000 - age, 1_000_000_000) is expected


def test_an_article_with_an_unknown_first_reading_is_news() -> None:
    """It was read by an older version of the publisher."""
    assert is_news(14, 0, None)
