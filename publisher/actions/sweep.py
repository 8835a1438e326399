"""Delete rows that have expired: old runs, confirmation emails, hub subscriptions, request figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from publisher.store import hub, letters, listening, slots
from publisher.store.database import Database

__all__ = ["SweepResult", "sweep"]

#: How long finished runs are kept. The newest run of each schedule is always kept.
_RUNS_KEPT: Final = timedelta(days=90)
#: A link in a confirmation email works for 7 days at most.
_CONFIRMATION_EMAILS_KEPT: Final = timedelta(days=8)
#: Thirteen months, so that a month can be compared with the same month a year before.
_FIGURES_KEPT: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """How many rows of each kind were deleted."""

    runs: int
    confirmation_emails: int
    hub_subscriptions: int
    figures: int

    @property
    def total(self) -> int:
        """The number of deleted rows."""
        return self.runs + self.confirmation_emails + self.hub_subscriptions + self.figures


def sweep(db: Database, now: datetime) -> SweepResult:
    """Delete what has expired at NOW, in one transaction, and return how much that was."""
    with db.write() as connection:
        return SweepResult(
            runs=slots.forget_old(connection, now - _RUNS_KEPT),
            confirmation_emails=letters.sweep(connection, int((now - _CONFIRMATION_EMAILS_KEPT).timestamp())),
            hub_subscriptions=hub.sweep(connection, int(now.timestamp())),
            figures=listening.forget_before(connection, (now - _FIGURES_KEPT).date().isoformat()),
        )
