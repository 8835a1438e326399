"""Hubs are told of changed feeds: after the new bytes are live, once each, again where it failed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from sqlalchemy import Connection

from publisher.errors import RemoteError
from publisher.html.text import clean_characters, one_line
from publisher.html.urls import url_path
from publisher.http_client import HttpClient
from publisher.model.feeds import FeedFormat
from publisher.model.report import NotificationResult, Progress, no_progress
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.websub import notifications_store as announcements
from publisher.websub.hub import queue_content, run_hub_tasks
from publisher.websub.notifications_store import Notification
from publisher.websub.recipients import recipients

__all__ = ["next_attempt", "send_notifications"]

#: After so many attempts a recipient is given up: 1, 2, 4 … minutes apart, more than a day in all.
_MAX_ATTEMPTS: Final = 14
_MAX_BACKOFF_SECONDS: Final = 6 * 3600
#: Bytes that are not live yet are looked for again as rarely as after so many failures, and never given up.
_MAX_LOOK_ATTEMPTS: Final = 9
#: Seconds for strangers' callbacks, and for each of them: mail waits meanwhile. Who is slower is told by the runner.
_OWN_HUB_SECONDS: Final = 5
#: Requests at a time.
_CONCURRENT_REQUESTS: Final = 8


class _Status(Enum):
    """What became of an announcement, or of the look whether its feed is live."""

    DONE = "done"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How one announcement went."""

    fate: _Status
    said: str = ""
    #: False where nobody was asked: the new bytes are not live yet.
    counts: bool = True


def next_attempt(attempts: int, now: int) -> int | None:
    """Return when to try again after so many failures, seconds since 1970; None to give up."""
    if attempts >= _MAX_ATTEMPTS:
        return None
    return now + min(60 << (attempts - 1), _MAX_BACKOFF_SECONDS)


def send_notifications(
    db: Database,
    site: Site,
    now: datetime,
    *,
    at_once: bool = False,
    seconds: float = 20,
    progress: Progress = no_progress,
    clock: Callable[[], float] = time.monotonic,
) -> NotificationResult:
    """Tell the hubs of the settings about the feeds that changed, and return how that went.

    Nothing here raises for what a server does or does not do: what failed is kept for later.

    Args:
        db: the store.
        site: the settings.
        now: what time it is.
        at_once: also what is only due later.
        seconds: after this time no further request is made.
        progress: told now and then how far the work is.
        clock: a clock that only goes forward.
    """
    named = {name for form in FeedFormat for name in recipients(site, form)}
    with db.write() as connection:
        announcements.delete_other_recipients(connection, named)
        due = announcements.due_notifications(connection, None if at_once else int(now.timestamp()))
        own = [one for one in due if one.recipient == f"websub {site.hub_url}"]
        _queue_own_hub(connection, own, now)
    due = [one for one in due if one not in own]
    result = NotificationResult()
    if site.web.hub:
        patience = {"seconds": seconds} if at_once else {"seconds": _OWN_HUB_SECONDS, "longest": _OWN_HUB_SECONDS}
        told = run_hub_tasks(site, db, lambda: now, **patience)
        result.sent += told.told
        result.failed += told.failed
    if due:
        deadline = clock() + seconds
        with HttpClient(site.announce.timeout) as remote:
            outcomes = _NotificationRun(
                site=site, remote=remote, is_over=lambda: clock() > deadline, progress=progress
            ).run(due)
        with db.write() as connection:
            for one, outcome in outcomes:
                _record_outcome(connection, one, outcome, int(now.timestamp()), result)
    with db.read() as connection:
        result.waiting = announcements.count_notifications(connection)
    return result


def _queue_own_hub(connection: Connection, own: Sequence[Notification], now: datetime) -> None:
    """Have those told who have subscribed at the site's own hub: nobody else has to be asked to."""
    queue_content(connection, dict.fromkeys(one.path for one in own), int(now.timestamp()))
    for one in own:
        announcements.delete_notification(connection, one)


