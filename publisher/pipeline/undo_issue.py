"""Undo steps of an issue's life: reopen, discard, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from publisher.context import Context
from publisher.delivery import store as deliveries
from publisher.delivery.issue_life.cancelling import cancel_issue
from publisher.delivery.issue_life.fixed_issue import unfix_issue
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.draft_content import next_content, skip_slot
from publisher.digests.draft_slot import free_minute
from publisher.digests.lookup import find_draft, find_issue
from publisher.digests.pending_store import SkipKind
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import update_draft
from publisher.errors import SettingsError
from publisher.model.delivery import NOT_HANDED_OVER, DeliveryState
from publisher.pipeline.stage_outbox import stage_outbox

_NOTHING_OPEN: Final = "no message of it is left to be sent: there is nothing to cancel"
#: States of messages that a mail server has, or may have.
_HANDED_OVER: Final = (DeliveryState.HANDED_OVER, DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """Articles that were left out of a newsletter, or put back."""

    digest: str
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPlan:
    """The consequences of cancelling an issue, before it is done."""

    row: IssueRow
    #: Messages that a mail server has, or may have.
    handed_over: int
    #: Messages that would be cancelled.
    open: int


def _stage(context: Context, slug: str, *, slot: datetime | None = None) -> None:
    """Bring the draft of a digest up to date and stage the outbox."""
    if slug in context.site.digests:
        update_draft(context, slug, slot=slot)
    stage_outbox(context)


def reopen(context: Context, target: str) -> IssueRow:
    """Make the newest approved issue of a digest a draft again; return the issue as it was.

    It merges with a draft that exists, and waits for a person until its next slot.

    Raises:
        SettingsError: no issue of the digest is approved, or its send has opened.
    """
    with context.exclusive():
        with context.db.write() as connection:
            slug, _, name = target.strip("/").partition("/")
            row = find_issue(connection, target) if name else next(iter(issues.waiting_issues(connection, slug)), None)
            if row is None:
                raise SettingsError(f"no approved issue of {slug} waits for its slot: there is nothing to reopen")
            if not row.is_waiting:
                raise SettingsError(
                    f"{row.path} cannot be reopened: its send has opened. 'publish cancel {row.path}' stops what was not "
                    "handed over yet"
                )
            newest = issues.newest_slot(connection, row.digest, until=context.now)
            unfix_issue(connection, row)
            later = issues.newest_slot(connection, row.digest)
        settings = context.site.digests.get(row.digest)
        if settings is None or settings.cadence:
            # A draft does not wait for a slot before that of an issue that subscribers may have.
            slot = row.slot if row.slot == newest else None
        else:
            # Without a slot to wait for, an automatic newsletter would send it at the next run.
            slot = free_minute(row.slot, (), after=later)
        _stage(context, row.digest, slot=slot)
    return row


def discard(context: Context, target: str, *, until_next: bool = False) -> Discarded:
    """Leave the articles of a draft out of this newsletter; articles that the draft had no room for stay.

    Args:
        target: the digest.
        until_next: True to keep them for the issue after the next slot.

    Raises:
        SettingsError: the digest has no draft.
    """
    with context.exclusive():
        with context.db.write() as connection:
            draft = find_draft(connection, target)
            if draft.digest not in context.site.digests:
                raise SettingsError(f"digests.{draft.digest} is no longer in publisher.toml. Restore it first")
            digest = context.site.digest(draft.digest)
            pending.add_pending(connection, [(draft.digest, seq) for seq in draft.articles])
            why, slot = SkipKind.DISCARDED, None
            if until_next:
                why, slot = SkipKind.DRAFT_LATER, skip_slot(connection, context.site, digest, draft.slot)
            pending.skip_articles(connection, draft.digest, draft.articles, why, slot)
        _stage(context, draft.digest)
    return Discarded(digest=draft.digest, articles=len(draft.articles))


def undo_discard(context: Context, digest: str) -> Discarded:
    """Put articles that were discarded or kept for later back into the next issue, unless one has opened since.

    Raises:
        SettingsError: nothing was discarded, or an issue has opened since.
    """
    with context.exclusive():
        with context.db.write() as connection:
            seqs = pending.restore_skipped(connection, digest, [SkipKind.DISCARDED])
            if digest in context.site.digests:
                settings = context.site.digest(digest)
                content = next_content(connection, context.site, settings, context.now)
                slot = skip_slot(connection, context.site, settings, content.slot)
                seqs += pending.restore_skipped(connection, digest, [SkipKind.DRAFT_LATER], since=slot)
        if not seqs:
            raise SettingsError(f"nothing of {digest} was discarded since its last issue: there is nothing to undo")
        _stage(context, digest)
    return Discarded(digest=digest, articles=len(seqs))


def plan_cancel(context: Context, target: str) -> CancelPlan:
    """Return how many messages of an issue were handed over, and how many can be cancelled. Nothing is changed.

    Raises:
        SettingsError: there is no such issue, its send has not opened, or nothing is left to cancel.
    """
    with context.db.read() as connection:
        row = find_issue(connection, target)
        _require_opened(row)
        states = deliveries.state_counts(connection, row.id).get(row.id, {})
    open_count = sum(states.get(state, 0) for state in NOT_HANDED_OVER)
    if not open_count:
        raise SettingsError(f"{row.path}: {_NOTHING_OPEN}")
    return CancelPlan(row=row, handed_over=sum(states.get(state, 0) for state in _HANDED_OVER), open=open_count)


def _require_opened(row: IssueRow) -> None:
    if row.is_waiting:
        raise SettingsError(f"the send of {row.path} has not opened: 'publish reopen {row.digest}' undoes its approval")


def cancel(context: Context, target: str) -> tuple[IssueRow, int]:
    """Cancel what was not handed over of an issue; return the issue, and how many deliveries were cancelled.

    Its articles return to the subscribers who did not get them for that reason.

    Raises:
        SettingsError: there is no such issue, or nothing is left to cancel.
    """
    with context.exclusive():
        with context.db.write() as connection:
            row = find_issue(connection, target)
            _require_opened(row)
            repeating = {slug for slug, digest in context.site.digests.items() if digest.repeat}
            cancelled = cancel_issue(connection, row, context.seconds, repeating=repeating)
            if not cancelled:
                raise SettingsError(f"{row.path}: {_NOTHING_OPEN}")
        _stage(context, row.digest)
    return row, cancelled
