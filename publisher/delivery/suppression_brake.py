"""Delay suppressions until enough attempts show that refusals are about the addresses.

A circuit breaker for relays and recipient domains. A refusal that would suppress an address is first stored as a
provisional suppression. It is judged with the attempts at its relay and with those at its domain, after 50 of them or at
the end of the issue (see `publisher.delivery.brake_rules`). If both allow it, the address is suppressed. If one does not,
that relay or domain is not used for the issue until an operator decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery import brakes_store as store
from publisher.delivery.brake_rules import WINDOW_ATTEMPTS, Verdict, judge_refusals
from publisher.delivery.brakes_store import DOMAIN, RELAY, Brake, ProvisionalSuppression, Scope
from publisher.digests.lookup import find_issue
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError
from publisher.mail.refusals import names_address, refusal_key
from publisher.model.delivery import DeliveryState
from publisher.model.result import Result
from publisher.signing.site_key import keyring
from publisher.storage.locks import advisory_lock
from publisher.subscribers import store as subscribers
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.suppression import suppression_hash
from publisher.subscribers.suppression_store import SuppressionChannel

if TYPE_CHECKING:
    from publisher.delivery.claims_store import Claim
    from publisher.mail.outcome import Outcome
    from publisher.signing.keyring import Keyring

#: Name of the lock for the judgement of refusals.
_LOCK: Final = "brakes"
#: Outcomes with a reply about the recipient.
_ANSWERED: Final = frozenset([DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.FAILED])


class SuppressionBrake:
    """The brake of one issue in one sending process. Used by one thread.

    Attempts of a scope are counted in memory, and in the database once it has refusals. After a crash some accepted
    attempts are not counted, and the brake stops a little earlier.
    """

    def __init__(self, issue_id: int, ring: Keyring) -> None:
        self._issue_id = issue_id
        self._ring = ring
        #: Attempts that are not in the database.
        self._counts: Counter[Scope] = Counter()
        #: Scopes with refusals that are not judged yet.
        self._open: set[Scope] = set()
        self._stopped: set[Scope] = set()
        self._new: list[Brake] = []

    def load(self, connection: Connection) -> list[Brake]:
        """Load the brakes and refusals of earlier runs and other senders; return the brakes."""
        stopped = store.open_brakes(connection, self._issue_id)
        self._stopped = {brake.target for brake in stopped}
        self._open |= store.unsettled_scopes(connection, self._issue_id)
        return stopped

    def take_new(self) -> list[Brake]:
        """Return the brakes since the last call. Call it after the transaction."""
        new, self._new = self._new, []
        return new

    def record(self, connection: Connection, settled: Sequence[tuple[Claim, Outcome]], now: int) -> None:
        """Count attempts, store refusals, and judge scopes with enough attempts.

        It is called in the transaction that stores the outcomes.
        """
        counts = self._counts
        refused: list[tuple[Claim, Outcome]] = []
        touched: set[Scope] = set()
        for claim, outcome in settled:
            if outcome.state not in _ANSWERED:
                continue
            for scope in (Scope(RELAY, outcome.relay), Scope(DOMAIN, claim.domain)):
                counts[scope] += 1
                touched.add(scope)
            if outcome.suppress:
                refused.append((claim, outcome))
        if refused or touched & self._open:
            # Two senders must not judge the same refusals.
            advisory_lock(connection, _LOCK)
        if refused:
            self._refuse(connection, refused, now)
        judged = touched & self._open
        for scope in touched - self._open:
            if counts[scope] >= WINDOW_ATTEMPTS:
                # These attempts had no refusal. A later refusal is judged with later attempts.
                del counts[scope]
        if judged:
            self._judge(connection, judged, now)

    def finish(self, connection: Connection) -> None:
        """Store the attempts in scopes with refusals of other senders."""
        open_scopes = store.unsettled_scopes(connection, self._issue_id)
        store.add_attempts(connection, self._issue_id, {s: n for s, n in self._counts.items() if s in open_scopes})
        self._counts.clear()

    def _refuse(self, connection: Connection, refused: Sequence[tuple[Claim, Outcome]], now: int) -> None:
        """Store provisional suppressions, and apply those whose words an operator accepted."""
        accepted = store.accepted_words(connection, self._issue_id)
        rows = [self._provisional(claim, outcome, now) for claim, outcome in refused]
        apply_suppressions(connection, self._ring, [row for row in rows if row.words in accepted], now)
        held = [row for row in rows if row.words not in accepted]
        store.add_provisional_suppressions(connection, held)
        for row in held:
            self._open |= {Scope(RELAY, row.relay), Scope(DOMAIN, row.domain)}

    def _provisional(self, claim: Claim, outcome: Outcome, now: int) -> ProvisionalSuppression:
        return ProvisionalSuppression(
            issue_id=claim.issue_id,
            subscriber_id=claim.subscriber_id,
            hash=suppression_hash(self._ring, parse_address(claim.address).key),
            relay=outcome.relay,
            domain=claim.domain,
            words=refusal_key(outcome.answer, claim.recipient),
            names_address=names_address(outcome.answer, claim.recipient),
            note=outcome.answer[:400],
            refused_at=now,
        )

    def _judge(self, connection: Connection, scopes: set[Scope], now: int) -> None:
        fresh = {scope: count for scope in scopes if (count := self._counts.pop(scope, 0))}
        store.add_attempts(connection, self._issue_id, fresh)
        # Another sender may have stopped a scope since the last refusal.
        stopped = store.open_brakes(connection, self._issue_id)
        self._new += [brake for brake in stopped if brake.target not in self._stopped]
        self._stopped |= {brake.target for brake in self._new}
        for scope in sorted(scopes - self._stopped):
            verdict, brake = judge_scope(connection, self._issue_id, scope, now, is_over=False)
            if verdict is Verdict.APPLY:
                self._open.discard(scope)
            elif brake is not None:
                self._stopped.add(scope)
                self._new.append(brake)
        apply_suppressions(connection, self._ring, store.take_settled(connection, self._issue_id), now)


def judge_scope(
    connection: Connection, issue_id: int, scope: Scope, now: int, *, is_over: bool
) -> tuple[Verdict, Brake | None]:
    """Judge the refusals of a scope, and store the verdict."""
    attempts = store.count_attempts(connection, issue_id, scope)
    verdict, reason = judge_refusals(attempts, store.refusal_groups(connection, issue_id, scope), is_over=is_over)
    if verdict is Verdict.APPLY:
        store.settle_scope(connection, issue_id, scope)
        store.close_window(connection, issue_id, scope)
    if reason is None:
        return verdict, None
    refused = (row for row in store.provisional_suppressions(connection, issue_id) if row.words == reason.words)
    note = next((row.note for row in refused if scope.name in (row.relay, row.domain)), reason.words)
    brake = Brake(
        issue_id=issue_id,
        scope=scope.kind,
        name=scope.name,
        words=reason.words,
        note=note,
        refused=reason.count,
        attempts=max(attempts, reason.count),
        stopped_at=now,
    )
    store.add_brake(connection, brake)
    return verdict, brake


def apply_suppressions(
    connection: Connection, ring: Keyring, settled: Sequence[ProvisionalSuppression], now: int
) -> None:
    """Suppress the addresses of refusals. A new address of a subscriber is not suppressed."""
    people = subscribers.find_subscribers(connection, [row.subscriber_id for row in settled])
    for row in settled:
        person = people.get(row.subscriber_id)
        key = person.key if person is not None and suppression_hash(ring, person.key) == row.hash else None
        suppression.add_suppression(connection, row.hash, key, "bounced", SuppressionChannel.SMTP, row.note, now)


def settle_finished_issues(connection: Connection, ring: Keyring, now: int) -> None:
    """Judge the refusals of issues that are completely sent."""
    for issue_id in store.issues_to_settle(connection):
        advisory_lock(connection, _LOCK)
        stopped = {brake.target for brake in store.open_brakes(connection, issue_id)}
        for scope in sorted(store.unsettled_scopes(connection, issue_id) - stopped):
            judge_scope(connection, issue_id, scope, now, is_over=True)
        apply_suppressions(connection, ring, store.take_settled(connection, issue_id), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalDecision(Result):
    """A decision about the refusals that stopped an issue."""

    issue: IssueRow
    #: The number of addresses that were suppressed, or of deliveries that were queued again.
    count: int


def accept_refusals(context: Context, target: str) -> RefusalDecision:
    """Suppress the addresses behind a brake, and continue the issue.

    Raises:
        SettingsError: there is no such issue, or it has no brake.
    """
    with context.db.write() as connection:
        row, stopped = _require_brakes(connection, target)
        store.accept_brakes(connection, stopped, context.seconds)
        settled = store.take_settled(connection, row.id)
        ring = keyring(context.site, connection)
        apply_suppressions(connection, ring, settled, context.seconds)
        settle_finished_issues(connection, ring, context.seconds)
        return RefusalDecision(issue=row, count=len(settled))


def retry_refusals(context: Context, target: str) -> RefusalDecision:
    """Discard the refusals behind a brake, and requeue the deliveries.

    Raises:
        SettingsError: there is no such issue, or it has no brake.
    """
    with context.db.write() as connection:
        row, stopped = _require_brakes(connection, target)
        return RefusalDecision(issue=row, count=store.discard_brakes(connection, stopped))


def _require_brakes(connection: Connection, target: str) -> tuple[IssueRow, list[Brake]]:
    row = find_issue(connection, target)
    advisory_lock(connection, _LOCK)
    stopped = store.open_brakes(connection, row.id)
    if not stopped:
        raise SettingsError(
            f"{row.path}: no refusals wait for a decision. 'publish outbox' shows which issues have some; "
            "without --accept and --retry, 'publish resume' ends a pause"
        )
    return row, stopped
