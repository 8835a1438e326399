"""The site's own WebSub hub: verify subscriptions and deliver changed feeds to them.

https://www.w3.org/TR/websub/
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from sqlalchemy import Connection

from publisher.backoff import Backoff
from publisher.context import Context
from publisher.errors import RemoteError
from publisher.html.urls import url_path
from publisher.http_client import CallbackClient
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.settings import Site
from publisher.storage import job_queue
from publisher.storage.job_queue import Job
from publisher.websub import hub_store as hub
from publisher.websub.link_header import link_header

#: Lease by default, at least and at most (§5.1: the hub decides).
_DEFAULT_LEASE_SECONDS, _MIN_LEASE_SECONDS, _MAX_LEASE_SECONDS = 10 * 86_400, 300, 30 * 86_400
#: A secret must be shorter (§5.1).
_MAX_SECRET_BYTES: Final = 200
#: Subscriptions and tasks together: the hub serves this site only.
_MAX_SUBSCRIPTIONS: Final = 100_000
#: Tasks per claim, requests in parallel, and the time of a claim, which is longer than a batch can take.
_BATCH_SIZE, _CONCURRENT_REQUESTS, _CLAIM_SECONDS = 32, 16, 300
#: Retries of verifications and of deliveries.
VERIFICATION_RETRIES, DELIVERY_RETRIES = Backoff(60, 6 * 3600, 4), Backoff(60, 6 * 3600, 12)


class RequestRejected(ValueError):
    """A subscription request that the hub rejects, with the reason."""


@dataclass(slots=True, kw_only=True)
class HubReport:
    """The result of a run of the hub's tasks."""

    delivered: int = 0
    subscribed: int = 0
    unsubscribed: int = 0
    #: Callbacks that no longer exist (410) and were deleted.
    dropped: int = 0
    #: One line for each failed task.
    failed: list[str] = field(default_factory=list)


def topic_path(site: Site, url: str) -> str | None:
    """Return the path of a feed that can be subscribed to, relative to feeds/; None for other URLs."""
    if not url.startswith(f"{site.feeds_url}/"):
        return None
    path = unquote(url.removeprefix(f"{site.feeds_url}/"))
    parts = PurePosixPath(path).parts
    if url_path(path) != url.removeprefix(f"{site.feeds_url}/") or not parts or {"..", "/", "archive"} & set(parts):
        return None
    file = site.feeds_dir / path
    return path if path.endswith((".rss", ".atom", ".json")) and file.is_file() and not file.is_symlink() else None


def request_subscription(
    context: Context, *, mode: str, topic: str, callback: str, lease: str = "", secret: str = ""
) -> None:
    """Validate a request to subscribe or unsubscribe, and queue its verification at the callback.

    The arguments are the fields of the request; LEASE is in seconds, or empty.

    Raises:
        RequestRejected: the request is invalid, or the hub is full.
    """
    if mode not in ("subscribe", "unsubscribe"):
        raise RequestRejected("hub.mode must be subscribe or unsubscribe")
    path = topic_path(context.site, topic)
    if path is None:
        raise RequestRejected("hub.topic is not a feed of this site")
    if not _is_callback(callback):
        raise RequestRejected("hub.callback must be an http or https URL")
    if len(callback) > 2000 or not re.fullmatch(r"[\x21-\x7e]+", callback):
        raise RequestRejected("hub.callback must have at most 2,000 characters, all of them visible ASCII")
    if len(secret.encode()) >= _MAX_SECRET_BYTES:
        raise RequestRejected(f"hub.secret must have fewer than {_MAX_SECRET_BYTES} bytes")
    if "\0" in secret:
        # PostgreSQL stores none.
        raise RequestRejected("hub.secret must have no NUL character")
    if lease and not re.fullmatch(r"[0-9]{1,12}", lease):
        raise RequestRejected("hub.lease_seconds must be a whole number")
    seconds = min(
        max(int(lease or _DEFAULT_LEASE_SECONDS) or _DEFAULT_LEASE_SECONDS, _MIN_LEASE_SECONDS), _MAX_LEASE_SECONDS
    )
    with context.db.write() as connection:
        if hub.count_rows(connection) >= _MAX_SUBSCRIPTIONS:
            raise RequestRejected("the hub is full")
        hub.queue_verification(connection, path, callback, mode, context.seconds, secret=secret, lease=seconds)


def _is_callback(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # An invalid port raises when it is read.
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.fragment or parts.username)
        )
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskResult:
    """The result of a task: done, not needed, callback gone, or failed."""

    is_done: bool = False
    #: True if the subscription has ended in the meantime.
    is_needless: bool = False
    is_gone: bool = False
    #: True if a retry cannot succeed.
    is_final: bool = False
    error: str = ""


