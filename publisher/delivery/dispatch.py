"""Choose the next delivery for each connection, within the rate limits of domains."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from publisher.delivery.claims_store import Claim, ClaimedBatch
from publisher.delivery.ledger import Ledger
from publisher.delivery.throttle import Throttle
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState

#: Deliveries that are claimed at a time. More are claimed when fewer than _CLAIM_BELOW are left.
_CLAIM_BATCH: Final = 500
_CLAIM_BELOW: Final = 200
#: Claimed deliveries held for one domain; the others to that domain stay in the database.
_MAX_HELD_PER_DOMAIN: Final = 200
#: Seconds that a connection without a message stays open.
_IDLE_SECONDS: Final = 5.0
#: Seconds that a run waits for paused domains when nothing else is left.
_MAX_WAIT_SECONDS: Final = 60.0


@dataclass(slots=True)
class DeliveryCounts:
    """Number of deliveries of a run, by outcome."""

    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    #: Not sent: the subscriber unsubscribed, paused mail or was suppressed since it was queued, or it was too late.
    suppressed: int = 0

    @property
    def done(self) -> int:
        """Number of deliveries with an outcome."""
        return self.accepted + self.deferred + self.failed + self.uncertain + self.suppressed


@dataclass(slots=True)
class _Backlog:
    """Claimed deliveries that are not sent yet."""

    fresh: deque[Claim] = field(default_factory=deque)
    #: Domain → deliveries that wait for it.
    held: dict[str, deque[Claim]] = field(default_factory=dict)
    #: The last subscriber that was claimed; 0 to claim from the start.
    after: int = 0
    is_claiming: bool = False
    #: After an empty answer, the next claim is made at this time.
    claim_at: float = 0.0
    #: True if the last claim found nothing.
    is_exhausted: bool = False
    #: True if no delivery was claimed when a claim of any domain found nothing: nothing is left to send.
    is_empty: bool = False


@dataclass(slots=True)
class Dispatcher:
    """The message source of all connections of a run."""

    #: Claims deliveries and stores outcomes.
    ledger: Ledger
    throttle: Throttle
    #: Builds the message of a delivery with a time for its Date header, in seconds since 1970.
    build: Callable[[Claim, int], OutgoingMessage]
    _: KW_ONLY
    #: Number of messages that may still be sent; None for all.
    limit: int | None = None
    #: Monotonic, in seconds.
    clock: Callable[[], float] = time.monotonic
    counts: DeliveryCounts = field(default_factory=DeliveryCounts, init=False)
    #: Why the run stopped early; empty if it did not.
    stop_reason: str = field(default="", init=False)
    error: BaseException | None = field(default=None, init=False)
    _backlog: _Backlog = field(default_factory=_Backlog, init=False)
    _change: threading.Condition = field(default_factory=threading.Condition, init=False)
    _in_progress: int = field(default=0, init=False)
    _is_stopped: bool = field(default=False, init=False)

    # -- message source ------------------------------------------------------------------------

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next message that may be sent; see `MessageSource`."""
        deadline = self.clock() + _IDLE_SECONDS
        while (claim := self._next(deadline if wait else None)) is not None:
            try:
                return self.build(claim, self.ledger.date_of(claim))
            except ValueError as error:
                # An address that cannot be used in a message stops no other delivery.
                self._record(claim, Outcome(state=DeliveryState.FAILED, answer=str(error)))
        return None

    def hand_over(self, message: OutgoingMessage) -> Callable[[], OutgoingMessage | None]:
        """Start to record that the message is sent now; see `MessageSource`.

        A message is built while the one before it is sent. If the second has changed since, it is built again with the
        stored time.
        """
        claim: Claim = message.reference
        first_handed_at = self.ledger.hand_over(claim)

        def final() -> OutgoingMessage | None:
            date = first_handed_at.result()
            return message if date == message.date else None if date is None else self.build(claim, date)

        return final

    def record_outcome(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """Record the outcome of a message."""
        self._record(message.reference, outcome)

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        self.ledger.record_outcome(claim, outcome)
        with self._change:
            self._in_progress -= 1
            self.throttle.end(claim.domain)
            state = outcome.state
            if state is DeliveryState.ACCEPTED:
                self.counts.accepted += 1
                self.throttle.record_success(claim.domain)
            elif state is DeliveryState.DEFERRED:
                self.counts.deferred += 1
            elif state is DeliveryState.FAILED:
                self.counts.failed += 1
            elif state is DeliveryState.UNCERTAIN:
                self.counts.uncertain += 1
            else:
                # Nothing was sent.
                self.counts.suppressed += (claim.issue_id, claim.subscriber_id) in self.ledger.withdrawn
                self.limit = self.limit + 1 if self.limit is not None else None
            if outcome.slow:
                self.throttle.record_refusal(claim.domain, self.clock())
            if not self._in_progress:
                # The next claim may be the last one.
                self._backlog.claim_at = 0.0
            self._change.notify_all()

    def _next(self, deadline: float | None) -> Claim | None:
        with self._change:
            while True:
                if self._is_stopped or self.ledger.error is not None or self.limit == 0:
                    return None
                now = self.clock()
                claim = self._pop(now)
                if claim is not None:
                    self._in_progress += 1
                self._refill(now)
                if claim is not None:
                    self.throttle.begin(claim.domain, now)
                    if self.limit is not None:
                        self.limit -= 1
                    return claim
                if deadline is None or now >= deadline or self._is_done(now):
                    return None
                seconds = min(deadline - now, 0.25)
                self._change.wait(self.throttle.seconds_until_ready(self._backlog.held, now, seconds))

    def _pop(self, now: float) -> Claim | None:
        backlog, throttle = self._backlog, self.throttle
        for domain, waiting in backlog.held.items():
            if throttle.ready_at(domain) <= now:
                claim = waiting.popleft()
                if not waiting:
                    del backlog.held[domain]
                return claim
        while backlog.fresh:
            claim = backlog.fresh.popleft()
            if claim.domain not in backlog.held and throttle.ready_at(claim.domain) <= now:
                return claim
            backlog.held.setdefault(claim.domain, deque()).append(claim)
        return None

    def _refill(self, now: float) -> None:
        """Claim more deliveries if few are left."""
        backlog = self._backlog
        if backlog.is_claiming or backlog.is_empty or len(backlog.fresh) > _CLAIM_BELOW or now < backlog.claim_at:
            return
        is_idle = not (backlog.after or backlog.fresh or backlog.held or self._in_progress)
        full = {domain for domain, waiting in backlog.held.items() if len(waiting) >= _MAX_HELD_PER_DOMAIN}
        paused = set(self.throttle.paused_domains(now))
        limit = _CLAIM_BATCH if self.limit is None else min(_CLAIM_BATCH, self.limit)
        if is_idle and paused and backlog.is_exhausted:
            # One delivery of a paused domain is enough to know that the run is not over.
            paused, limit = set(), 1
        without = frozenset(full | paused)
        backlog.is_claiming = True
        # Outcomes are stored before a claim is made, so no delivery can be queued again after such a claim.
        is_last = is_idle and not without
        claimed = self.ledger.claim(backlog.after, limit, without)
        claimed.add_done_callback(lambda batch: self._add(batch.result(), is_last=is_last))

    def _add(self, batch: ClaimedBatch, *, is_last: bool) -> None:
        with self._change:
            backlog = self._backlog
            backlog.is_claiming = False
            backlog.after = batch.after
            backlog.fresh.extend(batch.claims)
            self.counts.suppressed += batch.suppressed
            backlog.is_exhausted = not batch.claims and not batch.after
            if backlog.is_exhausted:
                backlog.claim_at = self.clock() + 0.2
                backlog.is_empty = is_last
            self._change.notify_all()

    # -- the run -------------------------------------------------------------------------------

    def _is_done(self, now: float) -> bool:
        """Return whether nothing more can be sent in this run."""
        backlog = self._backlog
        if backlog.fresh or backlog.is_claiming or self._in_progress:
            return False
        paused = self.throttle.paused_domains(now)
        if backlog.is_empty and not backlog.held:
            return True
        has_open_domain = any(domain not in paused for domain in backlog.held)
        # All that is left is for domains that are paused for longer than a run waits.
        return bool(paused) and not has_open_domain and min(paused.values()) - now > _MAX_WAIT_SECONDS

    def stop(self, reason: str = "") -> None:
        """Send no further message."""
        with self._change:
            self._is_stopped = True
            self.stop_reason = self.stop_reason or reason
            self._change.notify_all()

    def run_connection(self, transport: Transport, number: int) -> None:
        """Send over one connection after another until nothing more is to be sent."""
        try:
            while self._wait_for_work():
                try:
                    transport.run(self, number)
                except RelayFault as error:
                    if error.is_final:
                        self.stop(error.words)
                    else:
                        time.sleep(0.1)
        except BaseException as error:
            self.error = self.error or error
            self.stop(str(error))

    def _wait_for_work(self) -> bool:
        with self._change:
            while True:
                if self._is_stopped or self.ledger.error is not None or self.limit == 0:
                    return False
                now = self.clock()
                held = self._backlog.held
                if self._backlog.fresh or any(self.throttle.ready_at(domain) <= now for domain in held):
                    return True
                self._refill(now)
                if self._is_done(now):
                    return False
                self._change.wait(self.throttle.seconds_until_ready(held, now, 0.1))

    def stop_domain(self, domain: str) -> None:
        """Send nothing more to a domain in this run."""
        with self._change:
            self.throttle.stop(domain)
            self._change.notify_all()

    def paused_domains(self) -> list[str]:
        """Return the domains that are paused because they asked to slow down."""
        return sorted(name for name, until in self.throttle.paused_domains(self.clock()).items() if until < math.inf)
