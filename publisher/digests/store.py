"""Queries of issues, their articles, variants and files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, case, delete, exists, func, insert, or_, select, update

from publisher.digests.variants_store import add_variants
from publisher.model.digests import Issue
from publisher.storage.bulk import insert_rows
from publisher.storage.facts import increment_fact
from publisher.storage.tables.articles import article
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import issue, issue_article, issue_variant
from publisher.storage.tables.digests import issue_file as file_table
from publisher.storage.tables.reports import click

#: The name of the fact with the last issue ID.
_LAST_ID: Final = "last_issue_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRow:
    """An issue without its files."""

    id: int
    digest: str
    #: The time of the cadence that it is for, in UTC.
    slot: datetime
    #: The name of its folder, such as ``2026-11-23T0700``.
    name: str
    #: Its number within the digest, from 1.
    number: int
    subject: str
    #: The number of its articles.
    articles: int
    #: Whether its folder in outbox/ is complete.
    is_staged: bool
    #: Number of errors in the last check; None if the issue was never checked.
    errors: int | None
    #: Why it may be sent in spite of errors; None if it was not forced.
    forced: str | None
    #: The withdrawn and unpublished articles that it was forced with, as JSON; None if it was not forced.
    forced_articles: str | None
    #: The errors that were shown when it was forced, as JSON; None if it was not forced.
    forced_findings: str | None
    #: True if an editor paused sending.
    is_paused: bool
    #: The hash of the approved content; None if it was not approved.
    approved: str | None
    #: When it was approved (Unix time).
    approved_at: int | None
    #: When its send opened (Unix time); None if it has not yet.
    opened_at: int | None
    #: When it was cancelled (Unix time); None if it was not.
    cancelled_at: int | None
    #: What its further variants are rendered from, and what reopening restores, as JSON; None for older issues.
    editorial: str | None
    #: The settings of mail at its approval, as JSON; None for older issues.
    mail_settings: str | None
    #: Why it is held, as the editors were notified.
    notified_hold: str | None
    #: Why its send did not open when it was due; None for no reason.
    opening_fault: str | None

    @property
    def path(self) -> str:
        """Return ``DIGEST/NAME``."""
        return f"{self.digest}/{self.name}"

    @property
    def accepted_errors(self) -> frozenset[tuple[str, str]]:
        """Return (rule, message) of the errors that were shown when it was forced."""
        return frozenset((rule, message) for rule, message in json.loads(self.forced_findings or "[]"))

    @property
    def accepted_articles(self) -> Mapping[str, int | None]:
        """Return the articles that it was forced with: ID → when they were withdrawn, 0 if they were not, None if unknown."""
        stored: list[str] | dict[str, int] = json.loads(self.forced_articles or "{}")
        # Former versions stored a list of IDs.
        return stored if isinstance(stored, dict) else dict.fromkeys(stored)

    @property
    def is_waiting(self) -> bool:
        """Return whether the issue is approved and its send has not opened."""
        return self.approved_at is not None and self.opened_at is None and self.cancelled_at is None

    @property
    def finished_state(self) -> str:
        """Return the state of an issue of which nothing is left to be sent, in words."""
        if self.opened_at is None:
            return "was never approved, and is not sent"
        return "has no more messages to send" if self.cancelled_at is None else "was cancelled"

    @property
    def may_be_sent(self) -> bool:
        """Return whether the issue has no errors, or was forced."""
        return self.errors == 0 or self.forced is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """The approval of an issue, as it is stored with it."""

    #: The hash of its content.
    hash: str
    #: Unix time.
    at: int
    #: What reopening the issue restores, and its further variants are rendered from, as JSON.
    editorial: str
    #: The settings of mail, as JSON.
    mail_settings: str


def digests_with_issues(connection: Connection) -> set[str]:
    """Return the slugs of the digests that have an issue."""
    return set(connection.execute(select(issue.c.digest).distinct()).scalars())


def last_issue_number(connection: Connection, slug: str) -> int:
    """Return the number of the digest's newest issue; 0 if there is none."""
    query = select(func.coalesce(func.max(issue.c.number), 0)).where(issue.c.digest == slug)
    return int(connection.execute(query).scalar_one())


