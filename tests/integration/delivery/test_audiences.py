"""Audiences: no subscriber gets an article twice, and none misses an article."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import load_variants
from publisher.model.subscriptions import SubscriptionState
from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.deliveries import audience_of
from tests.support.examples import examples

DIGESTS = """
title = "The Test Review"
base_url = "https://review.example"

[mail]
sender = "news@review.example"

[digests.daily]
title = "The Daily"
at_most = 3

[digests.water]
title = "The Water Letter"
topic = ["Water"]

[digests.roundup]
title = "The Roundup"
repeat = true
"""


def received(kit: MailKit) -> dict[str, list[tuple[str, int]]]:
    """Return address → (digest, article) of every article that the subscriber gets."""
    articles: dict[str, list[tuple[str, int]]] = {}
    with kit.open() as db, db.read() as connection:
        rows: list[IssueRow] = issues.list_issues(connection)
        names = {subscriber.id: subscriber.address for subscriber in action.list_subscribers(kit.site)}
        for row in sorted(rows, key=lambda row: row.id):
            variants = load_variants(connection, row.id)
            for number, variant in audience_of(connection, row.id):
                articles.setdefault(names[number], []).extend(
                    (row.digest, seq) for seq in variants[variant - 1].articles
                )
    return articles


def audience_size(kit: MailKit) -> dict[str, int]:
    """Return digest → number of subscribers in the audience of its newest issue."""
    with kit.open() as db, db.read() as connection:
        rows = issues.list_issues(connection)
        return {row.digest: len(list(audience_of(connection, row.id))) for row in reversed(rows)}


def used_variants(kit: MailKit) -> set[int]:
    """Return the variants of the newest issue of the daily that subscribers get."""
    with kit.open() as db, db.read() as connection:
        return {variant for _, variant in audience_of(connection, kit.newest_issue().id)}


def arrivals(kit: MailKit) -> dict[str, int]:
    """Return file name → number of the article."""
    from sqlalchemy import text

    with kit.open() as db, db.read() as connection:
        return {source: seq for seq, source in connection.execute(text("SELECT seq, source FROM article"))}


def test_subscribers_get_their_topics_and_share_variants(any_mail_kit: MailKit) -> None:
    """Two variants serve four subscribers."""
    kit = any_mail_kit
    action.add_subscriber(kit.site, "all@example.org", NOW)
    action.add_subscriber(kit.site, "too@example.org", NOW)
    action.add_subscriber(kit.site, "wet@example.org", NOW, follows={"topics": ["WATER"]})
    action.add_subscriber(kit.site, "also-wet@example.org", NOW, follows={"topics": ["water", "Rain"]})
    action.add_subscriber(kit.site, "dry@example.org", NOW, follows={"topics": ["Desert"]})
    kit.article("one.md", "One", topic="Water")
    kit.article("two.md", "Two", topic="Trade")
    kit.open_issue()
    assert audience_size(kit) == {"daily": 4}
    assert len(used_variants(kit)) == 2
    known = arrivals(kit)
    assert {name: {seq for _, seq in got} for name, got in received(kit).items()} == {
        "all@example.org": {known["one.md"], known["two.md"]},
        "too@example.org": {known["one.md"], known["two.md"]},
        "wet@example.org": {known["one.md"]},
        "also-wet@example.org": {known["one.md"]},
    }


def test_an_article_is_not_sent_again_by_another_digest_without_repeat(any_mail_kit: MailKit) -> None:
    """A digest with ``repeat`` sends it again."""
    kit = any_mail_kit
    url = [line for line in (kit.root / "publisher.toml").read_text().splitlines() if line.startswith("url")]
    kit.settings(DIGESTS + (f"\n[database]\n{url[0]}\n" if url else ""))
    action.add_subscriber(kit.site, "both@example.org", NOW, digests=["daily", "water", "roundup"])
    action.add_subscriber(kit.site, "one@example.org", NOW, digests=["water"])
    kit.article("one.md", "One", topic="Water")
    kit.article("two.md", "Two", topic="Trade")
    for digest in ("daily", "water", "roundup"):
        kit.open_issue(digest)
    assert audience_size(kit) == {"daily": 1, "water": 1, "roundup": 1}
    got = received(kit)
    assert sorted(digest for digest, _ in got["both@example.org"]) == ["daily", "daily", "roundup", "roundup"]
    assert [digest for digest, _ in got["one@example.org"]] == ["water"]


def test_an_article_of_a_failed_delivery_may_come_in_another_digest(mail_kit: MailKit) -> None:
    """A delivery that failed gave the subscriber nothing, unlike one that was accepted."""
    from sqlalchemy import text

    kit = mail_kit
    kit.settings(DIGESTS)
    for name in ("failed", "accepted"):
        action.add_subscriber(kit.site, f"{name}@example.org", NOW, digests=["daily", "water"])
    kit.article("one.md", "One", topic="Water")
    kit.open_issue()
    with kit.open() as db, db.write() as connection:
        query = "SELECT id FROM subscriber WHERE address = 'failed@example.org'"
        connection.execute(text("UPDATE delivery SET state = 'accepted'"))
        connection.execute(text(f"UPDATE delivery SET state = 'failed' WHERE subscriber_id = ({query})"))
    kit.open_issue("water", NOW + timedelta(hours=1))
    assert [digest for digest, _ in received(kit)["failed@example.org"]] == ["daily", "water"]
    assert [digest for digest, _ in received(kit)["accepted@example.org"]] == ["daily"]


_topics = st.sampled_from(["Water", "Trade", "Arts"])
_step = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 7), _topics),
    st.tuples(st.just("rename"), st.integers(0, 7), _topics),
    st.tuples(st.just("redate"), st.integers(0, 7), st.integers(-20, 3)),
    st.tuples(
        st.just("subscribe"),
        st.integers(0, 3),
        st.lists(st.sampled_from(["daily", "water", "roundup"]), min_size=1, unique=True),
    ),
    st.tuples(st.just("choose_topics"), st.integers(0, 3), st.lists(_topics, unique=True)),
    st.tuples(st.just("suppress"), st.integers(0, 3), st.none()),
    st.tuples(st.just("publish"), st.integers(1, 30), st.none()),
)


class _Site:
    """A site with random subscriptions and articles over some days."""

    def __init__(self, kit: MailKit) -> None:
        self.kit = kit
        kit.settings(DIGESTS)
        self.now: datetime = NOW
        self.articles: dict[int, dict[str, object]] = {}
        #: (address, article) of each article that a subscriber wanted when an issue with it was made.
        self.due: set[tuple[str, int]] = set()

    def _file(self, number: int) -> None:
        fields = self.articles[number]
        self.kit.article(f"a{number}.md", str(fields["title"]), date=str(fields["date"]), topic=fields["topic"])

    def write(self, number: int, topic: str) -> None:
        self.articles.setdefault(number, {"title": f"Story {number}", "date": f"{self.now:%Y-%m-%d}", "topic": topic})
        self._file(number)

    def rename(self, number: int, topic: str) -> None:
        if number in self.articles:
            self.articles[number].update(title=f"Story {number}, again", topic=topic)
            self._file(number)

    def redate(self, number: int, days: int) -> None:
        if number in self.articles:
            self.articles[number].update(date=f"{self.now + timedelta(days=days):%Y-%m-%d}")
            self._file(number)

    def subscribe(self, number: int, digests: list[str]) -> None:
        action.add_subscriber(self.kit.site, f"r{number}@example.org", self.now, digests=digests, resubscribe="asked")

    def choose_topics(self, number: int, topics: list[str]) -> None:
        action.add_subscriber(
            self.kit.site,
            f"r{number}@example.org",
            self.now,
            digests=["daily"],
            follows={"topics": topics},
            resubscribe="asked",
        )

    def suppress(self, number: int, nothing: None) -> None:
        action.suppress_by_operator(self.kit.site, f"r{number}@example.org", self.now)

    def publish(self, hours: int, nothing: None) -> None:
        self.now += timedelta(hours=hours)
        with self.kit.open() as db, db.read() as connection:
            before = {row.id for row in issues.list_issues(connection)}
        self.kit.open_issues(self.now)
        self._record_due(before)

    def _record_due(self, before: set[int]) -> None:
        from publisher.articles import store as articles
        from publisher.model.query import matches_query
        from publisher.subscribers import store as subscribers

        site = self.kit.site
        with self.kit.open() as db, db.read() as connection:
            active = {row.id: row for row in subscribers.iter_subscribers(connection, status=SubscriptionState.ACTIVE)}
            for row in issues.list_issues(connection):
                if row.id in before:
                    continue
                whole = load_variants(connection, row.id)[0].articles
                known = articles.articles_by_seq(connection, list(whole), site.base_url, site.tz)
                for person in active.values():
                    if row.digest in person.digests:
                        query = subscribers._query(person.follows)
                        self.due |= {(person.address, seq) for seq in whole if matches_query(query, known[seq])}


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(_step, min_size=4, max_size=25))
def test_each_subscriber_gets_each_article_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, object]]
) -> None:
    """Property test over random subscriptions, articles, renames and runs."""
    site = _Site(MailKit(tmp_path_factory.mktemp("life") / "site"))
    for name, number, argument in [*steps, ("publish", 1, None)]:
        getattr(site, name)(number, argument)
    got = received(site.kit)
    for address, articles in got.items():
        seen = [seq for digest, seq in articles if digest != "roundup"]
        assert len(seen) == len(set(seen)), address
        again = [seq for digest, seq in articles if digest == "roundup"]
        assert len(again) == len(set(again)), address
    have = {(address, seq) for address, articles in got.items() for _, seq in articles}
    assert site.due <= have
