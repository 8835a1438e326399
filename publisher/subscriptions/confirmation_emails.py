"""Send confirmation emails and welcome issues.

Double opt-in, change of address, export and erasure of data ask for a confirmation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.backoff import Backoff
from publisher.context import Context
from publisher.delivery import audience_store as audience
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.claims_store import Claim
from publisher.delivery.messages import DeliveryMessages
from publisher.delivery.public_issues import newest_public_issue
from publisher.delivery.relay_pauses import load_pauses, save_pauses
from publisher.delivery.single_messages import single_message, try_messages
from publisher.digests import store as issues
from publisher.digests.envelope import with_query
from publisher.digests.readiness import Blocker, issue_blockers, setting_blockers
from publisher.digests.variants_store import load_variants
from publisher.errors import PublisherError
from publisher.html.dates import long_date
from publisher.mail import Envelope
from publisher.mail.outcome import Outcome
from publisher.mail.placeholders import Placeholders
from publisher.mail.site_transport import make_transport
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState
from publisher.model.digests import IssueVariant, SendPolicy
from publisher.model.hosts import is_reserved_host
from publisher.model.query import matches_query
from publisher.model.subscriptions import ConfirmationKind
from publisher.settings import Site
from publisher.signing.links import signed_links
from publisher.signing.site_key import keyring
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.storage.job_queue import Job
from publisher.subscribers import store as subscribers
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.suppression import suppression_hash
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_store import CONFIRMATION, ConfirmationEmail
from publisher.subscriptions.subscribe import may_confirm, request_from
from publisher.templating.environment import render_template

#: Validity of the link, by kind.
VALID_FOR: Final = {
    ConfirmationKind.SUBSCRIBE: timedelta(days=7),
    ConfirmationKind.OLD_ADDRESS: timedelta(days=2),
    ConfirmationKind.NEW_ADDRESS: timedelta(days=2),
    ConfirmationKind.DOWNLOAD: timedelta(days=1),
    ConfirmationKind.ERASE: timedelta(days=1),
}
#: Validity of a link to preferences in an email or on a page.
_PREFERENCES_VALID_FOR: Final = timedelta(days=30)
#: Emails per claim, and the seconds after which a claim expires.
_BATCH_SIZE: Final = 50
_LEASE_SECONDS: Final = 300
#: Retries of an email. Afterwards people can ask again.
RETRIES: Final = Backoff(60, 3840, 8)
#: Seconds until the next look at an email that placeholder values block.
_BLOCKED_SECONDS: Final = 300
#: Older issues are not sent as a welcome.
_MAX_WELCOME_AGE: Final = timedelta(days=31)


@dataclass(slots=True, kw_only=True)
class ConfirmationEmailResult:
    """The result of sending confirmation emails."""

    sent: int = 0
    failed: int = 0
    #: Why no email can be sent now; empty if they can.
    trouble: str = ""
    #: When the first relay can be used again, if all are paused because they lost messages.
    paused_until: datetime | None = None
    #: Placeholder values that blocked some emails, each with its fix.
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The words of an email. Its lines may have {title}, the site's, {names} of newsletters and {to}, an address."""

    subject: str
    lines: tuple[str, ...]
    button: str
    #: The last line, below the button.
    last: str


_WORDS: Final = {
    ConfirmationKind.SUBSCRIBE: _Words(
        subject="Please confirm",
        lines=("You, or somebody else, asked to subscribe this address to {names} from {title}.",),
        button="Yes, subscribe me",
        last="If that was not you, ignore this message: you will not be subscribed.",
    ),
    ConfirmationKind.NEW_ADDRESS: _Words(
        subject="Please confirm your new address",
        lines=("A subscriber of {title} asked to have their newsletters sent to this address.",),
        button="Yes, send them here",
        last="If that was not you, ignore this message: nothing will be sent here.",
    ),
    ConfirmationKind.OLD_ADDRESS: _Words(
        subject="Please confirm your change of address",
        lines=("You, or somebody to whom you forwarded an issue, asked to have {title} sent to {to}.",),
        button="Yes, change my address",
        last="The change needs confirmation from both addresses. If it was not you, ignore this message.",
    ),
    ConfirmationKind.DOWNLOAD: _Words(
        subject="Your data",
        lines=(
            "You, or somebody to whom you forwarded an issue, asked for a file with all data that we store about you.",
        ),
        button="Download my data",
        last="If it was not you, ignore this message.",
    ),
    ConfirmationKind.ERASE: _Words(
        subject="Please confirm that we erase your data",
        lines=("You, or somebody to whom you forwarded an issue, asked {title} to erase all data about you.",),
        button="Erase my data",
        last="Nothing is erased before you confirm. If it was not you, ignore this message.",
    ),
    ConfirmationKind.ALREADY_SUBSCRIBED: _Words(
        subject="You are already subscribed",
        lines=(
            "You, or somebody else, asked to subscribe this address to newsletters from {title}.",
            "You are already subscribed. You can change what you get and when.",
        ),
        button="My newsletters",
        last="If that was not you, ignore this message: nothing has changed.",
    ),
}


