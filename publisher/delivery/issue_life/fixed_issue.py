"""Fix a draft as an approved issue, and turn an approved issue into a draft again."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from publisher.articles import store as articles
from publisher.context import Context
from publisher.delivery.audience import load_audience
from publisher.digests import approval_store as approvals
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import notes_store as notes
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.draft_content import DraftContent, mail_settings
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.notes_store import NextIssueNote
from publisher.digests.pending_store import PendingArticle
from publisher.digests.store import ApprovalRecord, IssueRow
from publisher.digests.update_draft import DraftUpdate, compose_content, content_hash
from publisher.errors import StoreError
from publisher.model.digests import Digest
from publisher.model.query import is_news

if TYPE_CHECKING:
    from publisher.digests.compose import ComposedIssue


def fix_draft(context: Context, update: DraftUpdate) -> IssueRow:
    """Fix a draft as an issue: its articles with their text, its headers and bytes.

    A variant is rendered for each selection of today's subscribers; others are rendered when the send opens. The caller
    holds the site's lock, and has brought the draft up to date under it.
    """
    draft, content = update.draft, update.content
    assert draft is not None
    site, digest = context.site, context.site.digest(update.digest)
    with context.db.read() as connection:
        audience = load_audience(connection, digest, content.articles, context.seconds)
    shown = [article for article in content.articles if article.seq in draft.articles]
    render = partial(compose_content, site, digest, content, interests=audience.interests)
    composed = render(shown)
    if content_hash(site, composed) != draft.hash:
        raise StoreError(
            f"the draft of {digest.slug} changed while it was approved. Look at it again, then approve it."
        )
    with context.db.write() as connection:
        is_first = not issues.last_issue_number(connection, digest.slug)
        carried = [article.seq for article in composed.articles]
        issue_id = issues.add_issue(
            connection,
            composed.issue,
            articles.article_texts(connection, carried),
            ApprovalRecord(
                hash=draft.hash,
                at=context.seconds,
                editorial=json.dumps(_editorial(content, carried, draft.passed_over), ensure_ascii=False),
                mail_settings=json.dumps(mail_settings(site), ensure_ascii=False),
            ),
        )
        if draft.is_forced and _has_only_shown_errors(composed, draft):
            errors = [(one["rule"], one["message"]) for one in draft.findings if one["severity"] == "error"]
            approvals.save_forced_reason(connection, issue_id, draft.forced or "", errors)
        pending.remove_pending(connection, digest.slug, carried)
        pending.mark_carried_over(connection, digest.slug, draft.passed_over)
        if is_first:
            _remove_old(connection, digest, draft.passed_over)
        notes.clear_next_issue_note(connection, digest.slug)
        drafts.delete_draft(connection, digest.slug)
        (row,) = issues.list_issues(connection, only=[issue_id])
    return row


def _has_only_shown_errors(composed: ComposedIssue, draft: IssueDraft) -> bool:
    """Return whether a person has seen each error of an issue: variants may have others than the draft."""
    shown = {(finding["rule"], finding["message"]) for finding in draft.findings}
    return all((finding.id, finding.message) in shown for finding in composed.findings if finding.is_error)


def _editorial(content: DraftContent, carried: list[int], passed_over: tuple[int, ...]) -> dict[str, Any]:
    """Return what reopening an issue restores, and what its further variants are rendered from."""
    kept = {*carried, *passed_over}
    return {
        "moment": content.moment.isoformat(),
        "note": asdict(content.note),
        "notices": [asdict(notice) for notice in content.notices],
        "pending": [asdict(row) for row in content.pending if row.seq in kept],
    }


def _remove_old(connection: Connection, digest: Digest, passed_over: tuple[int, ...]) -> None:
    """Remove old articles that had no room in the first issue; later issues have news only."""
    added = set(pending.requested_articles(connection, digest.slug))
    known = articles.rows_by_seq(connection, [seq for seq in passed_over if seq not in added])
    old = [seq for seq, row in known.items() if not is_news(digest.news_days, row.asked_at, row.first_read_at)]
    pending.remove_pending(connection, digest.slug, old)


def content_of_issue(row: IssueRow) -> DraftContent:
    """Return the fixed content of an issue, without its articles, to render further variants."""
    from publisher.digests.story import Notice

    editorial = json.loads(row.editorial or "{}")
    return DraftContent(
        slot=row.slot,
        name=row.name,
        number=row.number,
        moment=datetime.fromisoformat(editorial["moment"]),
        articles=(),
        passed_over=(),
        reason="",
        note=_note(editorial),
        notices=tuple(Notice(**notice) for notice in editorial["notices"]),
        pending=(),
        rows={},
    )


def _note(editorial: dict[str, Any]) -> NextIssueNote:
    stored = editorial["note"]
    return NextIssueNote(note=stored["note"], lead_seq=stored["lead_seq"], order=tuple(stored["order"]))


def _without_later(connection: Connection, row: IssueRow, rows: list[PendingArticle]) -> list[PendingArticle]:
    """Return articles without those that had no room in an issue and that a later issue has."""
    own = set(issues.issue_article_seqs(connection, row.id))
    later = [
        other.id for other in issues.list_issues(connection) if other.digest == row.digest and other.number > row.number
    ]
    brought = {seq for number in later for seq in issues.issue_article_seqs(connection, number)}
    return [article for article in rows if article.seq in own or article.seq not in brought]


def unfix_issue(connection: Connection, row: IssueRow) -> None:
    """Delete an approved issue whose send has not opened; its articles and note return to the draft.

    Its number is free again, its ID is not. What an editor has chosen for the next issue since then has priority.
    """
    editorial = json.loads(row.editorial or "{}")
    if editorial:
        rows = [PendingArticle(**one) for one in editorial["pending"]]
        pending.restore_pending(connection, row.digest, _without_later(connection, row, rows))
        before, since = _note(editorial), notes.load_next_issue_note(connection, row.digest)
        merged = NextIssueNote(
            note=since.note or before.note,
            lead_seq=since.lead_seq if since.lead_seq is not None else before.lead_seq,
            order=since.order or before.order,
        )
        if merged != NextIssueNote():
            notes.save_next_issue_note(connection, row.digest, merged)
    else:
        seqs = issues.issue_article_seqs(connection, row.id)
        pending.add_pending(connection, [(row.digest, seq) for seq in seqs])
    issues.delete_issue(connection, row.id)