def numbers_around(connection: Connection, slug: str, slot: datetime) -> tuple[int, int | None]:
    """Return the numbers of a digest's issues next to a slot.

    Returns:
        The highest number of the issues that are before the slot, or whose send has opened; 0 for none. The lowest number
        of the other ones; None for none.
    """
    is_first = or_(issue.c.slot < int(slot.timestamp()), issue.c.opened_at.is_not(None))
    query = select(
        func.max(case((is_first, issue.c.number), else_=0)), func.min(case((is_first, None), else_=issue.c.number))
    )
    before, after = connection.execute(query.where(issue.c.digest == slug)).one()
    return before or 0, after


def slots_with_issues(
    connection: Connection, slug: str, since: datetime, *, with_waiting: bool = True
) -> set[datetime]:
    """Return the slots since SINCE that have an issue of the digest, with or without those that wait for their slot."""
    query = select(issue.c.slot).where(issue.c.digest == slug, issue.c.slot >= int(since.timestamp()))
    if not with_waiting:
        query = query.where(~_IS_WAITING)
    return {datetime.fromtimestamp(slot, UTC) for slot in connection.execute(query).scalars()}


def names_near(connection: Connection, slug: str, slot: datetime) -> set[str]:
    """Return the names of a digest's issues with other slots, at most two days from SLOT: zones differ by less."""
    seconds = int(slot.timestamp())
    is_near = issue.c.slot.between(seconds - 2 * 86_400, seconds + 2 * 86_400) & (issue.c.slot != seconds)
    return set(connection.execute(select(issue.c.name).where(issue.c.digest == slug, is_near)).scalars())


def newest_slot(connection: Connection, slug: str, *, until: datetime | None = None) -> datetime | None:
    """Return the newest slot, up to UNTIL, that has an issue of the digest; None without an issue."""
    query = select(func.max(issue.c.slot)).where(issue.c.digest == slug)
    if until is not None:
        query = query.where(issue.c.slot <= int(until.timestamp()))
    seconds = connection.execute(query).scalar()
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def add_issue(
    connection: Connection,
    new_issue: Issue,
    texts: Mapping[int, str],
    approval: ApprovalRecord,
) -> int:
    """Save an approved issue and its files, and return its ID. IDs are never used again.

    TEXTS has the arrival numbers of its articles, in order → their approved text.
    """
    newest = int(connection.execute(select(func.coalesce(func.max(issue.c.id), 0))).scalar_one())
    number = increment_fact(connection, _LAST_ID, 1, at_least=newest) + 1
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
            approved=approval.hash,
            approved_at=approval.at,
            editorial=approval.editorial,
            mail_settings=approval.mail_settings,
        )
    )
    add_variants(connection, number, new_issue.variants)
    rows = [
        {
            "digest": new_issue.digest,
            "article_seq": seq,
            "issue_id": number,
            "position": position,
            "approved_text": text,
        }
        for position, (seq, text) in enumerate(texts.items())
    ]
    insert_rows(connection, issue_article, rows)
    files = [{"issue_id": number, "name": name, "data": data} for name, data in new_issue.files.items()]
    insert_rows(connection, file_table, files)
    return number


def delete_issue(connection: Connection, issue_id: int) -> None:
    """Delete an issue whose send has not opened."""
    for table in (click, delivery, issue_variant, issue_article, file_table):
        connection.execute(delete(table).where(table.c.issue_id == issue_id))
    connection.execute(delete(issue).where(issue.c.id == issue_id))


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
    """Return issues, newest first: with the IDs ONLY, and with slots or openings since SINCE, if given."""
    query = select(issue, _ARTICLES).order_by(issue.c.slot.desc(), issue.c.id.desc())
    if since is not None:
        seconds = int(since.timestamp())
        query = query.where((issue.c.slot >= seconds) | (issue.c.opened_at >= seconds))
    if only is not None:
        query = query.where(issue.c.id.in_(list(only)))
    return _issue_rows(connection, query)


