"""``publish check ISSUE``: check a draft or an issue, also in a browser, or force it in spite of errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from publisher.articles.records import article_from_text
from publisher.chromium import Browser, Viewport
from publisher.context import Context
from publisher.digests import approval_store as approvals
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.compose import links_of_stories
from publisher.digests.issue_drafts_store import IssueDraft, finding_key
from publisher.digests.local_media import local_media_loader
from publisher.digests.lookup import find_issue, is_unfinished
from publisher.digests.preflight.message import check_message, html_of
from publisher.digests.readiness import (
    draft_blockers,
    issue_sample_blockers,
    require_sendable_draft,
)
from publisher.digests.store import IssueRow
from publisher.digests.update_draft import render_draft
from publisher.digests.variants_store import load_variants
from publisher.errors import BrowserMissing, SendingBlocked, SettingsError
from publisher.findings import Finding
from publisher.findings.mail_rules import finding
from publisher.findings.silence import issue_scopes, split_silenced
from publisher.html.text import clean_characters, one_line
from publisher.model.digests import SendPolicy
from publisher.settings import Site
from publisher.storage.engine import Database

_PHONE: Final = Viewport(name="phone", width=375)
_DESKTOP: Final = Viewport(name="desktop", width=1280)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCheck:
    """The result of checking a draft or an issue."""

    #: The name, folder or file of the issue; ``DIGEST/next`` for a draft.
    name: str
    findings: tuple[Finding, ...]
    #: Findings that the settings silence.
    silenced: tuple[Finding, ...] = ()
    #: Why it may be sent in spite of errors; None if it was not forced.
    forced: str | None = None
    #: Why it was not checked in a browser; empty if it was.
    no_browser: str = ""
    #: Placeholder values that block mail to real people, each with its fix; empty if mail is not configured.
    blockers: tuple[str, ...] = ()
    #: True if the issue has real people among its recipients.
    is_blocked: bool = False
    #: The version of a draft; empty for an issue.
    hash: str = ""
    #: The issue, before it was checked; None for a draft and for a file.
    row: IssueRow | None = None
    #: The state of an issue of which nothing is left to be sent, in words; empty otherwise.
    finished: str = ""
    #: Why an approved issue is held, apart from its errors; empty if it is not.
    held: str = ""
    #: The same before it was forced.
    was_held: str = ""
    #: What else the editors should know of an approved issue.
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        """The number of errors."""
        return sum(finding.is_error for finding in self.findings)


def is_issue_target(target: str, site: Site | None) -> bool:
    """Return whether an argument of the command line is an issue, not a feed."""
    path = Path(target)
    if path.exists():
        return path.suffix == ".eml" or (path / "message.eml").is_file()
    return site is not None and target.partition("/")[0] in site.digests


def check_issues(
    context: Context | None, targets: Sequence[str], now: datetime, *, with_browser: bool = True
) -> Iterator[IssueCheck]:
    """Yield the result of checking each draft or issue, in a browser too if there is one.

    The findings of a stored draft and the number of errors of a stored issue are saved: errors block approval and
    sending.

    Args:
        context: the site; None outside of one, where targets are folders and files.
        targets: ``DIGEST`` for its draft, or else its newest unfinished or newest issue; ``DIGEST/NAME``, a folder, or a
            message file.

    Raises:
        SettingsError: there is no such issue.
        StoreError: the database cannot be used.
    """
    with ExitStack() as stack:
        browser, missing = None, "--no-browser was given"
        try:
            if with_browser:
                media = local_media_loader(context.site) if context is not None else lambda _: None
                browser = stack.enter_context(Browser(media))
                missing = ""
        except BrowserMissing as error:
            missing = str(error)
        for target in targets:
            yield _check_issue(context, target, now, browser, missing)


def _check_issue(
    context: Context | None, target: str, now: datetime, browser: Browser | None, missing: str
) -> IssueCheck:
    path = Path(target)
    if path.exists() or context is None:
        site = context.site if context is not None else None
        file = path / "message.eml" if path.is_dir() else path
        try:
            data = file.read_bytes()
        except OSError as error:
            raise SettingsError(f"cannot read {file}: {error.strerror}") from error
        findings, silenced = _split(site, _all_findings(data, now, (), browser), _scopes_of_path(site, path))
        return IssueCheck(name=target, findings=findings, silenced=silenced, no_browser=missing)
    with context.db.read() as connection:
        draft = drafts.load_draft(connection, target.strip("/").removesuffix("/next"))
    if draft is not None:
        return _check_draft(context, draft, browser, missing)
    with context.db.read() as connection:
        row = find_issue(connection, target)
        data = issues.issue_files(connection, row.id)["message.eml"]
        variants = [(variant.html.decode(), variant.text.decode()) for variant in load_variants(connection, row.id)]
        stories = _stories(connection, context.site, row)
    # The staged message has the date of the slot, which may be still to come.
    every = _all_findings(data, max(now, row.slot), variants, browser, stories)
    findings, silenced = _split(context.site, every, issue_scopes(row.digest, row.name))
    with context.db.write() as connection:
        issues.save_error_count(connection, row.id, sum(result.is_error for result in findings))
        errors = {(result.id, result.message) for result in findings if result.is_error}
        is_lapsed = row.forced_findings is not None and not errors <= row.accepted_errors
        if is_lapsed:
            approvals.clear_forced_reason(connection, row.id)
    return IssueCheck(
        name=row.path,
        findings=findings,
        silenced=silenced,
        forced=None if is_lapsed else row.forced,
        no_browser=missing,
        row=row,
    )


def _check_draft(context: Context, draft: IssueDraft, browser: Browser | None, missing: str) -> IssueCheck:
    """Check a draft as it would be mailed now, and save the findings."""
    site, db = context.site, context.db
    composed, _ = render_draft(context, draft)
    measured, unmeasured = _split(
        site, _in_browser(composed.issue.files["message.eml"], browser), issue_scopes(draft.digest, composed.issue.name)
    )
    findings, silenced = (*composed.findings, *measured), (*composed.silenced, *unmeasured)
    blockers, is_blocked = _draft_blockers(db, site, draft)
    with db.write() as connection:
        drafts.save_draft_findings(connection, draft.digest, findings, silenced)
        stored = drafts.load_draft(connection, draft.digest)
    return IssueCheck(
        name=f"{draft.digest}/next",
        findings=findings,
        silenced=silenced,
        forced=stored.forced if stored is not None and stored.is_forced else None,
        no_browser=missing,
        blockers=blockers,
        is_blocked=is_blocked,
        hash=draft.hash,
    )


def _draft_blockers(db: Database, site: Site, draft: IssueDraft) -> tuple[tuple[str, ...], bool]:
    """Return the placeholder values that block the mail of a draft, and whether they reach real people."""
    if site.digests[draft.digest].send is SendPolicy.NONE or site.smtp is None or site.delivers_locally:
        return (), False
    with db.read() as connection:
        blockers = tuple(map(str, draft_blockers(connection, site, draft.digest)))
        try:
            require_sendable_draft(connection, site, draft.digest)
        except SendingBlocked:
            return blockers, True
    return blockers, False


def _all_findings(
    data: bytes,
    now: datetime,
    variants: Sequence[tuple[str, str]],
    browser: Browser | None,
    stories: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Iterator[Finding]:
    yield from check_message(data, now=now, variants=variants, stories=stories)
    yield from _in_browser(data, browser)


def _split(
    site: Site | None, findings: Iterable[Finding], scopes: Sequence[str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings that count, and those that the settings silence; outside of a site all of them count."""
    return split_silenced(findings, site.checks.silences if site is not None else (), scopes)


