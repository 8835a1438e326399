"""Send an issue: ``publish send``.

Each delivery is made once, also with several processes and after a crash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from publisher.context import Context
from publisher.delivery import brakes_store as brakes
from publisher.delivery import senders
from publisher.delivery import store as deliveries
from publisher.delivery.brakes_store import DOMAIN, Brake
from publisher.delivery.dispatch import DeliveryCounts, Dispatcher
from publisher.delivery.issue_life.approval import require_sendable_issue, require_subscribers, stop_reason
from publisher.delivery.issue_life.opening import open_issue
from publisher.delivery.ledger import Ledger
from publisher.delivery.messages import DeliveryMessages
from publisher.delivery.relay_pauses import load_pauses, save_pauses
from publisher.delivery.suppression_brake import SuppressionBrake, settle_finished_issues
from publisher.delivery.throttle import Throttle, warm_up_limit
from publisher.digests import store as issues
from publisher.digests.lookup import find_issue
from publisher.digests.variants_store import load_variants
from publisher.errors import PublisherError, SettingsError, StoreError
from publisher.html.dates import minute_text
from publisher.mail.site_transport import make_transport
from publisher.mail.smtp_transport import SmtpTransport
from publisher.mail.transport import Transport
from publisher.model.delivery import NOT_HANDED_OVER, DeliveryState, UncertainPolicy
from publisher.model.digests import IssueVariant, LatePolicy, SendPolicy
from publisher.model.result import Result
from publisher.schedule.processes import process_name
from publisher.settings import RereadSettings, Site
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.digests.store import IssueRow
    from publisher.signing.keyring import Keyring

#: Called with the counts so far and the number of deliveries to make.
ProgressCallback = Callable[[DeliveryCounts, int], None]
#: Interval of progress reports, in seconds.
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult(Result):
    """The result of a run, and the state of the issue after it."""

    digest: str
    name: str
    counts: DeliveryCounts = field(metadata={"json": "run"})
    #: Number of the issue's deliveries in each state.
    states: dict[DeliveryState, int] = field(default_factory=dict, metadata={"json": "deliveries"})
    #: Addresses of uncertain deliveries.
    uncertain: tuple[str, ...] = ()
    #: Why the run stopped early; empty if it did not.
    stop_reason: str = field(default="", metadata={"json": "trouble"})
    #: Domains that asked to slow down.
    paused_domains: tuple[str, ...] = ()
    #: When the next queued delivery is due; None if there is none.
    next_due: datetime | None = None
    #: Relays and domains that are stopped until an operator decides about their refusals.
    brakes: tuple[Brake, ...] = field(default=(), metadata={"json": None})
    seconds: float = field(default=0.0, metadata={"json": None})

    @property
    def waiting(self) -> int:
        """Number of deliveries that are still to be made."""
        return sum(self.states.get(state, 0) for state in NOT_HANDED_OVER)

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON output, with every state."""
        data = Result.as_dict(self)
        data["run"]["seconds"] = round(self.seconds, 3)
        data["deliveries"] = {state.value: self.states.get(state, 0) for state in DeliveryState}
        return data


def deliver(
    context: Context,
    target: str,
    *,
    limit: int | None = None,
    uncertain: UncertainPolicy | None = None,
    on_progress: ProgressCallback = lambda counts, total: None,
    is_stopping: Callable[[], bool] = lambda: False,
    is_attended: bool = True,
) -> SendResult:
    """Send the deliveries of an issue that are due, and return the result.

    Several processes may send at a time, and again after any of them was killed.

    Args:
        limit: number of messages to send; None for all.
        uncertain: policy for uncertain deliveries of earlier runs; None leaves them as they are.
        on_progress: called at intervals with the counts so far and the number of deliveries to make.
        is_stopping: called at intervals; once it returns True, messages in progress are finished and no more are sent.
        is_attended: True if a person waits: a relay that lost messages is then used before its pause is over.

    Raises:
        SettingsError: there is no such issue, it may not be sent, or its slot has not come.
        StoreError: the database cannot be used, or the caller has a transaction or a dry run.
    """
    site, db, clock = context.site, context.db, context.clock
    db.require_commits("sending")
    transport, began = context.transport or make_transport(site), clock.now()
    row, seconds = _open_if_due(context.at(began), target, is_local=transport.is_local), int(began.timestamp())
    with db.write() as connection:
        ring = keyring(site, connection)
        _recover(connection, site, seconds, transport)
        if uncertain is not None:
            deliveries.resolve_uncertain(connection, row.id, seconds, UncertainPolicy(uncertain))
        due, limit = deliveries.count_due(connection, row.id, seconds), _within_warm_up(connection, site, began, limit)
        load_pauses(connection, transport, began, is_attended=is_attended)
    result = SendResult(digest=row.digest, name=row.name, counts=DeliveryCounts())
    if due and limit != 0:
        with senders.active_sender(db, site.root, process_name(), seconds) as number:
            run = _SendRun(context, row, ring, transport, number, on_progress, is_stopping)
            result = run.send(due, limit)
    result = _complete_result(db, row, result, ring, int(clock.now().timestamp()))
    return replace(
        result,
        stop_reason=result.stop_reason or ("the warm-up limit of today is reached" if limit == 0 else ""),
        seconds=(clock.now() - began).total_seconds(),
    )


