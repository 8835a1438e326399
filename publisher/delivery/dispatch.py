"""Between the ledger and the connections: which copy leaves next, no domain faster than it may."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from publisher.delivery.ledger import ClaimedBatch, Ledger
from publisher.delivery.store import Claim
from publisher.delivery.throttle import Throttle
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState

__all__ = ["DeliveryCounts", "Dispatcher"]

#: Copies that are taken from the ledger at a time, and of how many left more are asked for.
_CLAIM_BATCH: Final = 500
_CLAIM_BELOW: Final = 200
#: Copies that wait for one domain; its others stay in the ledger.
_MAX_HELD_PER_DOMAIN: Final = 200
#: Seconds that a connection waits for a copy before it takes leave of the server.
_IDLE_SECONDS: Final = 5.0
#: Seconds that a run waits for domains that rest, when all others are done.
_MAX_WAIT_SECONDS: Final = 60.0


@dataclass(slots=True)
class DeliveryCounts:
    """What a run did."""

    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    suppressed: int = 0

    @property
    def done(self) -> int:
        """Copies of which something became."""
        return self.accepted + self.deferred + self.failed + self.uncertain + self.suppressed


@dataclass(slots=True)
class _Backlog:
    """Copies that are taken and have not left."""

    fresh: deque[Claim] = field(default_factory=deque)
    #: Domain → copies that wait for their domain.
    parked: dict[str, deque[Claim]] = field(default_factory=dict)
    after: int = 0
    is_asking: bool = False
    #: After an answer with nothing in it the ledger is left alone until this moment.
    ask_at: float = 0.0
    #: True where the ledger had nothing more, from the start on.
    is_empty: bool = False
    #: How many copies went back into the ledger.
    returned: int = 0


class Dispatcher:
    """The feed of all connections."""

    def __init__(
        self,
        ledger: Ledger,
        pace: Throttle,
        make: Callable[[Claim], OutgoingMessage],
        *,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin.

        Args:
            ledger: what writes everything down.
            pace: how fast domains are written to.
            make: a claim → the message.
            limit: no more copies than this leave.
            clock: only goes forward.
        """
        self._ledger = ledger
        self._pace = pace
        self._make = make
        self._left = limit
        self._clock = clock
        self._stock = _Backlog()
        self._change = threading.Condition()
        self._under_way = 0
        self._is_stopped = False
        self.counts = DeliveryCounts()
        #: Why the run ended before all was done; empty where it did not.
        self.trouble = ""
        self.error: BaseException | None = None

    # -- the feed ------------------------------------------------------------------------------

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        """Return the next copy that may leave."""
        deadline = self._clock() + _IDLE_SECONDS
        while (one := self._next(deadline if wait else None)) is not None:
            try:
                return self._make(one)
            except ValueError as error:
                # One address that no message can be made for holds up nobody.
                self._settle(one, Outcome(state=DeliveryState.FAILED, answer=str(error)))
        return None

    def hand_over(self, copy: OutgoingMessage) -> Callable[[], bool]:
        """Note that the copy leaves now."""
        return self._ledger.hand_over(copy.reference)

    def record_outcome(self, copy: OutgoingMessage, outcome: Outcome) -> None:
        """Note what became of a copy."""
        self._settle(copy.reference, outcome)

    def _settle(self, one: Claim, outcome: Outcome) -> None:
        self._ledger.record_outcome(one, outcome)
        with self._change:
            self._under_way -= 1
            self._pace.end(one.domain)
            state = outcome.state
            if state is DeliveryState.ACCEPTED:
                self.counts.accepted += 1
                self._pace.record_success(one.domain)
            elif state is DeliveryState.DEFERRED:
                self.counts.deferred += 1
            elif state is DeliveryState.FAILED:
                self.counts.failed += 1
            elif state is DeliveryState.UNCERTAIN:
                self.counts.uncertain += 1
            elif (one.issue_id, one.subscriber_id) in self._ledger.withdrawn:
                self.counts.suppressed += 1
                self._left = self._left + 1 if self._left is not None else None
            elif self._left is not None:
                self._left += 1
            if state in (DeliveryState.QUEUED, DeliveryState.UNCERTAIN):
                # It may be in the ledger again, and somebody has to find it there.
                self._stock.is_empty = False
                self._stock.returned += 1
            if outcome.slow:
                self._pace.record_refusal(one.domain, self._clock())
            self._change.notify_all()

    def _next(self, deadline: float | None) -> Claim | None:
        with self._change:
            while True:
                if self._is_stopped or self._ledger.error is not None or self._left == 0:
                    return None
                now = self._clock()
                one = self._pop(now)
                self._restock(now)
                if one is not None:
                    self._under_way += 1
                    self._pace.begin(one.domain, now)
                    if self._left is not None:
                        self._left -= 1
                    return one
                if deadline is None or now >= deadline or self._is_done(now):
                    return None
                self._change.wait(self._pace.seconds_until_ready(self._stock.parked, now, min(deadline - now, 0.25)))

    def _pop(self, now: float) -> Claim | None:
        stock, pace = self._stock, self._pace
        for domain, waiting in stock.parked.items():
            if pace.ready_at(domain) <= now:
                one = waiting.popleft()
                if not waiting:
                    del stock.parked[domain]
                return one
        while stock.fresh:
            one = stock.fresh.popleft()
            if one.domain not in stock.parked and pace.ready_at(one.domain) <= now:
                return one
            stock.parked.setdefault(one.domain, deque()).append(one)
        return None

    def _restock(self, now: float) -> None:
        stock = self._stock
        if stock.is_asking or stock.is_empty or len(stock.fresh) > _CLAIM_BELOW or now < stock.ask_at:
            return
        full = {domain for domain, waiting in stock.parked.items() if len(waiting) >= _MAX_HELD_PER_DOMAIN}
        without = frozenset(full | set(self._pace.paused_domains(now)))
        limit = _CLAIM_BATCH if self._left is None else min(_CLAIM_BATCH, self._left)
        stock.is_asking = True
        # An answer says nothing of copies that went back after the question.
        asked = stock.returned
        self._ledger.claim(
            stock.after, limit, without, lambda taken: self._taken(taken, is_whole=not without, returned=asked)
        )

    def _taken(self, taken: ClaimedBatch, *, is_whole: bool, returned: int) -> None:
        with self._change:
            stock = self._stock
            began_at_start = stock.after == 0 and stock.returned == returned
            stock.is_asking = False
            stock.after = taken.after
            stock.fresh.extend(taken.claims)
            self.counts.suppressed += taken.suppressed
            if not taken.claims and not taken.after:
                stock.ask_at = self._clock() + 0.2
            stock.is_empty = taken.after == 0 and began_at_start and not taken.claims and is_whole
            self._change.notify_all()

    # -- the run -------------------------------------------------------------------------------

    def _is_done(self, now: float) -> bool:
        """Tell whether nothing more will leave in this run."""
        stock = self._stock
        if stock.fresh or stock.is_asking or self._under_way:
            return False
        resting = self._pace.paused_domains(now)
        if stock.is_empty and not stock.parked:
            return True
        awake = [domain for domain in stock.parked if domain not in resting]
        # What is left is only for domains that want to be left alone, for longer than a run waits.
        return bool(resting) and not awake and min(resting.values()) - now > _MAX_WAIT_SECONDS

    def stop(self, trouble: str = "") -> None:
        """Let no further copy leave."""
        with self._change:
            self._is_stopped = True
            self.trouble = self.trouble or trouble
            self._change.notify_all()

    def run_connection(self, transport: Transport, lane: int) -> None:
        """Send over one connection after another, until nothing more is to leave."""
        try:
            while self._wait_for_work():
                try:
                    transport.run(self, lane)
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
                if self._is_stopped or self._ledger.error is not None or self._left == 0:
                    return False
                now = self._clock()
                if self._stock.fresh or any(self._pace.ready_at(one) <= now for one in self._stock.parked):
                    return True
                self._restock(now)
                if self._is_done(now):
                    return False
                self._change.wait(self._pace.seconds_until_ready(self._stock.parked, now, 0.1))

    def stop_domain(self, domain: str) -> None:
        """Let no further delivery to a domain leave."""
        with self._change:
            self._pace.stop(domain)
            self._change.notify_all()

    def paused_domains(self) -> list[str]:
        """Return the domains that asked for a pause."""
        return sorted(name for name, until in self._pace.paused_domains(self._clock()).items() if until < math.inf)
