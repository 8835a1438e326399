"""Issues for tests that need one and are not about how it comes into being."""

from __future__ import annotations

from datetime import datetime

from publisher.context import Context
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import update_draft
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.settings import Site
from publisher.storage.engine import Database


def open_draft(site: Site, digest: str, now: datetime, *, opens: bool = True) -> IssueRow:
    """Approve the draft of a digest as an issue of this minute, and open its send, whoever subscribes to it."""
    with Database.open(site.database_url) as db, db.exclusive(site.root):
        context = Context(site=site, db=db, now=now)
        update = update_draft(context, digest, as_of=now, out_of_turn=True)
        assert update.draft is not None, update.content.reason
        row = fix_draft(context, update)
        if opens:
            assert open_issue(context, row) is not None
            with db.read() as connection:
                (row,) = issues.list_issues(connection, only=[row.id])
        stage_outbox(context)
    return row


def force_draft(site: Site, digest: str, reason: str) -> None:
    """Allow the approval of the draft of a digest in spite of the errors that it has now."""
    with Database.open(site.database_url) as db, db.write() as connection:
        draft = drafts.load_draft(connection, digest)
        assert draft is not None and draft.errors
        drafts.save_draft_forced(connection, draft, reason)
