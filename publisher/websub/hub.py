"""The site's own WebSub hub: who subscribes is asked whether it was meant, and told of every change.

https://www.w3.org/TR/websub/
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from sqlalchemy import Connection

from publisher.errors import RemoteError
from publisher.html.urls import url_path
from publisher.http_client import CallbackClient
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.websub import hub_store as hub
from publisher.websub.hub_store import HubTask
from publisher.websub.link_header import link_header

__all__ = ["HubReport", "RequestRejected", "queue_content", "request_subscription", "run_hub_tasks", "topic_path"]

#: Seconds of a lease: where none is asked for, at least, and at most (§5.1: the hub decides).
_DEFAULT_LEASE_SECONDS, _MIN_LEASE_SECONDS, _MAX_LEASE_SECONDS = 10 * 86_400, 300, 30 * 86_400
#: A secret has fewer bytes than this (§5.1).
_MAX_SECRET_BYTES: Final = 200
#: Subscriptions and tasks that the hub has at most: it is this site's, and no service.
_MAX_SUBSCRIPTIONS: Final = 100_000
#: Tasks at a time, requests at a time, and seconds that a taken task is ours: longer than all of them can take.
_BATCH_SIZE, _CONCURRENT_REQUESTS, _CLAIM_SECONDS = 32, 16, 300
#: A question is asked so often, a change told so often: 1, 2, 4 … minutes apart, six hours at most.
_VERIFICATION_ATTEMPTS, _CONTENT_ATTEMPTS = 4, 12
_MAX_BACKOFF_SECONDS: Final = 6 * 3600


class RequestRejected(ValueError):
    """Why the hub does not take a subscription."""


@dataclass(slots=True, kw_only=True)
class HubReport:
    """What became of the hub's tasks."""

    told: int = 0
    subscribed: int = 0
    unsubscribed: int = 0
    #: Callbacks that are gone, and were dropped.
    dropped: int = 0
    #: What did not work, a line each.
    failed: list[str] = field(default_factory=list)


def topic_path(site: Site, url: str) -> str | None:
    """Return the file, relative to feeds/, of a feed that can be subscribed to; None for anything else."""
    if not url.startswith(f"{site.feeds_url}/"):
        return None
    path = unquote(url.removeprefix(f"{site.feeds_url}/"))
    parts = PurePosixPath(path).parts
    if url_path(path) != url.removeprefix(f"{site.feeds_url}/") or not parts or {"..", "/", "archive"} & set(parts):
        return None
    file = site.feeds_dir / path
    return path if path.endswith((".rss", ".atom", ".json")) and file.is_file() and not file.is_symlink() else None


def request_subscription(
    site: Site, db: Database, *, mode: str, topic: str, callback: str, lease: str, secret: str, now: datetime
) -> None:
    """Note that somebody wants to be told of a feed, or no more; the callback is asked whether it was meant.

    Raises:
        Refusal: it cannot be, with the reason.
    """
    if mode not in ("subscribe", "unsubscribe"):
        raise RequestRejected("hub.mode must be subscribe or unsubscribe")
    path = topic_path(site, topic)
    if path is None:
        raise RequestRejected("hub.topic is no feed of this site")
    if not _is_callback(callback):
        raise RequestRejected("hub.callback must be an http or https address")
    if len(callback) > 2000 or not re.fullmatch(r"[\x21-\x7e]+", callback):
        raise RequestRejected("hub.callback is too long, or has other than visible ASCII characters")
    if len(secret.encode()) >= _MAX_SECRET_BYTES:
        raise RequestRejected(f"hub.secret must have fewer than {_MAX_SECRET_BYTES} bytes")
    if lease and not re.fullmatch(r"[0-9]{1,12}", lease):
        raise RequestRejected("hub.lease_seconds must be a whole number")
    seconds = min(
        max(int(lease or _DEFAULT_LEASE_SECONDS) or _DEFAULT_LEASE_SECONDS, _MIN_LEASE_SECONDS), _MAX_LEASE_SECONDS
    )
    with db.write() as connection:
        if hub.count_rows(connection) >= _MAX_SUBSCRIPTIONS:
            raise RequestRejected("the hub is full")
        hub.add_task(connection, path, callback, mode, int(now.timestamp()), secret=secret, lease=seconds)


def _is_callback(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # A port that is none raises when it is asked for.
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.fragment or parts.username)
        )
    except ValueError:
        return False


