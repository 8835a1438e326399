"""The single writer of the delivery ledger: group commits for all connections of a run.

Ten connections that each wait for the disk would be ten times slower. One thread stores everything that was reported
during the last transaction in the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from publisher.delivery import claims_store
from publisher.delivery import store as deliveries
from publisher.delivery.claims_store import Claim, ClaimedBatch
from publisher.delivery.updates import delivery_update
from publisher.mail.outcome import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.delivery.brakes_store import Brake
    from publisher.delivery.suppression_brake import SuppressionBrake
    from publisher.settings.delivery import DeliverySettings
    from publisher.storage.engine import Database


@dataclass(slots=True)
class _Batch:
    """Requests that arrived during the last transaction."""

    claims: list[tuple[Future[ClaimedBatch], int, int, frozenset[str]]] = field(default_factory=list)
    #: The futures get the time of the first hand-over; None if the message must not be sent.
    handed: list[tuple[Future[int | None], Claim]] = field(default_factory=list)
    outcomes: list[tuple[Claim, Outcome]] = field(default_factory=list)
    #: Futures of connections that wait until their refusal is stored and judged.
    refused: list[Future[None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.claims or self.handed or self.outcomes)


@dataclass(slots=True)
class Ledger:
    """A thread with its own database connection. Its methods may be called from any thread."""

    db: Database
    issue_id: int
    sender: int
    settings: DeliverySettings
    _: KW_ONLY
    #: A delivery that is later than this is dropped; None for never.
    drop_after: timedelta | None = None
    clock: Callable[[], datetime]
    brake: SuppressionBrake
    #: Called with each new brake.
    on_stop: Callable[[Brake], None]
    #: (issue, subscriber) of deliveries whose subscriber unsubscribed after the claim.
    withdrawn: set[tuple[int, int]] = field(default_factory=set, init=False)
    #: The error that ended the thread; None while it runs.
    error: BaseException | None = field(default=None, init=False)
    _thread: threading.Thread = field(init=False)
    _batch: _Batch = field(default_factory=_Batch, init=False)
    _change: threading.Condition = field(default_factory=threading.Condition, init=False)
    _is_closing: bool = field(default=False, init=False)
    _has_ended: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Store what is left, and end the thread."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join()

    # -- requests of other threads -------------------------------------------------------------

    def claim(self, after: int, limit: int, without: frozenset[str]) -> Future[ClaimedBatch]:
        """Claim deliveries that are due, to subscribers after AFTER and WITHOUT some domains.

        Callbacks of the result run in the ledger's thread.
        """
        result: Future[ClaimedBatch] = Future()
        self._request(lambda batch: batch.claims.append((result, after, limit, without)))
        return result

    def date_of(self, claim: Claim) -> int:
        """Return the time for a message's Date header, in seconds since 1970: its first hand-over, or now."""
        return int(self.clock().timestamp()) if claim.first_handed_at is None else claim.first_handed_at

    def hand_over(self, claim: Claim) -> Future[int | None]:
        """Store that a message is sent now; return the stored time of the delivery's first hand-over.

        It is in seconds since 1970, and None if the message must not be sent: another sender has it, its subscriber
        unsubscribed after the claim, or the transaction failed.
        """
        first: Future[int | None] = Future()
        self._request(lambda batch: batch.handed.append((first, claim)))
        return first

    def record_outcome(self, claim: Claim, outcome: Outcome) -> None:
        """Store the outcome of a delivery.

        A refusal that would suppress the address is on disk when this returns. Otherwise a server that refuses every
        recipient would have refused the whole list before the first refusal is judged.
        """
        is_judged: Future[None] | None = Future() if outcome.suppress else None

        def add(batch: _Batch) -> None:
            batch.outcomes.append((claim, outcome))
            if is_judged is not None:
                batch.refused.append(is_judged)

        self._request(add)
        if is_judged is not None:
            is_judged.result()

    def _request(self, add: Callable[[_Batch], None]) -> None:
        """Add a request to the next batch, or reject it if the thread has ended."""
        with self._change:
            add(self._batch)
            self._change.notify()
            if not self._has_ended:
                return
            left, self._batch = self._batch, _Batch()
        self._reject(left)

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self.db.durable() as connection:
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
        for first, _ in batch.handed:
            first.set_result(None)
        for is_judged in batch.refused:
            is_judged.set_result(None)
        for result, *_ in batch.claims:
            result.set_result(ClaimedBatch([], 0, 0))

    def _next(self) -> _Batch | None:
        with self._change:
            while not self._batch and not self._is_closing:
                self._change.wait()
            if not self._batch:
                return None
            batch, self._batch = self._batch, _Batch()
            return batch

    def _write(self, connection: Connection, batch: _Batch) -> None:
        moment = self.clock()
        now = int(moment.timestamp())
        lost: set[tuple[int, int]] = set()
        claimed: list[ClaimedBatch] = []
        try:
            with connection.begin():
                self._store_outcomes(connection, batch, now)
                if batch.handed:
                    handed = [claim for _, claim in batch.handed]
                    lost, withdrawn = claims_store.hand_over(connection, handed, self.sender, now)
                    self.withdrawn |= withdrawn
                    lost |= withdrawn
                    if self.settings.warm_up is not None:
                        deliveries.add_sent(connection, f"{moment:%Y-%m-%d}", len(batch.handed) - len(lost))
                for _, after, limit, without in batch.claims:
                    claimed.append(
                        claims_store.claim(
                            connection,
                            self.issue_id,
                            self.sender,
                            after=after,
                            limit=limit,
                            now=now,
                            without=without,
                            drop_after=self.drop_after,
                        )
                    )
        except BaseException as error:
            # Set before the other threads continue, so that they claim and send nothing more.
            self.error = error
            self._reject(batch)
            raise
        for brake in self.brake.take_new():
            self.on_stop(brake)
        for is_judged in batch.refused:
            is_judged.set_result(None)
        for first, claim in batch.handed:
            is_lost = (claim.issue_id, claim.subscriber_id) in lost
            first.set_result(None if is_lost else now if claim.first_handed_at is None else claim.first_handed_at)
        for (result, *_), batch_claimed in zip(batch.claims, claimed, strict=True):
            result.set_result(batch_claimed)

    def _store_outcomes(self, connection: Connection, batch: _Batch, now: int) -> None:
        def first_attempt(claim: Claim) -> int | None:
            return deliveries.first_attempt(connection, claim.issue_id, claim.subscriber_id)

        updates = [
            delivery_update(claim, outcome, self.settings, first_attempt, now) for claim, outcome in batch.outcomes
        ]
        self.brake.record(connection, batch.outcomes, now)
        deliveries.record_outcomes(connection, updates, self.sender, now)
