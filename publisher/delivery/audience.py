"""Fix the audience of an issue, without articles that a subscriber has already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from publisher.delivery import audience_store as store
from publisher.delivery.local_time import LocalDeliveryTimes
from publisher.digests.variants_store import variants_with_articles
from publisher.model.articles import Article
from publisher.model.digests import Digest, IssueVariant
from publisher.model.query import Interests, group_by_variant
from publisher.model.taxonomy import Query
from publisher.subscribers import store as subscribers

__all__ = ["Audience", "FrozenAudience", "count_audience", "freeze_audience", "load_audience"]

#: Subscribers who get the same: number of their interests, and (issue, variant) of earlier deliveries that overlap.
_SubscriberGroup = tuple[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The subscribers of an issue that is being made, grouped by what they get."""

    digest: str
    #: Issues that contain articles of this one.
    overlapping_issues: frozenset[int]
    #: Group → its index in ``interests``.
    groups: dict[_SubscriberGroup, int]
    interests: tuple[Interests, ...]
    #: The current time, in seconds since 1970. Subscribers who pause beyond it are left out.
    now: int


def load_audience(connection: Connection, digest: Digest, articles: Sequence[Article], now: int) -> Audience:
    """Return the audience of an issue with these articles."""
    seqs = [article.seq for article in articles]
    carried = variants_with_articles(connection, seqs, only_digest=digest.slug if digest.repeat else None)
    queries = subscribers.load_interest_queries(connection)
    groups: dict[_SubscriberGroup, int] = {}
    for _, interests_id, _, received in store.audience_members(connection, digest.slug, carried.keys(), now):
        groups.setdefault((interests_id, received), len(groups))
    interests = tuple(
        Interests(
            query=queries.get(interests_id, Query()),
            received=frozenset().union(*(carried[issue].get(variant, frozenset()) for issue, variant in received)),
        )
        for interests_id, received in groups
    )
    return Audience(
        digest=digest.slug, overlapping_issues=frozenset(carried), groups=groups, interests=interests, now=now
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenAudience:
    """The number of queued deliveries, and unknown time zones."""

    deliveries: int
    #: Unknown time zone → number of its subscribers. Their deliveries are due at the site's local time.
    unknown_zones: dict[str, int]


def freeze_audience(
    connection: Connection,
    issue_id: int,
    audience: Audience,
    variants: Sequence[IssueVariant],
    articles: Sequence[Article],
    due: LocalDeliveryTimes,
) -> FrozenAudience:
    """Queue a delivery for every subscriber with at least one article of the issue.

    Args:
        connection: the database, in the transaction that opens the send.
        issue_id: the issue.
        audience: from `load_audience`, in the same transaction.
        variants: the variants of the issue, one for each selection of the audience.
        articles: its articles, in the order in which they are shown.
        due: when the deliveries are due.
    """
    numbers = {frozenset(variant.articles): number for number, variant in enumerate(variants, 1)}
    variant_of: dict[int, int] = {}
    for chosen, indexes in group_by_variant(articles, audience.interests).items():
        number = numbers[frozenset(article.seq for article in chosen)]
        variant_of.update((index, number) for index in indexes)

    def rows() -> Iterator[tuple[int, int, int]]:
        for subscriber_id, interests_id, zone, received in store.audience_members(
            connection, audience.digest, audience.overlapping_issues, audience.now
        ):
            variant = variant_of.get(audience.groups[interests_id, received])
            if variant is not None:
                yield subscriber_id, variant, due(zone)

    return FrozenAudience(
        deliveries=store.add_deliveries(connection, issue_id, rows()), unknown_zones=due.unknown_zones
    )


def count_audience(connection: Connection, digest: Digest, articles: Sequence[Article], now: int) -> int:
    """Return how many subscribers would get an issue with these articles if its send opened now."""
    audience = load_audience(connection, digest, articles, now)
    chosen = {index for numbers in group_by_variant(articles, audience.interests).values() for index in numbers}
    groups = {group for group, index in audience.groups.items() if index in chosen}
    members = store.audience_members(connection, digest.slug, audience.overlapping_issues, now)
    return sum((interests_id, received) in groups for _, interests_id, _, received in members)
