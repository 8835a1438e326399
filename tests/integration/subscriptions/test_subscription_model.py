"""Random sequences of actions against a simple model: no mail after an unsubscription."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from publisher.context import Context
from publisher.delivery import claims_store
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.model.subscriptions import ChangeSource, ConfirmationKind
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.preferences import Access, save_preferences
from publisher.subscriptions.subscribe import SubscriptionRequest, confirm_subscription
from publisher.subscriptions.unsubscribe import resubscribe_by_link, unsubscribe_by_link
from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.examples import examples
from tests.support.use_cases import context_of, import_list

ADDRESS = "ann@mail.example.org"
DIGESTS = ("daily", "weekly")
_one = st.sampled_from(DIGESTS)
_some = st.sets(_one, min_size=1).map(lambda names: tuple(sorted(names)))
_any = st.sets(_one).map(lambda names: tuple(sorted(names)))
_act = st.one_of(
    st.tuples(st.just("link"), _one),
    st.tuples(st.just("link_all"), _one),
    st.tuples(st.just("undo"), _one),
    st.tuples(st.just("by_token"), _any),
    st.tuples(st.just("by_seal"), _any),
    st.tuples(st.just("mail"), _one),
    st.tuples(st.just("import_list"), _some),
    st.tuples(st.just("import_with_reason"), _some),
    st.tuples(st.just("import_departure"), st.just(())),
    st.tuples(st.just("add"), _some),
    st.tuples(st.just("add_with_reason"), _some),
    st.tuples(st.just("confirm"), _some),
    st.tuples(st.just("suppress"), st.sampled_from(["asked", "complained"])),
    st.tuples(st.just("erase"), st.just(())),
    st.tuples(st.just("wait"), st.sampled_from([1, 25])),
)


@dataclass
class Model:
    """What may happen to one person, without a database."""

    exists: bool = False
    #: Why the address is suppressed; empty for not.
    suppressed: str = ""
    active: set[str] = field(default_factory=set)
    #: Digest → (time, whether by the link) of the unsubscription.
    left: dict[str, tuple[int, bool]] = field(default_factory=dict)
    opted_out: int | None = None

    def has_unsubscribed(self, digest: str) -> bool:
        return digest in self.left or (digest not in self.active and (self.opted_out is not None or not self.active))

    def start(self, digests: Any) -> None:
        self.active |= set(digests)
        for digest in digests:
            self.left.pop(digest, None)

    def leave(self, digests: Any, at: int, *, by_link: bool = False, everything: bool = False) -> None:
        for digest in set(digests) - set(self.left):
            self.left[digest] = (at, by_link)
        self.active -= set(digests)
        if (everything or (digests and not self.active)) and self.opted_out is None:
            self.opted_out = at

    def link(self, digest: str, at: int) -> None:
        if self.exists and digest not in self.left:
            self.leave([digest], at, by_link=True)

    def link_all(self, digest: str, at: int) -> None:
        if self.exists:
            self.leave(set(self.active), at, by_link=True, everything=True)

    def undo(self, digest: str, at: int) -> None:
        act = self.left.get(digest)
        if self.exists and not self.suppressed and act is not None and act[1] and at - act[0] <= 86_400:
            self.start([name for name, other in self.left.items() if other == act])
            self.opted_out = None if self.opted_out == act[0] else self.opted_out

    def by_token(self, digests: tuple[str, ...], at: int) -> None:
        self.by_seal(tuple(name for name in digests if name in self.active or not self.has_unsubscribed(name)), at)

    def by_seal(self, digests: tuple[str, ...], at: int) -> None:
        if self.exists and not self.suppressed:
            gone = self.active - set(digests)
            self.start(digests)
            self.leave(gone, at)

    def mail(self, digest: str, at: int) -> None:
        if self.exists and digest not in self.left:
            self.leave([digest], at)

    def import_list(self, digests: tuple[str, ...], at: int) -> None:
        if not self.exists:
            self.add(digests, at)
        elif not self.suppressed and self.active:
            rest = tuple(name for name in digests if not self.has_unsubscribed(name))
            if rest:
                self.by_seal(rest, at)

    def import_with_reason(self, digests: tuple[str, ...], at: int) -> None:
        if not self.exists:
            self.add(digests, at)
        else:
            self.by_seal(digests, at)

    def import_departure(self, nothing: tuple[()], at: int) -> None:
        if self.exists or not self.suppressed:
            self.exists = True
            self.leave(set(self.active), at, everything=True)

    def add(self, digests: tuple[str, ...], at: int) -> None:
        if not self.suppressed and not (self.exists and any(map(self.has_unsubscribed, digests))):
            self.exists = True
            self.start(digests)

    def add_with_reason(self, digests: tuple[str, ...], at: int) -> None:
        if self.suppressed in ("", "asked"):
            self.confirm(digests, at)

    def confirm(self, digests: tuple[str, ...], at: int) -> None:
        self.suppressed, self.exists = "", True
        self.start(digests)

    def suppress(self, reason: str, at: int) -> None:
        if self.suppressed not in {"forgotten", "complained"}:
            self.suppressed = reason

    def erase(self, nothing: tuple[()], at: int) -> None:
        self.__init__(suppressed="forgotten")  # type: ignore[misc]

    def wait(self, hours: int, at: int) -> None:
        pass

    @property
    def mailed(self) -> set[str]:
        return self.active if self.exists and not self.suppressed else set()


class RollBack(Exception):
    """End a transaction without its changes."""


class Real:
    """The same acts, done to a site."""

    def __init__(self, kit: MailKit) -> None:
        self.kit, self.now = kit, NOW
        self.db = kit.open()
        with self.db.read() as connection:
            self.issues = {row.digest: row.id for row in issues.list_issues(connection)}

    def reset(self) -> None:
        self.now = NOW
        with self.db.write() as connection:
            for table in (
                "subscription",
                "subscription_event",
                "subscriber",
                "suppression",
                "confirmation_email",
                "job",
                "delivery",
                "attempt",
            ):
                connection.execute(text(f"DELETE FROM {table}"))

    def context(self) -> Context:
        return context_of(self.kit.site, self.db, self.now)

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())

    def person(self) -> subscribers.Subscriber | None:
        with self.db.read() as connection:
            return subscribers.find_by_key(connection, ADDRESS)

    def token(self, digest: str) -> str:
        person = self.person()
        with self.db.read() as connection:
            return keyring(self.kit.site, connection).delivery_token(self.issues[digest], person.id if person else 999)

    def link(self, digest: str) -> None:
        unsubscribe_by_link(self.context(), self.token(digest))

    def link_all(self, digest: str) -> None:
        unsubscribe_by_link(self.context(), self.token(digest), everything=True)

    def undo(self, digest: str) -> None:
        resubscribe_by_link(self.context(), self.token(digest))

    def by_token(self, digests: tuple[str, ...], *, is_signed_link: bool = False) -> None:
        if (person := self.person()) is not None:
            save_preferences(self.context(), Access(person.id, is_signed_link), SubscriptionRequest(digests=digests))

    def by_seal(self, digests: tuple[str, ...]) -> None:
        self.by_token(digests, is_signed_link=True)

    def mail(self, digest: str) -> None:
        if (person := self.person()) is not None:
            with self.db.write() as connection:
                subscriptions.unsubscribe(connection, person.id, StateChange(ChangeSource.MAIL, self.seconds), [digest])

    def import_list(self, digests: tuple[str, ...], reason: str | None = None) -> None:
        path = self.kit.root / "list.jsonl"
        path.write_text(json.dumps({"address": ADDRESS.upper(), "digests": digests}) + "\n")
        import_list(self.kit.site, path, self.now, resubscribe=reason)

    def import_with_reason(self, digests: tuple[str, ...]) -> None:
        self.import_list(digests, "asked by phone")

    def import_departure(self, nothing: tuple[()]) -> None:
        path = self.kit.root / "list.csv"
        path.write_text(f"email,unsubscribed\n{ADDRESS},yes\n")
        import_list(self.kit.site, path, self.now)

    def add(self, digests: tuple[str, ...], reason: str | None = None) -> None:
        with contextlib.suppress(SettingsError):
            action.add_subscriber(self.kit.site, ADDRESS, self.now, digests=digests, resubscribe=reason)

    def add_with_reason(self, digests: tuple[str, ...]) -> None:
        self.add(digests, "asked by phone")

    def confirm(self, digests: tuple[str, ...]) -> None:
        with self.db.write() as connection:
            hashed = keyring(self.kit.site, connection).address_hash(ADDRESS)
            number = confirmations.add(
                connection,
                ConfirmationKind.SUBSCRIBE,
                hashed,
                ADDRESS,
                self.seconds,
                request=SubscriptionRequest(digests=digests).as_dict(),
            )
            email = confirmations.find(connection, number)
            assert email is not None
            confirm_subscription(context_of(self.kit.site, self.db, self.now), connection, email)

    def suppress(self, reason: str) -> None:
        with self.db.write() as connection:
            channel = SuppressionChannel.PROVIDER if reason == "complained" else SuppressionChannel.OPERATOR
            suppress_address(connection, keyring(self.kit.site, connection), ADDRESS, reason, channel, "", self.seconds)

    def erase(self, nothing: tuple[()]) -> None:
        action.erase_subscriber(self.kit.site, ADDRESS, self.now)

    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    def mailed(self) -> set[str]:
        """Return the digests of which a delivery to the person could be claimed and handed over now."""
        person, found = self.person(), set()
        if person is None:
            return set()
        for digest, issue in self.issues.items():
            with contextlib.suppress(RollBack), self.db.write() as connection:
                values = {"i": issue, "n": person.id}
                connection.execute(text("DELETE FROM delivery"))
                connection.execute(
                    text("INSERT INTO delivery (issue_id, subscriber_id, variant, state) VALUES (:i, :n, 1, 'queued')"),
                    values,
                )
                claims, _, _ = claims_store.claim(connection, issue, 1, after=0, limit=9, now=self.seconds, without=())
                connection.execute(text("UPDATE delivery SET state = 'sending', sender_id = 1"))
                claim = claims_store.Claim(issue, person.id, 1, 1, ADDRESS, "mail.example.org")
                _, withdrawn = claims_store.hand_over(connection, [claim], 1, self.seconds)
                assert bool(claims) is not bool(withdrawn), "claim and hand-over read the same state"
                if claims:
                    found.add(digest)
                raise RollBack
        return found


@pytest.fixture
def real(any_mail_kit: MailKit) -> Any:
    any_mail_kit.settings(
        (any_mail_kit.root / "publisher.toml").read_text() + '\n[digests.weekly]\ntitle = "The Weekly"\n'
    )
    any_mail_kit.articles("one")
    any_mail_kit.open_issues()
    made = Real(any_mail_kit)
    yield made
    made.db.close()


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(_act, min_size=2, max_size=14))
def test_after_any_sequence_of_actions_exactly_the_subscribed_newsletters_are_mailed(
    real: Real, acts: list[tuple[str, Any]]
) -> None:
    """The model, the stored state, the claim and the hand-over agree after each act; the history never shrinks."""
    real.reset()
    model, known = Model(), 0
    for name, argument in acts:
        if name == "confirm" and model.suppressed not in ("", "forgotten"):
            # Such an address gets no confirmation email.
            continue
        at = real.seconds
        getattr(model, name)(argument, at)
        getattr(real, name)(argument)
        real.now += timedelta(seconds=1)
        person = real.person()
        assert (person is not None) == model.exists, name
        if person is not None:
            assert set(person.digests) == model.active, name
            assert (person.status == "suppressed") == bool(model.suppressed), name
            if not model.suppressed:
                assert (person.status == "active") == bool(model.active), name
            assert {one: person.has_unsubscribed(one) for one in DIGESTS} == {
                one: model.has_unsubscribed(one) for one in DIGESTS
            }, name
            with real.db.read() as connection:
                events = len(subscriptions.load_history(connection, person.id))
            assert events >= known or name == "confirm"
            known = events
        assert real.mailed() == model.mailed, name


def test_actions_within_one_second_do_not_resubscribe() -> None:
    """The model itself: an unsubscription by the link can be undone for a day and no longer."""
    at = int(datetime.timestamp(NOW))
    for seconds, active in ((86_400, {"daily"}), (86_401, set())):
        model = Model()
        model.add(("daily",), at)
        model.link("daily", at)
        model.undo("daily", at + seconds)
        assert model.active == active
