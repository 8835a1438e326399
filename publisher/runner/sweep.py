"""Delete expired rows: runs, confirmation emails, hub subscriptions, statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.delivery import due_times_store as due_times
from publisher.reports import statistics_store as statistics
from publisher.schedule import store as slots
from publisher.storage.engine import Database
from publisher.storage.facts import get_fact, set_fact
from publisher.storage.locks import advisory_lock
from publisher.subscriptions import confirmation_store as confirmations
from publisher.websub import hub_store as hub

#: Age at which finished runs are deleted. The newest run of each schedule stays.
_RUNS_KEPT: Final = timedelta(days=90)
#: Age at which confirmation emails are deleted; their links work for 7 days at most.
_CONFIRMATION_EMAILS_KEPT: Final = timedelta(days=8)
#: Thirteen months, so that a month can be compared with the same month a year before.
_FIGURES_KEPT: Final = timedelta(days=400)
#: The clock is trusted after this time without a jump, and a gap of this length is a jump. No longer than
#: any of the above, so that a shorter jump deletes nothing that was made just before it.
_TRUSTED_AFTER: Final = timedelta(days=8)
#: No retry and no lease is further ahead than this: the longest pause is six hours.
_LONGEST_RETRY: Final = timedelta(days=1)
#: The clocks of two machines may differ by this much.
_SKEW: Final = timedelta(minutes=5)
#: The key of the stored fact: since when the clock is steady, and the last time seen; seconds since 1970.
_CLOCK: Final = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """The numbers of deleted and repaired rows."""

    #: Kind of row → how many were deleted; empty if the clock is not trusted.
    deleted: Mapping[str, int] = field(default_factory=dict)
    #: Rows whose due time was set by a clock that was ahead.
    repaired: int = 0


def sweep(db: Database, now: datetime) -> SweepResult:
    """Delete rows that have expired at ``now``, in one transaction, and return how many.

    Nothing is deleted until the clock has run for eight days without a jump. A clock that jumps ahead makes all rows
    look expired, and a deleted slot would run again after the clock is corrected. After the correction, retries that
    were scheduled years ahead become due.
    """
    with db.write() as connection:
        is_trusted, is_back = _observe(connection, now)
        repaired = due_times.bring_forward(connection, now, now + _LONGEST_RETRY) if is_back else 0
        if not is_trusted:
            return SweepResult(repaired=repaired)
        deleted = {
            "runs": slots.delete_old_runs(connection, now - _RUNS_KEPT),
            "confirmation_emails": confirmations.delete_older(
                connection, int((now - _CONFIRMATION_EMAILS_KEPT).timestamp())
            ),
            "hub_subscriptions": hub.delete_expired_subscriptions(connection, int(now.timestamp())),
            "figures": statistics.delete_feed_requests_before(connection, (now - _FIGURES_KEPT).date().isoformat()),
        }
        return SweepResult(deleted=deleted, repaired=repaired)


def _observe(connection: Connection, now: datetime) -> tuple[bool, bool]:
    """Record the time; return whether the clock is trusted, and whether it was set back."""
    advisory_lock(connection, _CLOCK)
    seconds = int(now.timestamp())
    steady_since, _, last = (get_fact(connection, _CLOCK) or f"{seconds} {seconds}").partition(" ")
    since, before = int(steady_since), int(last)
    is_back = seconds < before - int(_SKEW.total_seconds())
    if is_back or seconds - before > int(_TRUSTED_AFTER.total_seconds()):
        since = seconds
    set_fact(connection, _CLOCK, f"{since} {seconds}")
    return seconds - since >= int(_TRUSTED_AFTER.total_seconds()), is_back
