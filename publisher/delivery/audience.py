"""Who gets an issue: frozen with it, each reader once, and no article that she has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from publisher.delivery import audience_store as store
from publisher.delivery.local_time import LocalDeliveryTimes
from publisher.digests import store as issues
from publisher.model.articles import Article
from publisher.model.digests import Digest, Issue
from publisher.model.query import Interests, group_by_variant
from publisher.model.taxonomy import Query
from publisher.subscribers import store as subscribers

__all__ = ["Audience", "FrozenAudience", "freeze_audience", "load_audience"]

#: What readers who get the same of an issue have in common: their question, and copies (issue, edition) they have.
_SubscriberGroup = tuple[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The readers of an issue that is being made, by what they get of it."""

    digest: str
    #: Issues that may have brought somebody an article of this one.
    overlapping_issues: frozenset[int]
    #: Each kind of reader → its place among the selections.
    classes: dict[_SubscriberGroup, int]
    interests: tuple[Interests, ...]
    #: What time it is, seconds since 1970: who pauses beyond it is left out.
    now: int


def load_audience(connection: Connection, digest: Digest, articles: Sequence[Article], now: int) -> Audience:
    """Return who would get an issue with these articles, and what of it."""
    carried = {} if digest.repeat else issues.variants_with_articles(connection, [one.seq for one in articles])
    queries = subscribers.load_interest_queries(connection)
    classes: dict[_SubscriberGroup, int] = {}
    for _, question, _, copies in store.audience_members(connection, digest.slug, carried.keys(), now):
        classes.setdefault((question, copies), len(classes))
    selections = tuple(
        Interests(
            query=queries.get(question, Query()),
            had=frozenset().union(*(carried[issue].get(edition, frozenset()) for issue, edition in copies)),
        )
        for question, copies in classes
    )
    return Audience(
        digest=digest.slug, overlapping_issues=frozenset(carried), classes=classes, interests=selections, now=now
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenAudience:
    """The copies that were queued."""

    deliveries: int
    #: Zone that nobody knows → how many readers have it. Theirs come by the newsroom's clock.
    unknown_zones: dict[str, int]


def freeze_audience(
    connection: Connection,
    issue_id: int,
    audience: Audience,
    made: Issue,
    articles: Sequence[Article],
    due: LocalDeliveryTimes,
) -> FrozenAudience:
    """Queue a copy for every reader who gets something of the issue, in its own transaction.

    Args:
        connection: to the store.
        issue_id: the issue, as it was just added.
        audience: of :func:`audience_of`, in the same transaction.
        made: the issue, with an edition for each thing that readers get.
        articles: what it carries, in the order in which it is shown.
        due: when a copy is due.
    """
    numbers = {frozenset(one.articles): number for number, one in enumerate(made.variants, 1)}
    by_place: dict[int, int] = {}
    for got, places in group_by_variant(articles, audience.interests).items():
        number = numbers[frozenset(one.seq for one in got)]
        by_place.update((place, number) for place in places)

    def copies() -> Iterator[tuple[int, int, int]]:
        for number, question, zone, had in store.audience_members(
            connection, audience.digest, audience.overlapping_issues, audience.now
        ):
            edition = by_place.get(audience.classes[question, had])
            if edition is not None:
                yield number, edition, due(zone)

    return FrozenAudience(
        deliveries=store.add_deliveries(connection, issue_id, copies()), unknown_zones=due.unknown_zones
    )
