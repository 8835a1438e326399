"""Open the send of an approved issue: settle its audience, and which articles each subscriber gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from publisher.articles.records import article_from_text
from publisher.context import Context
from publisher.delivery.audience import AudienceChanged, FrozenAudience, freeze_audience, load_audience
from publisher.delivery.audience_store import lock_audience
from publisher.delivery.issue_life.approval import error_reason
from publisher.delivery.issue_life.fixed_issue import content_of_issue
from publisher.delivery.local_time import LocalDeliveryTimes, local_time_base
from publisher.digests import approval_store as approvals
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import compose_content
from publisher.digests.variants_store import add_variants, load_variants
from publisher.errors import IssueHeld, StoreError
from publisher.html.text import count_phrase
from publisher.model.articles import Article
from publisher.model.digests import IssueVariant, SendPolicy
from publisher.model.query import Interests, group_by_variant
from publisher.model.report import OpenedSummary
from publisher.storage.locks import advisory_lock

#: Transactions that may find a new selection before the send is given up; subscribers change rarely.
_MAX_ATTEMPTS: Final = 20
#: One lock for all newsletters: what one brings, another one leaves out.
_LOCK: Final = "open a send"


class _SelectionMissing(Exception):
    """Rolls the transaction back, because a subscriber selects articles that no variant has."""


def open_issue(context: Context, row: IssueRow) -> OpenedSummary | None:
    """Open the send of an issue that nothing holds; return None if another process did, or it was cancelled.

    That is one transaction. If a selection has no variant, it is rolled back, and starts again once the variant is rendered
    from the approved text and checked. With ``send = "none"``, the issue is published without mail.

    Raises:
        IssueHeld: it, or a further variant, has errors.
    """
    if not row.may_be_sent:
        raise IssueHeld(f"{row.path} is held: {error_reason(row)}")
    site = context.site
    with context.db.read() as connection:
        texts = approvals.approved_texts(connection, row.id)
    articles = [article_from_text(text, site.base_url, site.tz) for text in texts.values()]
    for _ in range(_MAX_ATTEMPTS):
        try:
            with context.db.write() as connection:
                return _open(context, connection, row, articles)
        except AudienceChanged:
            continue
        except _SelectionMissing:
            # Rarely needed: looking for them first would read the whole audience once more.
            _render_missing(context, row, articles)
    raise IssueHeld(f"{row.path} is held: its audience changes all the time. The next run tries again.")


def _missing(
    articles: Sequence[Article], variants: Sequence[IssueVariant], interests: Sequence[Interests]
) -> list[Interests]:
    """Return interests, one for each selection that no variant has."""
    known = {frozenset(variant.articles) for variant in variants}
    return [
        interests[numbers[0]]
        for chosen, numbers in group_by_variant(articles, interests).items()
        if frozenset(article.seq for article in chosen) not in known
    ]


def _render_missing(context: Context, row: IssueRow, articles: Sequence[Article]) -> None:
    """Render and check the selections of today's subscribers that the issue has no variant for."""
    digest = context.site.digest(row.digest)
    with context.db.read() as connection:
        variants = load_variants(connection, row.id)
        audience = load_audience(connection, digest, articles, context.seconds, issue_id=row.id)
    missing = _missing(articles, variants, audience.interests)
    if not missing:
        return
    try:
        composed = compose_content(context.site, digest, content_of_issue(row), articles, missing)
    except StoreError:
        raise
    except Exception as error:
        raise IssueHeld(
            f"{row.path} is held: what a part of the subscribers would get cannot be rendered: {error}. {_repair(row)}"
        ) from error
    errors = [one for one in composed.findings if one.is_error and (one.id, one.message) not in row.accepted_errors]
    if errors:
        unseen = " that were not shown when it was forced" if row.forced is not None else ""
        raise IssueHeld(
            f"{row.path} is held: what a part of the subscribers would get has {count_phrase(len(errors), 'error')}{unseen}, the first: "
            f"{errors[0].message}. {_repair(row)}"
        )
    with context.db.write() as connection:
        known = {frozenset(variant.articles) for variant in load_variants(connection, row.id)}
        new = [variant for variant in composed.issue.variants[1:] if frozenset(variant.articles) not in known]
        if new and issues.list_issues(connection, only=[row.id]):
            add_variants(connection, row.id, new)


def _repair(row: IssueRow) -> str:
    return f"Fix that and approve it again ('publish reopen {row.digest}')."


def _open(context: Context, connection: Connection, row: IssueRow, articles: Sequence[Article]) -> OpenedSummary | None:
    site, digest = context.site, context.site.digest(row.digest)
    advisory_lock(connection, _LOCK)
    lock_audience(connection)
    if not approvals.mark_opened(connection, row.id, context.seconds):
        return None
    pending.delete_discarded(connection, row.digest)
    frozen = FrozenAudience(deliveries=0, unknown_zones={})
    if digest.send is not SendPolicy.NONE:
        audience = load_audience(connection, digest, articles, context.seconds, issue_id=row.id)
        variants = load_variants(connection, row.id)
        if _missing(articles, variants, audience.interests):
            raise _SelectionMissing
        base = local_time_base(row.slot, context.now, late_hours=site.digests[row.digest].late_hours)
        times = LocalDeliveryTimes(base, digest.deliver_at, site.tz)
        frozen = freeze_audience(connection, row.id, audience, variants, articles, times)
    return OpenedSummary(
        digest=row.digest,
        number=row.number,
        subject=row.subject,
        articles=row.articles,
        subscribers=frozen.deliveries,
        path=f"{site.paths.outbox}/{row.path}",
        warnings=tuple(
            f"unknown time zone {zone!r} of {count_phrase(count, 'subscriber')}: they get the issue by {site.zone} time"
            for zone, count in sorted(frozen.unknown_zones.items())
        ),
    )
