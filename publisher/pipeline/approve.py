"""Approve the draft of a digest, or make an issue of it out of turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from publisher.articles import store as articles
from publisher.context import Context
from publisher.delivery.audience import count_audience
from publisher.delivery.issue_life.approval import error_reason
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import DraftVersion, IssueDraft
from publisher.digests.lookup import missing_draft_fix
from publisher.digests.readiness import require_sendable_draft
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import DraftUpdate, update_draft
from publisher.errors import PublisherError, SendingBlocked, SettingsError
from publisher.html.dates import minute_text
from publisher.model.digests import SendPolicy
from publisher.model.report import OpenedSummary, PublishResult
from publisher.pipeline.publish import regenerate, with_stored_problems
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import overdue_note, update_drafts
from publisher.schedule.claims import passed_slot
from publisher.schedule.processes import is_attended
from publisher.settings import Site
from publisher.subscribers import recipients_store as recipients

#: Characters of a hash that identify a version of a draft.
_MIN_HASH: Final = 8


class ApprovalTime(StrEnum):
    """When the send of an approved draft opens."""

    #: At its slot; at once if that has passed, or without a cadence.
    SLOT = "slot"
    #: At once, in place of its slot.
    NOW = "now"
    #: At once, and the slot stays free.
    OUT_OF_TURN = "out of turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPlan:
    """The consequences of an approval, before it is given."""

    draft: IssueDraft
    #: Headlines of its articles, in order.
    articles: tuple[str, ...]
    #: How many people would get it if its send opened now.
    people: int
    #: When it is sent, in words.
    sent: str
    #: False if it is published without mail.
    is_mailed: bool
    #: What stops it, each with its fix; empty if it can be approved.
    stops: tuple[str, ...]
    #: Skipped records of articles/, with the reason.
    refused: tuple[str, ...]
    #: The time as of which it is rendered, if that is not its slot.
    as_of: datetime | None = None
    #: A slot that has passed because nothing claims it, with the command; empty for none.
    overdue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approved issue."""

    #: The issue before its send opened.
    row: IssueRow
    #: Its opened send; None if it opens later.
    opened: OpenedSummary | None
    #: Why its send did not open at once although its time has come; empty if it did.
    trouble: str = ""
    #: False if neither a runner nor 'publish tick' opens and sends it when its time comes.
    is_attended: bool = True


def plan_approval(context: Context, target: str, *, time: ApprovalTime = ApprovalTime.SLOT) -> ApprovalPlan:
    """Read articles/, bring the draft of a digest up to date, and return what its approval would do.

    Args:
        target: the digest.
        time: when the send would open; a draft that is sent before its slot is rendered as of now.

    Raises:
        SettingsError: there is no such digest, or nothing for its next issue.
    """
    # A program may pass the value of the enumeration.
    site, now, time = context.site, context.now, ApprovalTime(time)
    with _current_draft(context, target, time) as (result, update):
        draft = _require_draft(context, update)
        with context.db.read() as connection:
            known = articles.articles_by_seq(connection, draft.articles, site.base_url, site.tz)
        skipped = with_stored_problems(context, result).rejected
        return ApprovalPlan(
            draft=draft,
            articles=tuple(known[seq].title for seq in draft.articles),
            people=_count_people(context, update),
            sent=_sent(site, draft, now, time),
            is_mailed=site.digests[draft.digest].send is not SendPolicy.NONE,
            stops=tuple(str(stop) for stop in _stops(context, update, opens_now=_opens_now(site, draft, now, time))),
            refused=tuple(f"{problem.where}: {problem.reason}" for problem in skipped),
            as_of=now if time is not ApprovalTime.SLOT else None,
            overdue=overdue_note(context, draft.digest) if time is ApprovalTime.SLOT else "",
        )


@contextmanager
def _current_draft(context: Context, target: str, time: ApprovalTime) -> Iterator[tuple[PublishResult, DraftUpdate]]:
    """Read articles/ and bring all drafts up to date, this one for TIME, while the site is locked."""
    site, slug = context.site, target.strip("/").removesuffix("/next")
    site.digest(slug)
    with context.exclusive():
        result = regenerate(context)
        drafts_result, updates = update_drafts(context)
        result += drafts_result
        if slug not in updates:
            reasons = [problem.reason for problem in result.rejected if problem.where == f"digests.{slug}"]
            raise SettingsError(f"{slug}: {reasons[0] if reasons else 'its draft cannot be rendered'}")
        update = updates[slug]
        if time is not ApprovalTime.OUT_OF_TURN:
            update = _draft_of_passed_slot(context, update)
        if time is ApprovalTime.SLOT:
            yield result, update
        else:
            with _draft_of_this_minute(context, update, time) as update:
                yield result, update
        stage_outbox(context)


