"""Letters leave: what is asked of somebody, with a link that only she has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.delivery import audience_store as audience
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.deliver import make_transport
from publisher.delivery.messages import DeliveryMessages, read_signers
from publisher.delivery.public_issues import newest_public_issue
from publisher.delivery.relay_pauses import load_pauses, save_pauses
from publisher.delivery.single_messages import send_messages
from publisher.delivery.store import Claim
from publisher.digests import store as issues
from publisher.digests.envelope import bare_address, with_query
from publisher.digests.readiness import Blocker, issue_blockers, setting_blockers
from publisher.errors import PublisherError
from publisher.html.dates import long_date
from publisher.mail import Envelope
from publisher.mail.message_template import DELIVERY_SLOT, MessageTemplate
from publisher.mail.outcome import Outcome
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState
from publisher.model.digests import IssueVariant
from publisher.model.hosts import is_reserved_host
from publisher.model.query import matches_query
from publisher.model.subscriptions import ConfirmationKind
from publisher.settings import Site
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import parse_address
from publisher.subscriptions import confirmation_store as letters
from publisher.subscriptions.confirmation_store import ConfirmationEmail
from publisher.subscriptions.subscribe import may_confirm, request_from
from publisher.templating.environment import render_template

__all__ = ["VALID_FOR", "ConfirmationEmailResult", "confirmation_link", "preferences_link", "send_confirmation_emails"]

#: How long a letter's link is good for.
VALID_FOR: Final = {
    ConfirmationKind.SUBSCRIBE: timedelta(days=7),
    ConfirmationKind.OLD_ADDRESS: timedelta(days=2),
    ConfirmationKind.NEW_ADDRESS: timedelta(days=2),
    ConfirmationKind.DOWNLOAD: timedelta(days=1),
    ConfirmationKind.ERASE: timedelta(days=1),
}
#: How long a link to preferences is good for that stands in a letter or on a page.
_PREFERENCES: Final = timedelta(days=30)
#: Letters taken at a time, and the seconds that they are ours: who takes them and dies keeps them no longer.
_AT_ONCE: Final = 50
_LEASE: Final = 300
#: After so many attempts a letter is given up: whoever waited for it has asked again.
_ATTEMPTS: Final = 8
#: Seconds after which a letter is looked at again that placeholder values have held back.
_HELD_SECONDS: Final = 300
#: An issue that is older than this welcomes nobody.
_OLDEST_WELCOME: Final = timedelta(days=31)


@dataclass(slots=True, kw_only=True)
class ConfirmationEmailResult:
    """What became of letters."""

    sent: int = 0
    failed: int = 0
    #: Why no letter leaves now; empty where they do.
    trouble: str = ""
    #: When the first relay may be used again, where all of them are paused because they lost messages.
    paused_until: datetime | None = None
    #: Placeholder values because of which some were not sent, each with its fix.
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What a letter says."""

    subject: str
    lines: tuple[str, ...]
    #: The link's name and address; None for a letter without.
    button: tuple[str, str] | None = None
    #: What stands below it.
    after: tuple[str, ...] = ()


def confirmation_link(site: Site, connection: Connection, letter: ConfirmationEmail, now: datetime) -> str:
    """Return the address at which a letter is answered."""
    seal = signed_links(site, connection).sign("letter", letter.id, now + VALID_FOR[letter.kind])
    return f"{site.newsletters_url}/confirm?t={seal}"


def preferences_link(site: Site, connection: Connection, reader: int, now: datetime) -> str:
    """Return the address at which a reader chooses what comes, for a while."""
    seal = signed_links(site, connection).sign("preferences", reader, now + _PREFERENCES)
    # A pass of a copy may stand in the path: there is none here.
    return with_query(site.preferences_url.replace("{copy}", "link"), "t", seal)


