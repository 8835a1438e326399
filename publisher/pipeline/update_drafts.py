"""Bring the drafts of all digests up to date, and describe them for the report of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.articles.failure_isolation import report_failure
from publisher.articles.records import article_from_text, is_edited
from publisher.cadence import previous_slot
from publisher.digests import approval_store as approvals
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import DraftUpdate, update_draft
from publisher.errors import SettingsError, StoreError
from publisher.html.dates import minute_text
from publisher.model.digests import CatchUp, SendPolicy
from publisher.model.problems import Problem
from publisher.model.report import DraftSummary, PublishResult, WaitingDigest
from publisher.pipeline.unapproved_issues import return_unapproved_issues
from publisher.schedule import store as slots
from publisher.schedule.processes import list_runners
from publisher.settings import Site
from publisher.storage import facts
from publisher.storage.engine import Database

__all__ = ["LAST_TICK", "describe_due", "is_attended", "overdue_note", "report_draft", "update_drafts"]

#: The name of the fact with the time of the last 'publish tick'.
LAST_TICK: Final = "last_tick"
_DAY_SECONDS: Final = 86_400


def update_drafts(
    db: Database, site: Site, now: datetime, report: PublishResult, *, without: Collection[str] = ()
) -> dict[str, DraftUpdate]:
    """Bring the draft of every digest but WITHOUT up to date, add it to the report, and return the drafts by digest.

    A digest that cannot be rendered is reported; the others go on. The caller holds the site's lock.
    """
    return_unapproved_issues(db, site, now, report)
    _end_removed(db, site, report)
    _report_approved(db, site, now, report)
    updates: dict[str, DraftUpdate] = {}
    for digest in site.all_digests():
        if digest.slug in without:
            continue
        settings = site.digests[digest.slug]
        if settings.send is SendPolicy.REVIEW and settings.catch_up is CatchUp.ALL:
            reason = 'with send = "review" it means "latest": one draft waits at a time'
            report.warnings.append(
                Problem(where=f"digests.{digest.slug}.catch_up", is_rejected=False, reason=f'"all": {reason}')
            )
        try:
            update = update_draft(db, site, digest, now)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            report_failure(report, site, f"digests.{digest.slug}", "its draft was not brought up to date", error)
        else:
            updates[digest.slug] = update
            report_draft(db, site, update, now, report)
    return updates


def _end_removed(db: Database, site: Site, report: PublishResult) -> None:
    """End the drafts of digests that are no longer in the settings; nothing is consumed."""
    with db.read() as connection:
        removed = [draft.digest for draft in drafts.list_drafts(connection) if draft.digest not in site.digests]
    for slug in removed:
        with db.write() as connection:
            drafts.delete_draft(connection, slug)
        report.ended_drafts.append(slug)


def _report_approved(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Warn of edits after the approval of an issue that is still to be sent, and of a slot that nothing runs."""
    with db.read() as connection:
        for row in issues.waiting_issues(connection):
            if row.digest not in site.digests:
                continue
            reasons = []
            if edited := _edited_titles(connection, site, row):
                reasons.append(
                    f"edited after its approval: {', '.join(edited)}. The issue keeps the approved text. To change it: "
                    f"publish reopen {row.digest}"
                )
            if row.slot <= now and not row.is_paused and not is_attended(connection, site, now):
                when = minute_text(row.slot, site.tz)
                reasons.append(
                    f"its slot {when} has passed, and nothing runs: start 'publish run', call 'publish tick' from cron, "
                    f"or send it: publish send {row.path}"
                )
            report.warnings += [Problem(where=row.path, is_rejected=False, reason=reason) for reason in reasons]


def _edited_titles(connection: Connection, site: Site, row: IssueRow) -> list[str]:
    """Return the current headlines of the articles of an issue that were edited after its approval."""
    approved = approvals.approved_texts(connection, row.id)
    current = articles.article_texts(connection, list(approved))
    return [
        repr(article_from_text(text, site.base_url, site.tz).title)
        for seq, text in current.items()
        if is_edited(approved[seq], text)
    ]


