"""Digests, the articles that wait for them, and their issues."""

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
    #: How many errors the preflight found when it was made; None where it was never asked.
    errors: int | None
    #: Why it may be sent all the same; None where nobody said so.
    forced: str | None
    #: True where a person has stopped it for a while.
    is_paused: bool
    #: What was approved, and when (seconds since 1970); None where nobody has.
    approved: str | None
    approved_at: int | None
    #: When editors were sent the draft; None where they were not.
    draft_at: int | None

    @property
    def may_be_sent(self) -> bool:
        """Tell whether nothing that the preflight found keeps the issue back."""
        return self.errors == 0 or self.forced is not None


def started_digests(connection: Connection) -> dict[str, int]:
    """Return digest → the arrival number up to which articles count as read."""
    return dict(iter(connection.execute(select(digest.c.slug, digest.c.since_seq))))


def digests_with_issues(connection: Connection) -> set[str]:
    """Return the slugs of the digests that have an issue."""
    return set(connection.execute(select(issue.c.digest).distinct()).scalars())


def has_started(connection: Connection, slug: str) -> bool:
    """Tell whether a digest has begun."""
    return connection.execute(select(digest.c.slug).where(digest.c.slug == slug)).first() is not None


def start_digest(connection: Connection, slug: str, *, since_seq: int) -> None:
    """Begin a digest: what has arrived so far counts as read, unless it is made pending."""
    connection.execute(insert(digest).values(slug=slug, since_seq=since_seq))


