"""Reports about a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.reports.figures import load_figures
from publisher.reports.issue_drafts import upcoming_issues
from publisher.reports.outbox import list_issues
from publisher.reports.permissions import find_exposed_paths
from publisher.reports.stats import load_stats, record_feed_requests
from publisher.reports.status import Status, load_status


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
            StoreError: the database cannot be read, or there is none yet.
        """
        exposed = find_exposed_paths(self._publisher.site)
        return load_status(self._publisher.context(), exposed=exposed)