def report_draft(db: Database, site: Site, update: DraftUpdate, now: datetime, report: PublishResult) -> None:
    """Add a draft, or why there is none, to the report of a run, in place of an earlier entry."""
    slug, draft = update.digest, update.draft
    report.issue_drafts = [summary for summary in report.issue_drafts if summary.digest != slug]
    report.waiting = [one for one in report.waiting if one.digest != slug]
    if draft is None:
        if update.is_changed:
            report.ended_drafts.append(slug)
        report.waiting.append(
            WaitingDigest(digest=slug, reason=update.content.reason, articles=len(update.content.pending))
        )
        return
    for number, left_out in enumerate(draft.left_out):
        doing = f"{left_out.title!r} is left out of the draft of {slug}"
        if number < len(update.failures):
            report_failure(report, site, left_out.where, doing, update.failures[number])
        else:
            report.rejected.append(
                Problem(where=left_out.where, is_rejected=True, reason=f"{doing}: {left_out.reason}")
            )
    report.issue_drafts.append(
        DraftSummary(
            digest=slug,
            number=draft.number,
            slot=draft.slot.astimezone(site.tz).isoformat(),
            subject=draft.subject,
            articles=len(draft.articles),
            path=f"{site.paths.outbox}/{slug}/next",
            send=site.digests[slug].send.value,
            due=describe_due(site, draft, update.content.reason),
            shortened=draft.shortened,
            html_size=draft.html_size,
            errors=tuple(f"{one['rule']}: {one['message']}" for one in draft.findings if one["severity"] == "error"),
            warnings=sum(one["severity"] != "error" for one in draft.findings),
            hash=draft.hash,
            is_changed=update.is_changed,
            overdue=overdue_note(db, site, slug, now),
        )
    )


def describe_due(site: Site, draft: IssueDraft, reason: str) -> str:
    """Return when a draft becomes an issue, in words; REASON is why it is not due, or empty."""
    settings, slug = site.digests[draft.digest], draft.digest
    when = minute_text(draft.slot, site.tz)
    if reason:
        return f"not due: {reason}. To send it anyway: publish approve {slug}"
    if not settings.cadence:
        return _WITHOUT_CADENCE[settings.send].format(slug=slug)
    if draft.waiting_slot is not None:
        if draft.opens_by_itself:
            return f"blocked by errors since its slot {when}: 'publish check {slug}' shows how to fix them"
        return f"waiting for approval since {when}: publish approve {slug}"
    return _WITH_CADENCE[settings.send].format(slug=slug, when=when)


_WITH_CADENCE: Final[Mapping[SendPolicy, str]] = {
    SendPolicy.REVIEW: "is sent {when} if it is approved by then: publish approve {slug}",
    SendPolicy.AUTO: "is sent {when} without approval",
    SendPolicy.NONE: "is published {when} on the web, without mail",
}
_WITHOUT_CADENCE: Final[Mapping[SendPolicy, str]] = {
    SendPolicy.REVIEW: "is sent once you approve it: publish approve {slug}",
    SendPolicy.AUTO: "is sent by the next run with a new article and a subscriber to mail",
    SendPolicy.NONE: "is published on the web, without mail, by: publish now {slug}",
}


def is_attended(connection: Connection, site: Site, now: datetime) -> bool:
    """Return whether a runner lives on this machine, or 'publish tick' was called within a day."""
    last_tick = int(facts.get_fact(connection, LAST_TICK) or 0)
    return now.timestamp() - last_tick < _DAY_SECONDS or bool(list_runners(site.root))


def overdue_note(db: Database, site: Site, slug: str, now: datetime) -> str:
    """Return that a slot has passed and nothing claims it, with the command; empty if that is not so."""
    timetable = site.digests[slug].timetable(site.tz)
    slot = previous_slot(timetable, now) if timetable is not None else None
    if slot is None:
        return ""
    name = f"digest:{slug}"
    with db.read() as connection:
        stored = slots.load_schedules(connection).get(name)
        is_known = bool(slots.existing_slots(connection, [(name, slot)]))
        is_taken = slot in issues.slots_with_issues(connection, slug, slot)
        is_running = is_attended(connection, site, now)
    if stored is None or stored.effective_from >= slot or is_known or is_taken or is_running:
        return ""
    when = minute_text(slot, site.tz)
    return f"its slot {when} has passed, and nothing runs it: start 'publish run', or run 'publish tick' from cron"