def add_pending(connection: Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Let articles (digest, arrival number) wait for their digest's next issue; no harm done twice."""
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
    """Return those of (digest, arrival number) that no issue of the digest has carried."""
    wanted = list(dict.fromkeys(rows))
    seqs = {seq for _, seq in wanted}
    query = select(issue_article.c.digest, issue_article.c.article_seq).where(issue_article.c.article_seq.in_(seqs))
    carried = {(slug, seq) for slug, seq in connection.execute(query)}
    return [one for one in wanted if one not in carried]


def pending_articles(connection: Connection, slug: str, now: int) -> dict[int, bool]:
    """Return arrival number → carried over, of the articles out at ``now`` that wait for the digest."""
    query = (
        select(pending.c.article_seq, pending.c.carried_over)
        .join(article, article.c.seq == pending.c.article_seq)
        .where(pending.c.digest == slug, article.c.published_at <= now, article.c.retracted_at.is_(None))
    )
    return dict(iter(connection.execute(query)))


def last_issue_number(connection: Connection, slug: str) -> int:
    """Return the number of the digest's newest issue, 0 before the first."""
    query = select(func.coalesce(func.max(issue.c.number), 0)).where(issue.c.digest == slug)
    return int(connection.execute(query).scalar_one())


def slots_with_issues(connection: Connection, slug: str, since: datetime) -> set[datetime]:
    """Return the slots from ``since`` on that have an issue of the digest."""
    query = select(issue.c.slot).where(issue.c.digest == slug, issue.c.slot >= int(since.timestamp()))
    return {datetime.fromtimestamp(slot, UTC) for slot in connection.execute(query).scalars()}


def add_issue(connection: Connection, made: Issue, carried: Sequence[int], passed_over: Sequence[int]) -> int:
    """Keep an issue and its files, and return its id, in the caller's transaction.

    Args:
        made: the issue.
        carried: arrival numbers of its articles, in their order; they wait no longer.
        passed_over: those that were due and did not fit.
    """
    number = int(connection.execute(select(func.coalesce(func.max(issue.c.id), 0))).scalar_one()) + 1
    connection.execute(
        insert(issue).values(
            id=number,
            digest=made.digest,
            slot=int(made.slot.timestamp()),
            name=made.name,
            number=made.number,
            subject=made.subject,
            is_staged=False,
            errors=made.errors,
        )
    )
    insert_rows(connection, issue_variant, _variant_rows(number, made))
    insert_rows(
        connection,
        issue_article,
        [
            {"digest": made.digest, "article_seq": seq, "issue_id": number, "position": position}
            for position, seq in enumerate(carried)
        ],
    )
    insert_rows(
        connection, file_table, [{"issue_id": number, "name": name, "data": data} for name, data in made.files.items()]
    )
    mine = pending.c.digest == made.digest
    connection.execute(delete(pending).where(mine, pending.c.article_seq.in_(list(carried))))
    if passed_over:
        connection.execute(
            update(pending).where(mine, pending.c.article_seq.in_(list(passed_over))).values(carried_over=True)
        )
    return number


def discard_issue(connection: Connection, row: IssueRow) -> list[int]:
    """Delete an issue that nobody was sent, and let its articles wait again; return those that are published.

    Articles that became drafts wait until they are published again, withdrawn ones do not.
    """
    seqs = issue_article_seqs(connection, row.id)
    for table in (click, delivery, issue_variant, issue_article, file_table):
        connection.execute(delete(table).where(table.c.issue_id == row.id))
    connection.execute(delete(issue).where(issue.c.id == row.id))
    query = select(article.c.seq, article.c.retracted_at).where(article.c.seq.in_(seqs), article.c.retraction.is_(None))
    withdrawn_at = dict(iter(connection.execute(query)))
    add_pending(connection, [(row.digest, seq) for seq in seqs if seq in withdrawn_at])
    return [seq for seq in seqs if seq in withdrawn_at and withdrawn_at[seq] is None]


def _variant_rows(issue_id: int, made: Issue) -> list[dict[str, object]]:
    return [
        {
            "issue_id": issue_id,
            "number": place,
            "articles": json.dumps(one.articles),
            "subject": one.subject,
            "placeholder_hash": one.placeholder_hash,
            "html": one.html,
            "text": one.text,
        }
        for place, one in enumerate(made.variants, 1)
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
    """Return issues, newest first; only those of the ids given, and of slots from ``since`` on."""
    query = select(issue, _ARTICLES).order_by(issue.c.slot.desc(), issue.c.id.desc())
    if since is not None:
        query = query.where(issue.c.slot >= int(since.timestamp()))
    if only is not None:
        query = query.where(issue.c.id.in_(list(only)))
    return [_issue_row(row) for row in connection.execute(query).mappings()]


def _issue_row(row: RowMapping) -> IssueRow:
    return IssueRow(**{**row, "slot": datetime.fromtimestamp(row["slot"], UTC)})


def get_issue(connection: Connection, digest: str, name: str) -> IssueRow | None:
    """Return the issue of a digest that has this name."""
    row = connection.execute(select(issue, _ARTICLES).where(issue.c.digest == digest, issue.c.name == name))
    found = row.mappings().first()
    return _issue_row(found) if found is not None else None


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
    """Return issues of a digest that are out: staged, in order, and let go by an editor where one has to.

    Args:
        connection: to the store.
        digest: its slug.
        is_auto: whether its issues leave without an editor.
        name: only the issue of that name.
        before: only issues of earlier slots, newest first (as without it).
        after: only issues of later slots, oldest first.
        limit: so many at most.
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
    """Return the arrival numbers of the articles that an issue carries, in their order."""
    query = select(issue_article.c.article_seq).where(issue_article.c.issue_id == issue_id)
    return list(connection.execute(query.order_by(issue_article.c.position)).scalars())


def load_variants(connection: Connection, issue_id: int) -> list[IssueVariant]:
    """Return what readers get of an issue, selection by selection."""
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
    """Return issue → edition → which of these articles it has, of every edition that has one."""
    wanted = set(seqs)
    having = select(issue_article.c.issue_id).where(issue_article.c.article_seq.in_(wanted))
    query = select(issue_variant.c.issue_id, issue_variant.c.number, issue_variant.c.articles).where(
        issue_variant.c.issue_id.in_(having)
    )
    found: dict[int, dict[int, frozenset[int]]] = {}
    for issue_id, number, articles in connection.execute(query):
        if common := wanted.intersection(json.loads(articles)):
            found.setdefault(issue_id, {})[number] = frozenset(common)
    return found


def save_error_count(connection: Connection, issue_id: int, errors: int) -> None:
    """Note how many errors the preflight finds in an issue by now."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(errors=errors))


def save_forced_reason(connection: Connection, issue_id: int, reason: str) -> None:
    """Let an issue be sent in spite of its errors, and keep the reason."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(forced=reason))


def set_paused(connection: Connection, issue_id: int, *, is_paused: bool) -> None:
    """Stop an issue for a while, or let it go on."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_paused=is_paused))


def set_approval(connection: Connection, issue_id: int, hashed: str | None, now: int | None) -> None:
    """Note what of an issue was approved; nothing any more for None."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(approved=hashed, approved_at=now))


def mark_draft_sent(connection: Connection, issue_id: int, now: int) -> None:
    """Note that editors were sent the draft."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(draft_at=now))


def withdrawn_article_ids(connection: Connection, issue_id: int) -> list[str]:
    """Return the ids of the issue's articles that were withdrawn."""
    query = (
        select(article.c.id)
        .join(issue_article, issue_article.c.article_seq == article.c.seq)
        .where(issue_article.c.issue_id == issue_id, article.c.retracted_at.is_not(None))
    )
    return list(connection.execute(query.order_by(issue_article.c.position)).scalars())


def issues_to_stage(connection: Connection) -> list[int]:
    """Return the ids of issues of which not every file has been staged, oldest first."""
    query = select(issue.c.id).where(~issue.c.is_staged, exists().where(file_table.c.issue_id == issue.c.id))
    return list(connection.execute(query.order_by(issue.c.id)).scalars())


def issue_files(connection: Connection, issue_id: int) -> Mapping[str, bytes]:
    """Return an issue's files: name → bytes."""
    query = select(file_table.c.name, file_table.c.data).where(file_table.c.issue_id == issue_id)
    return dict(iter(connection.execute(query.order_by(file_table.c.name))))


def issue_file(connection: Connection, issue_id: int, name: str) -> bytes:
    """Return one of an issue's files."""
    query = select(file_table.c.data).where(file_table.c.issue_id == issue_id, file_table.c.name == name)
    return bytes(connection.execute(query).scalar_one())


def full_text(connection: Connection, issue_id: int) -> str:
    """Return the plain text of an issue with everything that it carries, with its placeholders."""
    query = select(issue_variant.c.text).where(issue_variant.c.issue_id == issue_id, issue_variant.c.number == 1)
    return bytes(connection.execute(query).scalar_one()).decode()


def mark_staged(connection: Connection, issue_id: int) -> None:
    """Note that every file of the issue lies in outbox/."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_staged=True))
