"""Queries of digests, the articles that are pending for them, and their issues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, delete, exists, func, insert, select, update

from publisher.model.digests import Issue, IssueVariant
from publisher.storage.bulk import insert_rows
from publisher.storage.tables.articles import article
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import digest, issue, issue_article, issue_variant, pending
from publisher.storage.tables.digests import issue_file as file_table
from publisher.storage.tables.reports import click

__all__ = [
    "IssueRow",
    "add_issue",
    "add_pending",
    "digests_with_issues",
    "discard_issue",
    "full_text",
    "get_issue",
    "has_started",
    "issue_article_seqs",
    "issue_file",
    "issue_files",
    "issues_to_stage",
    "last_issue_number",
    "list_issues",
    "load_variants",
    "mark_draft_sent",
    "mark_staged",
    "pending_articles",
    "public_issues",
    "save_error_count",
    "save_forced_reason",
    "set_approval",
    "set_paused",
    "slots_with_issues",
    "start_digest",
    "started_digests",
    "variants_with_articles",
    "withdrawn_article_ids",
    "without_carried",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRow:
    """An issue without its files."""

    id: int
    digest: str
    slot: datetime
    name: str
    number: int
    subject: str
    articles: int
    is_staged: bool
    #: Number of errors in the last check; None if the issue was never checked.
    errors: int | None
    #: Why it may be sent in spite of errors; None if it was not forced.
    forced: str | None
    #: True if an editor paused sending.
    is_paused: bool
    #: The hash of the approved bytes, and the time (Unix time); None if not approved.
    approved: str | None
    approved_at: int | None
    #: When the draft was sent to editors (Unix time); None if it was not.
    draft_at: int | None

    @property
    def may_be_sent(self) -> bool:
        """Return whether the issue has no errors, or was forced."""
        return self.errors == 0 or self.forced is not None


def started_digests(connection: Connection) -> dict[str, int]:
    """Return digest → the arrival number up to which articles are not pending."""
    return dict(iter(connection.execute(select(digest.c.slug, digest.c.since_seq))))


def digests_with_issues(connection: Connection) -> set[str]:
    """Return the slugs of the digests that have an issue."""
    return set(connection.execute(select(issue.c.digest).distinct()).scalars())


def has_started(connection: Connection, slug: str) -> bool:
    """Return whether a digest was started."""
    return connection.execute(select(digest.c.slug).where(digest.c.slug == slug)).first() is not None


def start_digest(connection: Connection, slug: str, *, since_seq: int) -> None:
    """Start a digest: articles up to SINCE_SEQ are not pending, unless they are added."""
    connection.execute(insert(digest).values(slug=slug, since_seq=since_seq))


def add_pending(connection: Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Add articles (digest, arrival number) to the pending ones of their digest; idempotent."""
    wanted = list(dict.fromkeys(rows))
    if not wanted:
        return
    seqs = {seq for _, seq in wanted}
    query = select(pending.c.digest, pending.c.article_seq).where(pending.c.article_seq.in_(seqs))
    waiting = {(slug, seq) for slug, seq in connection.execute(query)}
    values = [
        {"digest": slug, "article_seq": seq, "carried_over": False}
        for slug, seq in wanted
        if (slug, seq) not in waiting
    ]
    if values:
        insert_rows(connection, pending, values)


