"""``publish tick``: what the runner does all the time, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from publisher.actions.announce import announce
from publisher.actions.letters import send_letters
from publisher.actions.mailing import mail_what_may_go
from publisher.actions.report import Progress, PublishReport, silent
from publisher.actions.runners import alone
from publisher.actions.turn import take_turn
from publisher.clock import Clock
from publisher.config import Site
from publisher.errors import PublisherError
from publisher.store import letters, slots
from publisher.store.database import Database
from publisher.store.sources import Problem

__all__ = ["tick"]

_KEPT: Final = timedelta(days=90)
_LETTERS_KEPT: Final = timedelta(days=8)


def tick(
    site: Site,
    *,
    clock: Clock | None = None,
    progress: Progress = silent,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> PublishReport:
    """Run slots that are due, bring feeds up to date, send what may leave, tell hubs, read what bounced.

    May be called as often as one likes, also while another call is under way: what one does the others leave.

    Raises:
        PublisherError: articles/ could not be read, or issues not be staged. What else fails is in the report.
    """
    clock = clock or Clock()
    with Database.open(site.database_url) as db:
        report = take_turn(site, db, clock, always=True, progress=progress, on_wait=on_wait)
        assert report is not None
        if site.hubs or site.announce.cloud:
            report.announced = announce(db, site, clock.now(), progress=progress)
        # A list of 50,000 takes its time, and the next tick comes before it is through.
        with alone(site.root, "mail") as is_alone:
            if is_alone:
                _mail(site, db, clock, report, progress)
        with db.write() as connection:
            slots.forget_old(connection, clock.now() - _KEPT)
            letters.sweep(connection, int((clock.now() - _LETTERS_KEPT).timestamp()))
    return report


def _mail(site: Site, db: Database, clock: Clock, report: PublishReport, progress: Progress) -> None:
    if site.can_send and site.digests:
        mail_what_may_go(site, db, clock.now(), report, progress, approved=True, clock=clock.now)
        posted = send_letters(site, db, clock.now)
        if posted.trouble:
            report.refused.append(Problem(where="letters", refused=True, reason=posted.trouble))
    if site.bounces.path is None and site.bounces.imap is None:
        return
    from publisher.actions.bounces import process_mailbox

    try:
        process_mailbox(site, clock.now(), progress=progress)
    except PublisherError as error:
        report.refused.append(Problem(where="bounces", refused=True, reason=str(error)))