def _open_if_due(context: Context, target: str, *, is_local: bool) -> IssueRow:
    """Return an issue whose send is open; open it if its slot has come.

    Raises:
        SettingsError: it may not be sent, or its slot has not come.
    """
    site, db, now = context.site, context.db, context.now
    with db.read() as connection:
        row = find_issue(connection, target)
        require_sendable_issue(connection, site, row, now, is_local=is_local)
    if row.opened_at is not None:
        return row
    if row.slot > now:
        opens = minute_text(row.slot, site.tz)
        raise SettingsError(
            f"{row.path} is approved, and opens at its slot: {opens}. To send it now: publish reopen {row.digest}, then "
            f"publish approve {row.digest} --now"
        )
    if site.digests[row.digest].send is not SendPolicy.NONE:
        with db.read() as connection:
            require_subscribers(connection, row)
    open_issue(context, row)
    with db.read() as connection:
        current = issues.list_issues(connection, only=[row.id])
    if not current or current[0].opened_at is None:
        raise SettingsError(f"{row.path} was reopened or cancelled in the meantime. 'publish status' shows what waits.")
    return current[0]


def _recover(connection: Connection, site: Site, now: int, transport: Transport) -> None:
    for dead in senders.dead_senders(connection, site.root):
        _recover_sender(connection, site, dead, now, transport)
    senders.delete_stale_locks(site.root)


def _recover_sender(connection: Connection, site: Site, sender: int, now: int, transport: Transport) -> None:
    """Take over the deliveries of a sender that has ended, and forget it."""
    policy = site.delivery.uncertain
    deliveries.recover_deliveries(connection, sender, now, policy=policy, is_idempotent=transport.is_idempotent)
    senders.forget_sender(connection, sender)


def _within_warm_up(connection: Connection, site: Site, now: datetime, limit: int | None) -> int | None:
    """Return the limit of this run, reduced to what the warm-up allows today."""
    warm_up = site.delivery.warm_up
    if warm_up is None:
        return limit
    today = now.astimezone(site.tz).date()
    most = warm_up_limit(today, warm_up)
    left = max(0, most - deliveries.count_sent_on(connection, today.isoformat()))
    return left if limit is None else min(limit, left)


def _complete_result(db: Database, row: IssueRow, result: SendResult, ring: Keyring, now: int) -> SendResult:
    """Judge the refusals of finished issues, and return the result with the state of the issue."""
    with db.write() as connection:
        settle_finished_issues(connection, ring, now)
    with db.read() as connection:
        due = deliveries.next_due(connection, row.id)
        stopped = brakes.open_brakes(connection, row.id)
        uncertain = deliveries.uncertain_addresses(connection, row.id)
        states = deliveries.state_counts(connection, row.id).get(row.id, {})
    stop_reason = result.stop_reason
    if stopped and (not stop_reason or " is stopped: " in stop_reason):
        words = "; ".join(brake.describe() for brake in stopped)
        stop_reason = f"{words}. {brakes.resume_advice(row.path)}"
    return replace(
        result,
        states=states,
        next_due=datetime.fromtimestamp(due, UTC) if due else None,
        brakes=tuple(stopped),
        uncertain=uncertain,
        stop_reason=stop_reason,
    )


