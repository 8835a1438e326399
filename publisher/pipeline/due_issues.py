"""Drafts that become issues without a person: at their slot, or with a new article."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from publisher.articles.failure_isolation import report_failure
from publisher.delivery.audience import count_audience
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue, opened_summary
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.readiness import require_reserved, sample_blockers, setting_blockers
from publisher.digests.update_draft import DraftUpdate, update_draft
from publisher.errors import IssueHeld, SendingBlocked, SettingsError, StoreError
from publisher.model.digests import SendPolicy
from publisher.model.report import HeldIssue, PublishResult
from publisher.pipeline.update_drafts import report_draft
from publisher.schedule import store as slots
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers import recipients_store as recipients

__all__ = ["open_new_issues", "open_waiting_issues", "run_slot"]


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

    An issue without mail needs nobody.
    """
    settings = site.digests[update.digest]
    if settings.send is SendPolicy.NONE:
        return ""
    assert update.draft is not None
    if not site.can_send:
        return "no mail server is configured ([smtp] in publisher.toml)"
    digest = settings.digest(update.digest)
    with db.read() as connection:
        people = count_audience(connection, digest, update.content.articles, int(now.timestamp()))
        domains = recipients.subscribed_domains(connection, update.digest)
        text = drafts.draft_file(connection, update.digest, "message.txt").decode()
    if not people:
        return "nobody to mail"
    if site.delivers_locally:
        return ""
    try:
        require_reserved(update.digest, domains, (*setting_blockers(site), *sample_blockers(update.digest, text)))
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


def open_waiting_issues(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Make issues of drafts whose slot has passed and whose errors were fixed since, within ``catch_up_hours``."""
    with db.read() as connection:
        waiting = [draft for draft in drafts.list_drafts(connection) if draft.opens_by_itself]
    for draft in waiting:
        settings = site.digests.get(draft.digest)
        if settings is None or draft.waiting_slot is None:
            continue
        digest = settings.digest(draft.digest)
        if now > draft.waiting_slot + timedelta(hours=settings.catch_up_hours):
            with db.write() as connection:
                drafts.clear_waiting(connection, draft.digest)
            report_draft(db, site, update_draft(db, site, digest, now), now, report)
            continue
        update = update_draft(db, site, digest, now)
        is_ready = update.is_due and update.draft is not None and update.draft.may_be_approved
        if is_ready and not _reason_to_wait(db, site, update, now, report):
            _make_issue(db, site, update, now, report)


def open_new_issues(
    db: Database, site: Site, updates: Mapping[str, DraftUpdate], now: datetime, report: PublishResult
) -> None:
    """Make issues of automatic digests without a cadence that have something new, and somebody to mail."""
    for slug, update in updates.items():
        settings = site.digests[slug]
        if settings.send is not SendPolicy.AUTO or settings.cadence or not update.is_due or update.draft is None:
            continue
        waits_for_person = update.draft.waiting_slot is not None
        if waits_for_person or not update.draft.may_be_approved or _reason_to_wait(db, site, update, now, report):
            continue
        try:
            _make_issue(db, site, update, now, report)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            report_failure(report, site, f"digests.{slug}", "no issue was made", error)
