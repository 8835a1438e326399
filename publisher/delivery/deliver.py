"""``publish send``: an issue's copies leave, each once, whatever happens meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from publisher.delivery import brakes_store as brakes
from publisher.delivery import senders
from publisher.delivery import store as deliveries
from publisher.delivery.approval import require_sendable_issue, stop_reason
from publisher.delivery.brakes_store import DOMAIN, Brake
from publisher.delivery.dispatch import DeliveryCounts, Dispatcher
from publisher.delivery.ledger import Ledger, LedgerRules
from publisher.delivery.messages import DeliveryMessages, read_signers
from publisher.delivery.relay_pauses import load_pauses, save_pauses
from publisher.delivery.suppression_brake import SuppressionBrake, settle_finished_issues
from publisher.delivery.throttle import RateLimit, Throttle, warm_up_limit
from publisher.digests import store as issues
from publisher.digests.lookup import find_issue
from publisher.errors import PublisherError, SettingsError, StoreError
from publisher.mail.smtp_transport import SmtpTransport
from publisher.mail.transport import Transport
from publisher.model.delivery import DeliveryState, UncertainPolicy
from publisher.model.digests import IssueVariant, LatePolicy
from publisher.settings import Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.digests.store import IssueRow
    from publisher.signing.tokens import Keyring

__all__ = ["SendResult", "deliver", "make_transport"]

#: Told what a run has done so far, how many copies there were to send, and how many of them are done.
ProgressCallback = Callable[[DeliveryCounts, int], None]
#: Seconds between two looks at how far a run is.
_POLL_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class SendResult:
    """What a run did, and where it left the issue."""

    digest: str
    name: str
    counts: DeliveryCounts
    #: State → how many of the issue's copies are in it by now.
    states: dict[DeliveryState, int] = field(default_factory=dict)
    #: Addresses of the copies of which nobody knows whether they were taken.
    uncertain: list[str] = field(default_factory=list)
    #: Why the run ended before all was done; empty where it did not.
    trouble: str = ""
    #: When the next copy is due that has to wait; None for none.
    next_due: datetime | None = None
    #: Domains that ask for patience.
    paused_domains: list[str] = field(default_factory=list)
    #: Relays and domains that are not used until an operator decides about their refusals.
    brakes: list[Brake] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def waiting(self) -> int:
        """Copies that are still to leave."""
        return sum(
            self.states.get(one, 0) for one in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
        )


def make_transport(site: Site) -> Transport:
    """Return the way out that the settings name.

    Raises:
        SettingsError: they name none, or a password cannot be read.
    """
    if site.delivery.transport == "maildir":
        from publisher.mail.maildir import MaildirTransport

        return MaildirTransport(folder=site.maildir)
    if site.smtp is None:
        raise SettingsError(
            'no mail server is configured: name one under [smtp], or write copies into a Maildir with transport = "maildir" '
            "under [delivery]"
        )
    from publisher.mail.smtp_connection import Relay

    return SmtpTransport(
        relays=[
            Relay(
                host=one.host,
                port=one.port,
                security=one.security,
                username=one.username,
                password=one.password.reveal(site.root) if one.password else None,
                ca_file=str(site.root / one.ca_file) if one.ca_file else None,
                weight=one.weight,
            )
            for one in site.smtp.all_relays
        ]
    )


def deliver(
    site: Site,
    target: str,
    *,
    limit: int | None = None,
    uncertain: UncertainPolicy | None = None,
    transport: Transport | None = None,
    watch: ProgressCallback = lambda counts, total: None,
    is_stopping: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    is_attended: bool = True,
) -> SendResult:
    """Send the deliveries of an issue that are due, and return what became of them.

    Several processes may do so at a time, and again after any of them was killed.

    Args:
        site: the settings.
        target: ``DIGEST`` for its newest issue, or ``DIGEST/NAME``.
        limit: no more copies than this leave.
        uncertain: what becomes of copies that an earlier run left uncertain; None leaves them as they are.
        transport: the way out; what the settings name by default.
        watch: told now and then how far the run is.
        is_stopping: asked now and then; once it says so, messages in hand are finished and no more leave.
        clock: what time it is.
        is_attended: whether a person waits: they try a relay again that has lost messages, before its pause is over.

    Raises:
        SettingsError: there is no such issue, or it may not be sent, with the reason (see ``refuse_to_send``).
        StoreError: the store cannot be used.
    """
    transport = transport or make_transport(site)
    began = clock()
    with Database.open(site.database_url) as db:
        with db.write() as connection:
            row = find_issue(connection, target)
            ring = keyring(site, connection)
            require_sendable_issue(connection, site, row, ring, is_local=transport.is_local)
            due, limit = _prepare(connection, site, row, transport, began, uncertain, limit)
            load_pauses(connection, transport, began, is_attended=is_attended)
        sent = SendResult(digest=row.digest, name=row.name, counts=DeliveryCounts())
        if due and limit != 0:
            name = f"{socket.gethostname()} {os.getpid()}"
            with senders.active_sender(db, site.root, name, int(began.timestamp())) as number:
                _SendRun(site, db, row, ring, number, clock, watch, is_stopping).send(transport, due, limit, sent)
        _complete_result(db, row, sent, ring, int(clock().timestamp()))
        if limit == 0 and not sent.trouble:
            sent.trouble = "the warm-up limit of today is reached"
        sent.seconds = (clock() - began).total_seconds()
    return sent


def _prepare(
    connection: Connection,
    site: Site,
    row: IssueRow,
    transport: Transport,
    began: datetime,
    uncertain: UncertainPolicy | None,
    limit: int | None,
) -> tuple[int, int | None]:
    """Bring the ledger into order; return how many copies are due, and how many of them may leave (None: all)."""
    now = int(began.timestamp())
    _recover(connection, site, now, transport)
    if uncertain is not None:
        deliveries.resolve_uncertain(connection, row.id, now, uncertain)
    return deliveries.count_due(connection, row.id, now), _within_warm_up(connection, site, began, limit)


def _recover(connection: Connection, site: Site, now: int, transport: Transport) -> None:
    """Take over from senders that were killed."""
    for dead in senders.dead_senders(connection, site.root):
        policy = site.delivery.uncertain
        deliveries.recover_deliveries(connection, dead, now, policy=policy, is_idempotent=transport.is_idempotent)
        senders.forget_sender(connection, dead)


def _within_warm_up(connection: Connection, site: Site, now: datetime, limit: int | None) -> int | None:
    """Return how many copies may leave: no more than the warm-up has left of the day."""
    warm_up = site.delivery.warm_up
    if warm_up is None:
        return limit
    today = now.astimezone(site.tz).date()
    most = warm_up_limit(today, warm_up.start, warm_up.first, warm_up.growth)
    left = max(0, most - deliveries.count_sent_on(connection, today.isoformat()))
    return left if limit is None else min(limit, left)


def _complete_result(db: Database, row: IssueRow, sent: SendResult, ring: Keyring, now: int) -> None:
    """Judge the refusals of issues that are all sent, and add the state of the issue to the result."""
    from publisher.subscribers.store import find_subscriber

    with db.write() as connection:
        settle_finished_issues(connection, ring, now)
    with db.read() as connection:
        sent.states = deliveries.state_counts(connection, row.id).get(row.id, {})
        due = deliveries.next_due(connection, row.id)
        sent.next_due = datetime.fromtimestamp(due, UTC) if due else None
        sent.brakes = brakes.open_brakes(connection, row.id)
        for one in deliveries.deliveries_in_state(connection, row.id, DeliveryState.UNCERTAIN):
            reader = find_subscriber(connection, one.subscriber_id)
            sent.uncertain.append(reader.address if reader else f"subscriber {one.subscriber_id}, erased")
    if sent.brakes and (not sent.trouble or " is stopped: " in sent.trouble):
        words = "; ".join(brake.describe() for brake in sent.brakes)
        sent.trouble = f"{words}. {brakes.resume_advice(f'{row.digest}/{row.name}')}"


class _SendRun:
    """One go at an issue, by one process."""

    def __init__(
        self,
        site: Site,
        db: Database,
        row: IssueRow,
        ring: Keyring,
        sender: int,
        clock: Callable[[], datetime],
        watch: ProgressCallback,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._site = site
        self._db = db
        self._row = row
        self._ring = ring
        self._sender = sender
        self._clock = clock
        self._watch = watch
        self._is_stopping = is_stopping

    def send(self, transport: Transport, due: int, limit: int | None, sent: SendResult) -> None:
        """Send what is due, and put back what was taken and has not left."""
        settings = self._site.delivery
        brake = SuppressionBrake(self._row.id, self._ring)
        ledger = Ledger(
            self._db,
            self._row.id,
            self._sender,
            LedgerRules(
                uncertain=settings.uncertain,
                retry_days=settings.retry_days,
                counts_days=settings.warm_up is not None,
                drop_after=self._drop_after(),
            ),
            clock=lambda: self._clock().astimezone(self._site.tz),
            brake=brake,
            on_stop=lambda found: self._stop(found, dispatcher, transport),
        )

        def limit_of(domain: str) -> RateLimit:
            found = settings.domain(domain)
            return RateLimit(per_second=found.per_second, at_once=found.at_once)

        maker = DeliveryMessages(
            self._site, self._row, lru_cache(maxsize=1)(self._edition), self._ring, read_signers(self._site)
        )
        dispatcher = Dispatcher(ledger, Throttle(limit_of), maker.make, limit=limit)
        with self._db.read() as connection:
            stopped = brake.load(connection)
        for one in stopped:
            self._stop(one, dispatcher, transport)
        lanes = max(1, min(settings.connections, due, limit or due))
        try:
            with self._running(ledger, dispatcher, transport, lanes) as are_done:
                self._attend(are_done, dispatcher, transport, due if limit is None else min(due, limit))
        finally:
            sent.counts, sent.trouble, sent.paused_domains = (
                dispatcher.counts,
                dispatcher.trouble,
                dispatcher.paused_domains(),
            )
            self._put_back(transport, brake)
            save_pauses(self._db, transport, self._clock())
        for error in (ledger.error, dispatcher.error):
            if isinstance(error, PublisherError):
                raise error
            if error is not None:
                raise StoreError(f"sending stopped: {error}; run the command again to continue") from error

    @contextmanager
    def _running(
        self, ledger: Ledger, dispatcher: Dispatcher, transport: Transport, lanes: int
    ) -> Iterator[threading.Event]:
        """Start the connections; yield what is set when the last of them has ended."""
        ledger.start()
        are_done, left, lock = threading.Event(), [lanes], threading.Lock()

        def run(lane: int) -> None:
            try:
                dispatcher.run_connection(transport, lane)
            finally:
                with lock:
                    left[0] -= 1
                    if not left[0]:
                        are_done.set()

        for lane in range(lanes):
            threading.Thread(target=run, args=(lane,), name=f"lane {lane}", daemon=True).start()
        try:
            yield are_done
        finally:
            # Whatever ends the run: messages in hand are finished, and what became of them is written down. Not
            # by Thread.join: one that a signal has interrupted takes the thread for ended.
            dispatcher.stop()
            are_done.wait()
            ledger.close()

    def _attend(self, are_done: threading.Event, dispatcher: Dispatcher, transport: Transport, total: int) -> None:
        """Wait for the end of the run, report progress, and obey what an operator or another sender has stopped."""
        looked = self._clock()
        while not are_done.wait(_POLL_SECONDS):
            self._watch(dispatcher.counts, total)
            if self._is_stopping():
                dispatcher.stop("it was stopped")
            if self._clock() - looked >= timedelta(seconds=1):
                looked = self._clock()
                with self._db.read() as connection:
                    reason = stop_reason(connection, self._site, self._row.id)
                    stopped = brakes.open_brakes(connection, self._row.id)
                if reason:
                    dispatcher.stop(reason)
                for brake in stopped:
                    self._stop(brake, dispatcher, transport)

    def _drop_after(self) -> timedelta | None:
        digest = self._site.digests[self._row.digest]
        is_bound = digest.deliver_at is not None and digest.when_late is LatePolicy.DROP
        return timedelta(hours=digest.late_hours) if is_bound else None

    def _edition(self, number: int) -> IssueVariant:
        with self._db.read() as connection:
            return issues.load_variants(connection, self._row.id)[number - 1]

    @staticmethod
    def _stop(brake: Brake, dispatcher: Dispatcher, transport: Transport) -> None:
        """Stop the use of a relay or a domain in this run."""
        if brake.scope.kind == DOMAIN:
            dispatcher.stop_domain(brake.scope.name)
        elif not isinstance(transport, SmtpTransport):
            dispatcher.stop(brake.describe())
        else:
            transport.stop_relay(brake.scope.name, f"is stopped: {brake.describe()}")

    def _put_back(self, transport: Transport, brake: SuppressionBrake) -> None:
        """Leave nothing behind that only this sender could know of."""
        now, policy = int(self._clock().timestamp()), self._site.delivery.uncertain
        with self._db.write() as connection:
            deliveries.recover_deliveries(
                connection, self._sender, now, policy=policy, is_idempotent=transport.is_idempotent
            )
            brake.finish(connection)
            senders.forget_sender(connection, self._sender)