@dataclass(frozen=True, slots=True)
class _SendRun:
    """One run over the deliveries of one issue, in one process."""

    context: Context
    row: IssueRow
    ring: Keyring
    transport: Transport
    #: The number of this sender.
    sender: int
    on_progress: ProgressCallback
    is_stopping: Callable[[], bool]

    def send(self, due: int, limit: int | None) -> SendResult:
        """Send the deliveries that are due, and release the claims that were not used."""
        site, db = self.context.site, self.context.db
        settings = RereadSettings(site)
        brake = SuppressionBrake(self.row.id, self.ring)
        ledger = Ledger(
            db,
            self.row.id,
            self.sender,
            site.delivery,
            drop_after=self._drop_after(),
            clock=lambda: self._now().astimezone(site.tz),
            brake=brake,
            on_stop=lambda stopped: self._stop(stopped, dispatcher),
        )
        messages = DeliveryMessages(site, self.row, self._variant, self.ring)
        dispatcher = Dispatcher(ledger, Throttle(site.delivery.domain), messages.build, limit=limit)
        with db.read() as connection:
            stopped = brake.load(connection)
        for stopped_brake in stopped:
            self._stop(stopped_brake, dispatcher)
        connections = max(1, min(site.delivery.connections, due, limit or due))
        try:
            with self._running(ledger, dispatcher, connections) as are_done:
                self._monitor(are_done, dispatcher, settings, due if limit is None else min(due, limit))
        finally:
            self._release(brake)
            save_pauses(db, self.transport, self._now())
        for error in (ledger.error, dispatcher.error):
            if isinstance(error, PublisherError):
                raise error
            if error is not None:
                raise StoreError(f"sending stopped: {error}; run the command again to continue") from error
        return SendResult(
            digest=self.row.digest,
            name=self.row.name,
            counts=dispatcher.counts,
            stop_reason=dispatcher.stop_reason,
            paused_domains=tuple(dispatcher.paused_domains()),
        )

    def _now(self) -> datetime:
        return self.context.clock.now()

    @contextmanager
    def _running(self, ledger: Ledger, dispatcher: Dispatcher, connections: int) -> Iterator[threading.Event]:
        """Run one thread per connection; yield an event that is set when all have ended."""
        ledger.start()
        are_done, left, lock = threading.Event(), [connections], threading.Lock()

        def run(number: int) -> None:
            try:
                dispatcher.run_connection(self.transport, number)
            finally:
                with lock:
                    left[0] -= 1
                    if not left[0]:
                        are_done.set()

        for number in range(connections):
            threading.Thread(target=run, args=(number,), name=f"connection {number}", daemon=True).start()
        try:
            yield are_done
        finally:
            # However the run ends, messages in progress are finished and their outcomes stored. Thread.join does not
            # serve: after a signal has interrupted it, it takes the thread for ended.
            dispatcher.stop()
            are_done.wait()
            ledger.close()

    def _monitor(self, are_done: threading.Event, dispatcher: Dispatcher, settings: RereadSettings, total: int) -> None:
        """Report progress until the run ends, and obey stops of an operator or another sender."""
        checked_at = self._now()
        while not are_done.wait(_POLL_SECONDS):
            self.on_progress(dispatcher.counts, total)
            if self.is_stopping():
                dispatcher.stop("it was stopped")
            if self._now() - checked_at >= timedelta(seconds=1):
                checked_at, site = self._now(), settings.current()
                with self.context.db.read() as connection:
                    reason = stop_reason(connection, site, self.row.id, checked_at)
                    stopped = brakes.open_brakes(connection, self.row.id)
                if self.context.site.can_send and not site.can_send:
                    reason = reason or "publisher.toml has no mail server any more ([smtp])"
                if reason:
                    dispatcher.stop(reason)
                for brake in stopped:
                    self._stop(brake, dispatcher)

    def _drop_after(self) -> timedelta | None:
        digest = self.context.site.digests[self.row.digest]
        drops_late = digest.deliver_at is not None and digest.when_late is LatePolicy.DROP
        return timedelta(hours=digest.late_hours) if drops_late else None

    def _variant(self, number: int) -> IssueVariant:
        with self.context.db.read() as connection:
            return load_variants(connection, self.row.id)[number - 1]

    def _stop(self, brake: Brake, dispatcher: Dispatcher) -> None:
        """Stop the use of a relay or a domain in this run."""
        if brake.scope == DOMAIN:
            dispatcher.stop_domain(brake.name)
        elif not isinstance(self.transport, SmtpTransport):
            dispatcher.stop(brake.describe())
        else:
            self.transport.stop_relay(brake.name, f"is stopped: {brake.describe()}")

    def _release(self, brake: SuppressionBrake) -> None:
        """Release the claims of this sender, and store its counts of attempts."""
        with self.context.db.write() as connection:
            _recover_sender(connection, self.context.site, self.sender, int(self._now().timestamp()), self.transport)
            brake.finish(connection)
