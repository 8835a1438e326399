"""The ledger's one writer: what all connections have to say is written down together, then each goes on.

Ten connections that wait for the disk one after the other would be ten times as slow. Here a thread takes
whatever has come in while the last transaction was on its way to the disk, and makes one of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from publisher.delivery import store as deliveries
from publisher.delivery.store import Claim, DeliveryUpdate
from publisher.mail.outcome import Outcome, retry_at
from publisher.model.delivery import DeliveryState, UncertainPolicy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.delivery.brakes_store import Brake
    from publisher.delivery.suppression_brake import SuppressionBrake
    from publisher.storage.engine import Database

__all__ = ["ClaimedBatch", "Ledger", "LedgerRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRules:
    """What the settings say about copies that do not go through."""

    uncertain: UncertainPolicy
    retry_days: int
    #: Whether anybody asks how many copies left on a day.
    counts_days: bool = False
    #: How late a copy may be for the time that it was due at; it is dropped then. None for as late as it likes.
    drop_after: timedelta | None = None


@dataclass(slots=True)
class ClaimedBatch:
    """What a claim brought: the copies, where to go on (0: from the start), and how many readers have left since."""

    claims: list[Claim]
    after: int
    suppressed: int


@dataclass(slots=True)
class _Batch:
    """What came in while the last transaction was under way."""

    claims: list[tuple[int, int, frozenset[str], Callable[[ClaimedBatch], None]]] = field(default_factory=list)
    handed: list[tuple[Claim, threading.Lock, list[bool]]] = field(default_factory=list)
    settled: list[tuple[Claim, Outcome]] = field(default_factory=list)
    #: Of connections that wait until their refusal is stored and judged.
    refused: list[threading.Lock] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.claims or self.handed or self.settled)


class Ledger:
    """A thread with a connection of its own. It is told things from any thread."""

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
        self._news = threading.Condition()
        self._closing = False
        self._gone = False
        #: Deliveries (issue, subscriber) that were claimed and whose subscriber then unsubscribed.
        self.withdrawn: set[tuple[int, int]] = set()
        #: Why nothing can be written down any more; None as long as it can.
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what there is to write, and end."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    # -- what it is told -----------------------------------------------------------------------

    def claim(self, after: int, limit: int, without: frozenset[str], then: Callable[[ClaimedBatch], None]) -> None:
        """Take copies that are due, and hand them to ``then``."""
        if not self._tell(lambda batch: batch.claims.append((after, limit, without, then))):
            then(ClaimedBatch([], 0, 0))

    def hand_over(self, one: Claim) -> Callable[[], bool]:
        """Note that a message leaves now. The function returned waits until that is on the disk.

        It returns False where the message may not leave: another sender has it by now, its subscriber has unsubscribed
        since the claim, or the disk is full.
        """
        done = threading.Lock()
        done.acquire()
        is_ours = [False]
        if not self._tell(lambda batch: batch.handed.append((one, done, is_ours))):
            done.release()

        def wait() -> bool:
            done.acquire()
            return is_ours[0]

        return wait

    def record_outcome(self, one: Claim, outcome: Outcome) -> None:
        """Store the outcome of a delivery.

        A refusal that would suppress the address is on the disk when this returns. Otherwise a server that refuses
        everybody would have refused the whole list before the first refusal is judged.
        """
        if not outcome.suppress:
            self._tell(lambda batch: batch.settled.append((one, outcome)))
            return
        done = threading.Lock()
        done.acquire()

        def add(batch: _Batch) -> None:
            batch.settled.append((one, outcome))
            batch.refused.append(done)

        if self._tell(add):
            done.acquire()

    def _tell(self, add: Callable[[_Batch], None]) -> bool:
        """Tell the writer, and return whether there still is one."""
        with self._news:
            if self._gone:
                return False
            add(self._batch)
            self._news.notify()
            return True

    # -- what it does --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._db.durable() as connection:
                while (batch := self._next()) is not None:
                    self._write(connection, batch)
        except BaseException as error:
            self.error = error
        finally:
            # Nobody waits for a writer that is gone.
            with self._news:
                self._gone = True
                left, self._batch = self._batch, _Batch()
            self._refuse(left)

    @staticmethod
    def _refuse(batch: _Batch) -> None:
        for _, done, _ in batch.handed:
            done.release()
        for done in batch.refused:
            done.release()
        for _, _, _, then in batch.claims:
            then(ClaimedBatch([], 0, 0))

    def _next(self) -> _Batch | None:
        with self._news:
            while not self._batch and not self._closing:
                self._news.wait()
            if not self._batch:
                return None
            batch, self._batch = self._batch, _Batch()
            return batch

    def _write(self, connection: Connection, batch: _Batch) -> None:
        moment = self._clock()
        now = int(moment.timestamp())
        lost: set[tuple[int, int]] = set()
        taken: list[ClaimedBatch] = []
        try:
            with connection.begin():
                self._settle(connection, batch, now)
                if batch.handed:
                    handed = [one for one, _, _ in batch.handed]
                    lost, withdrawn = deliveries.hand_over(connection, handed, self._sender, now)
                    self.withdrawn |= withdrawn
                    lost |= withdrawn
                    if self._rules.counts_days:
                        deliveries.add_sent(connection, f"{moment:%Y-%m-%d}", len(batch.handed) - len(lost))
                for after, limit, without, _ in batch.claims:
                    found = deliveries.claim(
                        connection,
                        self._issue_id,
                        self._sender,
                        after=after,
                        limit=limit,
                        now=now,
                        without=without,
                        drop_before=self._drop_before(now),
                    )
                    taken.append(ClaimedBatch(*found))
        except BaseException as error:
            # Before anybody goes on: nothing more is to be taken or to leave.
            self.error = error
            self._refuse(batch)
            raise
        for brake in self._brake.take_new():
            self._on_stop(brake)
        for done in batch.refused:
            done.release()
        for one, done, is_ours in batch.handed:
            is_ours[0] = (one.issue_id, one.subscriber_id) not in lost
            done.release()
        for (_, _, _, then), found_here in zip(batch.claims, taken, strict=True):
            then(found_here)

    def _drop_before(self, now: int) -> int | None:
        late = self._rules.drop_after
        return now - int(late.total_seconds()) if late is not None else None

    def _settle(self, connection: Connection, batch: _Batch, now: int) -> None:
        rows = []
        for one, outcome in batch.settled:
            rows.append(self._settlement(connection, one, outcome, now))
        self._brake.record(connection, batch.settled, now)
        deliveries.record_outcomes(connection, rows, self._sender, now)

    def _settlement(self, connection: Connection, one: Claim, outcome: Outcome, now: int) -> DeliveryUpdate:
        """Return what is written down of an outcome: the settings decide where it leaves a choice."""
        state, answer = outcome.state, outcome.answer
        if state is DeliveryState.ACCEPTED:
            return DeliveryUpdate(claim=one, state=state, answer=answer)
        if state is DeliveryState.UNCERTAIN:
            return self._uncertain(one, answer)
        # A copy on which connections end again and again is put off, lest it holds up all others.
        if state is DeliveryState.DEFERRED or (state is DeliveryState.QUEUED and answer and one.attempts % 3 == 0):
            return self._put_off(connection, one, outcome, now)
        return DeliveryUpdate(claim=one, state=state, answer=answer, note=answer)

    def _uncertain(self, one: Claim, answer: str) -> DeliveryUpdate:
        if self._rules.uncertain is UncertainPolicy.RESEND:
            return DeliveryUpdate(claim=one, state=DeliveryState.QUEUED, answer=answer, note=answer)
        if self._rules.uncertain is UncertainPolicy.SKIP:
            told = f"counted as delivered: {answer}"
            return DeliveryUpdate(claim=one, state=DeliveryState.ACCEPTED, answer=told, note=answer)
        return DeliveryUpdate(claim=one, state=DeliveryState.UNCERTAIN, answer=answer, note=answer)

    def _put_off(self, connection: Connection, one: Claim, outcome: Outcome, now: int) -> DeliveryUpdate:
        answer = outcome.answer
        first = deliveries.first_attempt(connection, one.issue_id, one.subscriber_id) or now
        due = retry_at(one.attempts, first, now, days=self._rules.retry_days, wait=outcome.wait)
        if due is not None:
            return DeliveryUpdate(claim=one, state=DeliveryState.DEFERRED, answer=answer, due_at=due, note=answer)
        answer = f"given up after {self._rules.retry_days} days: {answer}"
        return DeliveryUpdate(claim=one, state=DeliveryState.FAILED, answer=answer, note=answer)
