"""Drafts that become issues without a person: at their slot, or with a new article."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from publisher.articles.failure_isolation import failure_problem
from publisher.context import Context
from publisher.delivery.audience import count_audience
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.readiness import require_sendable_draft
from publisher.digests.update_draft import DraftUpdate, update_draft
from publisher.errors import IssueHeld, SendingBlocked, SettingsError, StoreError
from publisher.html.text import count_phrase
from publisher.model.digests import SendPolicy
from publisher.model.report import HeldIssue, PublishResult
from publisher.pipeline.update_drafts import describe_update
from publisher.schedule import store as slots
from publisher.schedule.store import ClaimedSlot
from publisher.storage import facts
from publisher.storage.engine import Database

_NO_AUDIENCE: Final = "no subscriber to mail"
#: The name of the fact with the articles of a draft without a cadence that had no subscriber to mail.
_UNMAILED: Final = "unmailed:{}"


def run_slot(context: Context, claim: ClaimedSlot, *, as_of: datetime | None) -> tuple[PublishResult, str]:
    """Run a claimed slot of a digest and finish it; return what came of it, also in words.

    Each step is stored by itself, and does nothing the second time, so a slot may be run again after a kill.

    Args:
        claim: a claimed slot of a digest in the settings.
        as_of: the issue has the articles that were published by then.

    Raises:
        SlotLost: another runner has taken the slot over.
        TemplateError: its template is broken.
    """
    result, outcome = _run_slot(context, claim, as_of)
    with context.db.write() as connection:
        slots.finish_slot(connection, claim, context.now)
        slots.record_outcome(connection, claim, outcome)
    return result, outcome


def _run_slot(context: Context, claim: ClaimedSlot, as_of: datetime | None) -> tuple[PublishResult, str]:
    db, slug = context.db, claim.schedule.partition(":")[2]
    with db.read() as connection:
        if claim.slot in issues.slots_with_issues(connection, slug, claim.slot):
            return PublishResult(), "it has an issue already"
    is_automatic = context.site.digests[slug].send is not SendPolicy.REVIEW
    update = update_draft(context, slug, slot=claim.slot, as_of=as_of, opens_by_itself=is_automatic)
    if update.draft is None:
        return describe_update(context, update), update.content.reason
    result, reason = PublishResult(), update.content.reason
    if is_automatic and not reason:
        result, reason = _reason_to_wait(context, update)
    if reason and update.draft.may_be_approved:
        # The next slot decides again; errors may be fixed before it.
        with db.write() as connection:
            drafts.clear_waiting(connection, slug)
        return result + describe_update(context, update_draft(context, slug)), reason
    result += describe_update(context, update)
    if not is_automatic:
        return result, "its draft waits for approval"
    if not update.draft.may_be_approved:
        return result, f"its draft has {count_phrase(update.draft.errors, 'error')}"
    made, outcome = _make_issue(context, update)
    return result + made, outcome


def _reason_to_wait(context: Context, update: DraftUpdate) -> tuple[PublishResult, str]:
    """Return why a draft does not become an issue although its time has come; empty for no reason.

    An issue without mail needs no subscriber.
    """
    site, settings = context.site, context.site.digests[update.digest]
    if settings.send is SendPolicy.NONE:
        return PublishResult(), ""
    assert update.draft is not None
    if not site.can_send:
        return PublishResult(), "no mail server is configured ([smtp] in publisher.toml)"
    digest = settings.digest(update.digest)
    with context.db.read() as connection:
        if not count_audience(connection, digest, update.content.articles, context.seconds):
            return PublishResult(), _NO_AUDIENCE
        try:
            require_sendable_draft(connection, site, update.digest)
        except SendingBlocked as error:
            reason = "mail to real people is blocked by placeholder values ('publish status' lists them)"
            return PublishResult(blockers=error.blockers), reason
    return PublishResult(), ""


def _make_issue(context: Context, update: DraftUpdate) -> tuple[PublishResult, str]:
    """Approve a draft and open its send; return the path of the issue.

    If what a part of the subscribers would get has errors, it is held.
    """
    row = fix_draft(context, update)
    result = PublishResult(approved_drafts=(update.digest,))
    try:
        opened = open_issue(context, row)
    except IssueHeld as error:
        return result + PublishResult(held=(HeldIssue(issue=row.path, reason=str(error)),)), f"{row.path}, held"
    if opened is not None:
        result += PublishResult(opened=(opened,))
    return result, row.path


def open_ready_issues(context: Context, updates: Mapping[str, DraftUpdate], *, with_cadence: bool) -> PublishResult:
    """Make issues of the drafts that need no person, one after the other; a digest that fails stops no other.

    Without WITH_CADENCE, only of digests without a cadence, whose issues need no slot.
    """
    result = PublishResult()
    for slug, update in updates.items():
        if context.site.digests[slug].cadence and not with_cadence:
            continue
        try:
            result += _open_if_ready(context, update)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            problem = failure_problem(context, f"digests.{slug}", "no issue was made", error)
            result += PublishResult(rejected=(problem,))
    return result


def _open_if_ready(context: Context, update: DraftUpdate) -> PublishResult:
    """Make an issue of a draft whose slot has passed and whose errors were fixed since, or that needs no slot."""
    draft, settings = update.draft, context.site.digests[update.digest]
    if draft is None:
        return PublishResult()
    if draft.waiting_slot is not None:
        is_automatic = draft.opens_by_itself
        if is_automatic and context.now > draft.waiting_slot + timedelta(hours=settings.catch_up_hours):
            with context.db.write() as connection:
                drafts.clear_waiting(connection, draft.digest)
            return describe_update(context, update_draft(context, draft.digest))
    else:
        is_automatic = settings.send is SendPolicy.AUTO and not settings.cadence
    if not is_automatic or not update.is_due or not draft.may_be_approved or _waits_for_article(context.db, draft):
        return PublishResult()
    result, reason = _reason_to_wait(context, update)
    if not reason:
        made, _ = _make_issue(context, update)
        return result + made
    if reason == _NO_AUDIENCE and draft.waiting_slot is None:
        with context.db.write() as connection:
            facts.set_fact(connection, _UNMAILED.format(draft.digest), json.dumps(draft.articles))
    return result


def _waits_for_article(db: Database, draft: IssueDraft) -> bool:
    """Return whether a draft that waits for no slot has no other articles than when it had no subscriber to mail.

    A subscription at any hour must not cause a mail of old articles.
    """
    if draft.waiting_slot is not None:
        return False
    with db.read() as connection:
        known = json.loads(facts.get_fact(connection, _UNMAILED.format(draft.digest)) or "[]")
    return set(draft.articles) <= set(known)
