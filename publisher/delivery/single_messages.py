"""Send messages that are not deliveries of the ledger: tests, and drafts for editors."""

from __future__ import annotations

import html
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from publisher.delivery import store as deliveries
from publisher.delivery.deliver import make_transport
from publisher.delivery.messages import DeliveryMessages, read_signers
from publisher.digests import store as issues
from publisher.digests.envelope import bare_address, public_envelope, public_values
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
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers.addresses import Address, parse_named_address

__all__ = ["DraftResult", "send_drafts", "send_messages", "send_test"]

#: How often a relay that rests is asked again.
_MAX_ATTEMPTS = 5


@dataclass(slots=True)
class _MessageQueue:
    """A few copies, and what became of each."""

    messages: list[OutgoingMessage]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def take(self, *, wait: bool) -> OutgoingMessage | None:
        return self.messages.pop(0) if self.messages else None

    def hand_over(self, copy: OutgoingMessage) -> Callable[[], bool]:
        return lambda: True

    def record_outcome(self, copy: OutgoingMessage, outcome: Outcome) -> None:
        self.outcomes[copy.recipient] = outcome


def send_messages(transport: Transport, copies: Sequence[OutgoingMessage]) -> dict[str, Outcome]:
    """Send, and return recipient → what became of the message.

    Raises:
        RemoteError: there is nobody to take it.
    """
    feed = _MessageQueue(list(copies))
    for number in range(_MAX_ATTEMPTS):
        if not feed.messages:
            break
        try:
            transport.run(feed, 0)
        except RelayFault as error:
            if error.is_final or number == _MAX_ATTEMPTS - 1:
                raise RemoteError(f"no mail server takes the message: {error.words}") from error
            time.sleep(0.5)
    missing = [one.recipient for one in copies if one.recipient not in feed.outcomes]
    queued = [name for name, one in feed.outcomes.items() if one.state is DeliveryState.QUEUED]
    if missing or queued:
        words = next((feed.outcomes[name].answer for name in queued), "the connection ended")
        raise RemoteError(f"the mail server did not take the message: {words}")
    return feed.outcomes


def send_test(site: Site, target: str, address: str, now: datetime, *, transport: Transport | None = None) -> Outcome:
    """Send an issue to one address, marked as a test. Nothing is stored, and no approval is needed.

    Raises:
        SettingsError: there is no such issue, no such address, or no mail server.
        SendingBlocked: it would take placeholder values to a real person.
        RemoteError: nobody takes the message.
    """
    transport = transport or make_transport(site)
    found = _address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        row = find_issue(connection, target)
        require_sendable(connection, site, row, is_local=transport.is_local, domains={found.domain: 1})
        editions = issues.load_variants(connection, row.id)
        ring = keyring(site, connection)
    copies = DeliveryMessages(site, row, lambda number: editions[number - 1], ring, read_signers(site))
    copy = copies.test(found.text, found.domain, prefix="[Test] ", when=now)
    return send_messages(transport, [copy])[copy.recipient]


def _address(text: str) -> Address:
    try:
        return parse_named_address(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is not an email address: {error}") from error


@dataclass(slots=True, kw_only=True)
class DraftResult:
    """What became of drafts for editors."""

    #: What went wrong, a line each.
    trouble: list[str] = field(default_factory=list)
    #: Placeholder values because of which drafts were not sent, each with its fix.
    blockers: tuple[str, ...] = ()


def send_drafts(site: Site, now: datetime, *, transport: Transport | None = None) -> DraftResult:
    """Send editors each issue that waits for approval, with the findings of the preflight.

    An issue waits while it is not approved, its deliveries (if it has any) are open, and it is recent enough to be
    sent by a run.
    Each issue is sent once; if that fails, the next run tries again.
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
                result.trouble.append(f"editors were not sent {name}, because of placeholder values")
                result.blockers = tuple(dict.fromkeys([*result.blockers, *error.blockers]))
                continue
            except PublisherError as error:
                result.trouble.append(f"editors were not sent {name}: {error}")
                continue
            result.trouble += [
                f"{editor} was not sent {name}: {one.answer}"
                for editor, one in outcomes.items()
                if one.state is not DeliveryState.ACCEPTED
            ]
            with db.write() as connection:
                issues.mark_draft_sent(connection, row.id, int(now.timestamp()))
    return result


def _issues_without_draft(site: Site, db: Database, now: datetime) -> list[IssueRow]:
    """Return the issues that wait for approval and of which editors have no draft, newest first."""
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
    copies = _draft_copies(site, db, row, now)
    domains = Counter(copy.recipient.rpartition("@")[2] for copy in copies)
    with db.read() as connection:
        require_sendable(connection, site, row, is_local=transport.is_local, domains=domains)
    return send_messages(transport, copies)


def _draft_copies(site: Site, db: Database, row: IssueRow, now: datetime) -> list[OutgoingMessage]:
    assert site.mail is not None
    with db.read() as connection:
        whole = issues.load_variants(connection, row.id)[0]
        message = issues.issue_files(connection, row.id)["message.eml"]
        readers = sum(deliveries.state_counts(connection, row.id).get(row.id, {}).values())
    digest = site.digests[row.digest].digest(row.digest)
    values = public_values(site, digest, row.name)
    said = _note_lines(row, readers, message, now)
    tokens, signers = Placeholders(hash=whole.placeholder_hash), read_signers(site)
    text = "\n".join(said) + "\n\n" + "=" * 72 + "\n\n" + whole.text.decode()
    page = _with_note(whole.html.decode(), said)
    envelope = public_envelope(site, digest, subject=f"[Draft] {row.subject}", slot=row.slot, number=row.number)
    copies: list[OutgoingMessage] = []
    for editor in site.mail.editors:
        address = _address(editor)
        key = f"draft.{row.slot.astimezone(UTC):%Y%m%dT%H%M}.{row.digest}.{len(copies)}"
        recipient = f"{address.text.rpartition('@')[0]}@{address.domain}"
        keyed = replace(envelope, message_key=key)
        draft = MessageTemplate(keyed, text=text, html=page, placeholders=tokens, values=values, signers=signers)
        copies.append(
            OutgoingMessage(
                reference=None,
                recipient=recipient,
                return_path=bare_address(site.mail.sender),
                data=draft.merge(address=address.text, recipient=recipient, token=key),
                name=f"{key}.{address.domain}",
                needs_utf8=not recipient.isascii(),
            )
        )
    return copies


def _note_lines(row: IssueRow, readers: int, message: bytes, now: datetime) -> list[str]:
    """Return the lines that stand before the issue in a draft."""
    findings = check_message(message, now=now)
    name = f"{row.digest}/{row.name}"
    held = any(one.is_error for one in findings)
    return [
        f"Draft of {name} for {readers:,} subscribers. It waits for: publish approve {name}",
        "The preflight found nothing." if not findings else f"The preflight found {len(findings)}:",
        *(f"- {'error' if one.is_error else 'warning'} {one.id}: {one.message}" for one in findings),
        *(["It cannot be approved before its errors are fixed."] if held else []),
    ]


def _with_note(page: str, said: Sequence[str]) -> str:
    lines = "<br>".join(html.escape(one) for one in said)
    note = (
        '<div style="margin:0;padding:12px 16px;background-color:#fff8d6;color:#1d1b18;'
        f'font-family:monospace;font-size:14px;line-height:20px;">{lines}</div>'
    )
    return re.sub(r"(<body\b[^<>]*>)", lambda match: match[1] + note, page, count=1)
