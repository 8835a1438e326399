"""Send messages that are not deliveries: test messages, and drafts for editors."""

from __future__ import annotations

import html
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from publisher.delivery import store as deliveries
from publisher.delivery.deliver import make_transport
from publisher.delivery.messages import DeliveryMessages, read_signers
from publisher.digests import store as issues
from publisher.digests.envelope import bare_address, delivery_envelope, sample_values
from publisher.digests.lookup import find_issue
from publisher.digests.preflight.message import check_message
from publisher.digests.readiness import require_sendable
from publisher.digests.store import IssueRow
from publisher.errors import PublisherError, RemoteError, SendingBlocked, SettingsError
from publisher.mail.message_template import MessageTemplate
from publisher.mail.outcome import Outcome, RelayFault
from publisher.mail.placeholders import Placeholders
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import DeliveryState
from publisher.model.digests import SendPolicy
from publisher.settings import Site
from publisher.signing.sample_tokens import sample_token
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers.addresses import Address, parse_named_address

__all__ = ["DraftResult", "send_drafts", "send_messages", "send_test", "try_messages"]

#: Attempts to find a usable relay.
_MAX_ATTEMPTS: Final = 5


@dataclass(slots=True)
class _MessageQueue:
    """A message source with a few messages, which keeps their outcomes by recipient."""

    messages: list[OutgoingMessage]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        return self.messages.pop(0) if self.messages else None

    def hand_over(self, message: OutgoingMessage) -> Callable[[], bool]:
        return lambda: True

    def record_outcome(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes[message.recipient] = outcome


def try_messages(transport: Transport, messages: Sequence[OutgoingMessage]) -> tuple[dict[str, Outcome], str]:
    """Send messages, each at most once.

    Returns:
        The outcomes by recipient, and why messages without an outcome were not sent; empty if each has one.
    """
    queue = _MessageQueue(list(messages))
    fault = ""
    for attempt in range(_MAX_ATTEMPTS):
        if not queue.messages:
            break
        try:
            transport.run(queue, 0)
        except RelayFault as error:
            if error.is_final or attempt == _MAX_ATTEMPTS - 1:
                fault = f"no mail server takes the message: {error.words}"
                break
            time.sleep(0.5)
    queued = [outcome.answer for outcome in queue.outcomes.values() if outcome.state is DeliveryState.QUEUED]
    outcomes = {name: outcome for name, outcome in queue.outcomes.items() if outcome.state is not DeliveryState.QUEUED}
    if all(message.recipient in outcomes for message in messages):
        return outcomes, ""
    words = next(iter(queued), "the connection ended")
    return outcomes, fault or f"the mail server did not take the message: {words}"


def send_messages(transport: Transport, messages: Sequence[OutgoingMessage]) -> dict[str, Outcome]:
    """Send messages, and return their outcomes by recipient.

    Raises:
        RemoteError: a message was not sent.
    """
    outcomes, fault = try_messages(transport, messages)
    if fault:
        raise RemoteError(fault)
    return outcomes


def send_test(site: Site, target: str, address: str, now: datetime, *, transport: Transport | None = None) -> Outcome:
    """Send an issue to one address, marked as a test.

    Nothing is stored, and no approval is needed.

    Raises:
        SettingsError: there is no such issue or no mail server, or the address is invalid.
        SendingBlocked: the message has placeholder values and the address may be a real person's.
        RemoteError: no relay accepts the message.
    """
    transport = transport or make_transport(site)
    recipient = _parse_address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        row = find_issue(connection, target)
        require_sendable(connection, site, row, is_local=transport.is_local, domains={recipient.domain: 1})
        variants = issues.load_variants(connection, row.id)
        ring = keyring(site, connection)
    builder = DeliveryMessages(site, row, lambda number: variants[number - 1], ring, read_signers(site))
    message = builder.build_test(recipient.text, recipient.domain, prefix="[Test] ", when=now)
    return send_messages(transport, [message])[message.recipient]


def _parse_address(text: str) -> Address:
    try:
        return parse_named_address(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is not an email address: {error}") from error


@dataclass(slots=True, kw_only=True)
class DraftResult:
    """The result of sending drafts to editors."""

    #: One line for each draft that was not sent.
    errors: list[str] = field(default_factory=list)
    #: Placeholder values that blocked drafts, each with its fix.
    blockers: tuple[str, ...] = ()


def send_drafts(site: Site, now: datetime, *, transport: Transport | None = None) -> DraftResult:
    """Send editors each issue that waits for approval, with the findings of the preflight.

    An issue waits if it is not approved, its deliveries (if it has any) are open, and a run would still send it. Each
    draft is sent once; if that fails, the next run tries again.
    """
    result = DraftResult()
    if site.mail is None or not site.mail.editors or not site.can_send:
        return result
    with Database.open(site.database_url) as db:
        for row in _issues_without_draft(site, db, now):
            name = f"{row.digest}/{row.name}"
            try:
                outcomes = _send_draft(site, db, row, now, transport or make_transport(site))
            except SendingBlocked as error:
                result.errors.append(f"editors were not sent {name}, because of placeholder values")
                result.blockers = tuple(dict.fromkeys([*result.blockers, *error.blockers]))
                continue
            except PublisherError as error:
                result.errors.append(f"editors were not sent {name}: {error}")
                continue
            result.errors += [
                f"{editor} was not sent {name}: {outcome.answer}"
                for editor, outcome in outcomes.items()
                if outcome.state is not DeliveryState.ACCEPTED
            ]
            with db.write() as connection:
                issues.mark_draft_sent(connection, row.id, int(now.timestamp()))
    return result


def _issues_without_draft(site: Site, db: Database, now: datetime) -> list[IssueRow]:
    """Return the issues that wait for approval and have no draft yet, newest first."""
    with db.read() as connection:
        rows = issues.list_issues(connection, since=now - timedelta(days=site.delivery.retry_days))
        states = deliveries.state_counts(connection)
        return [
            row
            for row in rows
            if row.draft_at is None
            and row.approved is None
            and row.digest in site.digests
            and site.digests[row.digest].send is SendPolicy.REVIEW
            and (row.id not in states or deliveries.next_due(connection, row.id) is not None)
        ]


def _send_draft(site: Site, db: Database, row: IssueRow, now: datetime, transport: Transport) -> Mapping[str, Outcome]:
    messages = _draft_messages(site, db, row, now)
    domains = Counter(message.recipient.rpartition("@")[2] for message in messages)
    with db.read() as connection:
        require_sendable(connection, site, row, is_local=transport.is_local, domains=domains)
    return send_messages(transport, messages)


def _draft_messages(site: Site, db: Database, row: IssueRow, now: datetime) -> list[OutgoingMessage]:
    assert site.mail is not None
    with db.read() as connection:
        whole = issues.load_variants(connection, row.id)[0]
        message = issues.issue_files(connection, row.id)["message.eml"]
        subscribers = sum(deliveries.state_counts(connection, row.id).get(row.id, {}).values())
    digest = site.digests[row.digest].digest(row.digest)
    values = sample_values(site, digest, row.name)
    note = _note_lines(row, subscribers, message, now)
    placeholders, signers = Placeholders(hash=whole.placeholder_hash), read_signers(site)
    text = "\n".join(note) + "\n\n" + "=" * 72 + "\n\n" + whole.text.decode()
    page = _with_note(whole.html.decode(), note)
    envelope = delivery_envelope(site, digest, subject=f"[Draft] {row.subject}", slot=row.slot, number=row.number)
    messages: list[OutgoingMessage] = []
    for editor in site.mail.editors:
        address = _parse_address(editor)
        key = f"draft.{row.slot.astimezone(UTC):%Y%m%dT%H%M}.{row.digest}.{len(messages)}"
        recipient = f"{address.text.rpartition('@')[0]}@{address.domain}"
        keyed = replace(envelope, message_key=key)
        template = MessageTemplate(
            keyed, text=text, html=page, placeholders=placeholders, values=values, signers=signers
        )
        messages.append(
            OutgoingMessage(
                reference=None,
                recipient=recipient,
                return_path=bare_address(site.mail.sender),
                data=template.merge(address=address.text, recipient=recipient, token=sample_token(key)),
                name=f"{key}.{address.domain}",
                needs_utf8=not recipient.isascii(),
            )
        )
    return messages


def _note_lines(row: IssueRow, subscribers: int, message: bytes, now: datetime) -> list[str]:
    """Return the lines at the top of a draft."""
    findings = check_message(message, now=now)
    name = f"{row.digest}/{row.name}"
    is_blocked = any(finding.is_error for finding in findings)
    return [
        f"Draft of {name} for {subscribers:,} subscribers. It waits for: publish approve {name}",
        "The preflight found nothing." if not findings else f"The preflight found {len(findings)}:",
        *(line for finding in findings for line in finding.lines()),
        *(["It cannot be approved before its errors are fixed."] if is_blocked else []),
    ]


def _with_note(page: str, note: Sequence[str]) -> str:
    # Spaces at the start of a line would disappear in HTML.
    lines = "<br>".join(re.sub(r"^ +", lambda match: "&nbsp;" * len(match[0]), html.escape(line)) for line in note)
    box = (
        '<div style="margin:0;padding:12px 16px;background-color:#fff8d6;color:#1d1b18;'
        f'font-family:monospace;font-size:14px;line-height:20px;">{lines}</div>'
    )
    return re.sub(r"(<body\b[^<>]*>)", lambda match: match[1] + box, page, count=1)
