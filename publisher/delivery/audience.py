"""Fix the audience of an issue, without articles that a subscriber has already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from publisher.delivery import audience_store as store
from publisher.delivery.audience_store import Members
from publisher.delivery.local_time import LocalDeliveryTimes
from publisher.digests.variants_store import variants_with_articles
from publisher.model.articles import Article
from publisher.model.digests import Digest, IssueVariant
from publisher.model.query import Interests, group_by_variant
from publisher.model.taxonomy import Query
from publisher.subscribers import store as subscribers

#: Subscribers who get the same: number of their interests, and (issue, variant) of earlier deliveries that overlap.
_SubscriberGroup = tuple[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The subscribers of an issue that is being made, grouped by what they get."""

    members: Members
    #: Group → its index in ``interests``.
    groups: dict[_SubscriberGroup, int]
    interests: tuple[Interests, ...]
    #: The number of subscribers of each group with deliveries of the overlapping issues, by its index.
    counts: Mapping[int, int]
    #: (interests, time zone) of the other subscribers, of whom there may be a million.
    new_members: tuple[tuple[int, str | None], ...]


def load_audience(
    connection: Connection, digest: Digest, articles: Sequence[Article], now: int, *, issue_id: int | None = None
) -> Audience:
    """Return the audience of an issue with these articles at NOW (seconds since 1970); with its ID if it is approved."""
    seqs = [article.seq for article in articles]
    carried = variants_with_articles(connection, seqs, only_digest=digest.slug if digest.repeat else None)
    if issue_id is not None:
        carried.pop(issue_id, None)
    queries = subscribers.load_interest_queries(connection)
    groups: dict[_SubscriberGroup, int] = {}
    members = Members(digest=digest.slug, overlapping_issues=frozenset(carried), now=now)
    new_members = store.new_member_groups(connection, members)
    for interests_id, _ in new_members:
        groups.setdefault((interests_id, ()), len(groups))
    counts: Counter[int] = Counter()
    for _, interests_id, _, received in store.members_with_deliveries(connection, members):
        counts[groups.setdefault((interests_id, received), len(groups))] += 1
    interests = tuple(
        Interests(
            query=queries.get(interests_id, Query()),
            received=frozenset().union(*(carried[issue].get(variant, frozenset()) for issue, variant in received)),
        )
        for interests_id, received in groups
    )
    return Audience(
        members=members,
        groups=groups,
        interests=interests,
        counts=counts,
        new_members=tuple(new_members),
    )


class AudienceChanged(Exception):
    """Rolls a transaction back, because deliveries of an overlapping issue changed since the audience was loaded."""


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

    It is called in the transaction that opens the send. Subscribers without deliveries of overlapping issues are most of
    them, and never leave the database.

    Args:
        audience: from `load_audience`, in the same transaction.
        variants: one for each selection of the audience.
        articles: in the order in which they are shown.

    Raises:
        AudienceChanged: deliveries of an overlapping issue failed since the audience was loaded.
    """
    numbers = {frozenset(variant.articles): number for number, variant in enumerate(variants, 1)}
    variant_of: dict[int, int] = {}
    for chosen, indexes in group_by_variant(articles, audience.interests).items():
        number = numbers[frozenset(article.seq for article in chosen)]
        variant_of.update((index, number) for index in indexes)

    def rows() -> Iterator[tuple[int, int, int]]:
        for subscriber_id, interests_id, zone, received in store.members_with_deliveries(connection, audience.members):
            variant = variant_of.get(audience.groups.get((interests_id, received), -1))
            if variant is not None:
                yield subscriber_id, variant, due(zone)

    # Nothing else of an audience can change in this transaction.
    expected = _count(connection, audience, variant_of) if audience.members.overlapping_issues else None
    new = [member for member in audience.new_members if audience.groups[member[0], ()] in variant_of]
    total = store.add_deliveries(connection, issue_id, rows()) + store.add_new_members(
        connection,
        issue_id,
        audience.members,
        variants={interests_id: variant_of[audience.groups[interests_id, ()]] for interests_id, _ in new},
        due={zone: due(zone) for _, zone in new},
    )
    if expected not in (None, total):
        raise AudienceChanged
    zones = {zone: store.count_deliveries_in_zone(connection, issue_id, zone) for zone in sorted(due.unknown_zones)}
    return FrozenAudience(deliveries=total, unknown_zones={zone: count for zone, count in zones.items() if count})


def _count(connection: Connection, audience: Audience, chosen: Collection[int]) -> int:
    """Return the number of subscribers in some groups of an audience, by the indexes of the groups."""
    new = {interests_id for interests_id, _ in audience.new_members if audience.groups[interests_id, ()] in chosen}
    return sum(audience.counts.get(index, 0) for index in chosen) + store.count_new_members(
        connection, audience.members, sorted(new)
    )


def count_audience(connection: Connection, digest: Digest, articles: Sequence[Article], now: int) -> int:
    """Return how many subscribers would get an issue with these articles if its send opened now."""
    audience = load_audience(connection, digest, articles, now)
    chosen = {index for numbers in group_by_variant(articles, audience.interests).values() for index in numbers}
    return _count(connection, audience, chosen)
