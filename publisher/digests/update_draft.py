"""Bring the draft of a digest's next issue up to date with its articles, settings, theme and note."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from publisher.articles.failure_isolation import render_with_fallback
from publisher.context import Context
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import pending_store as pending
from publisher.digests.draft_content import (
    DraftContent,
    input_hash,
    load_content,
    mail_settings,
    start_digest_queue,
)
from publisher.digests.issue_drafts_store import DraftVersion, IssueDraft, LeftOut
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.query import Interests
from publisher.settings import Site

if TYPE_CHECKING:
    from publisher.digests.compose import ComposedIssue

#: The interests of a subscriber who follows everything.
_EVERYTHING = (Interests(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftUpdate:
    """The draft of a digest after it was brought up to date."""

    digest: str
    #: None if there is nothing new.
    draft: IssueDraft | None
    content: DraftContent
    #: True if the draft is new, was rendered again, or ended.
    is_changed: bool
    #: Errors of articles that cannot be rendered, by the number of the entry in ``draft.left_out``.
    failures: tuple[Exception, ...] = ()

    @property
    def is_due(self) -> bool:
        """Return whether there are enough new articles for an issue."""
        return self.draft is not None and not self.content.reason


def compose_content(
    site: Site,
    digest: Digest,
    content: DraftContent,
    articles: Sequence[Article],
    interests: Sequence[Interests] = _EVERYTHING,
) -> ComposedIssue:
    """Render and check an issue of this content: with all articles, and for each of the interests."""
    # Imported here, because a run without changes needs neither templates nor the preflight.
    from publisher.digests.compose import compose_issue

    return compose_issue(site, digest, content, articles, interests)


def render_draft(context: Context, draft: IssueDraft) -> tuple[ComposedIssue, DraftContent]:
    """Return a draft as it is now, rendered with placeholders, and its content."""
    site, digest = context.site, context.site.digest(draft.digest)
    with context.db.read() as connection:
        content = load_content(connection, site, digest, context.now, waiting_slot=draft.waiting_slot)
    composed, _ = render_with_fallback(partial(compose_content, site, digest, content), content.articles)
    return composed, content


def content_hash(site: Site, composed: ComposedIssue) -> str:
    """Return the hash of what an editor approves: subject, text and settings, without dates and addresses."""
    whole = composed.issue.variants[0]
    parts = [
        whole.subject or "",
        whole.html.decode().replace(whole.placeholder_hash, ""),
        whole.text.decode().replace(whole.placeholder_hash, ""),
        json.dumps(mail_settings(site), sort_keys=True),
    ]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def update_draft(
    context: Context,
    slug: str,
    *,
    slot: datetime | None = None,
    as_of: datetime | None = None,
    opens_by_itself: bool = False,
    out_of_turn: bool = False,
) -> DraftUpdate:
    """Render the next issue of a digest again if anything that it is rendered from has changed.

    The caller holds the site's lock. No article is consumed.

    Args:
        slot: a slot that has come: the draft waits for it from now on.
        as_of: the issue has the articles that are published by then; by default its slot, or now if that has passed.
        opens_by_itself: whether the draft of SLOT becomes an issue without a person.
        out_of_turn: True to render it for this minute, which leaves its slot free.
    """
    site, db, digest = context.site, context.db, context.site.digest(slug)
    _start(context, digest)
    with db.read() as connection:
        stored = drafts.load_draft(connection, slug)
        waiting = slot or (stored.waiting_slot if stored is not None else None)
        content = load_content(
            connection, site, digest, context.now, waiting_slot=waiting, as_of=as_of, out_of_turn=out_of_turn
        )
    if not content.articles:
        if stored is not None:
            with db.write() as connection:
                drafts.delete_draft(connection, slug)
        return DraftUpdate(digest=slug, draft=None, content=content, is_changed=stored is not None)
    waits: dict[str, Any] = {
        "waiting_slot": waiting if waiting == content.slot else None,
        "opens_by_itself": opens_by_itself if slot is not None else stored is not None and stored.opens_by_itself,
    }
    hashed = input_hash(site, digest, content)
    if stored is not None and stored.input_hash == hashed:
        if slot is not None:
            with db.write() as connection:
                drafts.mark_waiting(connection, slug, slot, opens_by_itself=opens_by_itself)
        return DraftUpdate(digest=slug, draft=replace(stored, **waits), content=content, is_changed=False)
    composed, failing = render_with_fallback(partial(compose_content, site, digest, content), content.articles)
    draft = replace(_draft_of(site, content, composed, failing, stored), input_hash=hashed, **waits)
    with db.write() as connection:
        drafts.save_draft(connection, draft)
    failures = tuple(error for _, error in failing)
    return DraftUpdate(digest=slug, draft=draft, content=content, is_changed=True, failures=failures)


def _start(context: Context, digest: Digest) -> None:
    """Start the queue of a digest with its first draft: what arrives from then on is not lost."""
    with context.db.read() as connection:
        has_started = pending.has_started(connection, digest.slug)
    if not has_started:
        with context.db.write() as connection:
            start_digest_queue(connection, digest, context.site, context.now)


def _draft_of(
    site: Site,
    content: DraftContent,
    composed: ComposedIssue,
    failing: Sequence[tuple[Article, Exception]],
    stored: IssueDraft | None,
) -> IssueDraft:
    """Return the draft of a rendering; what editors did with the stored one stays."""
    issue = composed.issue
    hashed = content_hash(site, composed)
    version = DraftVersion(
        hash=hashed,
        subject=issue.subject,
        note=content.note.note,
        articles={
            str(article.seq): (article.title, content.rows[article.seq].hash[:16]) for article in composed.articles
        },
        settings=mail_settings(site),
    )
    carried = {article.seq for article in composed.articles} | {article.seq for article, _ in failing}
    earlier = [one for one in stored.versions if one.hash != hashed] if stored is not None else []
    names = ("forced", "forced_findings", "notified_at", "notified_slot", "notified_errors")
    kept = {name: getattr(stored, name) for name in names} if stored is not None else {}
    return IssueDraft(
        digest=issue.digest,
        slot=content.slot,
        name=content.name,
        number=content.number,
        subject=issue.subject,
        articles=tuple(article.seq for article in composed.articles),
        shortened=composed.shortened,
        html_size=len(issue.files["index.html"]),
        passed_over=tuple(
            article.seq for article in (*content.articles, *content.passed_over) if article.seq not in carried
        ),
        left_out=tuple(
            LeftOut(where=content.rows[article.seq].source, title=article.title, reason=str(error))
            for article, error in failing
        ),
        findings=tuple(finding.as_dict() for finding in composed.findings),
        silenced=tuple(finding.id for finding in composed.silenced),
        errors=issue.errors,
        input_hash="",
        hash=hashed,
        versions=(*earlier, version),
        files=issue.files,
        **kept,
    )
