"""Reports about a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from publisher.api.subject import Subject, use_case
from publisher.reports.figures import load_figures
from publisher.reports.issue_drafts import upcoming_issues
from publisher.reports.outbox import list_issues
from publisher.reports.stats import load_stats, record_feed_requests

if TYPE_CHECKING:
    from publisher.reports.status import Status


class Reports(Subject):
    """Reports about a site."""

    stats = use_case(load_stats)
    outbox = use_case(list_issues)
    upcoming_issues = use_case(upcoming_issues)
    figures = use_case(load_figures)
    record_feed_requests = use_case(record_feed_requests)

    def status(self) -> Status:
        """Return the state of a site. Nothing is changed.

        Raises:
            StoreError: the database cannot be read.
        """
        # They import the parsers of articles, which the other reports do not need.
        from publisher.reports.permissions import find_exposed_paths
        from publisher.reports.status import load_status

        exposed = find_exposed_paths(self._publisher.site)
        return load_status(self._publisher.context(), exposed=exposed)
