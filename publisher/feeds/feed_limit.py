"""How many feeds of labels a site has: beyond the limit, the labels of fewest articles wait until it is raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from publisher.feeds import store as table
from publisher.feeds.definitions import is_configured
from publisher.feeds.store import Facet
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.model.taxonomy import FacetKind
from publisher.settings import Site

__all__ = ["within_feed_limit"]

_LIMITED_KINDS: Final = frozenset(FacetKind) - {FacetKind.ALL, FacetKind.CUSTOM}
#: Labels that are named; the others are counted.
_MAX_NAMED: Final = 5


def within_feed_limit(
    connection: Connection, site: Site, touched: Sequence[Facet], report: PublishResult
) -> Sequence[Facet]:
    """Return the touched feeds without new ones beyond ``feeds.max_feeds``, which are named in the report.

    What waits stays marked, so that it is staged as soon as the setting allows it.
    """
    if (
        sum(facet.kind in _LIMITED_KINDS for facet in touched) + table.count_feeds(connection, _LIMITED_KINDS)
        <= site.feeds.max_feeds
    ):
        return touched
    new = [facet for facet in table.new_facets(connection, _LIMITED_KINDS) if is_configured(facet, site)]
    room = max(0, site.feeds.max_feeds - table.count_feeds(connection, _LIMITED_KINDS))
    waiting = new[room:]
    if not waiting:
        return touched
    names = ", ".join(repr(facet.label[:40]) for facet in waiting[:_MAX_NAMED])
    reason = (
        f"{len(waiting):,} new feeds wait, of labels that few articles have: {names}{' …' if waiting[_MAX_NAMED:] else ''}. "
        f"Set feeds.max_feeds to more than {site.feeds.max_feeds:,} to have them, or give fewer tags."
    )
    report.rejected.append(Problem(where="feeds", is_rejected=True, reason=reason))
    left = {facet.id for facet in waiting}
    return [facet for facet in touched if facet.id not in left]
