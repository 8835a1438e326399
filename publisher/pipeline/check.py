"""``publish check``: check feeds in files and at URLs, and issues, against their rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import Connection

from publisher.articles.store import articles_by_seq, find_articles
from publisher.context import Context
from publisher.delivery.issue_life.approval import error_reason, unsent_reason
from publisher.digests.issue_drafts_store import list_drafts
from publisher.digests.lookup import is_unfinished
from publisher.digests.readiness import is_blocked, visible_blockers
from publisher.digests.run_preflight import IssueCheck, check_issues, force_issue, is_issue_target
from publisher.digests.store import list_issues
from publisher.errors import RemoteError, SettingsError
from publisher.feeds.checks.feed import MEDIA_TYPES, check_feed, detect_format, previous_page_url
from publisher.findings import Finding, article_names
from publisher.findings.feed_rules import finding
from publisher.findings.silence import Silence, split_silenced
from publisher.html.urls import url_path
from publisher.http_client import HttpClient, HttpResponse
from publisher.model.feeds import FeedFormat
from publisher.model.report import Progress, no_progress
from publisher.model.result import Result
from publisher.pipeline.publish import publish
from publisher.pipeline.update_drafts import approved_warnings
from publisher.settings import Site
from publisher.workers.pool import Workers

_SUFFIXES: Final = tuple(f".{form.value}" for form in FeedFormat)
#: Files that a worker checks at a time.
_BATCH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """A checked feed."""

    #: Its file or URL.
    name: str
    findings: tuple[Finding, ...]
    #: Findings that the settings silence.
    silenced: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult(Result):
    """The checked feeds and issues, and their findings."""

    feeds: int = 0
    #: Feeds with findings, silenced or not.
    faulty: tuple[CheckedFile, ...] = ()
    issues: tuple[IssueCheck, ...] = ()
    #: Entries of ``checks.silence`` that name no newsletter, issue or article.
    unknown_silences: tuple[str, ...] = ()

    @property
    def findings(self) -> int:
        """The number of findings."""
        return len(self.all_findings)

    @property
    def _checked(self) -> list[IssueCheck | CheckedFile]:
        return [*self.issues, *self.faulty]

    @property
    def all_findings(self) -> list[tuple[str, Finding]]:
        """All findings, each with the name of its issue or feed."""
        return [(checked.name, finding) for checked in self._checked for finding in checked.findings]

    @property
    def all_silenced(self) -> list[tuple[str, Finding]]:
        """All findings that the settings silence, each with the name of its issue or feed."""
        return [(checked.name, finding) for checked in self._checked for finding in checked.silenced]

    @property
    def held_back(self) -> list[IssueCheck]:
        """Issues that are blocked by errors."""
        return [issue for issue in self.issues if not issue.finished and issue.forced is None and issue.errors]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as ``publish check --json`` prints it."""
        return {
            "feeds": self.feeds,
            "issues": [
                {
                    "name": issue.name,
                    "forced": issue.forced,
                    "held_back": issue in self.held_back,
                    "no_browser": issue.no_browser,
                    "blockers": list(issue.blockers),
                    "blocked": issue.is_blocked,
                    "hash": issue.hash,
                    "held": issue.held,
                    "notes": list(issue.notes),
                }
                for issue in self.issues
            ],
            "findings": [{"file": name, **finding.as_dict()} for name, finding in self.all_findings],
            "silenced": [{"file": name, **finding.as_dict()} for name, finding in self.all_silenced],
            "unknown_silences": list(self.unknown_silences),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file to check."""

    path: Path
    #: Its URL; None if that is not known.
    address: str | None = None
    #: The site's feeds folder that it is in, and its URL.
    folder: Path | None = None
    feeds_url: str = ""


def check_site(
    context: Context, targets: Sequence[str] = (), *, with_browser: bool = True, force: str | None = None
) -> CheckResult:
    """Check feeds, drafts and issues. Before a draft is checked, articles/ is read and the draft brought up to date.

    Arguments and errors are those of ``Publisher.check``. No date in a feed may be later than the time of the context.
    """
    site = context.site
    names = list(targets) or [os.path.relpath(site.feeds_dir)]
    mails = [name for name in names if is_issue_target(name, site)]
    if force is not None and not mails:
        raise SettingsError(f"--force is for a draft or an issue, and {names[0]} is none")
    if any(_may_be_draft(site, name) for name in names):
        publish(context, may_open=False)
    result = _check(context, names, context.now, with_browser=with_browser, progress=context.progress)
    if force is not None:
        forced = [
            _with_state(context, replace(issue, forced=force_issue(context, name, force, shown=issue.findings).forced))
            for issue, name in zip(result.issues, mails, strict=True)
        ]
        result = replace(result, issues=tuple(forced))
    return replace(result, unknown_silences=_unknown_silences(context))


def _with_state(context: Context, issue: IssueCheck) -> IssueCheck:
    """Return the check of a stored issue with its state; of a draft or a file as it is."""
    if issue.row is None:
        return issue
    with context.db.read() as connection:
        (row,) = list_issues(connection, only=[issue.row.id])
        if not is_unfinished(connection, row):
            return replace(issue, finished=row.finished_state)
        held = unsent_reason(connection, context.site, row, context.now)
        blockers = tuple(map(str, visible_blockers(connection, context.site, row)))
        is_stopped = bool(blockers) and is_blocked(connection, context.site, row)
    notes = [warning.reason for warning in approved_warnings(context) if warning.where == row.path]
    if row.is_paused:
        notes.append(f"paused. To resume it: publish resume {row.path}")
    return replace(
        issue,
        blockers=blockers,
        is_blocked=is_stopped,
        # What is said of errors comes with the findings.
        held="" if held == error_reason(row) else held,
        was_held=issue.held,
        notes=tuple(notes),
    )


def check_files(
    targets: Sequence[str], now: datetime, *, with_browser: bool = True, progress: Progress = no_progress
) -> CheckResult:
    """Check feeds and issues outside of a site: files, folders and URLs.

    Args:
        targets: at least one.
        now: the time; no date in a feed may be later.
        with_browser: False to check issues without a browser.

    Raises:
        SettingsError: a file or folder does not exist, or there is no target.
        RemoteError: a URL does not respond.
    """
    if not targets:
        raise SettingsError("there is nothing to check: name a folder, a file or a URL")
    return _check(None, targets, now, with_browser=with_browser, progress=progress)


def _check(
    context: Context | None, names: Sequence[str], now: datetime, *, with_browser: bool, progress: Progress
) -> CheckResult:
    site = context.site if context is not None else None
    mails = [name for name in names if is_issue_target(name, site)]
    issues: list[IssueCheck] = []
    for issue in check_issues(context, mails, now, with_browser=with_browser) if mails else ():
        issues.append(_with_state(context, issue) if context is not None else issue)
        progress("checking issues", len(issues), len(mails))
    checked, files = [], list[_File]()
    for name in (name for name in names if name not in mails):
        if name.startswith(("http://", "https://")):
            checked.append(_check_url(name, now, _silences(site)))
        else:
            files += _files(Path(name), site)
    checked += _check_all(files, now, _silences(site), progress)
    return CheckResult(
        feeds=len(checked),
        faulty=tuple(file for file in checked if file.findings or file.silenced),
        issues=tuple(issues),
    )


def _silences(site: Site | None) -> tuple[Silence, ...]:
    return site.checks.silences if site is not None else ()


def _unknown_silences(context: Context) -> tuple[str, ...]:
    """Return the silences that name no newsletter, issue or article: they may be misspelled."""
    site = context.site
    scoped = [silence for silence in site.checks.silences if silence.scope and silence.scope not in site.digests]
    if not scoped:
        return ()
    with context.db.read() as connection:
        issues = {f"{row.digest}/{row.name}" for row in list_issues(connection)}
        issues |= {f"{draft.digest}/{draft.name}" for draft in list_drafts(connection)}
        return tuple(
            str(silence)
            for silence in scoped
            if silence.scope not in issues and not _names_article(connection, site, silence.scope)
        )


def _names_article(connection: Connection, site: Site, name: str) -> bool:
    """Return whether an article has this ID, URL, or last part of its URL."""
    seqs = [match.seq for match in find_articles(connection, name, site.base_url)]
    articles = articles_by_seq(connection, seqs, site.base_url, site.tz)
    return any(name in article_names(article.id, article.link) for article in articles.values())


def _check_all(
    files: Sequence[_File], now: datetime, silences: Sequence[Silence], progress: Progress
) -> list[CheckedFile]:
    """Check feeds in files, on all cores."""
    pages = [files[at : at + _BATCH] for at in range(0, len(files), _BATCH)]
    checked: list[CheckedFile] = []
    with Workers() as workers:
        check = partial(_check_files, now=now, silences=silences)
        for results in workers.map(check, pages, worth_it=len(pages) > 2):
            checked += results
            progress("checking feeds", len(checked), len(files))
    return checked


def _may_be_draft(site: Site, target: str) -> bool:
    """Return whether a target on the command line is the name of a draft."""
    return not Path(target).exists() and target.strip("/").removesuffix("/next") in site.digests


def _files(target: Path, site: Site | None) -> Iterator[_File]:
    if not target.exists():
        raise SettingsError(f"{target} does not exist: name an issue, a folder, a file or a URL")
    paths = [target]
    if target.is_dir():
        paths = sorted(
            Path(folder) / name
            for folder, below, names in os.walk(target)
            for name in names
            if name.endswith(_SUFFIXES) and not Path(folder).name.startswith(".")
        )
    for path in paths:
        if site is not None and path.resolve().is_relative_to(site.feeds_dir):
            address = f"{site.feeds_url}/{url_path(str(path.resolve().relative_to(site.feeds_dir)))}"
            yield _File(path=path, address=address, folder=site.feeds_dir, feeds_url=site.feeds_url)
        else:
            yield _File(path=path)


def _check_files(files: Sequence[_File], now: datetime, silences: Sequence[Silence]) -> list[CheckedFile]:
    return [_check_file(file, now, silences) for file in files]


def _check_file(file: _File, now: datetime, silences: Sequence[Silence]) -> CheckedFile:
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {file.path}: {error.strerror}") from error
    findings = check_feed(data, url=file.address, now=now)
    if file.folder is not None and not any(item.id == "well-formed" for item in findings):
        findings += _history_findings(data, file.folder, file.feeds_url)
    counted, silenced = split_silenced(findings, silences)
    return CheckedFile(name=str(file.path), findings=counted, silenced=silenced)


def _history_findings(data: bytes, folder: Path, feeds_url: str) -> list[Finding]:
    """Return a finding if the archive page that a feed links to does not exist."""
    link = previous_page_url(data)
    if link is None:
        return []
    path = folder / unquote(link.removeprefix(feeds_url + "/"))
    if link.startswith(feeds_url + "/") and path.is_file():
        return []
    return [finding("history-link", link)]


def _check_url(url: str, now: datetime, silences: Sequence[Silence]) -> CheckedFile:
    with HttpClient() as remote:
        answer = remote.get(url, {"Accept-Encoding": "gzip"})
        if answer.status != 200:
            raise RemoteError(f"{url} responds with status {answer.status}: name a feed that can be fetched")
        conditional = _conditional_findings(remote, answer)
    findings = [*check_feed(answer.body, url=answer.url, now=now), *conditional]
    form = detect_format(answer.body)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form is not None and kind not in MEDIA_TYPES[form]:
        findings.insert(0, finding("media-type", f"Content-Type {kind or 'is missing'}"))
    counted, silenced = split_silenced(findings, silences)
    return CheckedFile(name=url, findings=counted, silenced=silenced)


def _conditional_findings(remote: HttpClient, answer: HttpResponse) -> list[Finding]:
    """Return a finding if the server ignores a conditional request for the same version."""
    tag = answer.headers.get("etag")
    if tag is None:
        return [finding("not-modified", "no ETag")]
    second = remote.get(answer.url, {"Accept-Encoding": "gzip", "If-None-Match": tag})
    if second.status == 304 or second.body != answer.body:
        return []
    return [finding("not-modified", f"{second.status} to If-None-Match: {tag}")]
