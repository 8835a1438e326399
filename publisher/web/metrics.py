"""Figures for a program that watches (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from publisher.clock import Clock
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.errors import PublisherError
from publisher.model.delivery import DeliveryState
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscriptions import confirmation_store as confirmations
from publisher.web.protocol import DeadlineProtocol
from publisher.websub import hub_store as hub
from publisher.websub import notifications_store as announcements

__all__ = ["Metrics"]

#: Issues whose copies are told of.
_NEWEST: Final = 10


class Metrics:
    """What is counted while the process runs, and what the store knows when somebody asks."""

    def __init__(self, site: Site, unready_reason: Callable[[], str], clock: Clock | None = None) -> None:
        """Begin.

        Args:
            site: the settings.
            unready_reason: tells why the process is not ready; empty where it is.
            clock: what time it is.
        """
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
        #: (kind, status) → how many; a counter of the library's costs more than an answer that is known.
        self._responses: dict[tuple[str, int], int] = {}

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Answer at an address of their own; return what ends that.

        Raises:
            PublisherError: somebody else is there.
        """
        try:
            server, thread = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise PublisherError(f"cannot listen on {host}:{port} for metrics: {error.strerror}") from error

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        return end

    def count_response(self, kind: str, status: int, seconds: float | None = None) -> None:
        """Count an answer: of ``feed`` or ``page``."""
        self._responses[kind, status] = self._responses.get((kind, status), 0) + 1
        if seconds is not None:
            self._seconds.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted, and what the store knows."""
        answers = CounterMetricFamily(
            "publisher_http_requests", "Requests that were answered.", labels=["kind", "status"]
        )
        for (kind, code), count in sorted(self._responses.items()):
            answers.add_metric([kind, str(code)], count)
        yield answers
        yield _gauge("publisher_ready", "1 where issues are made in time.", 0 if self._unready_reason() else 1)
        yield _counter(
            "publisher_slow_clients",
            "Connections that were closed: slow clients, or a full server.",
            DeadlineProtocol.aborted,
        )
        yield _counter("publisher_broken_requests", "What came and was no request.", DeadlineProtocol.invalid)
        now = int(self._clock.now().timestamp())
        with Database.open(self._site.database_url) as db, db.read() as connection:
            readers = GaugeMetricFamily("publisher_readers", "Readers of newsletters.", labels=["status"])
            for status, count in sorted(subscribers.count_by_status(connection).items()):
                readers.add_metric([status], count)
            yield readers
            copies = GaugeMetricFamily(
                "publisher_copies", "Copies of the newest issues.", labels=["digest", "issue", "state"]
            )
            for row in issues.list_issues(connection)[:_NEWEST]:
                for state, count in deliveries.state_counts(connection, row.id).get(row.id, {}).items():
                    copies.add_metric([row.digest, row.name, DeliveryState(state).value], count)
            yield copies
            yield _gauge(
                "publisher_letters_late_seconds",
                *_late("The oldest letter", confirmations.next_due_time(connection), now),
            )
            yield _gauge(
                "publisher_hub_late_seconds", *_late("The hub's oldest task", hub.next_task_time(connection), now)
            )
            yield _gauge(
                "publisher_announcements_waiting",
                "Hubs still to be told.",
                announcements.count_notifications(connection),
            )


def _late(what: str, due: int | None, now: int) -> tuple[str, float]:
    return f"{what} waits for so long beyond its time.", max(0, now - due) if due is not None else 0


def _counter(name: str, about: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, about, value=value)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
