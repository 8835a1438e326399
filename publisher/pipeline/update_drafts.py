"""Bring the drafts of all digests up to date, and describe them for the result of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.articles.failure_isolation import failure_problem
from publisher.articles.records import article_from_text, is_edited
from publisher.cadence import previous_slot
from publisher.context import Context
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
from publisher.schedule.processes import is_attended
from publisher.settings import Site


def update_drafts(context: Context, *, without: Collection[str] = ()) -> tuple[PublishResult, dict[str, DraftUpdate]]:
    """Bring the draft of every digest but WITHOUT up to date; return what came of it, and the drafts by digest.

    A digest that cannot be rendered is reported; the others go on. The caller holds the site's lock.
    """
    site = context.site
    result = PublishResult(warnings=tuple(return_unapproved_issues(context)), ended_drafts=tuple(_end_removed(context)))
    result += PublishResult(warnings=tuple(approved_warnings(context)))
    updates: dict[str, DraftUpdate] = {}
    for slug, settings in site.digests.items():
        if slug in without:
            continue
        if settings.send is SendPolicy.REVIEW and settings.catch_up is CatchUp.ALL:
            reason = '"all": with send = "review" it means "latest": one draft waits at a time'
            where = f"digests.{slug}.catch_up"
            result += PublishResult(warnings=(Problem(where=where, is_rejected=False, reason=reason),))
        try:
            update = update_draft(context, slug)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            where = f"digests.{slug}"
            problem = failure_problem(context, where, "its draft was not brought up to date", error)
            result += PublishResult(rejected=(problem,))
        else:
            updates[slug] = update
            result += describe_update(context, update)
    return result, updates


def _end_removed(context: Context) -> list[str]:
    """End the drafts of digests that are no longer in the settings, and return these; nothing is consumed."""
    site, db = context.site, context.db
    with db.read() as connection:
        removed = [draft.digest for draft in drafts.list_drafts(connection) if draft.digest not in site.digests]
    for slug in removed:
        with db.write() as connection:
            drafts.delete_draft(connection, slug)
    return removed


def approved_warnings(context: Context) -> Iterator[Problem]:
    """Warn of edits after the approval of an issue that is still to be sent, and of a slot that nothing runs."""
    site, now = context.site, context.now
    with context.db.read() as connection:
        for row in issues.waiting_issues(connection):
            if row.digest not in site.digests:
                continue
            if edited := _edited_titles(connection, site, row):
                reason = (
                    f"edited after its approval: {', '.join(edited)}. The issue keeps the approved text. To change it: "
                    f"publish reopen {row.digest}"
                )
                yield Problem(where=row.path, is_rejected=False, reason=reason)
            if row.slot <= now and not row.is_paused and not is_attended(connection, site.root, now):
                reason = (
                    f"its slot {minute_text(row.slot, site.tz)} has passed, and nothing runs: start 'publish run', call "
                    f"'publish tick' from cron, or send it: publish send {row.path}"
                )
                yield Problem(where=row.path, is_rejected=False, reason=reason)


def _edited_titles(connection: Connection, site: Site, row: IssueRow) -> list[str]:
    """Return the current headlines of the articles of an issue that were edited after its approval."""
    approved = approvals.approved_texts(connection, row.id)
    current = articles.article_texts(connection, list(approved))
    return [
        repr(article_from_text(text, site.base_url, site.tz).title)
        for seq, text in current.items()
        if is_edited(approved[seq], text)
    ]


def describe_update(context: Context, update: DraftUpdate) -> PublishResult:
    """Return a draft, or why there is none, as part of the result of a run."""
    slug, draft = update.digest, update.draft
    if draft is None:
        waiting = WaitingDigest(digest=slug, reason=update.content.reason, articles=len(update.content.pending))
        return PublishResult(waiting=(waiting,), ended_drafts=(slug,) if update.is_changed else ())
    rejected = []
    for number, left_out in enumerate(draft.left_out):
        doing = f"{left_out.title!r} is left out of the draft of {slug}"
        if number < len(update.failures):
            rejected.append(failure_problem(context, left_out.where, doing, update.failures[number]))
        else:
            rejected.append(Problem(where=left_out.where, is_rejected=True, reason=f"{doing}: {left_out.reason}"))
    return PublishResult(issue_drafts=(_summary(context, update, draft),), rejected=tuple(rejected))


def _summary(context: Context, update: DraftUpdate, draft: IssueDraft) -> DraftSummary:
    site, slug = context.site, update.digest
    return DraftSummary(
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
        overdue=overdue_note(context, slug),
        silenced=draft.silenced,
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
            return f"blocked by errors since its slot {when}: 'publish check {slug}' shows what to fix"
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


def overdue_note(context: Context, slug: str) -> str:
    """Return that a slot has passed and nothing claims it, with the command; empty if that is not so."""
    site, now = context.site, context.now
    timetable = site.digests[slug].timetable(site.tz)
    slot = previous_slot(timetable, now) if timetable is not None else None
    if slot is None:
        return ""
    name = f"digest:{slug}"
    with context.db.read() as connection:
        stored = slots.load_schedules(connection).get(name)
        is_known = bool(slots.existing_slots(connection, [(name, slot)]))
        is_taken = slot in issues.slots_with_issues(connection, slug, slot)
        is_running = is_attended(connection, site.root, now)
    if stored is None or stored.effective_from >= slot or is_known or is_taken or is_running:
        return ""
    when = minute_text(slot, site.tz)
    return f"its slot {when} has passed, and nothing runs it: start 'publish run', or run 'publish tick' from cron"