def _draft_of_passed_slot(context: Context, before: DraftUpdate) -> DraftUpdate:
    """Return a draft for its slot that has passed, if that was not run yet; else as it is."""
    slug = before.digest
    schedule = next((one for one in context.site.schedules if one.name == f"digest:{slug}"), None)
    if schedule is None or before.draft is None:
        return before
    with context.db.read() as connection:
        slot = passed_slot(connection, schedule, context.now)
        if slot is None or slot in issues.slots_with_issues(connection, slug, slot):
            return before
    if before.draft.waiting_slot is not None and slot <= before.draft.waiting_slot:
        return before
    update = update_draft(context, slug, slot=slot)
    # Without an article that is out by now, the draft is that of its next slot.
    return update if update.draft is not None else update_draft(context, slug)


@contextmanager
def _draft_of_this_minute(context: Context, before: DraftUpdate, time: ApprovalTime) -> Iterator[DraftUpdate]:
    """Render a draft as of now; afterwards it waits for its slot as before, unless it was approved."""
    slug, is_out_of_turn = before.digest, time is ApprovalTime.OUT_OF_TURN
    with context.db.read() as connection:
        known = issues.issue_ids(connection)
    try:
        yield update_draft(context, slug, as_of=context.now, out_of_turn=is_out_of_turn)
    finally:
        with context.db.read() as connection:
            is_approved = issues.issue_ids(connection) != known
        draft = before.draft
        if not is_approved and draft is not None:
            update_draft(context, slug, slot=draft.waiting_slot, opens_by_itself=draft.opens_by_itself)


def _require_draft(context: Context, update: DraftUpdate) -> IssueDraft:
    if update.draft is None:
        with context.db.read() as connection:
            fix = missing_draft_fix(connection, update.digest)
        raise SettingsError(f"{update.digest} has no draft: {update.content.reason}. {fix}")
    return update.draft


def _sent(site: Site, draft: IssueDraft, now: datetime, time: ApprovalTime) -> str:
    settings = site.digests[draft.digest]
    is_mailed = settings.send is not SendPolicy.NONE
    if is_mailed and not site.can_send:
        return "once a mail server is set in publisher.toml ([smtp])"
    if _opens_now(site, draft, now, time):
        return "at once"
    return minute_text(draft.slot, site.tz)


def _opens_now(site: Site, draft: IssueDraft, now: datetime, time: ApprovalTime) -> bool:
    # Without a cadence, the slot only names the issue; it may be some minutes ahead if earlier ones are taken.
    return time is not ApprovalTime.SLOT or draft.slot <= now or not site.digests[draft.digest].cadence


def _count_people(context: Context, update: DraftUpdate) -> int:
    """Return how many people would get a draft if its send opened now."""
    digest = context.site.digest(update.digest)
    with context.db.read() as connection:
        return count_audience(connection, digest, update.content.articles, context.seconds)


def _stops(context: Context, update: DraftUpdate, *, opens_now: bool) -> Iterator[SettingsError]:
    """Yield what stops the approval of a draft, each with its fix."""
    site, draft = context.site, _require_draft(context, update)
    errors = [one for one in draft.findings if one["severity"] == "error"]
    if errors and not draft.may_be_approved:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        fix = f"'publish check {draft.digest}' shows how to fix it"
        if draft.forced is not None:
            fix = f"It was forced for other errors. {fix}"
        yield SettingsError(
            f"{draft.digest} cannot be approved: {errors[0]['rule']}: {errors[0]['message']}{more}. {fix}"
        )
    if site.digests[draft.digest].send is SendPolicy.NONE:
        return
    with context.db.read() as connection:
        has_subscribers = bool(recipients.subscribed_domains(connection, draft.digest))
        try:
            require_sendable_draft(connection, site, draft.digest)
        except SendingBlocked as error:
            yield error
    if opens_now and not _count_people(context, update):
        yield SettingsError(_no_recipient_reason(draft, has_subscribers=has_subscribers))


