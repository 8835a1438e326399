"""Queries of issue drafts: at most one a digest, with its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from publisher.findings import Finding
from publisher.storage.bulk import insert_rows
from publisher.storage.tables.digests import issue_draft, issue_draft_file

#: Versions of a draft that are kept, to tell what changed since an editor looked at it.
_MAX_VERSIONS: Final = 20
#: Columns with a time.
_TIMES: Final = ("slot", "waiting_slot", "notified_slot")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An article that cannot be rendered, and that the draft leaves out."""

    #: The file of the article.
    where: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftVersion:
    """A version of a draft that an editor may have seen."""

    hash: str
    subject: str
    note: str
    #: Arrival number → headline and content hash of the articles, in the order of display.
    articles: dict[str, tuple[str, str]]
    #: Name → value of the settings that the mail depends on.
    settings: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueDraft:
    """The next issue of a digest, as it was last rendered."""

    digest: str
    slot: datetime
    #: The name that it would get.
    name: str
    #: The number that it would get.
    number: int
    subject: str
    #: Arrival numbers of its articles, in the order of display.
    articles: tuple[int, ...]
    #: Number of shortened stories.
    shortened: int
    #: Size of the HTML in bytes.
    html_size: int
    #: Articles that a later issue gets, because this one is full.
    passed_over: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    #: Findings of the preflight that count, as in ``check --json``.
    findings: tuple[dict[str, Any], ...]
    #: Number of errors among them.
    errors: int
    #: Hash of everything that it is rendered from.
    input_hash: str
    #: The version, as ``approve(expect=…)`` takes it.
    hash: str
    #: Newest last; the last one is this version.
    versions: tuple[DraftVersion, ...]
    #: IDs of the rules of silenced findings, one for each finding.
    silenced: tuple[str, ...] = ()
    #: Why it may be approved in spite of errors; None if it was not forced.
    forced: str | None = None
    #: The findings that were shown when it was forced.
    forced_findings: str | None = None
    #: The newest slot that has passed without an issue, and that the draft waits for.
    waiting_slot: datetime | None = None
    #: Whether the draft of ``waiting_slot`` becomes an issue without a person.
    opens_by_itself: bool = False
    #: When the editors were notified of it (Unix time); None if they were not.
    notified_at: int | None = None
    #: The slot of which they were notified.
    notified_slot: datetime | None = None
    #: The errors in that mail, as from `finding_key`.
    notified_errors: str | None = None
    #: Name → content of the files of its folder.
    files: Mapping[str, bytes] = field(default_factory=dict, compare=False)

    @property
    def is_forced(self) -> bool:
        """Return whether a person accepted exactly the findings that it has now."""
        return self.forced is not None and self.forced_findings == finding_key(self.findings)

    @property
    def may_be_approved(self) -> bool:
        """Return whether it has no errors, or was forced."""
        return self.errors == 0 or self.is_forced


def finding_key(findings: Iterable[Mapping[str, Any]]) -> str:
    """Return the errors among findings as text, to tell whether they have changed."""
    errors = [finding for finding in findings if finding.get("severity") == "error"]
    return json.dumps(sorted(json.dumps(finding, sort_keys=True) for finding in errors))


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _draft(row: RowMapping) -> IssueDraft:
    values: dict[str, Any] = {**row, **json.loads(row["summary"])}
    del values["summary"], values["is_staged"]
    values |= {name: _moment(values[name]) for name in _TIMES}
    values |= {name: json.loads(values[name]) for name in ("articles", "findings", "versions")}
    values["versions"] = [DraftVersion(**version) for version in values["versions"]]
    values["left_out"] = [LeftOut(**one) for one in values["left_out"]]
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return IssueDraft(**values)


def list_drafts(connection: Connection) -> list[IssueDraft]:
    """Return all drafts, by digest."""
    rows = connection.execute(select(issue_draft).order_by(issue_draft.c.digest)).mappings()
    return [_draft(row) for row in rows]


def load_draft(connection: Connection, digest: str) -> IssueDraft | None:
    """Return the draft of a digest without its files; None if there is none."""
    row = connection.execute(select(issue_draft).where(issue_draft.c.digest == digest)).mappings().first()
    return _draft(row) if row is not None else None