def confirmation_link(site: Site, connection: Connection, confirmation: ConfirmationEmail, now: datetime) -> str:
    """Return the URL that answers a confirmation email."""
    # The purpose is part of links in emails that were already sent.
    link_token = signed_links(site, connection).sign("letter", confirmation.id, now + VALID_FOR[confirmation.kind])
    return f"{site.newsletters_url}/confirm?t={link_token}"


def preferences_link(site: Site, connection: Connection, subscriber: int, now: datetime) -> str:
    """Return a link to a subscriber's preferences, which expires."""
    link_token = signed_links(site, connection).sign("preferences", subscriber, now + _PREFERENCES_VALID_FOR)
    # The path may have a place for a delivery token; this link has none.
    return with_query(site.preferences_url.replace("{copy}", "link"), "t", link_token)


def send_confirmation_emails(
    context: Context, *, is_stopping: Callable[[], bool] = lambda: False
) -> ConfirmationEmailResult:
    """Send the emails that are due, until IS_STOPPING returns True between batches.

    While every relay is paused because it lost messages, nothing is claimed, so no attempt is counted.
    """
    site, db, clock, result = context.site, context.db, context.clock, ConfirmationEmailResult()
    if site.mail is None or not site.can_send:
        return result
    transport = context.transport or make_transport(site)
    with db.read() as connection:
        result.paused_until = load_pauses(connection, transport, clock.now(), is_attended=False)
    while not is_stopping() and not result.trouble and result.paused_until is None:
        now = clock.now()
        with db.write() as connection:
            seconds = int(now.timestamp())
            jobs = job_queue.claim(
                connection, [CONFIRMATION], seconds, lease=_LEASE_SECONDS, limit=_BATCH_SIZE, one_per_target=True
            )
        if not jobs:
            break
        try:
            _Batch(site=site, db=db, now=now, result=result).run(jobs, transport)
        finally:
            save_pauses(db, transport, clock.now())
    if result.blockers and not result.trouble:
        result.trouble = f"some were not sent, because of placeholder values. {' '.join(result.blockers)}"
    return result


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Confirmation emails that were claimed together."""

    site: Site
    db: Database
    now: datetime
    result: ConfirmationEmailResult

    def run(self, jobs: Sequence[Job], transport: Transport) -> None:
        messages: dict[str, tuple[Job, OutgoingMessage]] = {}
        with self.db.write() as connection:
            for job in jobs:
                # It may have been deleted after the claim, with its recipient's data.
                email = confirmations.find(connection, int(job.subject))
                if email is not None and not transport.is_local and (blockers := self._blockers(connection, email)):
                    self.result.blockers = tuple(dict.fromkeys([*self.result.blockers, *map(str, blockers)]))
                    again = int(self.now.timestamp()) + _BLOCKED_SECONDS
                    job_queue.reschedule(connection, job, again, attempts=job.attempts)
                elif email is not None and (message := self._make(connection, email, job.attempts)) is not None:
                    messages[message.recipient] = (job, message)
                else:
                    confirmations.delete_jobs(connection, [int(job.subject)])
        outcomes: dict[str, Outcome] = {}
        try:
            outcomes, self.result.trouble = try_messages(transport, [message for _, message in messages.values()])
        except PublisherError as error:
            self.result.trouble = str(error)
        with self.db.write() as connection:
            for recipient, (job, message) in messages.items():
                self._record(connection, job, message, outcomes.get(recipient))

    def _record(self, connection: Connection, job: Job, message: OutgoingMessage, outcome: Outcome | None) -> None:
        state = outcome.state if outcome is not None else DeliveryState.DEFERRED
        # A second email could be a duplicate; people who did not get the first can ask again.
        if state in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN):
            self.result.sent += 1
            confirmations.delete_jobs(connection, [int(job.subject)])
            if isinstance(reference := message.reference, Claim) and outcome is not None:
                audience.record_welcome_delivery(connection, reference, int(self.now.timestamp()), outcome.answer)
            return
        self.result.failed += 1
        attempts = job.attempts + 1
        retry_at = RETRIES.retry_at(attempts, int(self.now.timestamp()))
        if state is DeliveryState.FAILED or retry_at is None:
            confirmations.delete_jobs(connection, [int(job.subject)])
        else:
            job_queue.reschedule(connection, job, retry_at, attempts=attempts)

    def _blockers(self, connection: Connection, email: ConfirmationEmail) -> tuple[Blocker, ...]:
        """Return the placeholder values that an email would send to a real person."""
        if is_reserved_host(parse_address(email.address).domain):
            return ()
        blockers = setting_blockers(self.site)
        if email.kind is ConfirmationKind.WELCOME:
            row = newest_public_issue(connection, self.site, str(email.request["digest"]))
            blockers += issue_blockers(connection, self.site, row) if row is not None else ()
        return blockers

    def _make(self, connection: Connection, email: ConfirmationEmail, attempts: int) -> OutgoingMessage | None:
        """Return the message, or None if it must not be sent."""
        if email.kind is ConfirmationKind.WELCOME:
            return self._welcome(connection, email)
        # The address may have been suppressed after the message was asked for.
        if not may_confirm(connection, email.hash):
            return None
        site, mail, address = self.site, self.site.mail, parse_address(email.address)
        link = self._link(connection, email)
        if link is None or mail is None:
            return None
        values = self._values(email, link, mail.postal_address)
        key = f"letter.{email.id}.{email.made_at}.{attempts}"
        envelope = Envelope(
            sender=mail.sender,
            reply_to=mail.reply_to,
            list_name=site.title,
            list_slug="letters",
            subject=values["subject"],
            date=self.now.astimezone(site.tz),
            message_key=key,
            unsubscribe=(),
            is_list=False,
        )
        return single_message(
            site,
            envelope,
            address,
            text=render_template(site.templates_dir, "web/letter.txt.j2", values),
            html=render_template(site.templates_dir, "web/letter.html.j2", values),
            key=key,
            token=key,
            placeholders=Placeholders.of(key),
            values={},
        )

    def _values(self, email: ConfirmationEmail, link: str, postal_address: str) -> dict[str, Any]:
        """Return the values of an email's template."""
        site, words = self.site, _WORDS[email.kind]
        after = [words.last]
        if email.kind in VALID_FOR:
            until = (self.now + VALID_FOR[email.kind]).astimezone(site.tz)
            after.insert(0, f"The link works until {long_date(until, site.language)}.")
        names = [site.digests[slug].title for slug in request_from(email).digests if slug in site.digests]
        fields = {"title": site.title, "names": _join_names(names), "to": email.request.get("to", "")}
        return {
            "subject": f"{words.subject}: {site.title}",
            "lines": [line.format(**fields) for line in words.lines],
            "button": (words.button, link),
            "after": after,
            "site_title": site.title,
            "base_url": site.base_url,
            "postal_address": postal_address,
            "language": site.language,
            "light": site.theme.light_palette,
        }

    def _link(self, connection: Connection, email: ConfirmationEmail) -> str | None:
        """Return the link of an email's button; None if it is about a subscriber who was erased."""
        if email.kind is not ConfirmationKind.ALREADY_SUBSCRIBED:
            return confirmation_link(self.site, connection, email, self.now)
        if email.subscriber_id is None or subscribers.find_subscriber(connection, email.subscriber_id) is None:
            return None
        return preferences_link(self.site, connection, email.subscriber_id, self.now)

    def _welcome(self, connection: Connection, email: ConfirmationEmail) -> OutgoingMessage | None:
        """Return the newest issue for a new subscriber.

        None if there is no recent public issue in their interests, they have it already, or the newsletter sends no mail.
        """
        slug, number = str(email.request["digest"]), email.subscriber_id
        subscriber = subscribers.find_subscriber(connection, number) if number is not None else None
        if (
            subscriber is None
            or subscriber.is_suppressed
            or slug not in subscriber.digests
            or slug not in self.site.digests
            or self.site.digests[slug].send is SendPolicy.NONE
        ):
            return None
        if brakes.is_provisionally_suppressed(
            connection, suppression_hash(keyring(self.site, connection), subscriber.key)
        ):
            return None
        row = newest_public_issue(connection, self.site, slug)
        if row is None or (row.opened_at or 0) < (self.now - _MAX_WELCOME_AGE).timestamp():
            return None
        if issues.withdrawn_articles(connection, row.id):
            return None
        variants = load_variants(connection, row.id)
        variant = self._variant(connection, subscriber, variants)
        if variant is None or deliveries.delivery_of(connection, row.id, subscriber.id) is not None:
            return None
        ring = keyring(self.site, connection)
        messages = DeliveryMessages(self.site, row, lambda number: variants[number - 1], ring)
        date = self._first_handed_at(connection, email)
        return messages.build(
            Claim(row.id, subscriber.id, variant, 1, subscriber.address, subscriber.domain, date), date
        )

    def _first_handed_at(self, connection: Connection, email: ConfirmationEmail) -> int:
        """Return when a welcome issue is first handed over, in seconds since 1970; it is stored before that."""
        if "handed_at" not in email.request:
            now = int(self.now.timestamp())
            confirmations.change_request(connection, email.id, {**email.request, "handed_at": now})
            return now
        return int(email.request["handed_at"])

    def _variant(
        self, connection: Connection, subscriber: subscribers.Subscriber, variants: Sequence[IssueVariant]
    ) -> int | None:
        """Return the number of the variant with exactly the articles that a subscriber wants."""
        query = subscribers.interest_query(subscriber)
        whole = variants[0].articles
        records = articles.articles_by_seq(connection, whole, self.site.base_url, self.site.tz)
        wanted = tuple(seq for seq in whole if seq in records and matches_query(query, records[seq]))
        numbers = (number for number, variant in enumerate(variants, 1) if variant.articles == wanted)
        return next(numbers, None)


def _join_names(names: Sequence[str]) -> str:
    if not names:
        return "newsletters"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