def _no_recipient_reason(draft: IssueDraft, *, has_subscribers: bool) -> str:
    if has_subscribers:
        why = "each subscriber has its articles from another newsletter, or does not follow them"
        return f"no subscriber would get {draft.digest} now: {why}. Wait for a new article, or leave these out: publish discard {draft.digest}"
    return (
        f"{draft.digest} has no subscribers: no one would get its articles. Import subscribers first, or set "
        'send = "none" to publish it without mail'
    )


def approve(
    context: Context, target: str, *, time: ApprovalTime = ApprovalTime.SLOT, expect: str | None = None
) -> Approval:
    """Approve the draft of a digest: its content is fixed, and its send opens when its time comes.

    Args:
        target: the digest.
        time: when its send opens. A send that opens now is done by ``issues.send()``, ``tick()`` or ``publish run``.
        expect: hash of the draft that a person has seen; None to approve it as it is.

    Raises:
        SettingsError: there is no draft, it may not be approved, or it is not the expected one.
        SendingBlocked: it has placeholder values, and real recipients.
    """
    # A program may pass the value of the enumeration: "slot" must not send at once.
    site, now, time = context.site, context.now, ApprovalTime(time)
    with _current_draft(context, target, time) as (_, update):
        draft = _require_draft(context, update)
        if expect is not None and not _is_version(draft.hash, expect):
            changes = "".join(f"\n  {line}" for line in draft_changes(draft, expect))
            raise SettingsError(
                f"the draft of {draft.digest} is not {expect} any more. It is {draft.hash} now:{changes}"
            )
        opens_now = _opens_now(site, draft, now, time)
        stop = next(_stops(context, update, opens_now=opens_now), None)
        if stop is not None:
            raise stop
        row = fix_draft(context, update)
        with context.db.read() as connection:
            attended = is_attended(connection, site.root, now)
        if not row.may_be_sent:
            # What a part of the subscribers would get has errors that the draft does not have.
            approval = Approval(row=row, opened=None, trouble=f"{row.path} is held: {error_reason(row)}")
        else:
            approval = _open(context, row) if opens_now else Approval(row=row, opened=None)
        return replace(approval, is_attended=attended)


def _open(context: Context, row: IssueRow) -> Approval:
    """Open the send of an issue at once, if it can be mailed or needs no mail."""
    site = context.site
    if site.digests[row.digest].send is not SendPolicy.NONE and not site.can_send:
        return Approval(row=row, opened=None)
    try:
        return Approval(row=row, opened=open_issue(context, row))
    except PublisherError as error:
        return Approval(row=row, opened=None, trouble=str(error))


def _is_version(hashed: str, seen: str) -> bool:
    """Return whether a person saw the version with this hash. The first characters of it are sufficient."""
    return len(seen) >= _MIN_HASH and hashed.startswith(seen)


def draft_changes(draft: IssueDraft, seen: str) -> list[str]:
    """Return what changed in a draft since a person saw the version with this hash, a line each. Pure."""
    before = next((version for version in draft.versions if _is_version(version.hash, seen)), None)
    if before is None:
        return ["that version is not known any more; look at the draft again"]
    now = draft.versions[-1]
    return [*_value_changes(before, now), *_article_changes(before, now)] or ["the theme or a template has changed"]


def _value_changes(before: DraftVersion, now: DraftVersion) -> Sequence[str]:
    lines = []
    if before.subject != now.subject:
        lines.append(f"subject: {before.subject!r} is {now.subject!r} now")
    if before.note != now.note:
        lines.append("the note has changed")
    changed = [name for name, value in now.settings.items() if before.settings.get(name) != value]
    return [*lines, *([f"settings: {', '.join(changed)}"] if changed else [])]


def _article_changes(before: DraftVersion, now: DraftVersion) -> Sequence[str]:
    lines = [f"added: {title}" for seq, (title, _) in now.articles.items() if seq not in before.articles]
    lines += [f"left out: {title}" for seq, (title, _) in before.articles.items() if seq not in now.articles]
    lines += [
        f"edited: {title}"
        for seq, (title, hashed) in now.articles.items()
        if seq in before.articles and before.articles[seq][1] != hashed
    ]
    common = [seq for seq in before.articles if seq in now.articles]
    if common != [seq for seq in now.articles if seq in before.articles]:
        lines.append("the order has changed")
    return lines
