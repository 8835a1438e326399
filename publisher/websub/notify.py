"""Notify hubs and rssCloud servers of changed feeds: once the new bytes are served, with retries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from publisher.backoff import Backoff
from publisher.context import Context
from publisher.errors import RemoteError
from publisher.html.text import clean_characters, one_line
from publisher.html.urls import url_path
from publisher.http_client import HttpClient
from publisher.model.feeds import FeedFormat
from publisher.model.report import NotificationResult, Progress
from publisher.settings import Site
from publisher.storage import job_queue
from publisher.storage.job_queue import Job
from publisher.websub import notifications_store as notifications
from publisher.websub.hub import run_hub_tasks
from publisher.websub.hub_store import queue_content
from publisher.websub.notifications_store import NOTIFICATION
from publisher.websub.recipients import recipients

#: Retries of a notification, for more than a day.
RETRIES: Final = Backoff(60, 6 * 3600, 14)
#: The backoff for bytes that are not served yet grows until this attempt; they are never given up.
_MAX_LOOK_ATTEMPTS: Final = 9
#: Seconds for the callbacks of the site's own hub, and for each of them, because mail waits meanwhile. The runner
#: delivers to slower ones.
_OWN_HUB_SECONDS: Final = 5
#: Requests in parallel.
_CONCURRENT_REQUESTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """The outcome of a notification, or of the check that its feed is served."""

    #: Why it failed; empty for success.
    error: str = ""
    #: True if a retry cannot succeed.
    is_final: bool = False
    #: False if no request was sent, because the server does not serve the new bytes yet.
    counts: bool = True


def send_notifications(context: Context, *, at_once: bool = False, seconds: float = 20) -> NotificationResult:
    """Send the due notifications, and return the result; AT_ONCE also sends those that are due later.

    Errors of servers raise nothing: a failed notification is queued again. No request is started after SECONDS.

    Raises:
        StoreError: the caller has a transaction or a dry run.
    """
    site, db, now = context.site, context.db, context.now
    db.require_commits("notifying hubs")
    named = {name for form in FeedFormat for name in recipients(site, form)}
    with db.write() as connection:
        notifications.delete_other_recipients(connection, named)
        due = job_queue.due(connection, NOTIFICATION, None if at_once else int(now.timestamp()))
    # One transaction for each notification from here on: a run that queues them in another order must not wait.
    own = [queued for queued in due if queued.target == f"websub {site.hub_url}"]
    for queued in own:
        # The site's own hub needs no notification over HTTP.
        with db.write() as connection:
            queue_content(connection, queued.subject, int(now.timestamp()))
            job_queue.finish(connection, queued)
    due = [queued for queued in due if queued not in own]
    sent, failed = 0, list[str]()
    if site.web.hub:
        limits = {"seconds": seconds} if at_once else {"seconds": _OWN_HUB_SECONDS, "longest": _OWN_HUB_SECONDS}
        hub_report = run_hub_tasks(context, **limits)
        sent += hub_report.delivered
        failed += hub_report.failed
    if due:
        deadline = context.clock.monotonic() + seconds
        with HttpClient(site.announce.timeout) as client:
            outcomes = _NotificationRun(
                site=site,
                client=client,
                is_over=lambda: context.clock.monotonic() > deadline,
                progress=context.progress,
            ).run(due)
        for queued, outcome in outcomes:
            with db.write() as connection:
                failed += _record_outcome(connection, queued, outcome, context.seconds)
            sent += not outcome.error
    with db.read() as connection:
        waiting = job_queue.count(connection, NOTIFICATION)
    return NotificationResult(sent=sent, waiting=waiting, failed=tuple(failed))


def _record_outcome(connection: Connection, queued: Job, outcome: _Outcome, now: int) -> list[str]:
    """Store the result of an attempt, and return the failure as a line of text, if it is one."""
    name = queued.target.partition(" ")[2]
    if not outcome.error:
        job_queue.finish(connection, queued)
        return []
    attempts = queued.attempts + 1
    if not outcome.counts:
        attempts = min(attempts, _MAX_LOOK_ATTEMPTS)
    again = RETRIES.retry_at(attempts, now)
    if outcome.is_final or again is None:
        job_queue.finish(connection, queued)
        return [f"{name} was not notified of {queued.subject}: {outcome.error}. It was the last attempt"]
    job_queue.reschedule(connection, queued, again, attempts=attempts, answer=outcome.error)
    if not outcome.counts:
        return []
    return [f"{name} was not notified of {queued.subject}: {outcome.error}. It will be retried"]


@dataclass(slots=True, kw_only=True)
class _NotificationRun:
    """One run over all due notifications."""

    site: Site
    client: HttpClient
    is_over: Callable[[], bool]
    progress: Progress
    #: Why the server of the feeds does not respond; empty while it does.
    server_error: str = ""

    def run(self, due: Sequence[Job]) -> list[tuple[Job, _Outcome]]:
        """Return the result of each notification; those that there was no time for are omitted."""
        failed_servers: dict[str, str] = {}
        versions = {queued: (queued.subject, str(queued.details["sha256"])) for queued in due}
        wanted = list(dict.fromkeys(versions.values()))
        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
            checks = self._report_progress(
                "checking that feeds are served", pool.map(lambda pair: self._check_served(*pair), wanted)
            )
            checked = dict(zip(wanted, checks, strict=True))
            ready, results = [], []
            for queued in due:
                check = checked[versions[queued]]
                if check is not None and not check.error:
                    ready.append(queued)
                else:
                    results.append((queued, check))
            outcomes = self._report_progress(
                "notifying hubs", pool.map(lambda queued: self._notify(queued, failed_servers), ready)
            )
            results += zip(ready, outcomes, strict=True)
        return [(queued, outcome) for queued, outcome in results if outcome is not None]

    def _report_progress(self, label: str, results: Iterator[_Outcome | None]) -> Iterator[_Outcome | None]:
        for number, queued in enumerate(results, 1):
            self.progress(label, number, 0)
            yield queued

    def _check_served(self, path: str, sha256: str) -> _Outcome | None:
        """Return whether the server serves the new bytes (done), or why not; None if there was no time to check."""
        if self.is_over():
            return None
        if self.server_error:
            # One server serves all feeds: the other checks would fail in the same way.
            return _Outcome(error=self.server_error, counts=False)
        try:
            # A cache in between must not answer with older bytes.
            response = self.client.get(
                self._feed_url(path), {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}
            )
        except RemoteError as error:
            self.server_error = str(error)
            return _Outcome(error=str(error), counts=False)
        if response.status != 200:
            return _Outcome(error=f"{response.url} responds with {response.status}", counts=False)
        if hashlib.sha256(response.body).hexdigest() != sha256:
            return _Outcome(error="the server does not serve the new bytes yet", counts=False)
        return _Outcome()

    def _notify(self, queued: Job, failed_servers: dict[str, str]) -> _Outcome | None:
        """Notify one recipient of one feed; None if there was no time."""
        kind, _, recipient_url = queued.target.partition(" ")
        if self.is_over():
            return None
        if recipient_url in failed_servers:
            return _Outcome(error=failed_servers[recipient_url])
        url = self._feed_url(queued.subject)
        # https://www.w3.org/TR/websub/#publishing leaves the fields to the hub; all known hubs accept these.
        fields = {"hub.mode": "publish", "hub.url": url, "hub.topic": url} if kind == "websub" else {"url": url}
        try:
            response = self.client.post(recipient_url, fields)
        except RemoteError as error:
            # Its other notifications are not sent in this run.
            failed_servers[recipient_url] = str(error)
            return _Outcome(error=str(error))
        if 200 <= response.status < 300:
            return _Outcome()
        excerpt = one_line(clean_characters(response.body[:120].decode("utf-8", "replace"))[0])
        # 408 and 429 are temporary; a retry does not help with other 4xx.
        is_final = 400 <= response.status < 500 and response.status not in (408, 429)
        return _Outcome(error=f"it responds with {response.status} {excerpt}".strip(), is_final=is_final)

    def _feed_url(self, path: str) -> str:
        return f"{self.site.feeds_url}/{url_path(path)}"