def _record_outcome(
    connection: Connection, one: Notification, outcome: _Outcome, now: int, result: NotificationResult
) -> None:
    """Keep how an announcement went."""
    name = one.recipient.partition(" ")[2]
    if outcome.fate is _Status.DONE:
        result.sent += 1
        announcements.delete_notification(connection, one)
        return
    attempts = one.attempts + 1
    if not outcome.counts:
        attempts = min(attempts, _MAX_LOOK_ATTEMPTS)
    again = next_attempt(attempts, now)
    if outcome.fate is _Status.NEVER or again is None:
        result.failed.append(f"{name} was not told of {one.path}, and will not be: {outcome.said}")
        announcements.delete_notification(connection, one)
        return
    if outcome.counts:
        result.failed.append(f"{name} was not told of {one.path}: {outcome.said}; it will be tried again")
    announcements.reschedule_notification(connection, one, attempts, again, outcome.said)


@dataclass(slots=True, kw_only=True)
class _NotificationRun:
    """One go at everything that is due."""

    site: Site
    remote: HttpClient
    is_over: Callable[[], bool]
    progress: Progress
    #: Why no feed can be looked at; empty as long as they can.
    silence: str = ""

    def run(self, due: Sequence[Notification]) -> list[tuple[Notification, _Outcome]]:
        """Return what became of each announcement; those that there was no time for are left out."""
        dead: dict[str, str] = {}
        wanted = list(dict.fromkeys((one.path, one.sha256) for one in due))
        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
            lookout = self._counted("looking whether feeds are live", pool.map(lambda pair: self._look(*pair), wanted))
            looks = dict(zip(wanted, lookout, strict=True))
            ready, found = [], []
            for one in due:
                look = looks[one.path, one.sha256]
                if look is not None and look.fate is _Status.DONE:
                    ready.append(one)
                else:
                    found.append((one, look))
            telling = self._counted("telling hubs", pool.map(lambda one: self._tell(one, dead), ready))
            found += zip(ready, telling, strict=True)
        return [(one, outcome) for one, outcome in found if outcome is not None]

    def _counted(self, label: str, results: Iterator[_Outcome | None]) -> Iterator[_Outcome | None]:
        for number, one in enumerate(results, 1):
            self.progress(label, number, 0)
            yield one

    def _look(self, path: str, sha256: str) -> _Outcome | None:
        """Return whether the new bytes are live (done), or why not; None where there was no time to look."""
        if self.is_over():
            return None
        if self.silence:
            # The server that hands feeds out is one for all: the others need not wait for it too.
            return _Outcome(fate=_Status.LATER, said=self.silence, counts=False)
        try:
            # A cache on the way is asked to look for itself.
            answer = self.remote.get(self._address(path), {"Cache-Control": "no-cache", "Accept-Encoding": "identity"})
        except RemoteError as error:
            self.silence = str(error)
            return _Outcome(fate=_Status.LATER, said=str(error), counts=False)
        if answer.status != 200:
            return _Outcome(fate=_Status.LATER, said=f"{answer.url} answers {answer.status}", counts=False)
        if hashlib.sha256(answer.body).hexdigest() != sha256:
            return _Outcome(fate=_Status.LATER, said="the new bytes are not live yet", counts=False)
        return _Outcome(fate=_Status.DONE)

    def _tell(self, one: Notification, dead: dict[str, str]) -> _Outcome | None:
        """Tell one recipient of one feed; None where there was no time to."""
        kind, _, address = one.recipient.partition(" ")
        if self.is_over():
            return None
        if address in dead:
            return _Outcome(fate=_Status.LATER, said=dead[address])
        url = self._address(one.path)
        # https://www.w3.org/TR/websub/#publishing leaves the form to the hub; this one all of them take.
        fields = {"hub.mode": "publish", "hub.url": url, "hub.topic": url} if kind == "websub" else {"url": url}
        try:
            answer = self.remote.post(address, fields)
        except RemoteError as error:
            # The others need not wait for the same silence.
            dead[address] = str(error)
            return _Outcome(fate=_Status.LATER, said=str(error))
        if 200 <= answer.status < 300:
            return _Outcome(fate=_Status.DONE)
        words = one_line(clean_characters(answer.body[:120].decode("utf-8", "replace"))[0])
        # 408 and 429 ask for patience; what else is 4xx will not change by waiting.
        is_final = 400 <= answer.status < 500 and answer.status not in (408, 429)
        return _Outcome(
            fate=_Status.NEVER if is_final else _Status.LATER, said=f"it answers {answer.status} {words}".strip()
        )

    def _address(self, path: str) -> str:
        return f"{self.site.feeds_url}/{url_path(path)}"
