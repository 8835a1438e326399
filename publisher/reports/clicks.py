"""Redirect clicks on articles of an issue, and count them."""

from __future__ import annotations

from publisher.articles import store
from publisher.context import Context
from publisher.delivery.public_issues import public_issues
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.reports import statistics_store as statistics


def count_click(
    context: Context, digest: str, name: str, seq: int, *, is_program: bool, is_counted: bool = True
) -> str | None:
    """Return the URL of an article of an issue, and count the click; None if the issue does not have the article.

    The URL comes from the database, so a forged link cannot lead elsewhere. Links of a draft work too, under the name of
    any slot, because the draft of a test mail may wait for another one by now. They are not counted.

    Args:
        name: the name of the issue.
        seq: the arrival number of the article (``Article.seq``).
        is_program: True for a mail scanner or a bot, which is counted apart.
        is_counted: False to return the URL only.
    """
    from publisher.digests.render import tracking_parameters
    from publisher.digests.story import with_tracking

    site = context.site
    if digest not in site.digests:
        return None
    with context.db.write() if is_counted else context.db.read() as connection:
        row = issues.get_issue(connection, digest, name)
        draft = drafts.load_draft(connection, digest) if row is None else None
        carried = issues.issue_article_seqs(connection, row.id) if row is not None else draft.articles if draft else ()
        if seq not in carried:
            return None
        articles = store.articles_by_seq(connection, [seq], site.base_url, site.tz)
        if row is None and articles[seq].published > context.now:
            return None
        number = row.number if row is not None else draft.number if draft else 0
        # Clicks of editors on an issue that is not public are not counted.
        if row is not None and is_counted and public_issues(connection, site, digest, name=name, limit=1):
            statistics.add_click(connection, row.id, seq, is_program=is_program)
        return with_tracking(articles[seq].link, tracking_parameters(site.digest(digest), number))
