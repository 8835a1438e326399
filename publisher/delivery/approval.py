"""Approve an issue for sending, revoke an approval, pause and resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from publisher.delivery import audience_store as audience
from publisher.delivery import brakes_store as brakes
from publisher.delivery import store as deliveries
from publisher.delivery.messages import DeliveryMessages
from publisher.digests import store as issues
from publisher.digests.lookup import find_issue
from publisher.digests.readiness import require_sendable
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError
from publisher.model.digests import SendPolicy
from publisher.schedule.processes import list_runners
from publisher.settings import Site
from publisher.signing.keyring import Keyring
from publisher.signing.site_key import keyring
from publisher.storage.engine import Database
from publisher.subscribers import recipients_store as recipients

__all__ = [
    "ApprovalPlan",
    "ApprovalResult",
    "approve",
    "content_hash",
    "pause",
    "plan_approval",
    "require_sendable_issue",
    "resume",
    "stop_reason",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResult:
    """An issue that was approved, or whose approval was revoked."""

    digest: str
    name: str
    number: int
    subject: str
    #: Number of subscribers in its audience.
    subscribers: int
    #: Hash of its content and its audience; None if the approval was revoked.
    hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlan:
    """The recipients and the send time of an issue if it is approved now."""

    digest: str
    name: str
    number: int
    subject: str
    #: Number of subscribers with a queued delivery.
    recipients: int
    #: When the first and the last of these deliveries are due; None for at once.
    first_due: datetime | None
    last_due: datetime | None
    #: True if a runner is active on this machine; it sends approved issues.
    has_runner: bool
    #: True if the issue is too old for a runner, and only ``publish send`` sends it.
    is_old: bool
    is_paused: bool
    #: False if the settings name no transport.
    can_send: bool
    #: Hash of the issue's content and its audience.
    hash: str

    def describe_send_time(self) -> str:
        """Return a phrase that tells when the issue is sent."""
        name = f"{self.digest}/{self.name}"
        if not self.recipients:
            return "to nobody: it was sent already, or the digest had no subscribers when it was made"
        if not self.can_send:
            return "once a mail server is set in publisher.toml ([smtp])"
        if self.is_paused:
            return f"once it is resumed: publish resume {name}"
        if self.is_old:
            return f"only by 'publish send {name}': it is too old for a runner"
        if self.first_due is not None and self.last_due is not None:
            first, last = f"{self.first_due:%a %Y-%m-%d %H:%M}", f"{self.last_due:%a %Y-%m-%d %H:%M}"
            times = f"at {first}" if first == last else f"from {first} to {last}, at each subscriber's local time"
        else:
            times = "within 30 seconds" if self.has_runner else ""
        if self.has_runner:
            return f"{times}: a runner is active on this machine"
        return f"{times}{times and ', '}by the next 'publish send {name}', 'publish tick' or start of 'publish run'"


def content_hash(connection: Connection, site: Site, row: IssueRow, ring: Keyring) -> str:
    """Return a hash of the content and headers of all variants, and of the audience."""
    variants = issues.load_variants(connection, row.id)
    messages = DeliveryMessages(site, row, lambda number: variants[number - 1], ring, ())
    digest = hashlib.sha256(messages.fingerprint(len(variants)))
    page: list[str] = []
    for number, variant in audience.frozen_audience(connection, row.id):
        page.append(f"{number} {variant}\n")
        if len(page) == 10_000:
            digest.update("".join(page).encode())
            page = []
    digest.update("".join(page).encode())
    return digest.hexdigest()


def plan_approval(site: Site, target: str, now: datetime) -> ApprovalPlan:
    """Return what the approval of an issue would do. Nothing is changed.

    Raises:
        SettingsError: there is no such issue, it may not be approved, or it has no recipients.
        SendingBlocked: it has placeholder values, and real recipients.
    """
    with Database.open(site.database_url) as db, db.write() as connection:
        row = find_issue(connection, target)
        return _plan(connection, site, row, now)


def _plan(connection: Connection, site: Site, row: IssueRow, now: datetime) -> ApprovalPlan:
    """Return the plan for an issue that may be approved."""
    _require_no_errors(connection, row)
    require_sendable(connection, site, row, is_local=site.delivers_locally)
    due = recipients.due_range(connection, row.id)
    later = due if due is not None and due[1] > now.timestamp() else None
    plan = ApprovalPlan(
        digest=row.digest,
        name=row.name,
        number=row.number,
        subject=row.subject,
        recipients=sum(recipients.open_domains(connection, row.id).values()),
        first_due=datetime.fromtimestamp(max(later[0], now.timestamp()), site.tz) if later else None,
        last_due=datetime.fromtimestamp(later[1], site.tz) if later else None,
        has_runner=bool(list_runners(site.root)),
        is_old=row.slot < now - timedelta(days=site.delivery.retry_days),
        is_paused=row.is_paused,
        can_send=site.can_send,
        hash=content_hash(connection, site, row, keyring(site, connection)),
    )
    has_nobody = not deliveries.state_counts(connection, row.id).get(row.id)
    if has_nobody and plan.can_send and plan.has_runner and not plan.is_old and not plan.is_paused:
        raise SettingsError(
            f"{row.digest}/{row.name} has no subscribers, and the runner would close it at once. Import subscribers before "
            "the next issue is made; to show this one in the archive only, stop the runner and approve it then"
        )
    return plan


def approve(
    site: Site,
    target: str,
    now: datetime,
    *,
    revoke: bool = False,
    expect: str | None = None,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> ApprovalResult:
    """Approve an issue as it is now; or, with ``revoke``, revoke its approval.

    Args:
        site: the settings.
        target: ``DIGEST`` for its newest issue, or ``DIGEST/NAME``.
        now: the current time.
        revoke: revoke the approval.
        expect: hash of the plan that a person confirmed; None to approve the issue as it is.
        on_wait: called once, with a name of the other process, if another run has to finish first.

    Raises:
        SettingsError: there is no such issue, it may not be approved, or it changed since the plan was confirmed.
        SendingBlocked: it has placeholder values, and real recipients.
    """
    with Database.open(site.database_url) as db, db.exclusive(site.root, on_wait=on_wait), db.write() as connection:
        row = find_issue(connection, target)
        content = None
        if not revoke:
            content = _plan(connection, site, row, now).hash
            if expect is not None and content != expect:
                raise SettingsError(
                    f"{row.digest}/{row.name} changed while you were asked. Review it again, then approve it."
                )
        issues.set_approval(connection, row.id, content, int(now.timestamp()) if content else None)
        subscribers = sum(deliveries.state_counts(connection, row.id).get(row.id, {}).values())
    return ApprovalResult(
        digest=row.digest, name=row.name, number=row.number, subject=row.subject, subscribers=subscribers, hash=content
    )


def pause(site: Site, target: str, *, is_paused: bool) -> IssueRow:
    """Pause the delivery of an issue, also while it is being sent; or end the pause.

    Raises:
        SettingsError: there is no such issue.
    """
    with Database.open(site.database_url) as db, db.write() as connection:
        row = find_issue(connection, target)
        issues.set_paused(connection, row.id, is_paused=is_paused)
        return issues.list_issues(connection, only=[row.id])[0]


def resume(site: Site, target: str) -> IssueRow:
    """End the pause of an issue.

    Raises:
        SettingsError: there is no such issue, or it is not paused but stopped because of refusals.
    """
    with Database.open(site.database_url) as db, db.write() as connection:
        row = find_issue(connection, target)
        stopped = brakes.open_brakes(connection, row.id)
        if stopped and not row.is_paused:
            name = f"{row.digest}/{row.name}"
            raise SettingsError(
                f"{name}: {'; '.join(brake.describe() for brake in stopped)}. {brakes.resume_advice(name)}"
            )
        issues.set_paused(connection, row.id, is_paused=False)
        return issues.list_issues(connection, only=[row.id])[0]


def require_sendable_issue(connection: Connection, site: Site, row: IssueRow, ring: Keyring, *, is_local: bool) -> None:
    """Raise an error if an issue is blocked, paused, or not approved as it is now.

    Args:
        connection: the database.
        site: the settings.
        row: the issue.
        ring: the site's keys.
        is_local: True if the transport keeps messages on this machine.

    Raises:
        SettingsError: it may not be sent, with the reason and the fix.
        SendingBlocked: it has placeholder values, and real recipients.
    """
    require_sendable(connection, site, row, is_local=is_local)
    name = f"{row.digest}/{row.name}"
    _require_no_errors(connection, row)
    if row.is_paused:
        raise SettingsError(f"{name} is paused. Run 'publish resume {name}' first.")
    if row.digest not in site.digests:
        raise SettingsError(f"digests.{row.digest} is no longer in publisher.toml. Restore it to send {name}.")
    if site.digests[row.digest].send is SendPolicy.AUTO:
        return
    if row.approved is None:
        raise SettingsError(f"{name} is not approved. Review it, then run 'publish approve {name}'.")
    if row.approved != content_hash(connection, site, row, ring):
        when = datetime.fromtimestamp(row.approved_at or 0, UTC).astimezone(site.tz)
        raise SettingsError(
            f"{name} has changed since it was approved on {when:%Y-%m-%d %H:%M}: its content, its headers (settings under "
            f"[mail]) or its audience. Review it again, then run 'publish approve {name}'."
        )


def stop_reason(connection: Connection, site: Site, issue_id: int) -> str:
    """Return why the sending of an issue has to stop; empty if it may continue."""
    row = issues.list_issues(connection, only=[issue_id])[0]
    if row.is_paused:
        return "it was paused"
    if site.digests[row.digest].send is not SendPolicy.AUTO and row.approved is None:
        return "its approval was revoked"
    if row.forced is None and issues.withdrawn_article_ids(connection, row.id):
        return "an article of it was withdrawn, or became a draft"
    return ""


def _require_no_errors(connection: Connection, row: IssueRow) -> None:
    name = f"{row.digest}/{row.name}"
    if row.forced is not None:
        return
    if not row.may_be_sent:
        state = "was never checked" if row.errors is None else f"has {row.errors} error(s)"
        raise SettingsError(
            f"{name} {state}. Run 'publish check {name}' to see how to fix it; with --force REASON it can be sent anyway."
        )
    withdrawn = issues.withdrawn_article_ids(connection, row.id)
    if withdrawn:
        raise SettingsError(
            f"{name} has articles that were withdrawn, or became drafts, after it was made ({', '.join(withdrawn)}). "
            f"Publish them again ('publish retract --undo', or edit the draft), or send it anyway with "
            f"'publish check {name} --force REASON'."
        )
