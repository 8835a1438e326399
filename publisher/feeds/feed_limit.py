"""Limit the number of feeds: labels with the fewest articles get no feed beyond ``feeds.max_feeds``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from publisher.feeds import store as table
from publisher.feeds.changes import FeedChanges
from publisher.feeds.definitions import is_configured
from publisher.feeds.store import Facet
from publisher.model.problems import Problem
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site

_LIMITED_KINDS: Final = frozenset(FacetKind) - {FacetKind.ALL, FacetKind.CUSTOM}
#: Labels that the report names; the others are counted.
_MAX_NAMED: Final = 5


def within_feed_limit(
    connection: Connection, site: Site, changed: Sequence[Facet], changes: FeedChanges
) -> Sequence[Facet]:
    """Return the changed feeds without new ones beyond ``feeds.max_feeds``, and report those.

    Their marks stay, so that they are staged as soon as the setting allows it.
    """
    if (
        sum(facet.kind in _LIMITED_KINDS for facet in changed) + table.count_feeds(connection, _LIMITED_KINDS)
        <= site.feeds.max_feeds
    ):
        return changed
    new = [facet for facet in table.new_facets(connection, _LIMITED_KINDS) if is_configured(facet, site)]
    free = max(0, site.feeds.max_feeds - table.count_feeds(connection, _LIMITED_KINDS))
    waiting = new[free:]
    if not waiting:
        return changed
    names = ", ".join(repr(facet.label[:40]) for facet in waiting[:_MAX_NAMED])
    reason = (
        f"{len(waiting):,} new feeds of labels with few articles are not staged: {names}{' …' if waiting[_MAX_NAMED:] else ''}. "
        f"Set feeds.max_feeds to more than {site.feeds.max_feeds:,}, or use fewer tags."
    )
    changes.rejected.append(Problem(where="feeds", is_rejected=True, reason=reason))
    waiting_ids = {facet.id for facet in waiting}
    return [facet for facet in changed if facet.id not in waiting_ids]