def without_carried(connection: Connection, rows: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the (digest, arrival number) of ROWS that no issue of the digest contains."""
    wanted = list(dict.fromkeys(rows))
    seqs = {seq for _, seq in wanted}
    query = select(issue_article.c.digest, issue_article.c.article_seq).where(issue_article.c.article_seq.in_(seqs))
    carried = {(slug, seq) for slug, seq in connection.execute(query)}
    return [pair for pair in wanted if pair not in carried]


def pending_articles(connection: Connection, slug: str, now: int) -> dict[int, bool]:
    """Return arrival number → carried over, for the published articles that are pending for the digest."""
    query = (
        select(pending.c.article_seq, pending.c.carried_over)
        .join(article, article.c.seq == pending.c.article_seq)
        .where(pending.c.digest == slug, article.c.published_at <= now, article.c.retracted_at.is_(None))
    )
    return dict(iter(connection.execute(query)))


def last_issue_number(connection: Connection, slug: str) -> int:
    """Return the number of the digest's newest issue; 0 if there is none."""
    query = select(func.coalesce(func.max(issue.c.number), 0)).where(issue.c.digest == slug)
    return int(connection.execute(query).scalar_one())


def slots_with_issues(connection: Connection, slug: str, since: datetime) -> set[datetime]:
    """Return the slots since SINCE that have an issue of the digest."""
    query = select(issue.c.slot).where(issue.c.digest == slug, issue.c.slot >= int(since.timestamp()))
    return {datetime.fromtimestamp(slot, UTC) for slot in connection.execute(query).scalars()}


def add_issue(connection: Connection, new_issue: Issue, carried: Sequence[int], passed_over: Sequence[int]) -> int:
    """Save an issue and its files in the transaction of CONNECTION, and return its ID.

    Args:
        connection: a transaction.
        new_issue: the issue.
        carried: arrival numbers of its articles, in order; they are no longer pending.
        passed_over: arrival numbers of articles that were due and did not fit.
    """
    number = int(connection.execute(select(func.coalesce(func.max(issue.c.id), 0))).scalar_one()) + 1
    connection.execute(
        insert(issue).values(
            id=number,
            digest=new_issue.digest,
            slot=int(new_issue.slot.timestamp()),
            name=new_issue.name,
            number=new_issue.number,
            subject=new_issue.subject,
            is_staged=False,
            errors=new_issue.errors,
        )
    )
    insert_rows(connection, issue_variant, _variant_rows(number, new_issue))
    insert_rows(
        connection,
        issue_article,
        [
            {"digest": new_issue.digest, "article_seq": seq, "issue_id": number, "position": position}
            for position, seq in enumerate(carried)
        ],
    )
    insert_rows(
        connection,
        file_table,
        [{"issue_id": number, "name": name, "data": data} for name, data in new_issue.files.items()],
    )
    of_digest = pending.c.digest == new_issue.digest
    connection.execute(delete(pending).where(of_digest, pending.c.article_seq.in_(list(carried))))
    if passed_over:
        connection.execute(
            update(pending).where(of_digest, pending.c.article_seq.in_(list(passed_over))).values(carried_over=True)
        )
    return number


def discard_issue(connection: Connection, row: IssueRow) -> list[int]:
    """Delete an unsent issue, make its articles pending again, and return those that are published.

    Articles that became drafts are pending until they are published again. Withdrawn articles are not.
    """
    seqs = issue_article_seqs(connection, row.id)
    for table in (click, delivery, issue_variant, issue_article, file_table):
        connection.execute(delete(table).where(table.c.issue_id == row.id))
    connection.execute(delete(issue).where(issue.c.id == row.id))
    query = select(article.c.seq, article.c.retracted_at).where(article.c.seq.in_(seqs), article.c.retraction.is_(None))
    withdrawn_at = dict(iter(connection.execute(query)))
    add_pending(connection, [(row.digest, seq) for seq in seqs if seq in withdrawn_at])
    return [seq for seq in seqs if seq in withdrawn_at and withdrawn_at[seq] is None]


def _variant_rows(issue_id: int, new_issue: Issue) -> list[dict[str, object]]:
    return [
        {
            "issue_id": issue_id,
            "number": number,
            "articles": json.dumps(variant.articles),
            "subject": variant.subject,
            "placeholder_hash": variant.placeholder_hash,
            "html": variant.html,
            "text": variant.text,
        }
        for number, variant in enumerate(new_issue.variants, 1)
    ]


_ARTICLES = (
    select(func.count())
    .select_from(issue_article)
    .where(issue_article.c.issue_id == issue.c.id)
    .scalar_subquery()
    .label("articles")
)


def list_issues(
    connection: Connection, *, only: Iterable[int] | None = None, since: datetime | None = None
) -> list[IssueRow]:
    """Return issues, newest first: with the IDs ONLY, and with slots since SINCE, if given."""
    query = select(issue, _ARTICLES).order_by(issue.c.slot.desc(), issue.c.id.desc())
    if since is not None:
        query = query.where(issue.c.slot >= int(since.timestamp()))
    if only is not None:
        query = query.where(issue.c.id.in_(list(only)))
    return [_issue_row(row) for row in connection.execute(query).mappings()]


def _issue_row(row: RowMapping) -> IssueRow:
    return IssueRow(**{**row, "slot": datetime.fromtimestamp(row["slot"], UTC)})


def get_issue(connection: Connection, digest: str, name: str) -> IssueRow | None:
    """Return the issue of a digest with this name, or None."""
    row = connection.execute(select(issue, _ARTICLES).where(issue.c.digest == digest, issue.c.name == name))
    columns = row.mappings().first()
    return _issue_row(columns) if columns is not None else None


def public_issues(
    connection: Connection,
    digest: str,
    *,
    is_auto: bool,
    name: str | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int | None = None,
) -> list[IssueRow]:
    """Return the public issues of a digest: staged, without errors or forced, and approved if that is required.

    Args:
        connection: the database connection.
        digest: the slug of the digest.
        is_auto: whether its issues are sent without approval.
        name: only the issue with this name.
        before: only issues of earlier slots, newest first (the default order).
        after: only issues of later slots, oldest first.
        limit: the maximum number of issues.
    """
    query = select(issue, _ARTICLES).where(
        issue.c.digest == digest, issue.c.is_staged, (issue.c.errors == 0) | issue.c.forced.is_not(None)
    )
    if not is_auto:
        query = query.where(issue.c.approved.is_not(None))
    if name is not None:
        query = query.where(issue.c.name == name)
    if before is not None:
        query = query.where(issue.c.slot < int(before.timestamp()))
    if after is not None:
        query = query.where(issue.c.slot > int(after.timestamp()))
    order = issue.c.slot if after is not None else issue.c.slot.desc()
    rows = connection.execute(query.order_by(order).limit(limit)).mappings()
    return [_issue_row(row) for row in rows]


def issue_article_seqs(connection: Connection, issue_id: int) -> list[int]:
    """Return the arrival numbers of the articles of an issue, in order."""
    query = select(issue_article.c.article_seq).where(issue_article.c.issue_id == issue_id)
    return list(connection.execute(query.order_by(issue_article.c.position)).scalars())


def load_variants(connection: Connection, issue_id: int) -> list[IssueVariant]:
    """Return the variants of an issue, by number."""
    query = select(issue_variant).where(issue_variant.c.issue_id == issue_id).order_by(issue_variant.c.number)
    return [
        IssueVariant(
            articles=tuple(json.loads(row.articles)),
            placeholder_hash=row.placeholder_hash,
            html=row.html,
            text=row.text,
            subject=row.subject,
        )
        for row in connection.execute(query)
    ]


def variants_with_articles(connection: Connection, seqs: Iterable[int]) -> dict[int, dict[int, frozenset[int]]]:
    """Return issue ID → variant number → the articles of SEQS in it, for all variants with at least one."""
    wanted = set(seqs)
    having = select(issue_article.c.issue_id).where(issue_article.c.article_seq.in_(wanted))
    query = select(issue_variant.c.issue_id, issue_variant.c.number, issue_variant.c.articles).where(
        issue_variant.c.issue_id.in_(having)
    )
    result: dict[int, dict[int, frozenset[int]]] = {}
    for issue_id, number, articles in connection.execute(query):
        if common := wanted.intersection(json.loads(articles)):
            result.setdefault(issue_id, {})[number] = frozenset(common)
    return result


def save_error_count(connection: Connection, issue_id: int, errors: int) -> None:
    """Save the number of errors of the last check of an issue."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(errors=errors))


def save_forced_reason(connection: Connection, issue_id: int, reason: str) -> None:
    """Save the reason why an issue may be sent in spite of errors."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(forced=reason))


def set_paused(connection: Connection, issue_id: int, *, is_paused: bool) -> None:
    """Pause or resume sending an issue."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_paused=is_paused))


def set_approval(connection: Connection, issue_id: int, hashed: str | None, now: int | None) -> None:
    """Save the hash and the time (Unix time) of an approval; None to revoke it."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(approved=hashed, approved_at=now))


def mark_draft_sent(connection: Connection, issue_id: int, now: int) -> None:
    """Save when the draft was sent to editors (Unix time)."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(draft_at=now))


def withdrawn_article_ids(connection: Connection, issue_id: int) -> list[str]:
    """Return the IDs of the withdrawn articles of an issue."""
    query = (
        select(article.c.id)
        .join(issue_article, issue_article.c.article_seq == article.c.seq)
        .where(issue_article.c.issue_id == issue_id, article.c.retracted_at.is_not(None))
    )
    return list(connection.execute(query.order_by(issue_article.c.position)).scalars())


def issues_to_stage(connection: Connection) -> list[int]:
    """Return the IDs of issues with files that are not staged yet, oldest first."""
    query = select(issue.c.id).where(~issue.c.is_staged, exists().where(file_table.c.issue_id == issue.c.id))
    return list(connection.execute(query.order_by(issue.c.id)).scalars())


def issue_files(connection: Connection, issue_id: int) -> Mapping[str, bytes]:
    """Return the files of an issue: name → bytes."""
    query = select(file_table.c.name, file_table.c.data).where(file_table.c.issue_id == issue_id)
    return dict(iter(connection.execute(query.order_by(file_table.c.name))))


def issue_file(connection: Connection, issue_id: int, name: str) -> bytes:
    """Return one file of an issue."""
    query = select(file_table.c.data).where(file_table.c.issue_id == issue_id, file_table.c.name == name)
    return bytes(connection.execute(query).scalar_one())


def full_text(connection: Connection, issue_id: int) -> str:
    """Return the plain text of the variant with all articles, with placeholders."""
    query = select(issue_variant.c.text).where(issue_variant.c.issue_id == issue_id, issue_variant.c.number == 1)
    return bytes(connection.execute(query).scalar_one()).decode()


def mark_staged(connection: Connection, issue_id: int) -> None:
    """Save that all files of the issue are in outbox/."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_staged=True))
