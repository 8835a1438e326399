"""The state of a store after a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import load_variants
from publisher.model.digests import IssueVariant
from publisher.storage.tables.articles import article
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import digest as digest_table
from publisher.storage.tables.digests import pending
from publisher.storage.tables.subscribers import subscriber
from tests.conftest import SiteKit


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What a store has; articles by number."""

    #: ID → issue, oldest first.
    rows: Mapping[int, IssueRow]
    variants: Mapping[int, list[IssueVariant]]
    #: ID → articles, in order.
    chosen: Mapping[int, list[int]]
    #: ID → person → articles of the delivery.
    audiences: Mapping[int, Mapping[str, set[int]]]
    #: (person, issue) of deliveries that may have arrived.
    uncertain: frozenset[tuple[str, int]]
    drafts: Mapping[str, IssueDraft]
    #: Arrival number → number, of each article.
    numbers: Mapping[int, int]
    #: Newsletter → article → how it is pending.
    pending: Mapping[str, Mapping[int, tuple[Any, ...]]]
    #: Newsletter that has begun → the arrival number up to which articles are not its news.
    since: Mapping[str, int]

    def skipped(self, slug: str, kind: str | None = None) -> set[int]:
        """Return the articles that are left out of the next issue, for one reason or for any."""
        rows = self.pending.get(slug, {})
        return {number for number, row in rows.items() if row[3] is not None and kind in (None, row[3])}


def read_state(kit: SiteKit) -> StoreState:
    """Read the state of a site's store."""
    with kit.open() as db, db.read() as connection:
        paths = connection.execute(select(article.c.seq, article.c.path))
        numbers = {seq: int(path.partition("story-")[2].partition("-")[0]) for seq, path in paths}
        rows = {row.id: row for row in sorted(issues.list_issues(connection), key=lambda row: row.id)}
        variants = {number: list(load_variants(connection, number)) for number in rows}
        audiences, uncertain = _audiences(connection, variants, numbers)
        return StoreState(
            rows=rows,
            variants=variants,
            chosen={one: [numbers[seq] for seq in issues.issue_article_seqs(connection, one)] for one in rows},
            audiences=audiences,
            uncertain=uncertain,
            drafts={draft.digest: draft for draft in drafts.list_drafts(connection)},
            numbers=numbers,
            pending=_pending(connection, numbers),
            since=dict(iter(connection.execute(select(digest_table.c.slug, digest_table.c.since_seq)))),
        )


def _audiences(
    connection: Connection, variants: Mapping[int, list[IssueVariant]], numbers: Mapping[int, int]
) -> tuple[dict[int, dict[str, set[int]]], frozenset[tuple[str, int]]]:
    columns = (subscriber.c.address, delivery.c.issue_id, delivery.c.variant, delivery.c.state)
    query = select(*columns).join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
    audiences: dict[int, dict[str, set[int]]] = {number: {} for number in variants}
    uncertain = set()
    for address, issue_id, variant, state in connection.execute(query):
        name = address.partition("@")[0]
        audiences[issue_id][name] = {numbers[seq] for seq in variants[issue_id][variant - 1].articles}
        if state == "uncertain":
            uncertain.add((name, issue_id))
    return audiences, frozenset(uncertain)


def _pending(connection: Connection, numbers: Mapping[int, int]) -> dict[str, dict[int, tuple[Any, ...]]]:
    columns = (pending.c.carried_over, pending.c.is_added, pending.c.is_returned, pending.c.skip, pending.c.skip_slot)
    rows: dict[str, dict[int, tuple[Any, ...]]] = {}
    for slug, seq, *flags in connection.execute(select(pending.c.digest, pending.c.article_seq, *columns)):
        rows.setdefault(slug, {})[numbers[seq]] = tuple(flags)
    return rows
