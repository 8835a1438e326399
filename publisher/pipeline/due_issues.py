"""Drafts that become issues without a person: at their slot, or with a new article."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from publisher.articles.failure_isolation import report_failure
from publisher.delivery.audience import count_audience
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue, opened_summary
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.readiness import require_sendable_draft
from publisher.digests.update_draft import DraftUpdate, update_draft
from publisher.errors import IssueHeld, SendingBlocked, SettingsError, StoreError
from publisher.model.digests import SendPolicy
from publisher.model.report import HeldIssue, PublishResult
from publisher.pipeline.update_drafts import report_draft
from publisher.schedule import store as slots
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage import facts
from publisher.storage.engine import Database

__all__ = ["open_ready_issues", "run_slot"]

_NO_AUDIENCE: Final = "no subscriber to mail"
#: The name of the fact with the articles of a draft without a cadence that had no subscriber to mail.
_UNMAILED: Final = "unmailed:{}"


def run_slot(
    db: Database, site: Site, claim: ClaimedSlot, *, as_of: datetime | None, now: datetime, report: PublishResult
) -> str:
    """Run a claimed slot of a digest and finish it; return what came of it.

    Each step is stored by itself, and does nothing the second time, so a slot may be run again after a kill.

    Args:
        db: the database.
        site: the settings.
        claim: a claimed slot of a digest in the settings.
        as_of: the issue has the articles that were published by then.
        now: the time.
        report: gets the draft, the issue, warnings and failures.

    Raises:
        SlotLost: another runner has taken the slot over.
        TemplateError: its template is broken.
    """
    outcome = _run_slot(db, site, claim, as_of, now, report)
    with db.write() as connection:
        slots.finish_slot(connection, claim, now)
        slots.record_outcome(connection, claim, outcome)
    return outcome


def _run_slot(
    db: Database, site: Site, claim: ClaimedSlot, as_of: datetime | None, now: datetime, report: PublishResult
) -> str:
    slug = claim.schedule.partition(":")[2]
    digest, settings = site.digests[slug].digest(slug), site.digests[slug]
    with db.read() as connection:
        if claim.slot in issues.slots_with_issues(connection, slug, claim.slot):
            return "it has an issue already"
    is_automatic = settings.send is not SendPolicy.REVIEW
    update = update_draft(db, site, digest, now, slot=claim.slot, as_of=as_of, opens_by_itself=is_automatic)
    if update.draft is None:
        report_draft(db, site, update, now, report)
        return update.content.reason
    reason = update.content.reason or (_reason_to_wait(db, site, update, now, report) if is_automatic else "")
    if reason and update.draft.may_be_approved:
        # The next slot decides again; errors may be fixed before it.
        with db.write() as connection:
            drafts.clear_waiting(connection, slug)
        report_draft(db, site, update_draft(db, site, digest, now), now, report)
        return reason
    report_draft(db, site, update, now, report)
    if not is_automatic:
        return "its draft waits for approval"
    if not update.draft.may_be_approved:
        return f"its draft has {update.draft.errors} error(s)"
    return _make_issue(db, site, update, now, report)


def _reason_to_wait(db: Database, site: Site, update: DraftUpdate, now: datetime, report: PublishResult) -> str:
    """Return why a draft does not become an issue although its time has come; empty for no reason.

    An issue without mail needs no subscriber.
    """
    settings = site.digests[update.digest]
    if settings.send is SendPolicy.NONE:
        return ""
    assert update.draft is not None
    if not site.can_send:
        return "no mail server is configured ([smtp] in publisher.toml)"
    digest = settings.digest(update.digest)
    with db.read() as connection:
        if not count_audience(connection, digest, update.content.articles, int(now.timestamp())):
            return _NO_AUDIENCE
        try:
            require_sendable_draft(connection, site, update.digest)
        except SendingBlocked as error:
            report.blockers = tuple(dict.fromkeys([*report.blockers, *error.blockers]))
            return "mail to real people is blocked by placeholder values ('publish status' lists them)"
    return ""


def _make_issue(db: Database, site: Site, update: DraftUpdate, now: datetime, report: PublishResult) -> str:
    """Approve a draft and open its send; return the path of the issue.

    If what a part of the subscribers would get has errors, it is held.
    """
    with_audience = site.digests[update.digest].send is not SendPolicy.NONE
    row = fix_draft(db, site, update, now)
    report.issue_drafts = [summary for summary in report.issue_drafts if summary.digest != update.digest]
    try:
        opened = open_issue(db, site, row, now, with_audience=with_audience)
    except IssueHeld as error:
        report.held.append(HeldIssue(issue=row.path, reason=str(error)))
        return f"{row.path}, held"
    if opened is not None:
        report.opened.append(opened_summary(site, opened))
    return row.path


def open_ready_issues(
    db: Database,
    site: Site,
    updates: Mapping[str, DraftUpdate],
    now: datetime,
    report: PublishResult,
    *,
    with_cadence: bool,
) -> None:
    """Make issues of the drafts that need no person, one after the other; a digest that fails stops no other.

    Args:
        db: the database.
        site: the settings.
        updates: the drafts, up to date.
        now: the time.
        report: gets the issues, drafts and failures.
        with_cadence: False for digests without a cadence only, whose issues need no slot.
    """
    for slug, update in updates.items():
        if site.digests[slug].cadence and not with_cadence:
            continue
        try:
            _open_if_ready(db, site, update, now, report)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            report_failure(report, site, f"digests.{slug}", "no issue was made", error)


def _open_if_ready(db: Database, site: Site, update: DraftUpdate, now: datetime, report: PublishResult) -> None:
    """Make an issue of a draft whose slot has passed and whose errors were fixed since, or that needs no slot."""
    draft, settings = update.draft, site.digests[update.digest]
    if draft is None:
        return
    if draft.waiting_slot is not None:
        is_automatic = draft.opens_by_itself
        if is_automatic and now > draft.waiting_slot + timedelta(hours=settings.catch_up_hours):
            with db.write() as connection:
                drafts.clear_waiting(connection, draft.digest)
            report_draft(db, site, update_draft(db, site, settings.digest(draft.digest), now), now, report)
            return
    else:
        is_automatic = settings.send is SendPolicy.AUTO and not settings.cadence
    if not is_automatic or not update.is_due or not draft.may_be_approved or _waits_for_article(db, draft):
        return
    reason = _reason_to_wait(db, site, update, now, report)
    if not reason:
        _make_issue(db, site, update, now, report)
    elif reason == _NO_AUDIENCE and draft.waiting_slot is None:
        with db.write() as connection:
            facts.set_fact(connection, _UNMAILED.format(draft.digest), json.dumps(draft.articles))


def _waits_for_article(db: Database, draft: IssueDraft) -> bool:
    """Return whether a draft that waits for no slot has no other articles than when it had no subscriber to mail.

    A subscription at any hour must not cause a mail of old articles.
    """
    if draft.waiting_slot is not None:
        return False
    with db.read() as connection:
        known = json.loads(facts.get_fact(connection, _UNMAILED.format(draft.digest)) or "[]")
    return set(draft.articles) <= set(known)