def _scopes_of_path(site: Site | None, path: Path) -> tuple[str, ...]:
    """Return the newsletter and the issue of a folder or a file in outbox/, for the settings; empty elsewhere."""
    if site is None or not path.resolve().is_relative_to(site.outbox_dir.resolve()):
        return ()
    digest, *name = path.resolve().relative_to(site.outbox_dir.resolve()).parts
    return issue_scopes(digest, name[0]) if name else (digest,)


def _stories(connection: Connection, site: Site, row: IssueRow) -> dict[str, tuple[str, ...]]:
    """Return URL → names of the articles that an issue links to."""
    if row.digest not in site.digests:
        return {}
    texts = approvals.approved_texts(connection, row.id)
    articles = [article_from_text(text, site.base_url, site.tz) for text in texts.values()]
    return links_of_stories(site, site.digest(row.digest), row.name, row.number, articles)


def _in_browser(data: bytes, browser: Browser | None) -> Iterator[Finding]:
    """Yield the violations that only a browser can find."""
    html = html_of(data) if browser is not None else None
    if browser is None or html is None:
        return
    if wider := browser.horizontal_overflow(html, _PHONE):
        yield finding("overflow-measured", f"the page is {wider} pixels wider than the screen", entry=_PHONE.label)
    for view in (_PHONE, replace(_PHONE, is_dark=True), _DESKTOP, replace(_DESKTOP, is_dark=True)):
        for fault in browser.accessibility_violations(html, view):
            elements = ", ".join(fault.selectors[:3])
            yield finding("accessibility", f"{fault.rule}: {fault.message}: {elements}", entry=view.label)