def send_confirmation_emails(
    site: Site,
    db: Database,
    clock: Callable[[], datetime],
    *,
    transport: Transport | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> ConfirmationEmailResult:
    """Send what is due, and return what became of it.

    While every relay is paused because it lost messages, nothing is taken, so no attempt is counted.

    Args:
        site, db: the settings and their store.
        clock: tells what time it is.
        transport: how letters leave; as the settings say by default.
        is_stopping: asked now and then whether to leave the rest for another time.
    """
    result = ConfirmationEmailResult()
    if site.mail is None or not site.can_send:
        return result
    transport = transport or make_transport(site)
    with db.read() as connection:
        result.paused_until = load_pauses(connection, transport, clock(), is_attended=False)
    while not is_stopping() and not result.trouble and result.paused_until is None:
        now = clock()
        with db.write() as connection:
            taken = letters.claim(connection, int(now.timestamp()), lease=_LEASE, limit=_AT_ONCE)
        if not taken:
            break
        try:
            _Round(site=site, db=db, now=now, result=result).run(taken, transport)
        finally:
            save_pauses(db, transport, clock())
    if result.blockers and not result.trouble:
        result.trouble = f"some were not sent, because of placeholder values. {' '.join(result.blockers)}"
    return result


@dataclass(slots=True, kw_only=True)
class _Round:
    """Letters that were taken together."""

    site: Site
    db: Database
    now: datetime
    result: ConfirmationEmailResult

    def run(self, taken: Sequence[ConfirmationEmail], transport: Transport) -> None:
        copies: dict[str, tuple[ConfirmationEmail, OutgoingMessage]] = {}
        with self.db.write() as connection:
            nobody = []
            for one in taken:
                if not transport.is_local and (found := self._blockers(connection, one)):
                    self.result.blockers = tuple(dict.fromkeys([*self.result.blockers, *map(str, found)]))
                    letters.release(connection, one.id, int(self.now.timestamp()) + _HELD_SECONDS)
                    continue
                copy = (
                    self._welcome(connection, one)
                    if one.kind is ConfirmationKind.WELCOME
                    else self._copy(connection, one)
                )
                if copy is None:
                    nobody.append(one.id)
                else:
                    copies[copy.recipient] = (one, copy)
            letters.mark_sent(connection, nobody)
        try:
            outcomes = send_messages(transport, [copy for _, copy in copies.values()]) if copies else {}
        except PublisherError as error:
            self.result.trouble = str(error)
            outcomes = {}
        with self.db.write() as connection:
            for recipient, (one, copy) in copies.items():
                self._settle(connection, one, copy, outcomes.get(recipient))

    def _settle(
        self, connection: Connection, one: ConfirmationEmail, copy: OutgoingMessage, outcome: Outcome | None
    ) -> None:
        state = outcome.state if outcome is not None else DeliveryState.DEFERRED
        # Nobody knows of an uncertain one whether it came; who did not get it asks again.
        if state in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN):
            self.result.sent += 1
            letters.mark_sent(connection, [one.id])
            if isinstance(copy.reference, Claim) and outcome is not None:
                reference = copy.reference
                audience.record_welcome_delivery(
                    connection,
                    reference.issue_id,
                    reference.subscriber_id,
                    reference.variant,
                    int(self.now.timestamp()),
                    outcome.answer,
                )
            return
        self.result.failed += 1
        if state is DeliveryState.FAILED or one.attempts + 1 >= _ATTEMPTS:
            letters.mark_sent(connection, [one.id])
        else:
            letters.retry_later(connection, one.id, int(self.now.timestamp()) + (60 << one.attempts))

    def _blockers(self, connection: Connection, one: ConfirmationEmail) -> tuple[Blocker, ...]:
        """Return the placeholder values that a letter would take to a real person."""
        if is_reserved_host(parse_address(one.address).domain):
            return ()
        found = setting_blockers(self.site)
        if one.kind is ConfirmationKind.WELCOME:
            row = newest_public_issue(connection, self.site, str(one.request["digest"]))
            found += issue_blockers(connection, self.site, row) if row is not None else ()
        return found

    # -- what a letter says ----------------------------------------------------------------------

    def _copy(self, connection: Connection, one: ConfirmationEmail) -> OutgoingMessage | None:
        # The address may have been suppressed after the message was asked for.
        if not may_confirm(connection, one.hash):
            return None
        words = self._words(connection, one)
        if words is None or self.site.mail is None:
            return None
        site, mail, address = self.site, self.site.mail, parse_address(one.address)
        values = {
            "subject": words.subject,
            "lines": words.lines,
            "button": words.button,
            "after": words.after,
            "site_title": site.title,
            "base_url": site.base_url,
            "postal_address": mail.postal_address,
            "language": site.language,
            "light": site.theme.light_palette,
        }
        text = render_template(site.templates_dir, "web/letter.txt.j2", values)
        page = render_template(site.templates_dir, "web/letter.html.j2", values)
        recipient = f"{address.text.rpartition('@')[0]}@{address.domain}"
        key = f"letter.{one.id}.{one.made_at}.{one.attempts}"
        envelope = Envelope(
            sender=mail.sender,
            reply_to=mail.reply_to,
            list_name=site.title,
            list_slug="letters",
            subject=words.subject,
            date=self.now.astimezone(site.tz),
            message_key=DELIVERY_SLOT,
            unsubscribe=(),
            is_list=False,
        )
        skeleton = MessageTemplate(
            envelope, text=text, html=page, placeholders=Placeholders.of(key), values={}, signers=read_signers(site)
        )
        return OutgoingMessage(
            reference=None,
            recipient=recipient,
            return_path=bare_address(mail.sender),
            data=skeleton.merge(address=address.text, recipient=recipient, token=key),
            name=f"{key}.{address.domain}",
            needs_utf8=not recipient.isascii(),
        )

    def _words(self, connection: Connection, one: ConfirmationEmail) -> _Words | None:
        if one.kind is ConfirmationKind.ALREADY_SUBSCRIBED:
            return self._known(connection, one)
        link, until = confirmation_link(self.site, connection, one, self.now), self.now + VALID_FOR[one.kind]
        good = f"The link works until {long_date(until.astimezone(self.site.tz), self.site.language)}."
        title = self.site.title
        if one.kind is ConfirmationKind.SUBSCRIBE:
            names = [self.site.digests[slug].title for slug in request_from(one).digests if slug in self.site.digests]
            return _Words(
                subject=f"Please confirm: {title}",
                lines=(f"You, or somebody else, asked to subscribe this address to {_listed(names)} from {title}.",),
                button=("Yes, subscribe me", link),
                after=(good, "If that was not you, ignore this message: you will not be subscribed."),
            )
        if one.kind is ConfirmationKind.NEW_ADDRESS:
            return _Words(
                subject=f"Please confirm your new address: {title}",
                lines=(f"A subscriber of {title} asked to have their newsletters sent to this address.",),
                button=("Yes, send them here", link),
                after=(good, "If that was not you, ignore this message: nothing will be sent here."),
            )
        if one.kind is ConfirmationKind.OLD_ADDRESS:
            return _Words(
                subject=f"Please confirm your change of address: {title}",
                lines=(
                    f"You, or somebody to whom you forwarded an issue, asked to have {title} sent to {one.request['to']}.",
                ),
                button=("Yes, change my address", link),
                after=(
                    good,
                    "The change needs confirmation from both addresses. If it was not you, ignore this message.",
                ),
            )
        if one.kind is ConfirmationKind.DOWNLOAD:
            return _Words(
                subject=f"Your data: {title}",
                lines=(
                    "You, or somebody to whom you forwarded an issue, asked for a file with all data that we store about you.",
                ),
                button=("Download my data", link),
                after=(good, "If it was not you, ignore this message."),
            )
        return _Words(
            subject=f"Please confirm that we erase your data: {title}",
            lines=(f"You, or somebody to whom you forwarded an issue, asked {title} to erase all data about you.",),
            button=("Erase my data", link),
            after=(good, "Nothing is erased before you confirm. If it was not you, ignore this message."),
        )

    def _known(self, connection: Connection, one: ConfirmationEmail) -> _Words | None:
        if one.subscriber_id is None or subscribers.find_subscriber(connection, one.subscriber_id) is None:
            return None
        link = preferences_link(self.site, connection, one.subscriber_id, self.now)
        return _Words(
            subject=f"You are already subscribed: {self.site.title}",
            lines=(
                f"You, or somebody else, asked to subscribe this address to newsletters from {self.site.title}.",
                "You are already subscribed. You can change what you get and when.",
            ),
            button=("My newsletters", link),
            after=("If that was not you, ignore this message: nothing has changed.",),
        )

    # -- the newest issue, for who has just joined ------------------------------------------------

    def _welcome(self, connection: Connection, one: ConfirmationEmail) -> OutgoingMessage | None:
        """Return her copy of the newest issue; None where there is none that is all out, or that she has."""
        slug, number = str(one.request["digest"]), one.subscriber_id
        reader = subscribers.find_subscriber(connection, number) if number is not None else None
        if reader is None or reader.is_suppressed or slug not in reader.digests or slug not in self.site.digests:
            return None
        if brakes.is_provisionally_suppressed(connection, keyring(self.site, connection).address_hash(reader.key)):
            return None
        row = newest_public_issue(connection, self.site, slug)
        if row is None or row.slot < self.now.astimezone(UTC) - _OLDEST_WELCOME:
            return None
        editions = issues.load_variants(connection, row.id)
        edition = self._edition(connection, reader, editions)
        if edition is None or deliveries.delivery_of(connection, row.id, reader.id) is not None:
            return None
        ring = keyring(self.site, connection)
        copies = DeliveryMessages(self.site, row, lambda place: editions[place - 1], ring, read_signers(self.site))
        return copies.make(Claim(row.id, reader.id, edition, 1, reader.address, reader.domain))

    def _edition(
        self, connection: Connection, reader: subscribers.Subscriber, editions: Sequence[IssueVariant]
    ) -> int | None:
        """Return the number of the edition that has what she asks for, and nothing else."""
        query = subscribers.interest_query(reader)
        whole = editions[0].articles
        found = articles.articles_by_seq(connection, whole, self.site.base_url, self.site.tz)
        wanted = tuple(seq for seq in whole if seq in found and matches_query(query, found[seq]))
        numbers = (place for place, one in enumerate(editions, 1) if one.articles == wanted)
        return next(numbers, None)


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "newsletters"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
