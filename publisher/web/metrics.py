"""Prometheus metrics (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from publisher import Publisher
from publisher.clock import Clock
from publisher.errors import PublisherError
from publisher.settings import Site
from publisher.web.connection_limits import DeadlineProtocol


class Metrics:
    """Counters of this process, and figures read from the database at each scrape."""

    def __init__(self, site: Site, unready_reason: Callable[[], str], clock: Clock | None = None) -> None:
        """Create the registry; UNREADY_REASON returns why the process is not ready, or ""."""
        self._site = site
        self._unready_reason = unready_reason
        self._clock = clock or Clock()
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "publisher_http_seconds",
            "Time to answer a page (feeds are left out: they come from memory).",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.registry.register(self)
        #: (kind, status) → responses. A counter of prometheus_client costs more than a 304 of a feed.
        self._responses: dict[tuple[str, int], int] = {}

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve the metrics at an address of their own; return a function that stops it.

        Raises:
            PublisherError: the address is in use or not permitted.
        """
        try:
            server, thread = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise PublisherError(
                f"cannot listen on {host}:{port} for metrics: {error.strerror or error}. Give --metrics another address"
            ) from error

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        return end

    def count_response(self, kind: str, status: int, seconds: float | None = None) -> None:
        """Count a ``feed`` or a ``page`` with its status, and its duration if that is given."""
        self._responses[kind, status] = self._responses.get((kind, status), 0) + 1
        if seconds is not None:
            self._seconds.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics except the histogram."""
        responses = CounterMetricFamily(
            "publisher_http_requests", "Responses by kind and status.", labels=["kind", "status"]
        )
        for (kind, code), count in sorted(self._responses.items()):
            responses.add_metric([kind, str(code)], count)
        yield responses
        yield GaugeMetricFamily("publisher_ready", "1 if issues are made in time.", 0 if self._unready_reason() else 1)
        yield CounterMetricFamily(
            "publisher_slow_clients",
            "Connections closed because of a slow client or a full server.",
            DeadlineProtocol.aborted,
        )
        yield CounterMetricFamily(
            "publisher_broken_requests", "Requests that were not valid HTTP.", DeadlineProtocol.invalid
        )
        with Publisher(self._site, clock=self._clock) as publisher:
            figures = publisher.reports.figures()
        by_status = GaugeMetricFamily("publisher_subscribers", "Subscribers.", labels=["status"])
        for status, count in sorted(figures.subscribers.items()):
            by_status.add_metric([status], count)
        yield by_status
        by_state = GaugeMetricFamily(
            "publisher_deliveries", "Deliveries of the newest issues.", labels=["digest", "issue", "state"]
        )
        for issue in figures.deliveries:
            for state, count in issue.states.items():
                by_state.add_metric([issue.digest, issue.issue, state.value], count)
        yield by_state
        yield GaugeMetricFamily(
            "publisher_confirmation_emails_late_seconds",
            "How long the oldest confirmation email is overdue.",
            figures.confirmation_emails_late,
        )
        yield GaugeMetricFamily(
            "publisher_hub_late_seconds", "How long the oldest task of the hub is overdue.", figures.hub_late
        )
        yield GaugeMetricFamily(
            "publisher_notifications_waiting",
            "Notifications of hubs that are not sent yet.",
            figures.notifications,
        )
