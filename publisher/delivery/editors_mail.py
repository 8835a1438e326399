"""Mail to editors: drafts that wait for approval, and issues that are held."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.delivery import editor_mail_store as editor_mail
from publisher.delivery import store as deliveries
from publisher.delivery.audience import count_audience
from publisher.delivery.issue_life.approval import hold_reason, issues_in_sending, unsent_reason
from publisher.delivery.single_messages import single_message, try_messages
from publisher.digests import approval_store as approvals
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.draft_content import DraftContent
from publisher.digests.envelope import delivery_envelope, sample_values
from publisher.digests.issue_drafts_store import IssueDraft, finding_key
from publisher.digests.readiness import require_reserved, sample_blockers, setting_blockers
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import render_draft
from publisher.digests.variants_store import whole_variant
from publisher.errors import PublisherError, SendingBlocked
from publisher.findings.mail_rules import stored_finding
from publisher.findings.silence import silenced_phrase
from publisher.html.dates import minute_text
from publisher.mail.outcome import Outcome
from publisher.mail.placeholders import Placeholders
from publisher.mail.site_transport import make_transport
from publisher.mail.transport import OutgoingMessage, Transport
from publisher.model.delivery import NOT_HANDED_OVER, DeliveryState
from publisher.model.digests import IssueVariant, SendPolicy
from publisher.model.report import PublishResult
from publisher.settings import Site
from publisher.settings.mail import DigestSettings
from publisher.signing.sample_tokens import sample_token
from publisher.storage.engine import Database
from publisher.subscribers.addresses import parse_named_address, require_address

#: Findings of the preflight that a mail lists.
_MAX_LISTED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """A mail to the editors: an issue or a draft, with a note above it."""

    #: ``DIGEST/NAME``.
    name: str
    slot: datetime
    number: int
    subject: str
    #: The word in brackets before the subject.
    prefix: str
    note: Sequence[str]
    variant: IssueVariant
    #: ``draft:DIGEST`` or ``issue:ID``.
    topic: str
    #: A hash of the reason for the mail: each editor gets one mail for it.
    reason: str
    #: Stores that each editor got the mail.
    on_sent: Callable[[Connection], None]


def notify_editors(context: Context) -> PublishResult:
    """Send editors each draft that waits for them, and each issue that is held, once; return what went wrong.

    A draft of a newsletter with a cadence waits from its slot on; without a cadence from the start. If the mail to an
    editor fails for now, the next run tries that one again.
    """
    site, errors, blockers = context.site, list[str](), list[str]()
    if site.mail is None or not site.mail.editors or not site.can_send:
        return PublishResult()
    reports = [*_draft_reports(context), *_hold_reports(context)]
    _forget_ended(context.db, reports)
    for report in reports:
        try:
            errors += _notify(context, report, context.transport or make_transport(site))
        except SendingBlocked as error:
            errors.append(f"editors were not sent {report.name}, because of placeholder values")
            blockers += error.blockers
        except PublisherError as error:
            errors.append(f"editors were not sent {report.name}: {error}")
    return PublishResult(draft_errors=tuple(errors), blockers=tuple(dict.fromkeys(blockers)))


def _forget_ended(db: Database, reports: Sequence[_Report]) -> None:
    """Forget mails about drafts and issues that editors need not be notified of any more."""
    topics = [report.topic for report in reports]
    with db.read() as connection:
        is_needed = editor_mail.has_other_topics(connection, topics)
    if is_needed:
        with db.write() as connection:
            editor_mail.delete_other_topics(connection, topics)


def _notify(context: Context, report: _Report, transport: Transport) -> list[str]:
    """Send a mail to the editors who do not have it yet; return a line for each one who was not reached."""
    site, db = context.site, context.db
    with db.read() as connection:
        reached = editor_mail.editors_with_mail(connection, report.topic, report.reason)
    messages = {
        message.recipient: message
        for message in _messages(site, report, context.now)
        if _editor_key(message) not in reached
    }
    outcomes, fault = _send(site, report, list(messages.values()), transport) if messages else ({}, "")
    # A refusal is final, and a second mail after an unknown outcome could be a duplicate.
    done = [name for name, outcome in outcomes.items() if outcome.state is not DeliveryState.DEFERRED]
    with db.write() as connection:
        if len(done) == len(messages):
            report.on_sent(connection)
            editor_mail.delete_topic(connection, report.topic)
        else:
            keys = [_editor_key(messages[name]) for name in done]
            editor_mail.save_editors(connection, report.topic, report.reason, keys)
    if fault and not outcomes and not reached:
        return [f"editors were not sent {report.name}: {fault}"]
    failed = {name: fault for name in messages if name not in outcomes} | {
        name: outcome.answer for name, outcome in outcomes.items() if outcome.state is not DeliveryState.ACCEPTED
    }
    return [f"{name} was not sent {report.name}: {answer}" for name, answer in failed.items()]


def _editor_key(message: OutgoingMessage) -> str:
    return _hash(message.recipient.lower())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _draft_reports(context: Context) -> list[_Report]:
    with context.db.read() as connection:
        waiting = [draft for draft in drafts.list_drafts(connection) if _waits_for_editors(context.site, draft)]
    reports = [_draft_report(context, draft) for draft in waiting]
    return [report for report in reports if report is not None]


def _waits_for_editors(site: Site, draft: IssueDraft) -> bool:
    """Return whether the editors have to be notified of a draft."""
    settings = site.digests.get(draft.digest)
    if settings is None:
        return False
    if settings.send is SendPolicy.REVIEW and not settings.cadence:
        return draft.notified_at is None
    if settings.send is SendPolicy.REVIEW:
        return draft.waiting_slot is not None and draft.notified_slot != draft.waiting_slot
    return _is_stopped(site, draft) and (
        draft.notified_at is None
        or draft.notified_slot != draft.waiting_slot
        or draft.notified_errors != finding_key(draft.findings)
    )


def _is_stopped(site: Site, draft: IssueDraft) -> bool:
    """Return whether errors stop a draft that needs no approval."""
    settings = site.digests[draft.digest]
    needs_no_slot = settings.send is SendPolicy.AUTO and not settings.cadence
    return not draft.may_be_approved and (draft.opens_by_itself or needs_no_slot)


def _draft_report(context: Context, draft: IssueDraft) -> _Report | None:
    """Return the mail about a draft; None if it has too few articles for an issue."""
    site = context.site
    composed, content = render_draft(context, draft)
    is_stopped = _is_stopped(site, draft)
    if content.reason and is_stopped:
        return None
    with context.db.read() as connection:
        subscribers = count_audience(connection, site.digest(draft.digest), composed.articles, context.seconds)
    passed = draft.notified_slot if draft.notified_slot != draft.waiting_slot else None
    has_changed = draft.notified_at is not None and passed is None
    note = [
        f"Draft of {draft.digest} No. {draft.number} for {subscribers:,} subscribers.",
        *([f"STILL WAITING: its slot of {minute_text(passed, site.tz)} has passed too."] if passed else []),
        *(_passed_over_lines(content) if passed else []),
        *(["Its errors have changed since the last mail."] if has_changed else []),
        *_finding_lines(draft),
        f"To approve it: publish approve {draft.digest} --expect {draft.hash}",
        "Until then it follows its articles.",
    ]
    return _Report(
        name=f"{draft.digest}/{draft.name}",
        slot=draft.slot,
        number=draft.number,
        subject=composed.issue.subject,
        prefix="[Draft, waiting] " if passed else "[Draft] ",
        note=note,
        variant=composed.issue.variants[0],
        topic=f"draft:{draft.digest}",
        reason=_hash(f"{draft.number} {draft.waiting_slot} {finding_key(draft.findings) if is_stopped else ''}"),
        on_sent=lambda connection: drafts.mark_editors_notified(connection, draft, context.seconds),
    )


def _passed_over_lines(content: DraftContent) -> list[str]:
    """Return the articles that the draft has no room for."""
    titles = [article.title for article in content.passed_over]
    if not titles:
        return []
    more = len(titles) - _MAX_LISTED
    return [
        f"It is full. {len(titles):,} more wait for the issue after it:",
        *(f"  {title}" for title in titles[:_MAX_LISTED]),
        *([f"  and {more:,} more"] if more > 0 else []),
    ]


def _finding_lines(draft: IssueDraft) -> list[str]:
    silenced = [f"{silenced_phrase(draft.silenced)}."] if draft.silenced else []
    if not draft.findings:
        return ["The preflight found nothing.", *silenced]
    shown = draft.findings[:_MAX_LISTED]
    more = len(draft.findings) - len(shown)
    return [
        f"The preflight found {len(draft.findings)}:",
        *(line for one in shown for line in stored_finding(one).lines()),
        *([f"and {more} more: publish check {draft.digest}"] if more > 0 else []),
        *silenced,
        *([] if draft.may_be_approved else ["It cannot be approved before its errors are fixed."]),
    ]


def _hold_reports(context: Context) -> list[_Report]:
    """Return a mail for each issue that is held, stopped or too late, for a reason that the editors do not know.

    A paused issue does not become too late: an operator has stopped it. Of an issue that is held again after it
    was released, they are notified again.
    """
    site, db, now = context.site, context.db, context.now
    reports, released = [], []
    with db.read() as connection:
        for row in [*issues.waiting_issues(connection), *issues_in_sending(connection, site, now)]:
            reason = (hold_reason if row.is_paused else unsent_reason)(connection, site, row, now)
            if reason and reason != row.notified_hold:
                states = deliveries.state_counts(connection, row.id).get(row.id, {})
                unsent = sum(states.get(state, 0) for state in NOT_HANDED_OVER)
                variant = whole_variant(connection, row.id)
                if variant is not None and (row.is_waiting or unsent):
                    reports.append(_hold_report(row, reason, variant, unsent))
            elif not reason and row.notified_hold is not None:
                released.append(row.id)
    if released:
        with db.write() as connection:
            for issue_id in released:
                approvals.save_notified_hold(connection, issue_id, None)
    return reports


def _hold_report(row: IssueRow, reason: str, variant: IssueVariant, unsent: int) -> _Report:
    is_stopped = row.opened_at is not None
    note = f"{row.path} is approved, and is not sent: {reason}"
    if is_stopped:
        note = f"{row.path} has stopped while it was sent; {unsent:,} of its messages are still to be sent: {reason}"
    return _Report(
        name=row.path,
        slot=row.slot,
        number=row.number,
        subject=row.subject,
        prefix="[Stopped] " if is_stopped else "[Held] ",
        note=[note],
        variant=variant,
        topic=f"issue:{row.id}",
        reason=_hash(reason),
        on_sent=lambda connection: approvals.save_notified_hold(connection, row.id, reason),
    )


def _send(
    site: Site, report: _Report, messages: Sequence[OutgoingMessage], transport: Transport
) -> tuple[Mapping[str, Outcome], str]:
    """Return the outcomes by recipient, and why messages without an outcome were not sent."""
    domains = Counter(message.recipient.rpartition("@")[2] for message in messages)
    if not transport.is_local:
        shown = sample_blockers(report.name, report.variant.text.decode())
        require_reserved(report.name, domains, (*setting_blockers(site), *shown))
    return try_messages(transport, messages)


def _messages(site: Site, report: _Report, now: datetime) -> list[OutgoingMessage]:
    assert site.mail is not None
    slug, _, name = report.name.partition("/")
    # A newsletter that was taken out of the settings has an issue that is held.
    digest = (site.digests.get(slug) or DigestSettings(title=slug)).digest(slug)
    subject = f"{report.prefix}{report.subject}"
    envelope = delivery_envelope(site, digest, subject=subject, slot=report.slot, number=report.number)
    # The same mail has the same Message-ID when it is tried again on its day; a later one about the same slot has another.
    content = hashlib.sha256("\n".join((subject, f"{now:%Y-%m-%d}", *report.note)).encode()).hexdigest()[:12]
    messages: list[OutgoingMessage] = []
    for editor in site.mail.editors:
        key = f"draft.{report.slot.astimezone(UTC):%Y%m%dT%H%M}.{slug}.{content}.{len(messages)}"
        messages.append(
            single_message(
                site,
                replace(envelope, message_key=key, date=now.astimezone(site.tz)),
                require_address(editor, parse_named_address),
                text="\n".join(report.note) + "\n\n" + "=" * 72 + "\n\n" + report.variant.text.decode(),
                html=_with_note(report.variant.html.decode(), report.note),
                key=key,
                token=sample_token(key),
                placeholders=Placeholders(hash=report.variant.placeholder_hash),
                values=sample_values(site, digest, name),
            )
        )
    return messages


def _with_note(page: str, note: Sequence[str]) -> str:
    # Spaces at the start of a line would disappear in HTML.
    lines = "<br>".join(re.sub(r"^ +", lambda match: "&nbsp;" * len(match[0]), html.escape(line)) for line in note)
    box = (
        '<div style="margin:0;padding:12px 16px;background-color:#fff8d6;color:#1d1b18;'
        f'font-family:monospace;font-size:14px;line-height:20px;">{lines}</div>'
    )
    return re.sub(r"(<body\b[^<>]*>)", lambda match: match[1] + box, page, count=1)
