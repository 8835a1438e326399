"""What leaves by itself: issues of digests with ``send = "auto"``, and drafts for editors."""

from __future__ import annotations

from datetime import datetime, timedelta

from publisher.actions.deliver import deliver
from publisher.actions.dispatch import Tally
from publisher.actions.oneoff import send_drafts
from publisher.actions.report import Mailed, Progress, PublishReport
from publisher.config import Site
from publisher.errors import PublisherError, SettingsError
from publisher.model import DeliveryState, SendPolicy
from publisher.store import deliveries, issues
from publisher.store.database import Database
from publisher.store.issues import IssueRow

__all__ = ["mail_what_may_go"]


def mail_what_may_go(site: Site, db: Database, now: datetime, report: PublishReport, progress: Progress) -> None:
    """Send what needs nobody's approval, and note in the report how that went.

    An issue older than copies are tried again is left alone: nobody wants last month's news because a
    mail server was named today.
    """
    report.undrafted = send_drafts(site, now)
    for row in _due(site, db, now):
        name = f"{row.digest}/{row.name}"
        label = f"sending {name}"

        def watch(tally: Tally, total: int, label: str = label) -> None:
            progress(label, tally.done, total)

        try:
            sent = deliver(site, name, watch=watch)
        except SettingsError as error:
            report.mailed.append(_nothing(name, str(error)))
            continue
        except PublisherError as error:
            report.mailed.append(_nothing(name, f"{error}; what has left is written down"))
            continue
        report.mailed.append(
            Mailed(
                issue=name,
                accepted=sent.tally.accepted,
                deferred=sent.tally.deferred,
                failed=sent.tally.failed,
                uncertain=len(sent.uncertain),
                waiting=sent.waiting,
                trouble=sent.trouble,
            )
        )


def _nothing(name: str, trouble: str) -> Mailed:
    return Mailed(issue=name, accepted=0, deferred=0, failed=0, uncertain=0, waiting=0, trouble=trouble)


def _due(site: Site, db: Database, now: datetime) -> list[IssueRow]:
    """Return issues that leave by themselves and have copies that are due, oldest first."""
    since = now - timedelta(days=site.delivery.retry_days)
    found = []
    with db.read() as connection:
        for row in issues.issues(connection):
            settings = site.digests.get(row.digest)
            if settings is None or settings.send is not SendPolicy.AUTO or row.slot < since:
                continue
            if row.is_paused or not row.may_be_sent:
                continue
            states = deliveries.state_counts(connection, row.id).get(row.id, {})
            due = deliveries.next_due(connection, row.id)
            if (
                states.get(DeliveryState.QUEUED)
                or states.get(DeliveryState.SENDING)
                or states.get(DeliveryState.HANDED_OVER)
                or (due is not None and due <= now.timestamp())
            ):
                found.append(row)
    return sorted(found, key=lambda row: row.slot)