_IS_UNSENT: Final = and_(issue.c.opened_at.is_(None), issue.c.cancelled_at.is_(None))
#: True for issues that are approved, and whose send has not opened.
_IS_WAITING: Final = issue.c.approved_at.is_not(None) & _IS_UNSENT


def waiting_issues(connection: Connection, digest: str | None = None) -> list[IssueRow]:
    """Return the issues that are approved and whose send has not opened, newest first: all, or those of a digest."""
    query = select(issue, _ARTICLES).where(_IS_WAITING).order_by(issue.c.slot.desc())
    return _issue_rows(connection, query.where(issue.c.digest == digest) if digest is not None else query)


def unapproved_issues(connection: Connection) -> list[IssueRow]:
    """Return the issues of older versions that were made and never approved, newest first."""
    query = select(issue, _ARTICLES).where(issue.c.approved_at.is_(None), _IS_UNSENT)
    return _issue_rows(connection, query.order_by(issue.c.slot.desc()))


def issue_ids(connection: Connection) -> set[int]:
    """Return the IDs of all issues."""
    return set(connection.execute(select(issue.c.id)).scalars())


def _issue_rows(connection: Connection, query: Select[Any]) -> list[IssueRow]:
    rows = connection.execute(query).mappings()
    return [IssueRow(**{**row, "slot": datetime.fromtimestamp(row["slot"], UTC)}) for row in rows]


def get_issue(connection: Connection, digest: str, name: str) -> IssueRow | None:
    """Return the issue of a digest with this name, or None."""
    query = select(issue, _ARTICLES).where(issue.c.digest == digest, issue.c.name == name)
    return next(iter(_issue_rows(connection, query)), None)


def public_issues(
    connection: Connection,
    digest: str,
    *,
    name: str | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int | None = None,
) -> list[IssueRow]:
    """Return the public issues of a digest: staged, and with an open send.

    Args:
        before: only issues of earlier slots, newest first (the default order).
        after: only issues of later slots, oldest first.
    """
    query = select(issue, _ARTICLES).where(issue.c.digest == digest, issue.c.is_staged, issue.c.opened_at.is_not(None))
    if name is not None:
        query = query.where(issue.c.name == name)
    if before is not None:
        query = query.where(issue.c.slot < int(before.timestamp()))
    if after is not None:
        query = query.where(issue.c.slot > int(after.timestamp()))
    order = issue.c.slot if after is not None else issue.c.slot.desc()
    return _issue_rows(connection, query.order_by(order).limit(limit))


def issue_article_seqs(connection: Connection, issue_id: int) -> list[int]:
    """Return the arrival numbers of the articles of an issue, in order."""
    query = select(issue_article.c.article_seq).where(issue_article.c.issue_id == issue_id)
    return list(connection.execute(query.order_by(issue_article.c.position)).scalars())


def save_error_count(connection: Connection, issue_id: int, errors: int) -> None:
    """Save the number of errors of the last check of an issue."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(errors=errors))


def set_paused(connection: Connection, issue_id: int, *, is_paused: bool) -> None:
    """Pause or resume sending an issue."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_paused=is_paused))


def withdrawn_articles(connection: Connection, issue_id: int) -> dict[str, int]:
    """Return the withdrawn articles of an issue, in order: ID → when it was withdrawn."""
    query = (
        select(article.c.id, article.c.retracted_at)
        .join(issue_article, issue_article.c.article_seq == article.c.seq)
        .where(issue_article.c.issue_id == issue_id, article.c.retracted_at.is_not(None))
    )
    return dict(iter(connection.execute(query.order_by(issue_article.c.position))))


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


def mark_staged(connection: Connection, issue_id: int) -> None:
    """Save that all files of the issue are in outbox/."""
    connection.execute(update(issue).where(issue.c.id == issue_id).values(is_staged=True))