def run_hub_tasks(
    context: Context,
    *,
    seconds: float = 60,
    longest: float = 30,
    is_stopping: Callable[[], bool] = lambda: False,
) -> HubReport:
    """Run due tasks, and return their results.

    Args:
        seconds: no task is claimed after this time.
        longest: seconds for one request and its response.
        is_stopping: checked between batches; True leaves the remaining tasks for the next run.
    """
    site, db, clock = context.site, context.db, context.clock
    report = HubReport()
    deadline = time.monotonic() + seconds
    # Servers that do not respond. Their other callbacks are skipped in this run, so that they delay no others.
    unresponsive: set[str] = set()
    client = CallbackClient(site.web.hub_networks, max_seconds=longest)
    with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
        while time.monotonic() < deadline and not is_stopping():
            now = int(clock.now().timestamp())
            with db.write() as connection:
                jobs = job_queue.claim(connection, hub.HUB_KINDS, now, lease=_CLAIM_SECONDS, limit=_BATCH_SIZE)
                secrets_by_feed = hub.secrets_by_feed(connection, jobs, now)
            if not jobs:
                break
            task = partial(_run_job, site, client, secrets_by_feed, unresponsive)
            results = list(pool.map(task, jobs))
            with db.write() as connection:
                for job, result in zip(jobs, results, strict=True):
                    _record_result(connection, job, result, int(clock.now().timestamp()), report)
    return report


def _run_job(
    site: Site,
    client: CallbackClient,
    secrets_by_feed: Mapping[tuple[str, str], str],
    unresponsive: set[str],
    job: Job,
) -> _TaskResult:
    server, secret = urlsplit(job.target).netloc, secrets_by_feed.get((job.subject, job.target))
    if job.kind == hub.CONTENT and secret is None:
        return _TaskResult(is_needless=True)
    if server in unresponsive:
        return _TaskResult(error="its server did not respond a moment ago")
    try:
        if job.kind == hub.CONTENT:
            return _deliver_content(site, client, job, secret or "")
        return _verify_intent(site, client, job)
    except RemoteError as error:
        if not error.is_final:
            unresponsive.add(server)
        return _TaskResult(error=str(error), is_final=error.is_final)


def _verify_intent(site: Site, client: CallbackClient, job: Job) -> _TaskResult:
    """Verify with the callback that its owner wants to subscribe or unsubscribe (§5.3)."""
    challenge, mode = secrets.token_urlsafe(32), job.details["mode"]
    query = {
        "hub.mode": mode,
        "hub.topic": f"{site.feeds_url}/{url_path(job.subject)}",
        "hub.challenge": challenge,
        **({"hub.lease_seconds": str(job.details["lease"])} if mode == "subscribe" else {}),
    }
    separator = "&" if "?" in job.target else "?"
    response = client.request("GET", f"{job.target}{separator}{urlencode(query)}")
    if not 200 <= response.status < 300:
        # 404 is a refusal (§5.3.1); server errors may be temporary.
        return _TaskResult(error=f"responds with {response.status}", is_final=response.status < 500)
    if not hmac.compare_digest(response.body.strip(), challenge.encode()):
        return _TaskResult(error="did not return the challenge", is_final=True)
    return _TaskResult(is_done=True)


def _deliver_content(site: Site, client: CallbackClient, job: Job, secret: str) -> _TaskResult:
    """Deliver a feed to the callback (§7)."""
    try:
        body = (site.feeds_dir / job.subject).read_bytes()
    except OSError:
        return _TaskResult(error="the feed was removed", is_final=True)
    url = f"{site.feeds_url}/{url_path(job.subject)}"
    headers = {
        "Content-Type": TYPES_BY_SUFFIX[job.subject.rpartition(".")[2]],
        "Link": link_header(url, site.hubs),
    }
    if secret:
        # §7.1: the HMAC of the body, with the secret of the subscription.
        headers["X-Hub-Signature"] = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
    response = client.request("POST", job.target, headers=headers, body=body)
    if response.status == 410:
        return _TaskResult(is_gone=True)
    return _TaskResult(is_done=200 <= response.status < 300, error=f"responds with {response.status}")


def _record_result(connection: Connection, job: Job, result: _TaskResult, now: int, report: HubReport) -> None:
    topic, callback, details = job.subject, job.target, job.details
    mode = details.get("mode", "content")
    if result.is_gone:
        report.dropped += 1
        hub.delete_callback(connection, topic, callback)
    elif result.is_needless:
        job_queue.finish(connection, job)
    elif result.is_done:
        job_queue.finish(connection, job)
        if job.kind == hub.CONTENT:
            report.delivered += 1
        elif mode == "subscribe":
            report.subscribed += 1
            hub.save_subscription(connection, topic, callback, details["secret"], now + details["lease"])
        else:
            report.unsubscribed += 1
            hub.delete_subscription(connection, topic, callback)
    else:
        report.failed.append(f"{_origin_of(callback)} ({mode}, {topic}): {result.error}")
        retries, attempts = DELIVERY_RETRIES if job.kind == hub.CONTENT else VERIFICATION_RETRIES, job.attempts + 1
        retry_at = retries.retry_at(attempts, now)
        if result.is_final or retry_at is None:
            job_queue.finish(connection, job)
        else:
            job_queue.reschedule(connection, job, retry_at, attempts=attempts, answer=result.error)


def _origin_of(callback: str) -> str:
    """Return the origin of a callback, without its path and query, which may hold secrets."""
    parts = urlsplit(callback)
    return f"{parts.scheme}://{parts.hostname}"