def draft_files(connection: Connection, digest: str) -> dict[str, bytes]:
    """Return the files of a draft: name → bytes."""
    query = select(issue_draft_file.c.name, issue_draft_file.c.data).where(issue_draft_file.c.digest == digest)
    return {name: bytes(data) for name, data in connection.execute(query.order_by(issue_draft_file.c.name))}


def draft_file(connection: Connection, digest: str, name: str) -> bytes:
    """Return one file of a draft."""
    is_file = (issue_draft_file.c.digest == digest) & (issue_draft_file.c.name == name)
    return bytes(connection.execute(select(issue_draft_file.c.data).where(is_file)).scalar_one())


def save_draft(connection: Connection, draft: IssueDraft) -> None:
    """Save a rendered draft in place of the earlier one, with its files."""
    delete_draft(connection, draft.digest)
    summary = {name: getattr(draft, name) for name in ("shortened", "html_size", "passed_over", "silenced")}
    summary["left_out"] = [asdict(one) for one in draft.left_out]
    versions = [asdict(version) for version in draft.versions[-_MAX_VERSIONS:]]
    values = {column.name: getattr(draft, column.name, None) for column in issue_draft.c}
    values |= {name: _seconds(getattr(draft, name)) for name in _TIMES}
    values |= {
        "articles": json.dumps(draft.articles),
        "summary": json.dumps(summary, ensure_ascii=False),
        "findings": json.dumps(draft.findings, ensure_ascii=False),
        "versions": json.dumps(versions, ensure_ascii=False),
        "is_staged": False,
    }
    connection.execute(insert(issue_draft).values(**values))
    rows = [{"digest": draft.digest, "name": name, "data": data} for name, data in draft.files.items()]
    insert_rows(connection, issue_draft_file, rows)


def delete_draft(connection: Connection, digest: str) -> None:
    """Delete the draft of a digest, if there is one."""
    connection.execute(delete(issue_draft_file).where(issue_draft_file.c.digest == digest))
    connection.execute(delete(issue_draft).where(issue_draft.c.digest == digest))


def _update(connection: Connection, digest: str, **values: Any) -> None:
    connection.execute(update(issue_draft).where(issue_draft.c.digest == digest).values(**values))


def mark_waiting(connection: Connection, digest: str, slot: datetime, *, opens_by_itself: bool) -> None:
    """Save that a slot has passed without an issue, and that the draft waits for it."""
    _update(connection, digest, waiting_slot=_seconds(slot), opens_by_itself=opens_by_itself)


def clear_waiting(connection: Connection, digest: str) -> None:
    """Let the draft wait for its next slot."""
    _update(connection, digest, waiting_slot=None, opens_by_itself=False)


def mark_editors_notified(connection: Connection, draft: IssueDraft, now: int) -> None:
    """Save that the editors were notified of a draft, of the slot that it waits for, and of its errors."""
    slot, errors = _seconds(draft.waiting_slot), finding_key(draft.findings)
    _update(connection, draft.digest, notified_at=now, notified_slot=slot, notified_errors=errors)


def save_draft_findings(
    connection: Connection, digest: str, findings: Iterable[Finding], silenced: Iterable[Finding]
) -> None:
    """Save the findings of a check, with those of a browser."""
    every = list(findings)
    rows = json.dumps([finding.as_dict() for finding in every], ensure_ascii=False)
    stored = connection.execute(select(issue_draft.c.summary).where(issue_draft.c.digest == digest)).scalar()
    summary = json.loads(stored or "{}") | {"silenced": [finding.id for finding in silenced]}
    _update(
        connection,
        digest,
        findings=rows,
        errors=sum(finding.is_error for finding in every),
        summary=json.dumps(summary, ensure_ascii=False),
    )


def save_draft_forced(connection: Connection, draft: IssueDraft, reason: str) -> None:
    """Save why a draft may be approved in spite of the errors that it has now."""
    _update(connection, draft.digest, forced=reason, forced_findings=finding_key(draft.findings))


def drafts_to_stage(connection: Connection) -> list[str]:
    """Return the digests whose draft is not staged yet."""
    query = select(issue_draft.c.digest).where(~issue_draft.c.is_staged)
    return list(connection.execute(query.order_by(issue_draft.c.digest)).scalars())


def mark_draft_staged(connection: Connection, digest: str) -> None:
    """Save that all files of a draft are staged."""
    _update(connection, digest, is_staged=True)