def queue_content(connection: Connection, paths: Iterable[str], now: int) -> int:
    """Have changed feeds handed over to everybody who has subscribed to them; return how many tellings that are."""
    return sum(hub.queue_content(connection, path, now) for path in paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskResult:
    """What became of a task: done, gone (the callback is no more), or neither."""

    is_done: bool = False
    is_gone: bool = False
    #: True where it is no use to try again.
    is_final: bool = False
    said: str = ""


def run_hub_tasks(
    site: Site,
    db: Database,
    clock: Callable[[], datetime],
    *,
    seconds: float = 60,
    longest: float = 30,
    is_stopping: Callable[[], bool] = lambda: False,
) -> HubReport:
    """Do what is due at callbacks, and return what became of it.

    Args:
        site, db: the settings and their store.
        clock: tells what time it is.
        seconds: after this time nothing more is taken.
        longest: seconds for one request, its answer read.
        is_stopping: asked now and then whether to leave the rest for another time.
    """
    report = HubReport()
    deadline = time.monotonic() + seconds
    # Servers that do not answer: whoever has many callbacks there keeps nobody else waiting.
    silent: set[str] = set()
    with (
        CallbackClient(site.web.hub_networks, max_seconds=longest) as remote,
        ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool,
    ):
        while time.monotonic() < deadline and not is_stopping():
            now = int(clock().timestamp())
            with db.write() as connection:
                taken = hub.claim_tasks(connection, now, lease=_CLAIM_SECONDS, limit=_BATCH_SIZE)
            if not taken:
                break
            results = list(pool.map(lambda one: _run_task(site, remote, one, silent), taken))
            with db.write() as connection:
                for one, result in zip(taken, results, strict=True):
                    _record_result(connection, one, result, int(clock().timestamp()), report)
    return report


def _run_task(site: Site, remote: CallbackClient, one: HubTask, silent: set[str]) -> _TaskResult:
    server = urlsplit(one.callback).netloc
    if server in silent:
        return _TaskResult(said="its server did not answer a moment ago")
    try:
        return _deliver_content(site, remote, one) if one.kind == "content" else _verify_intent(site, remote, one)
    except RemoteError as error:
        if not error.is_final:
            silent.add(server)
        return _TaskResult(said=str(error), is_final=error.is_final)


def _verify_intent(site: Site, remote: CallbackClient, one: HubTask) -> _TaskResult:
    """Ask a callback whether it meant to (un)subscribe (§5.3)."""
    challenge = secrets.token_urlsafe(32)
    asked = {
        "hub.mode": one.kind,
        "hub.topic": f"{site.feeds_url}/{url_path(one.topic)}",
        "hub.challenge": challenge,
        **({"hub.lease_seconds": str(one.lease)} if one.kind == "subscribe" else {}),
    }
    joint = "&" if "?" in one.callback else "?"
    answer = remote.request("GET", f"{one.callback}{joint}{urlencode(asked)}")
    if not 200 <= answer.status < 300:
        # 404 is a no (§5.3.1); what else is wrong may pass.
        return _TaskResult(said=f"answers {answer.status}", is_final=answer.status < 500)
    if not hmac.compare_digest(answer.body.strip(), challenge.encode()):
        return _TaskResult(said="did not return the challenge", is_final=True)
    return _TaskResult(is_done=True)


def _deliver_content(site: Site, remote: CallbackClient, one: HubTask) -> _TaskResult:
    """Hand a feed over (§7)."""
    try:
        body = (site.feeds_dir / one.topic).read_bytes()
    except OSError:
        return _TaskResult(said="the feed is gone", is_final=True)
    address = f"{site.feeds_url}/{url_path(one.topic)}"
    headers = {
        "Content-Type": TYPES_BY_SUFFIX[one.topic.rpartition(".")[2]],
        "Link": link_header(address, site.hubs),
    }
    if one.secret:
        # §7.1: of the body, with the secret that the subscriber gave.
        headers["X-Hub-Signature"] = f"sha256={hmac.new(one.secret.encode(), body, hashlib.sha256).hexdigest()}"
    answer = remote.request("POST", one.callback, headers=headers, body=body)
    if answer.status == 410:
        return _TaskResult(is_gone=True)
    return _TaskResult(is_done=200 <= answer.status < 300, said=f"answers {answer.status}")


def _record_result(connection: Connection, one: HubTask, result: _TaskResult, now: int, report: HubReport) -> None:
    if result.is_gone:
        report.dropped += 1
        hub.delete_callback(connection, one.topic, one.callback)
    elif result.is_done:
        hub.finish_task(connection, one)
        if one.kind == "content":
            report.told += 1
        elif one.kind == "subscribe":
            report.subscribed += 1
            hub.save_subscription(connection, one, now + one.lease)
        else:
            report.unsubscribed += 1
            hub.delete_subscription(connection, one.topic, one.callback)
    else:
        report.failed.append(f"{_origin_of(one.callback)} ({one.kind}, {one.topic}): {result.said}")
        most = _CONTENT_ATTEMPTS if one.kind == "content" else _VERIFICATION_ATTEMPTS
        if result.is_final or one.attempts + 1 >= most:
            hub.finish_task(connection, one)
        else:
            hub.reschedule_task(connection, one, now + min(60 << one.attempts, _MAX_BACKOFF_SECONDS), result.said)


def _origin_of(callback: str) -> str:
    """Return a callback without what may be a secret in it."""
    parts = urlsplit(callback)
    return f"{parts.scheme}://{parts.hostname}"