def force_issue(context: Context, target: str, reason: str, *, shown: Sequence[Finding] | None = None) -> IssueCheck:
    """Allow a draft to be approved, or an issue to be sent, in spite of errors, and save the reason.

    The permission is for the errors that were shown, and lapses when they change. An issue is no longer held because of
    its articles that are withdrawn, or later than its slot, at this time.

    Args:
        shown: the findings that were shown; None for those of a draft that are stored, and for none of an issue.

    Raises:
        SettingsError: there is no such issue, there is nothing to force, a draft has other errors than were shown, or the
            reason is empty.
    """
    cleaned_reason = one_line(clean_characters(reason)[0])
    if not cleaned_reason:
        raise SettingsError("--force is empty: give the reason why the issue may be sent in spite of errors")
    with context.exclusive(), context.db.write() as connection:
        draft = drafts.load_draft(connection, target.strip("/").removesuffix("/next"))
        if draft is not None:
            if not draft.errors:
                raise SettingsError(f"the draft of {draft.digest} has no errors: there is nothing to force")
            if shown is not None and finding_key(one.as_dict() for one in shown) != finding_key(draft.findings):
                raise SettingsError(f"the errors of the draft of {draft.digest} have changed. Run the command again")
            drafts.save_draft_forced(connection, draft, cleaned_reason)
            return IssueCheck(name=f"{draft.digest}/next", findings=(), forced=cleaned_reason, hash=draft.hash)
        row = find_issue(connection, target)
        errors = [(one.id, one.message) for one in shown or () if one.is_error]
        _require_reason_to_force(connection, context.site, row, has_errors=bool(errors or row.errors != 0))
        approvals.save_forced_reason(connection, row.id, cleaned_reason, errors)
    return IssueCheck(name=row.path, findings=(), forced=cleaned_reason)


def _require_reason_to_force(connection: Connection, site: Site, row: IssueRow, *, has_errors: bool) -> None:
    if not is_unfinished(connection, row):
        raise SettingsError(f"{row.path} {row.finished_state}: there is nothing to force")
    has_sample = not site.delivers_locally and issue_sample_blockers(connection, row)
    if not has_errors and not has_sample and not approvals.holding_articles(connection, row.id):
        raise SettingsError(
            f"{row.path} has no errors, and no article of it was withdrawn or moved: there is nothing to force"
        )
