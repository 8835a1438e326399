"""The single writer of the delivery ledger: group commits for all connections of a run.

Ten connections that each wait for the disk would be ten times slower. One thread stores everything that was reported
during the last transaction in the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from publisher.delivery import store as deliveries
from publisher.delivery.retry import retry_at
from publisher.delivery.store import Claim, DeliveryUpdate
from publisher.mail.outcome import Outcome
from publisher.model.delivery import DeliveryState, UncertainPolicy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.delivery.brakes_store import Brake
    from publisher.delivery.suppression_brake import SuppressionBrake
    from publisher.storage.engine import Database

__all__ = ["ClaimedBatch", "Ledger", "LedgerRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRules:
    """Settings for deliveries that are not accepted at once."""

    uncertain: UncertainPolicy
    retry_days: int
    #: True if messages are counted per day, for the warm-up.
    counts_days: bool = False
    #: A delivery that is later than this is dropped; None for never.
    drop_after: timedelta | None = None


@dataclass(slots=True)
class ClaimedBatch:
    """The result of a claim."""

    claims: list[Claim]
    #: The last subscriber that was looked at; 0 if there are no more.
    after: int
    #: Number of deliveries that were suppressed, because the subscriber unsubscribed or they are too late.
    suppressed: int


@dataclass(slots=True)
class _Batch:
    """Requests that arrived during the last transaction."""

    claims: list[tuple[int, int, frozenset[str], Callable[[ClaimedBatch], None]]] = field(default_factory=list)
    #: The last part gets the time of the first hand-over, if the message may be sent.
    handed: list[tuple[Claim, threading.Lock, list[int]]] = field(default_factory=list)
    outcomes: list[tuple[Claim, Outcome]] = field(default_factory=list)
    #: Locks of connections that wait until their refusal is stored and judged.
    refused: list[threading.Lock] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.claims or self.handed or self.outcomes)


class Ledger:
    """A thread with its own database connection. Its methods may be called from any thread."""

    def __init__(
        self,
        db: Database,
        issue_id: int,
        sender: int,
        rules: LedgerRules,
        *,
        clock: Callable[[], datetime],
        brake: SuppressionBrake,
        on_stop: Callable[[Brake], None],
    ) -> None:
        self._db = db
        self._issue_id = issue_id
        self._sender = sender
        self._rules = rules
        self._clock = clock
        self._brake = brake
        self._on_stop = on_stop
        self._batch = _Batch()
        self._change = threading.Condition()
        self._is_closing = False
        self._has_ended = False
        #: (issue, subscriber) of deliveries whose subscriber unsubscribed after the claim.
        self.withdrawn: set[tuple[int, int]] = set()
        #: The error that ended the thread; None while it runs.
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Store what is left, and end the thread."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join()

    # -- requests of other threads -------------------------------------------------------------

    def claim(self, after: int, limit: int, without: frozenset[str], then: Callable[[ClaimedBatch], None]) -> None:
        """Claim deliveries that are due, and call ``then`` with them in the ledger's thread.

        Args:
            after: claim for subscribers with greater numbers only.
            limit: number of deliveries.
            without: domains to leave out.
            then: called with the result.
        """
        if not self._request(lambda batch: batch.claims.append((after, limit, without, then))):
            then(ClaimedBatch([], 0, 0))

    def date_of(self, claim: Claim) -> int:
        """Return the time for a message's Date header, in seconds since 1970: its first hand-over, or now."""
        return int(self._clock().timestamp()) if claim.first_handed_at is None else claim.first_handed_at

    def hand_over(self, claim: Claim) -> Callable[[], int | None]:
        """Store that a message is sent now; return a function that waits for the disk.

        It returns the stored time of the delivery's first hand-over, in seconds since 1970. It returns None if the
        message must not be sent: another sender has it, its subscriber unsubscribed after the claim, or the transaction
        failed.
        """
        done = threading.Lock()
        done.acquire()
        first: list[int] = []
        if not self._request(lambda batch: batch.handed.append((claim, done, first))):
            done.release()

        def wait() -> int | None:
            done.acquire()
            return first[0] if first else None

        return wait

    def record_outcome(self, claim: Claim, outcome: Outcome) -> None:
        """Store the outcome of a delivery.

        A refusal that would suppress the address is on disk when this returns. Otherwise a server that refuses every
        recipient would have refused the whole list before the first refusal is judged.
        """
        if not outcome.suppress:
            self._request(lambda batch: batch.outcomes.append((claim, outcome)))
            return
        done = threading.Lock()
        done.acquire()

        def add(batch: _Batch) -> None:
            batch.outcomes.append((claim, outcome))
            batch.refused.append(done)

        if self._request(add):
            done.acquire()

    def _request(self, add: Callable[[_Batch], None]) -> bool:
        """Add a request to the next batch; return False if the thread has ended."""
        with self._change:
            if self._has_ended:
                return False
            add(self._batch)
            self._change.notify()
            return True

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._db.durable() as connection:
                while (batch := self._next()) is not None:
                    self._write(connection, batch)
        except BaseException as error:
            self.error = error
        finally:
            with self._change:
                self._has_ended = True
                left, self._batch = self._batch, _Batch()
            self._reject(left)

    @staticmethod
    def _reject(batch: _Batch) -> None:
        """Let the threads of a batch continue without a result."""
        for _, done, _ in batch.handed:
            done.release()
        for done in batch.refused:
            done.release()
        for _, _, _, then in batch.claims:
            then(ClaimedBatch([], 0, 0))

    def _next(self) -> _Batch | None:
        with self._change:
            while not self._batch and not self._is_closing:
                self._change.wait()
            if not self._batch:
                return None
            batch, self._batch = self._batch, _Batch()
            return batch

    def _write(self, connection: Connection, batch: _Batch) -> None:
        moment = self._clock()
        now = int(moment.timestamp())
        lost: set[tuple[int, int]] = set()
        claimed: list[ClaimedBatch] = []
        try:
            with connection.begin():
                self._store_outcomes(connection, batch, now)
                if batch.handed:
                    handed = [claim for claim, _, _ in batch.handed]
                    lost, withdrawn = deliveries.hand_over(connection, handed, self._sender, now)
                    self.withdrawn |= withdrawn
                    lost |= withdrawn
                    if self._rules.counts_days:
                        deliveries.add_sent(connection, f"{moment:%Y-%m-%d}", len(batch.handed) - len(lost))
                for after, limit, without, _ in batch.claims:
                    result = deliveries.claim(
                        connection,
                        self._issue_id,
                        self._sender,
                        after=after,
                        limit=limit,
                        now=now,
                        without=without,
                        drop_before=self._drop_before(now),
                    )
                    claimed.append(ClaimedBatch(*result))
        except BaseException as error:
            # Set before the other threads continue, so that they claim and send nothing more.
            self.error = error
            self._reject(batch)
            raise
        for brake in self._brake.take_new():
            self._on_stop(brake)
        for done in batch.refused:
            done.release()
        for claim, done, first in batch.handed:
            if (claim.issue_id, claim.subscriber_id) not in lost:
                first.append(now if claim.first_handed_at is None else claim.first_handed_at)
            done.release()
        for (_, _, _, then), claims in zip(batch.claims, claimed, strict=True):
            then(claims)

    def _drop_before(self, now: int) -> int | None:
        drop_after = self._rules.drop_after
        return now - int(drop_after.total_seconds()) if drop_after is not None else None

    def _store_outcomes(self, connection: Connection, batch: _Batch, now: int) -> None:
        updates = [self._update(connection, claim, outcome, now) for claim, outcome in batch.outcomes]
        self._brake.record(connection, batch.outcomes, now)
        deliveries.record_outcomes(connection, updates, self._sender, now)

    def _update(self, connection: Connection, claim: Claim, outcome: Outcome, now: int) -> DeliveryUpdate:
        """Return the new state of a delivery, by its outcome and the settings."""
        state, answer = outcome.state, outcome.answer
        if state is DeliveryState.ACCEPTED:
            return DeliveryUpdate(claim=claim, state=state, answer=answer)
        if state is DeliveryState.UNCERTAIN:
            return self._uncertain(claim, answer)
        # A message on which connections end repeatedly is deferred, so that it does not block the others.
        if state is DeliveryState.DEFERRED or (state is DeliveryState.QUEUED and answer and claim.attempts % 3 == 0):
            return self._deferred(connection, claim, outcome, now)
        return DeliveryUpdate(claim=claim, state=state, answer=answer, note=answer)

    def _uncertain(self, claim: Claim, answer: str) -> DeliveryUpdate:
        if self._rules.uncertain is UncertainPolicy.RESEND:
            return DeliveryUpdate(claim=claim, state=DeliveryState.QUEUED, answer=answer, note=answer)
        if self._rules.uncertain is UncertainPolicy.SKIP:
            counted = f"counted as delivered: {answer}"
            return DeliveryUpdate(claim=claim, state=DeliveryState.ACCEPTED, answer=counted, note=answer)
        return DeliveryUpdate(claim=claim, state=DeliveryState.UNCERTAIN, answer=answer, note=answer)

    def _deferred(self, connection: Connection, claim: Claim, outcome: Outcome, now: int) -> DeliveryUpdate:
        answer = outcome.answer
        first = deliveries.first_attempt(connection, claim.issue_id, claim.subscriber_id) or now
        due = retry_at(claim.attempts, first, now, days=self._rules.retry_days, wait=outcome.wait)
        if due is not None:
            return DeliveryUpdate(claim=claim, state=DeliveryState.DEFERRED, answer=answer, due_at=due, note=answer)
        answer = f"given up after {self._rules.retry_days} days: {answer}"
        return DeliveryUpdate(claim=claim, state=DeliveryState.FAILED, answer=answer, note=answer)
